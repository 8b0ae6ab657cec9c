"""Conditions on time: being in a period, having run in it, the time since the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit_redengine.conditions.base import FOREVER, Condition, Truth, View
from sessionkit_redengine.conditions.reference import task_key, task_name
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods.base import Period, TimeDelta
from sessionkit_redengine.periods.durations import lasting, spelled

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import timedelta

    from sessionkit_redengine.conditions.reference import TaskLike

_BASES = {
    "run": ("run",),
    "success": ("success",),
    "fail": ("fail", "crash"),
    "finish": ("success", "fail", "terminate", "inaction", "crash"),
}


class IsPeriod(Condition):
    """True while the clock is in a period: `IsPeriod(TimeOfDay("10:00", "12:00"))`."""

    __slots__ = ("period",)

    def __init__(self, period: Period) -> None:
        self.period = period

    def state(self, view: View, at: float) -> Truth:
        """Inside or not, until the window ends or begins."""
        span = self.period.span(at, view.zone)
        return (span.inside, span.until)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IsPeriod) and other.period == self.period

    def __hash__(self) -> int:
        return hash((IsPeriod, self.period))

    def __repr__(self) -> str:
        return f"IsPeriod({self.period!r})"


class TaskExecutable(Condition):
    """True in each window of a period until the task has run for it: once a day, once each Monday.

    A run belongs to the window in which it was due, however long it takes and however it ends; a failed one
    is tried again as the task's `retries` say, not by this condition.

    Args:
        period: When to run once; also a `Cron`.
        task: The task meant; None is the one whose condition this is.
    """

    __slots__ = ("period", "task")

    def __init__(self, period: Period, task: TaskLike | None = None) -> None:
        if isinstance(period, TimeDelta):
            raise ParserError("A period that slides along has no windows to run in.", hint="use Every(...)")
        self.period = period
        self.task = task_name(task)

    def state(self, view: View, at: float) -> Truth:
        """True in a window whose run has not been due yet."""
        inside, start, until = self.period.span(at, view.zone)
        if not inside:
            return (False, until)
        due = view.state(self.task).last_due
        return (due is None or due < start, until)

    def keys(self) -> frozenset[Hashable]:
        """The task's runs."""
        return task_key(self.task)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskExecutable) and (other.period, other.task) == (self.period, self.task)

    def __hash__(self) -> int:
        return hash((TaskExecutable, self.period, self.task))

    def __repr__(self) -> str:
        return f"TaskExecutable({self.period!r}{f', task={self.task!r}' if self.task else ''})"


class Every(Condition):
    """True when a time has passed since the task last ran; at once when it never did.

    Counts elapsed time: neither daylight saving nor the task's own duration changes the beat.

    Args:
        interval: Seconds, a timedelta or text such as "10 minutes".
        based: Counted from the latest "run" (the instant it was due), "success", "fail" or "finish".
        task: The task meant; None is the one whose condition this is.
    """

    __slots__ = ("based", "interval", "task")

    def __init__(
        self, interval: float | timedelta | str, *, based: str = "run", task: TaskLike | None = None
    ) -> None:
        if based not in _BASES:
            raise ParserError(
                f"A time cannot be counted from {based!r}.", hint=f"use one of {', '.join(_BASES)}"
            )
        self.interval = lasting(interval)
        self.based = based
        self.task = task_name(task)

    def state(self, view: View, at: float) -> Truth:
        """True from that long after the last one on."""
        record = view.state(self.task)
        last = record.anchor if self.based == "run" else record.latest(*_BASES[self.based])
        if last is None or last + self.interval <= at:
            return (True, FOREVER)
        return (False, last + self.interval)

    def keys(self) -> frozenset[Hashable]:
        """The task's runs."""
        return task_key(self.task)

    def _key(self) -> tuple[object, ...]:
        return (self.interval, self.based, self.task)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Every) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash((Every, *self._key()))

    def __repr__(self) -> str:
        return f"Every({spelled(self.interval)!r}{'' if self.based == 'run' else f', based={self.based!r}'})"
