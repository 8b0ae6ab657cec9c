"""Conditions on what tasks have done: has succeeded, has failed three times today, is running, after task."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sessionkit_redengine.conditions.base import FOREVER, Condition, Truth, View
from sessionkit_redengine.conditions.reference import task_key, task_name
from sessionkit_redengine.periods.base import Period, TimeDelta
from sessionkit_redengine.periods.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import timedelta

    from typing_extensions import Self

    from sessionkit_redengine.conditions.reference import TaskLike
    from sessionkit_redengine.history.state import TaskState

_ANY: Final[tuple[str, float]] = (">", 0)
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Countable(Condition):
    """A condition on a number: true when there is one, or as compared (`TaskFailed("x") >= 3`)."""

    __slots__ = ("comparison",)
    comparison: tuple[str, float]

    def _compared(self, sign: str, number: float) -> Self:
        raise NotImplementedError

    def holds(self, number: float) -> bool:
        """Whether the comparison is true of a number."""
        sign, limit = self.comparison
        return COMPARISONS[sign](number, limit)

    def _key(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def __lt__(self, number: float) -> Self:
        return self._compared("<", number)

    def __le__(self, number: float) -> Self:
        return self._compared("<=", number)

    def __gt__(self, number: float) -> Self:
        return self._compared(">", number)

    def __ge__(self, number: float) -> Self:
        return self._compared(">=", number)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, (int, float)):
            return self._compared("==", other)
        return isinstance(other, Countable) and type(other) is type(self) and other._key() == self._key()

    def __ne__(self, other: object) -> Any:
        if isinstance(other, (int, float)):
            return self._compared("!=", other)
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        shown = ", ".join(repr(part) for part in self._key()[:-1] if part is not None)
        sign, limit = self.comparison
        suffix = "" if (sign, limit) == (">", 0) else f" {sign} {limit:g}"
        return f"{type(self).__name__}({shown}){suffix}"


class TaskAction(Countable):
    """True when a task has done something, ever or in a period; countable.

    Args:
        task: The task meant; None is the one whose condition this is.
        period: Where to count: a period of the wall clock, a `TimeDelta`, or None: the period in which that
            task runs once ("daily" counts today), else all of its history.
    """

    __slots__ = ("period", "task")
    actions: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        task: TaskLike | None = None,
        period: Period | None = None,
        *,
        comparison: tuple[str, float] = (">", 0),
    ) -> None:
        self.task = task_name(task)
        self.period = period
        self.comparison = comparison

    def state(self, view: View, at: float) -> Truth:
        """The comparison with how often it was done in the period as seen at `at`."""
        period = self.period or view.period(self.task)
        if period is None:
            return self._ever(view, at)
        if isinstance(period, TimeDelta):
            return self._sliding(view, at, period.past)
        start, end, until = period.counted(at, view.zone)
        if start > at:
            return (self.holds(0), until)
        if self.comparison == _ANY and end > at:
            latest = view.state(self.task).latest(*self.actions)
            if latest is not None and latest > at:
                return (False, min(until, latest))  # `at` is past: it was to be done yet
            return (latest is not None and start <= latest, until)
        record = view.counts(self.task)
        until = min(until, self._next(record, at))
        return (self.holds(self._count(record, start, min(at, _just_before(end)))), until)

    def _ever(self, view: View, at: float) -> Truth:
        if self.comparison == _ANY:
            latest = view.state(self.task).latest(*self.actions)
            return (latest is not None, FOREVER)
        return (self.holds(self._count(view.counts(self.task), -FOREVER, at)), FOREVER)

    def _sliding(self, view: View, at: float, past: float) -> Truth:
        record = view.counts(self.task)
        instants = [instant for action in self.actions for instant in record.times(action, at - past, at)]
        # Exactly at the end of its stretch an instant is in no longer: the window is half open.
        inside = [instant for instant in instants if instant + past > at]
        until = min(min(inside, default=FOREVER) + past, self._next(record, at))
        return (self.holds(len(inside)), until)

    def _next(self, record: TaskState, at: float) -> float:
        """When it was done next after `at`, which may be long past; infinity if it was not."""
        after = math.nextafter(at, FOREVER)
        later = [instant for action in self.actions for instant in record.times(action, after, FOREVER)[:1]]
        return min(later, default=FOREVER)

    def _count(self, record: TaskState, since: float, until: float) -> int:
        return sum(len(record.times(action, since, until)) for action in self.actions)

    def keys(self) -> frozenset[Hashable]:
        """The task's runs."""
        return task_key(self.task)

    def _compared(self, sign: str, number: float) -> Self:
        return type(self)(self.task, self.period, comparison=(sign, number))

    def _key(self) -> tuple[Any, ...]:
        return (self.task, self.period, self.comparison)


def _just_before(end: float) -> float:
    return end - 1e-6 if end != FOREVER else end


class TaskStarted(TaskAction):
    """A task has begun to run."""

    __slots__ = ()
    actions = ("run",)


class TaskSucceeded(TaskAction):
    """A task has succeeded."""

    __slots__ = ()
    actions = ("success",)


class TaskFailed(TaskAction):
    """A task has failed, by raising or with its process."""

    __slots__ = ()
    actions = ("fail", "crash")


