"""The world as a condition of one task sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_redengine.arguments import Context
from sessionkit_redengine.conditions.session import FuncCond
from sessionkit_redengine.conditions.time import TaskExecutable
from sessionkit_redengine.tasks.function import shape_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from sessionkit_redengine.conditions.base import Condition
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.history.state import TaskState
    from sessionkit_redengine.parameters import Parameters
    from sessionkit_redengine.periods.base import Period
    from sessionkit_redengine.tasks.base import Task

#: Seconds between two looks at what does not tell when it changes, unless `cycle_sleep` says.
POLL = 1.0


class SessionView:
    """See `conditions.base.View`. One object is used for task after task, by one thread at a time."""

    __slots__ = ("_asked", "now", "poll", "session", "task", "zone")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.task: Task | None = None
        self.now = session.clock.time()
        self.zone: tzinfo = session.zone
        self.poll = session.config.cycle_sleep or POLL
        # What functions said at this instant: looking at a task and planning it ask but once.
        self._asked: dict[Condition, tuple[float, bool]] = {}

    def of(self, task: Task | None, now: float) -> SessionView:
        """This view, looking from `task` at `now`."""
        self.task = task
        self.now = now
        return self

    @property
    def parameters(self) -> Parameters:
        """See `View`."""
        return self.session.parameters

    @property
    def cycles(self) -> int:
        """See `View`."""
        return self.session.scheduler.cycles

    @property
    def started(self) -> float | None:
        """See `View`."""
        return self.session.scheduler.started

    def state(self, name: str | None) -> TaskState:
        """See `View`."""
        return self.session.record.of(self._task(name))

    def counts(self, name: str | None) -> TaskState:
        """See `View`."""
        return self.session.record.counts(self._task(name))

    def _task(self, name: str | None) -> Task:
        if name is None and self.task is not None:
            return self.task
        return self.session.get_task(name or "")

    def period(self, name: str | None) -> Period | None:
        """See `View`."""
        return period_in(self._task(name).start_cond)

    def returned(self, name: str) -> object:
        """See `View`."""
        return self.session.returns.get(name)

    def pending(self, condition: Condition) -> int:
        """See `View`."""
        return self.session.scheduler.events.waiting(self.task, condition)

    def call(self, condition: Condition) -> bool:
        """See `View`."""
        assert isinstance(condition, FuncCond)
        if self._asked.get(condition, (None,))[0] == self.now:
            return bool(self._asked[condition][1])
        answer = self._ask(condition)
        self._asked[condition] = (self.now, answer)
        return answer

    def _ask(self, condition: FuncCond) -> bool:
        context = Context(self.session, self.task)
        given: dict[str, Any] = {
            name: argument.get_value(context) for name, argument in shape_of(condition.func).arguments.items()
        }
        return bool(condition.func(*condition.args, **{**given, **dict(condition.kwargs)}))


def period_in(condition: Condition) -> Period | None:
    """The period of the first `daily` and the like in a condition."""
    if isinstance(condition, TaskExecutable):
        return condition.period
    for part in getattr(condition, "conditions", ()):
        found = period_in(part)
        if found is not None:
            return found
    return None
