"""A scheduler that knows nothing of planning, and a driver that gives it and the real one the same history.

The naive one looks at every task at every tick of a coarse clock, with its own record of what has happened.
The real one sleeps as long as it says. Both must start the same runs, due at the same instants, in the same
order. What a condition without parts says at an instant is asked of the condition: that has tests of its own.
"""

from __future__ import annotations

import random
from collections import deque
from contextlib import ExitStack, suppress

from redengine_held import Held as HeldRuns
from redengine_times import instant
from shrinking import shortest

from sessionkit.testing import ManualClock
from sessionkit_redengine import FuncTask
from sessionkit_redengine.conditions import AlwaysFalse, FuncCond
from sessionkit_redengine.conditions.base import All, Any, Not
from sessionkit_redengine.conditions.session import OnEvent
from sessionkit_redengine.engine import Session
from sessionkit_redengine.history.owner import Owner, machine
from sessionkit_redengine.parameters import Parameters
from sessionkit_redengine.runs import Outcome
from sessionkit_redengine.setback import set_back
from sessionkit_redengine.view import period_in

STARTS = ("2026-06-10T09:00", "2026-03-28T20:00", "2026-10-24T20:00", "2026-12-31T20:00")
FIELDS = (
    *("start_cond", "end_cond", "priority", "missed", "retries", "retry_delay"),
    *("timeout", "multilaunch", "disabled", "on_startup"),
)
MOST_CYCLES = 60


class Difference(AssertionError):
    """The two schedulers do not agree."""


# --- worlds ---


def condition(rng, names, fine):
    """A condition that each run makes false, alone or together with others; as the language writes it."""
    once = _once(rng, names, fine)
    roll = rng.random()
    if roll < 0.45:
        return once
    if roll < 0.65:
        return f"{once} | {_once(rng, names, fine)}"
    if roll < 0.9:
        return f"({once}) & {_while(rng, names, fine)}"
    return f"({once} | {_once(rng, names, fine)}) & ({_while(rng, names, fine)} | {_while(rng, names, fine)})"


def _once(rng, names, fine):
    other = rng.choice(names)
    end = rng.choice(("", " succeeded", " failed", " finished", " terminated"))
    if rng.random() < 0.4:
        return rng.choice(
            (
                f"after task '{other}'{end}",
                f"after tasks '{other}', '{rng.choice(names)}'{end}",
                f"after any tasks '{other}', '{rng.choice(names)}'{end}",
                f"on event 'topic={rng.choice('xy')}'",
            )
        )
    if fine:
        return rng.choice(
            (
                *("every 7 seconds", "every 20 seconds", "every 1 minute", "minutely", "hourly"),
                *("minutely between 10 and 40", "minutely after 30", "cron * * * * *"),
            )
        )
    return rng.choice(
        (
            *("every 20 minutes", "every 50 minutes", "every 3 hours", "hourly", "hourly after 30:00"),
            *(
                "hourly between 10:00 and 20:00",
                "daily",
                "daily between 10:00 and 12:00",
                "daily after 22:00",
            ),
            *("daily before 03:00", "daily between 23:00 and 02:00", "daily on 02:30", "weekly on Sun"),
            *("cron 0,20 * * * *", "cron 30 2 * * *", "cron 0 */3 * * *"),
        )
    )


def _while(rng, names, fine):
    other = rng.choice(names)
    unit, spans = ("minute", ("20", "50")) if fine else ("day", ("10:00", "22:30"))
    past = "20 seconds" if fine else "2 hours"
    act = rng.choice(("succeeded", "failed", "started", "finished", "terminated"))
    found = rng.choice(
        (
            f"time of {unit} between {spans[0]} and {spans[1]}",
            f"time of {unit} after {spans[1]}",
            f"task '{other}' is running",
            f"task '{other}' has {act}",
            f"task '{other}' has {act} past {past}",
            f"task '{other}' has {act} this {'minute' if fine else 'hour'}",
            f"task '{other}' has {act} today",
            f"has {act} past {past}",
            f"scheduler started {past} ago",
            "param 'mode' is 'a'",
            "env 'prod'",
            *(("asked",) * 4 if fine else ()),
        )
    )
    return f"~{found}" if rng.random() < 0.4 else found