class TaskFinished(TaskAction):
    """A task has succeeded or failed; one that was terminated, or found nothing to do, has done neither."""

    __slots__ = ()
    actions = ("success", "fail", "crash")


class TaskTerminated(TaskAction):
    """A task has been terminated."""

    __slots__ = ()
    actions = ("terminate",)


class TaskInacted(TaskAction):
    """A task has found nothing to do (`TaskInactionException`)."""

    __slots__ = ()
    actions = ("inaction",)


#: By the word of the condition language.
TASK_ACTIONS: Final[dict[str, type[TaskAction]]] = {
    "started": TaskStarted,
    "succeeded": TaskSucceeded,
    "failed": TaskFailed,
    "finished": TaskFinished,
    "terminated": TaskTerminated,
    "inacted": TaskInacted,
}


class Depend(Condition):
    """True when another task has ended in some way since this task last started.

    Args:
        depend_task: The task waited for.
        task: The task that waits; None is the one whose condition this is.
    """

    __slots__ = ("depend_task", "task")
    actions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, depend_task: TaskLike, task: TaskLike | None = None) -> None:
        self.depend_task = task_name(depend_task) or ""
        self.task = task_name(task)

    def state(self, view: View, at: float) -> Truth:
        """True from that end on, until this task starts."""
        ended = view.state(self.depend_task).latest(*self.actions)
        started = view.state(self.task).last.get("run")
        if ended is None or (started is not None and ended <= started):
            return (False, FOREVER)
        return (True, FOREVER) if ended <= at else (False, ended)

    def keys(self) -> frozenset[Hashable]:
        """Both tasks' runs."""
        return task_key(self.depend_task) | task_key(self.task)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (other.depend_task, other.task) == (self.depend_task, self.task)

    def __hash__(self) -> int:
        return hash((type(self), self.depend_task, self.task))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.depend_task!r}{f', {self.task!r}' if self.task else ''})"


class DependSuccess(Depend):
    """The other task has succeeded since."""

    __slots__ = ()
    actions = ("success",)


class DependFailure(Depend):
    """The other task has failed since, by raising or with its process."""

    __slots__ = ()
    actions = ("fail", "crash")


class DependFinish(Depend):
    """The other task has succeeded or failed since."""

    __slots__ = ()
    actions = ("success", "fail", "crash")


class DependTerminate(Depend):
    """The other task has been terminated since."""

    __slots__ = ()
    actions = ("terminate",)


#: By the word of the condition language.
DEPENDS: Final[dict[str, type[Depend]]] = {
    "succeeded": DependSuccess,
    "failed": DependFailure,
    "finished": DependFinish,
    "terminated": DependTerminate,
}


class TaskRunning(Condition):
    """True while a task is running, or has been for longer, or not yet so long.

    Args:
        task: The task meant; None is the one whose condition this is.
        more_than: Seconds (or a duration) that the oldest run must have lasted.
        less_than: Seconds (or a duration) that it must not have lasted yet.
    """

    __slots__ = ("less", "more", "task")

    def __init__(
        self,
        task: TaskLike | None = None,
        *,
        more_than: float | timedelta | str | None = None,
        less_than: float | timedelta | str | None = None,
    ) -> None:
        self.task = task_name(task)
        self.more = 0.0 if more_than is None else seconds(more_than)
        self.less = FOREVER if less_than is None else seconds(less_than)

    def more_than(self, duration: float | timedelta | str) -> TaskRunning:
        """The same, once it has lasted longer than this."""
        return TaskRunning(self.task, more_than=duration)

    def less_than(self, duration: float | timedelta | str) -> TaskRunning:
        """The same, as long as it has not lasted this long."""
        return TaskRunning(self.task, less_than=duration)

    def state(self, view: View, at: float) -> Truth:
        """By the start of the oldest run on its way."""
        running = view.state(self.task).running
        if not running:
            return (False, FOREVER)
        lasted = at - min(running.values())
        if lasted < self.more:
            return (False, at - lasted + self.more)
        if lasted < self.less:
            return (True, at - lasted + self.less)
        return (False, FOREVER)

    def keys(self) -> frozenset[Hashable]:
        """The task's runs."""
        return task_key(self.task)

    def _key(self) -> tuple[object, ...]:
        return (self.task, self.more, self.less)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskRunning) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash((TaskRunning, *self._key()))

    def __repr__(self) -> str:
        return f"TaskRunning({self.task!r})"


class Retry(Condition):
    """True after a failure, until the task has failed more than `times` times in a row."""

    __slots__ = ("task", "times")

    def __init__(self, times: int, task: TaskLike | None = None) -> None:
        self.times = times
        self.task = task_name(task)

    def state(self, view: View, at: float) -> Truth:  # noqa: ARG002 - the condition's interface
        """By the failures in a row."""
        record = view.state(self.task)
        return (record.status in {"fail", "crash"} and record.fails <= self.times, FOREVER)

    def keys(self) -> frozenset[Hashable]:
        """The task's runs."""
        return task_key(self.task)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Retry) and (other.times, other.task) == (self.times, self.task)

    def __hash__(self) -> int:
        return hash((Retry, self.times, self.task))

    def __repr__(self) -> str:
        return f"Retry({self.times})"
