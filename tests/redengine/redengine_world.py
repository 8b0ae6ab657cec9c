"""A world for conditions whose history the test writes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from redengine_times import instant

from sessionkit_redengine.conditions import AlwaysFalse, parse_condition
from sessionkit_redengine.errors import TaskNotFound
from sessionkit_redengine.history.state import TaskState
from sessionkit_redengine.parameters import Parameters
from sessionkit_redengine.view import period_in

NOON = instant("2026-06-10T12:00")  # a Wednesday


class World:
    """A view of tasks whose history the test writes."""

    def __init__(self, now=NOON, zone="UTC"):
        self.now = now
        self.zone = ZoneInfo(zone)
        self.poll = 1.0
        self.parameters = Parameters()
        self.cycles = 0
        self.started = None
        self.tasks = {None: TaskState()}
        self.conditions = {}
        self.returns = {}
        self.events = 0

    def state(self, name):
        if name not in self.tasks:
            raise TaskNotFound(f"There is no task {name!r}.")
        return self.tasks[name]

    def counts(self, name):
        return self.state(name)

    def period(self, name):
        return period_in(self.conditions.get(name, AlwaysFalse()))

    def returned(self, name):
        return self.returns.get(name)

    def pending(self, condition):
        return self.events

    def call(self, condition):
        return condition.func(*condition.args, **dict(condition.kwargs))

    def ran(self, name=None, *, at, action="success", took=0.0, due=None):
        state = self.tasks.setdefault(name, TaskState())
        state.counting or state.count_from({})
        run = f"{name}-{at}"
        state.start(run, at, at if due is None else due)
        if action is not None:
            state.finish(run, action, at + took)

    def says(self, condition, at=None):
        at = self.now if at is None else at
        value, until = (parse_condition(condition) if isinstance(condition, str) else condition).state(
            self, at
        )
        assert until > at
        return value