def task_fields(rng, names, fine, minute):
    """What a task is made of."""
    fields = {"start_cond": condition(rng, names, fine), "priority": rng.choice((0, 0, 1, 2))}
    if rng.random() < 0.06:
        fields["start_cond"] = "false"
    if rng.random() < 0.25:
        fields["retries"] = rng.choice((1, 2))
        fields["retry_delay"] = rng.choice((0, 3, 10)) * minute / 10
    if rng.random() < 0.3:
        fields["timeout"] = rng.choice((1, 3, 9)) * minute
    if rng.random() < 0.2:
        fields["end_cond"] = _while(rng, names, fine)
    elif rng.random() < 0.2:
        fields["multilaunch"] = True
    elif rng.random() < 0.06:
        fields["start_cond"] = "true"
    if "asked" not in fields["start_cond"]:
        fields["missed"] = rng.choice(("skip", "skip", "once", "all"))
    if rng.random() < 0.07:
        fields["disabled"] = True
    if rng.random() < 0.07:
        fields["on_startup"] = True
        fields["start_cond"] = "false"
    return fields


class Plan:
    """A world and its history, made of a seed; `steps` may be cut."""

    def __init__(self, seed, length=25):
        rng = self.rng = random.Random(seed)
        self.fine = rng.random() < 0.35
        self.tick = 1.0 if self.fine else 600.0
        self.names = "abcdef"[: rng.randint(3, 6)]
        self.lasting = rng.random() < 0.3
        self.start = rng.choice(STARTS)
        self.zone = rng.choice(("UTC", "Europe/Oslo"))
        self.capacity = rng.choice((None, None, None, 1, 2))
        self.tasks = {name: self._fields() for name in self.names}
        self.sets_back = not self.lasting and rng.random() < 0.4
        self.steps = [self._step() for _ in range(length)]

    def _fields(self):
        return task_fields(self.rng, self.names, self.fine, 10 * self.tick)

    def _step(self):
        rng, name = self.rng, self.rng.choice(self.names)
        kinds = {"pass": 9, "end": 9, "event": 3, "run": 2, "able": 2, "change": 1, "replace": 1}
        kinds |= {"remove": 0.5, "add": 1, "param": 2, "hold": 1, "asleep": 1.5, "forward": 1}
        kinds |= {"back": 2} if self.sets_back else {}
        kinds |= {"pause": 2, "stop": 1, "kill": 1} if self.lasting else {}
        kinds |= {"flag": 5} if self.fine else {}
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        ticks = int(min(rng.expovariate(1 / 25) + 1, 300)) if rng.random() < 0.6 else rng.randint(1, 4)
        given = {
            "end": lambda: (
                rng.randrange(4),
                rng.choice(("success", "success", "fail", "fail", "inaction", "crash")),
            ),
            "event": lambda: (rng.choice("xy"),),
            "able": lambda: (name, rng.random() < 0.5),
            "pause": lambda: (name, rng.random() < 0.5),
            "change": lambda: (name, rng.choice(self.names)),
            "replace": lambda: (name, self._fields()),
            "add": lambda: (name, self._fields()),
            "run": lambda: (name,),
            "remove": lambda: (name,),
            "param": lambda: (rng.choice(("mode", "env")), rng.choice(("a", "prod", None))),
            "hold": lambda: (rng.random() < 0.4,),
            "flag": lambda: (rng.random() < 0.5,),
        }.get(kind)
        return (kind, *(given() if given else (ticks,)))


# --- the naive scheduler ---


