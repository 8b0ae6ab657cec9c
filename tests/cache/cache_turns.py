"""Threads of which one runs at a time, from one point to the next, when it is told to.

Points are where another thread or process could come between: before a lock is taken (`TurnLock` stands in
for `threading.RLock`), before the file or Redis is spoken to, before and after a service answers.
"""

from __future__ import annotations

import _thread
import threading

PATIENCE = 60.0


class Killed(BaseException):
    """The process that this ran in is no more."""


class Task:
    """Something under way for `owner`."""

    def __init__(self, turns, owner, action):
        self.owner = owner
        self.error = None
        self.done = self.killed = False
        self.waits_for = None
        self._points = 0
        self._turns = turns
        self._action = action
        self._mine, self._yours = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._yours.acquire()
        _thread.start_new_thread(self._run, ())  # which waits for no sign of life, as threading does

    @property
    def ready(self):
        return not self.done and (self.waits_for is None or self.waits_for.owner is None)

    def step(self, points=1):
        """Let it run for so many points, or to where it must wait, or to its end."""
        self._points = points
        self._turns.current = self
        self._mine.release()
        assert self._yours.acquire(timeout=PATIENCE), "a task does not come to its next point"
        self._turns.current = None

    def kill(self):
        self.killed = True
        while not self.done:
            self.step()

    def pause(self):
        self._points -= 1
        if not self.killed and (self._points <= 0 or self.waits_for is not None):
            self._yours.release()
            self._mine.acquire()
        if self.killed:
            raise Killed

    def _run(self):
        self._mine.acquire()
        try:
            if not self.killed:
                self._action()
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        self.done = True
        self._yours.release()


class Turns:
    """Whose turn it is, and what is under way."""

    def __init__(self):
        self.current = None
        self.tasks = []

    def begin(self, owner, action):
        self.tasks.append(Task(self, owner, action))

    def of(self, owner):
        return sum(task.owner is owner for task in self.tasks)

    def point(self):
        """Others may come between here. For who is no task (the schedule itself), nothing."""
        if self.current is not None:
            self.current.pause()

    def step(self, number=0, points=1_000_000):
        """Let one of those that can go on do so, for so many points; tell whether there was one."""
        ready = [task for task in self.tasks if task.ready]
        if not ready:
            assert not self.tasks, "all wait for each other"
            return False
        task = ready[number % len(ready)]
        task.step(points)
        if task.done:
            self.tasks.remove(task)
            if task.error is not None:
                raise task.error
        return True

    def kill(self, owner=None):
        """End what is under way, for one owner or for all, where it is."""
        for task in [task for task in self.tasks if owner in (None, task.owner)]:
            self.tasks.remove(task)
            task.kill()

    def lock(self):
        return TurnLock(self)


class TurnLock:
    """A re-entrant lock whose taking is a point, and for which a task waits without keeping others."""

    def __init__(self, turns):
        self.owner = None
        self._turns = turns
        self._depth = 0

    def __enter__(self):
        task = self._turns.current
        if task is None:
            return
        if self.owner is not task:
            self._turns.point()
            while self.owner is not None:
                task.waits_for = self
                self._turns.point()
            task.waits_for = None
            self.owner = task
        self._depth += 1

    def __exit__(self, *_exc):
        if self._turns.current is None:
            return
        self._depth -= 1
        if not self._depth:
            self.owner = None
