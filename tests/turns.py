"""Threads that move only when they are told to, from one point to the next, and a clock that moves with them.

What stands here takes the place of `threading`, `time` and a clock in code that is to run in a chosen order.
"""

import contextlib
import math
import threading

from sessionkit.testing import ManualClock

EPSILON = 1e-6
SHORTEST_SLEEP = 10 * EPSILON


class Killed(BaseException):
    """What ends a task whose process was killed."""


def closed_gate():
    """A lock to be released by one thread and acquired by another; much quicker than a semaphore."""
    gate = threading.Lock()
    gate.acquire()
    return gate


class Task:
    """A thread of a process; `step` lets it go on to its next point."""

    def __init__(self, turns, name, work, process=None, deadline=None):
        self.turns = turns
        self.name = name
        self.process = process
        self.deadline = deadline
        self.over = self.killed = self.unwinding = False
        self.killed_at = self.over_at = math.inf
        self.ready, self.until = None, -math.inf
        self._turn = closed_gate()
        threading.Thread(target=self._live, args=(work,), daemon=True).start()

    def _live(self, work):
        self._turn.acquire()
        try:
            self.arrive()
            work()
        except Killed:
            pass
        except BaseException as error:
            self.turns.complain(f"{self.name} ended with {error!r}")
        finally:
            self.over, self.over_at = True, self.turns.clock.monotonic()
            self.turns.back.release()

    @property
    def runnable(self):
        return self.turns.clock.monotonic() >= self.until - EPSILON or (
            self.ready is not None and self.ready()
        )

    def step(self):
        self.turns.running = self
        self._turn.release()
        assert self.turns.back.acquire(timeout=30), (
            f"{self.name} waits for something that is not of this world"
        )
        self.turns.running = None

    def kill(self):
        """End it where it is: nothing that it does on its way out is seen by others."""
        self.killed, self.killed_at = True, self.turns.clock.monotonic()
        self.step()

    def pause(self, ready=None, until=-math.inf):
        self.ready, self.until = ready, until
        self.turns.back.release()
        self._turn.acquire()
        self.ready, self.until = None, -math.inf
        self.arrive()

    def arrive(self):
        if self.killed:
            self.unwinding = True
            raise Killed


class Turns(contextlib.AbstractContextManager):
    """The tasks, and whose turn it is."""

    def __init__(self):
        self.clock = Clock(self)
        self.threading = Threading(self)
        self.tasks = {}
        self.running = None
        self.back = closed_gate()
        self.complaint = ""
        self.watch = lambda: None

    def complain(self, what):
        """Remember the first promise that was broken; raising it would give the code at fault an error."""
        self.complaint = self.complaint or what

    def start(self, name, work, process=None, deadline=None):
        while name in self.tasks:
            name += "'"
        self.tasks[name] = Task(self, name, work, process, deadline)

    def point(self):
        """Somebody else may go on here."""
        if self.running is not None and not self.running.unwinding:
            self.running.pause()

    def wait(self, ready=None, seconds=math.inf):
        """Pause until `ready()`, `seconds` at most."""
        task = self.running
        if task is None or task.unwinding:
            return
        until = self.clock.monotonic() + seconds
        if task.deadline is not None and seconds > 0 and until > task.deadline + 2 * SHORTEST_SLEEP:
            self.complain(f"{task.name} was about to wait beyond its deadline")
        task.pause(ready, until)

    def step(self, name):
        """Let a task go on, if it can."""
        task = self.tasks.get(name)
        if task is not None and task.runnable:
            task.step()
            if task.over:
                del self.tasks[name]
            self.watch()

    def kill(self, process):
        for name, task in list(self.tasks.items()):
            if task.process is process:
                task.kill()
                del self.tasks[name]

    def tick(self):
        """When nobody can go on, let time pass until somebody can; say whether somebody can."""
        if not any(task.runnable for task in self.tasks.values()):
            first = min((task.until for task in self.tasks.values()), default=math.inf)
            if first == math.inf:
                return False
            self.clock.advance(first - self.clock.monotonic())
        return True

    def settle(self):
        """Let everybody go on to the end, in turn."""
        for _ in range(2000):
            if not self.tick():
                break
            for name in list(self.tasks):
                self.step(name)
        if self.tasks:
            self.complain(f"these wait for ever: {sorted(self.tasks)}")

    def __exit__(self, *_):
        for task in self.tasks.values():
            task.kill()


class Clock(ManualClock):
    """Also takes the place of the module `time`."""

    def __init__(self, turns):
        super().__init__()
        self._turns = turns

    def advance(self, seconds):
        # In whole microseconds: a sum of a sum is else not quite the sum that somebody waits for.
        super().advance(seconds)
        self._monotonic, self._now = round(self._monotonic, 6), round(self._now, 6)

    def sleep(self, seconds):
        # A loop that sleeps for what is left, to the last bit, must see time pass.
        self._turns.wait(None, max(seconds, SHORTEST_SLEEP))

    @property
    def perf_counter(self):
        return self.monotonic


class Threading:
    """Takes the place of the module `threading`."""

    TIMEOUT_MAX = threading.TIMEOUT_MAX

    def __init__(self, turns):
        self._turns = turns

    def Lock(self):  # noqa: N802 - the module's name for it
        return _Lock(self._turns)

    def Event(self):  # noqa: N802 - the module's name for it
        return _Event(self._turns)

    def Thread(self, *, target, name, daemon, args=()):  # noqa: N802 - the module's name for it
        return _Thread(self._turns, name, lambda: target(*args))


class _Lock:
    def __init__(self, turns):
        self._turns = turns
        self._held = False

    def acquire(self, timeout=math.inf):
        until = self._turns.clock.monotonic() + timeout
        self._turns.point()
        if self._held:
            self._turns.wait(lambda: not self._held, until - self._turns.clock.monotonic())
        if self._held:
            return False
        self._held = True
        return True

    def release(self):
        self._held = False

    def __enter__(self):
        self.acquire()

    def __exit__(self, *_):
        self.release()


class _Event:
    def __init__(self, turns):
        self._turns = turns
        self._set = False

    def set(self):
        self._set = True

    def is_set(self):
        return self._set

    def wait(self, timeout=math.inf):
        self._turns.wait(self.is_set, timeout)
        return self._set


class _Thread:
    def __init__(self, turns, name, work):
        self._turns, self._name, self._work = turns, name, work

    def start(self):
        owner = self._turns.running
        name = f"{owner.process.name}-{self._name.rpartition('-')[2]}"
        self._turns.start(name, self._work, owner.process)