class Log:
    """What a task has done, as conditions ask for it, worked out of the list of its runs."""

    counting = True

    def __init__(self):
        self.runs = []  # [started, due, ended or None, action]
        self.last_due = self.anchor = None
        self.order = []  # actions in the order in which they happened

    def start(self, now, due):
        run = [now, due, None, "run"]
        self.runs.append(run)
        self.order.append("run")
        self.last_due = self.anchor = due
        return run

    def finish(self, run, action, now):
        run[2:] = now, action
        self.order.append(action)

    @property
    def running(self):
        return {number: run[0] for number, run in enumerate(self.runs) if run[2] is None}

    @property
    def status(self):
        return "run" if self.running else self.order[-1] if self.order else None

    @property
    def fails(self):
        ends = [action for action in self.order if action != "run"]
        return next(
            (n for n, action in enumerate(reversed(ends)) if action not in {"fail", "crash"}), len(ends)
        )

    def times(self, action, since, until):
        at = [run[0] if action == "run" else run[2] for run in self.runs if action in {"run", run[3]}]
        return sorted(when for when in at if since <= when <= until)

    @property
    def last(self):
        found = {}
        for started, _, ended, action in self.runs:
            found["run"] = max(started, found.get("run", started))
            if ended is not None:
                found[action] = max(ended, found.get(action, ended))
        return found

    def latest(self, *actions):
        last = self.last
        return max((last[action] for action in actions if action in last), default=None)

    def shift(self, seconds):
        for run in self.runs:
            run[0] += seconds
            run[2] = None if run[2] is None else run[2] + seconds
        if self.anchor is not None:
            self.anchor += seconds


class NaiveTask:
    """A task, its record, and what it is owed."""

    def __init__(self, name, order, fields, parse):
        self.name, self.order = name, order
        self.priority, self.missed = fields.get("priority", 0), fields.get("missed", "skip")
        self.start_cond = parse(fields["start_cond"])
        self.end_cond = parse(fields.get("end_cond", "false"))
        self.retries, self.retry_delay = fields.get("retries", 0), fields.get("retry_delay", 0)
        self.timeout, self.multilaunch = fields.get("timeout", 1800.0), fields.get("multilaunch", False)
        self.disabled, self.on_startup = fields.get("disabled", False), fields.get("on_startup", False)
        self.state = Log()
        self.retry = None
        self.wishes = 0
        self.gone = False


class Naive:
    """Looks at everything at every tick. It is also the `View` of the conditions it asks."""

    def __init__(self, plan, now, parse, zone):
        self.tick, self.capacity, self.parse, self.zone = plan.tick, plan.capacity, parse, zone
        self.now = self.seen = self.started = now
        self.parameters = Parameters()
        self.flag = False
        self.tasks, self.paused, self.hold = {}, set(), False
        self.running = []  # [task, run, deadline, told to end]
        self.queue, self.ended = deque(), deque()
        self.events = {}
        self.starts = []
        self.made = self.done = 0
        self.task = None

    # the view

    cycles, poll = 0, 1.0

    def state(self, name):
        return (self.task if name is None else self.tasks[name]).state

    counts = state

    def period(self, name):
        return period_in((self.task if name is None else self.tasks[name]).start_cond)

    def pending(self, condition):
        return self.events.get((self.task.name, condition), 0)

    def call(self, condition):
        return self.flag

    def truth(self, task, condition, at):
        if isinstance(condition, Not):
            return not self.truth(task, condition.condition, at)
        if isinstance(condition, (All, Any)):
            parts = [self.truth(task, part, at) for part in condition.conditions]
            return all(parts) if isinstance(condition, All) else any(parts)
        if isinstance(condition, FuncCond):
            return self.flag
        self.task = task
        try:
            return bool(condition.state(self, at)[0])
        except KeyError:
            raise LookupError from None

    def holds(self, task, condition, at):
        """A condition that names a task that is not there says nothing, whatever its other parts say."""
        named = {name for kind, name in frozenset(condition.keys()) if kind == "task" and name}
        if named - self.tasks.keys():
            return False
        return self.truth(task, condition, at)

    # what happens

    def look(self, task, queued=None):
        """When the run of a task is due that is to start now, or None."""
        if task.gone or self.hold or (task.state.running and not task.multilaunch):
            return None
        if task.wishes:
            return self.now
        if task.disabled or task.name in self.paused:
            return None
        if queued is not None and task.on_startup:
            return queued
        if task.on_startup:
            return None
        if task.retry is not None and task.retry <= self.now:
            return task.state.last_due if task.state.last_due is not None else self.now
        due = queued if queued is not None else self.first(task)
        if due is None:
            return None
        if task.missed == "all" and self.holds(task, task.start_cond, due):
            return due
        if self.holds(task, task.start_cond, self.now):
            return self.now if self.now - due > 1 else due
        return due if task.missed == "once" and self.holds(task, task.start_cond, due) else None

    def first(self, task):
        """The first tick since the last look at which the condition was true."""
        since = self.seen.get(task, self.now) if isinstance(self.seen, dict) else self.seen
        if task.missed == "all" and task.state.last_due is not None:
            since = min(since, task.state.last_due)
        at = min(since, self.now)
        while at <= self.now:
            if self.holds(task, task.start_cond, at):
                return at
            at += self.tick
        return None

    def cycle(self):
        """Do all that is due at this instant; nothing is left then."""
        for _ in range(MOST_CYCLES):
            if not self._cycle():
                break
        else:
            raise RuntimeError("a world that never comes to rest")
        self.seen = self.now + self.tick

    def _cycle(self):
        before = self.done
        self.read()
        for entry in self.running:
            task = entry[0]
            over = not task.gone and self.holds(task, task.end_cond, self.now)
            if not entry[3] and (over or entry[2] <= self.now):
                entry[3] = True
                self.ended.append((entry, "terminate"))
        waiting = {task for task, _ in self.queue}
        ready = [(task, self.look(task)) for task in self.tasks.values() if task not in waiting]
        self.seen = self.now
        for task, due in sorted(ready, key=lambda pair: (-pair[0].priority, pair[0].order)):
            if due is not None:
                self.begin(task, due)
                self.read()
        self.read()
        return before != self.done

    def read(self):
        while self.ended:
            self.finish(*self.ended.popleft())

    def begin(self, task, due):
        if self.capacity is not None and len(self.running) >= self.capacity:
            self.queue.append((task, due))
            return
        if task.wishes:
            task.wishes -= 1
        else:
            task.retry = None
        self.take(task, task.start_cond)
        self.running.append([task, task.state.start(self.now, due), self.now + task.timeout, False])
        self.starts.append((self.now, task.name, due))
        self.done += 1

    def take(self, task, condition):
        key = task.name, condition
        if isinstance(condition, OnEvent) and self.events.get(key):
            self.events[key] -= 1
            return True
        if isinstance(condition, (All, Any)):
            taken = False
            for part in condition.conditions:
                taken = self.take(task, part) or taken
                if taken and isinstance(condition, Any):
                    break
            return taken
        return False

    def finish(self, entry, action):
        self.running = [other for other in self.running if other is not entry]
        self.done += 1
        task = entry[0]
        task.state.finish(entry[1], action, self.now)
        if action in {"fail", "crash"} and task.state.fails % (task.retries + 1):
            task.retry = self.now + task.retry_delay
        while self.queue and (self.capacity is None or len(self.running) < self.capacity):
            waiting, due = self.queue.popleft()
            found = self.look(waiting, due)
            if found is not None:
                self.begin(waiting, found)

    # what is done to it

    def add(self, name, fields):
        old = self.tasks.get(name)
        self.made += 1
        task = NaiveTask(name, self.made, fields, self.parse)
        if old is not None:
            task.state = old.state
            self.remove(name)
        self.tasks[name] = task

    def remove(self, name):
        task = self.tasks.pop(name)
        task.gone = True
        self.queue = deque(waiting for waiting in self.queue if waiting[0] is not task)
        for key in [key for key in self.events if key[0] == name]:
            del self.events[key]

    def event(self, topic):
        for task in self.tasks.values():
            for key in task.start_cond.keys() | task.end_cond.keys():
                if key[0] == "event" and key[1].expression == f"topic={topic}":
                    self.events[task.name, key[1]] = self.events.get((task.name, key[1]), 0) + 1

    def jump(self, seconds):
        self.now += seconds
        for entry in self.running:
            entry[2] += seconds
        if seconds < 0:
            self.started += seconds
            for task in self.tasks.values():
                set_back(task, -seconds, self.now)
                task.retry = None if task.retry is None else task.retry + seconds
            self.seen = self.now

    def restart(self, *, killed):
        """End what runs, and begin again with what a history remembers."""
        for entry in list(self.running) if killed else ():
            entry[0].state.finish(entry[1], "crash", self.now)
        self.running.clear()
        self.queue.clear()
        self.events.clear()
        self.seen = {}
        self.hold = False
        self.started = self.now
        for task in self.tasks.values():
            task.wishes, task.retry = 0, None
        self.start()

    def start(self):
        for task in sorted(self.tasks.values(), key=lambda task: (-task.priority, task.order)):
            always = type(task.start_cond) is AlwaysFalse
            if (
                task.on_startup
                and not task.disabled
                and (always or self.holds(task, task.start_cond, self.now))
            ):
                self.begin(task, self.now)
        seen = {}
        for task in self.tasks.values():
            state = task.state
            ends = [action for action in state.order if action != "run"]
            if not state.running and ends[-1:] in (["fail"], ["crash"]) and state.fails % (task.retries + 1):
                task.retry = max(self.now, state.latest("fail", "crash") + task.retry_delay)
            if task.missed != "skip" and state.last_due is not None:
                seen[task] = state.last_due
        self.seen = seen


# --- the real one ---


class Held(HeldRuns):
    """Tells of each start, and may be told to end what has ended by itself."""

    started = None

    def start(self, run, job):
        super().start(run, job)
        self.started(run)

    def end(self, run):
        if run in self.held:
            super().end(run)


class Both:
    """The real scheduler and the naive one, in one world.

    Args:
        plan: The world.
        folder: Where a history may be kept.
    """

    def __init__(self, plan, folder):
        self.plan = plan
        self.path = folder / "runs.db" if plan.lasting else None
        self.clock = ManualClock(instant(plan.start))
        self.starts = []
        self.idle = 0
        self.removed = set()
        self.fields = {name: dict(fields) for name, fields in plan.tasks.items()}
        self.parameters, self.flag = {}, False
        self.naive = None
        self.lives = ExitStack()
        self.open()

    def asked(self):
        return self.flag

    def open(self):
        plan = self.plan
        self.session = session = Session.detached(
            clock=self.clock,
            execution="thread",
            timezone=plan.zone,
            history=self.path,
            task_pre_exist="replace",
            keep_output=False,
            parameters=self.parameters,
        )
        if self.path:
            # Nobody has this process: when the session is left alone, it is dead.
            history = session.history
            history.owner = Owner(history.owner.id, machine(), 1, "another life")
        session.add_condition_parser({"asked": FuncCond(self.asked)})
        for name, fields in self.fields.items():
            FuncTask(_nothing, session=session, name=name, **fields)
        scheduler = self.scheduler = session.scheduler
        self.held = Held(scheduler._done, plan.capacity)
        self.held.started = self._started
        scheduler.launcher.executors._made["thread"] = self.held
        scheduler.events.listen = lambda condition: None
        if self.naive is None:
            self.naive = Naive(plan, self.clock.time(), session.parse_condition, session.zone)
            for name, fields in self.fields.items():
                self.naive.add(name, fields)
            self.naive.start()
        self.living = scheduler._living(None)
        self.living.__enter__()
        self.work = scheduler._work()

    def _started(self, run):
        self.starts.append((run.started, run.task.name, run.due))

    def close(self, *, killed=False):
        self.work.close()
        if killed:  # as if the process were gone: nothing is recorded any more
            self.scheduler.others.close()
            if self.session.history._database is not None:
                self.session.history._database.close()
                self.session.history._database = None
            self.session.history._beat = float("-inf")
            self.session.history.finish = lambda run: None
            self.scheduler.launcher.runs.clear()
        with suppress(BaseException) if killed else ExitStack():
            self.living.__exit__(None, None, None)
        self.session.close()

    # time

    def settle(self):
        """Have both do all that is due now; how long the real one sleeps then."""
        for _ in range(MOST_CYCLES):
            before = self.scheduler.cycles, len(self.starts)
            pause = next(self.work)
            if pause > 0:
                break
        else:
            raise Difference(f"the scheduler never sleeps: {before}")
        if self.naive.now != self.clock.time():
            raise Difference("it woke between two ticks")
        self.naive.cycle()
        self.compare()
        return pause

    def compare(self):
        real, naive = self.starts, self.naive.starts
        if real == naive:
            running = [entry[0].name for entry in self.naive.running]
            if self.naive.now == self.clock.time() and running != [run.task.name for run in self.held.held]:
                raise Difference(f"real runs {self.held.held}, naive {running}")
            return
        number = next(
            (n for n, pair in enumerate(zip(real, naive, strict=False)) if pair[0] != pair[1]), None
        )
        number = min(len(real), len(naive)) if number is None else number
        raise Difference(f"real {real[number:][:3]}, naive {naive[number:][:3]}")

    def advance(self, ticks):
        until = self.clock.time() + ticks * self.plan.tick
        pause = self.settle()
        while self.clock.time() < until:
            wake = min(until, self.clock.time() + pause)
            naive = self.naive
            # In between only the naive one looks.
            while naive.now + self.plan.tick < wake:
                naive.now += self.plan.tick
                naive.cycle()
                self.compare()
            self.clock.advance(wake - self.clock.time())
            if wake % self.plan.tick:
                raise Difference(f"it wakes between two ticks, {wake % self.plan.tick} s after one")
            naive.now = wake
            done = len(self.starts), len(self.held.held)
            pause = self.settle()
            idle = wake < until and done == (len(self.starts), len(self.held.held))
            self.idle = self.idle + 1 if idle else 0
            if self.idle > 3 and not self.plan.fine:
                raise Difference(f"it wakes again and again and does nothing, next in {pause} s")

    # steps

    def take(self, step):
        kind, *given = step
        getattr(self, f"do_{kind}")(*given)
        if kind != "pass":
            self.settle()

    def do_pass(self, ticks):
        self.advance(ticks)

    def do_asleep(self, ticks):
        """The machine is held up: nobody looks meanwhile."""
        self.clock.advance(ticks * self.plan.tick)
        self.naive.now = self.clock.time()

    def do_forward(self, ticks):
        self.clock.jump(ticks * self.plan.tick)
        self.naive.jump(ticks * self.plan.tick)

    def do_back(self, ticks):
        self.clock.jump(-ticks * self.plan.tick)
        self.naive.jump(-ticks * self.plan.tick)

    def do_end(self, number, action):
        if not self.held.held:
            return
        number %= len(self.held.held)
        run = self.held.held.pop(number)
        entry = self.naive.running[number]
        self.held.done(run, Outcome(action))
        self.naive.ended.append((entry, action))

    def do_event(self, topic):
        for key in self.watched():
            if key.expression == f"topic={topic}":
                self.scheduler._heard(key, {"topic": topic})
        self.naive.event(topic)

    def watched(self):
        return {
            key[1]
            for task in self.session.tasks
            for key in task.start_cond.keys() | task.end_cond.keys()
            if key[0] == "event"
        }

    def do_run(self, name):
        if name in self.session:
            self.session[name].run()
            self.naive.tasks[name].wishes += 1

    def do_able(self, name, disabled):
        if name in self.session:
            self.session[name].disabled = self.fields[name]["disabled"] = disabled
            self.naive.tasks[name].disabled = disabled

    def do_change(self, name, other):
        if name in self.session and other in self.session:
            if self.fields[other]["start_cond"] == "true" or "asked" in self.fields[other]["start_cond"]:
                return
            text = self.fields[other]["start_cond"]
            self.session[name].start_cond = self.fields[name]["start_cond"] = text
            self.naive.tasks[name].start_cond = self.session.parse_condition(text)

    def do_replace(self, name, fields):
        if name in self.session:
            self.make(name, fields)

    def do_add(self, name, fields):
        # Somebody of this name who has run is remembered by a history and forgotten by memory.
        if name not in self.session and not self.plan.lasting:
            self.make(name, fields)

    def make(self, name, fields):
        self.fields.pop(name, None)
        self.fields[name] = dict(fields)
        FuncTask(_nothing, session=self.session, name=name, **fields)
        self.naive.add(name, fields)

    def do_remove(self, name):
        if name in self.session:
            self.session.remove_task(name)
            del self.fields[name]
            self.naive.remove(name)
            self.removed.add(name)

    def do_param(self, name, value):
        for parameters in (self.session.parameters, self.naive.parameters, self.parameters):
            if value is None:
                parameters.pop(name, None)
            else:
                parameters[name] = value

    def do_hold(self, value):
        self.scheduler.on_hold = self.naive.hold = value

    def do_flag(self, value):
        """A function's answer changes between two looks."""
        self.advance(1)
        self.clock.advance(1)
        self.naive.now = self.clock.time()
        self.flag = self.naive.flag = value

    def do_pause(self, name, paused):
        wish = "pause" if paused else "resume"
        self.session.history.order(self.session.name, name, wish, self.clock.time())
        self.scheduler.others.look_again()
        (self.naive.paused.add if paused else self.naive.paused.discard)(name)

    def do_stop(self, ticks):
        """End in good order, and start again later."""
        self.do_hold(True)
        while self.held.held:
            self.do_end(0, "success")
            self.settle()
        self.again(ticks, killed=False)

    def do_kill(self, ticks):
        self.again(ticks, killed=True)

    def again(self, ticks, *, killed):
        self.close(killed=killed)
        self.clock.advance(ticks * self.plan.tick)
        self.naive.now = self.clock.time()
        self.naive.restart(killed=killed)
        self.open()

    # what must be true in the end

    def check(self):
        session = self.session
        for name, task in self.naive.tasks.items():
            log = [
                (record.start, record.due, record.end, record.action)
                for record in session.get_task_log(name)
                if record.action != "run"
            ]
            runs = sorted(tuple(run) for run in task.state.runs if run[2] is not None)
            if not self.plan.sets_back and name not in self.removed and sorted(log) != runs:
                raise Difference(f"the history of {name}: {sorted(log)}, naive {runs}")
            real = session[name].state
            if (real.last, real.fails) != (task.state.last, task.state.fails):
                raise Difference(f"the state of {name}: {real.last}, naive {task.state.last}")
        strange = [text for text in session.problems if "which does not exist" not in text]
        strange = [text for text in strange if "There is no task" not in text and "crashed" not in text]
        if strange:
            raise Difference(f"problems: {strange}")


def _nothing():
    """What the tasks do."""


def play(plan, folder, steps=None):
    """Play a plan's steps in a new folder; raises `Difference`, with the number of the step."""
    for old in folder.glob("runs.db*"):
        old.unlink()
    both = Both(plan, folder)
    try:
        both.settle()
        for step in plan.steps if steps is None else steps:
            both.take(step)
        both.check()
    finally:
        both.held.held.clear()
        both.scheduler.launcher.runs.clear()
        both.close(killed=plan.lasting)
    return len(both.starts)


def play_or_tell(play, plan, folder, world):
    """Play a plan's steps; what fails is told as the shortest history, with the fewest tasks, that does."""

    def difference(steps):
        try:
            play(plan, folder, steps)
        except Difference as error:
            return error
        return None

    try:
        return play(plan, folder)
    except Difference:
        steps = shortest(plan.steps, difference)
    for name in list(plan.tasks):
        kept = plan.tasks.pop(name)
        if not difference(steps):
            plan.tasks[name] = kept
    lines = [world, *map(str, plan.tasks.items()), *map(str, steps), str(difference(steps))]
    raise Difference("\n".join(lines))
