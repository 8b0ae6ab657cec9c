"""Conditions put together in Python: `daily.between("10:00", "12:00") & after_success(fetch)`.

Each reads like the condition language and gives the same condition objects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sessionkit_redengine import default
from sessionkit_redengine.conditions.base import AlwaysFalse, AlwaysTrue, Condition, any_of, every_of
from sessionkit_redengine.conditions.session import (
    FuncCond,
    OnEvent,
    SchedulerCycles,
    SchedulerStarted,
    TaskReturned,
)
from sessionkit_redengine.conditions.tasks import (
    DependFailure,
    DependFinish,
    DependSuccess,
    Retry,
    TaskAction,
    TaskFailed,
    TaskFinished,
    TaskInacted,
    TaskRunning,
    TaskStarted,
    TaskSucceeded,
    TaskTerminated,
)
from sessionkit_redengine.conditions.time import Every, IsPeriod, TaskExecutable
from sessionkit_redengine.periods.base import TimeDelta
from sessionkit_redengine.periods.cron import Cron
from sessionkit_redengine.periods.durations import seconds
from sessionkit_redengine.periods.wall import TIME_OF, WallPeriod
from sessionkit_redengine.tasks.function import FuncTask

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from sessionkit_redengine.conditions.reference import TaskLike
    from sessionkit_redengine.engine import Session

true = AlwaysTrue()
false = AlwaysFalse()


class _Windows:
    """Makes conditions of the windows of a period."""

    def __init__(self, unit: str) -> None:
        self._period = TIME_OF[unit]

    def _made(self, period: WallPeriod) -> Condition:
        raise NotImplementedError

    def between(self, start: str, end: str) -> Condition:
        """In the window from `start` to `end`."""
        return self._made(self._period(start, end))

    def before(self, end: str) -> Condition:
        """In the window from the cycle's beginning to `end`."""
        return self._made(self._period(None, end))

    def after(self, start: str) -> Condition:
        """In the window from `start` to the cycle's end."""
        return self._made(self._period(start, None))

    def on(self, point: str) -> Condition:
        """In the stretch that a point covers."""
        return self._made(self._period.on(point))

    at = on

    def starting(self, point: str) -> Condition:
        """In full cycles that begin at `point`."""
        return self._made(self._period.starting(point))


class Cycle(_Windows, TaskExecutable):
    """`daily` and the like: once in each cycle, or in each window of it."""

    __slots__ = ("_period",)

    def __init__(self, unit: str) -> None:
        _Windows.__init__(self, unit)
        TaskExecutable.__init__(self, TIME_OF[unit]())

    def _made(self, period: WallPeriod) -> Condition:
        return TaskExecutable(period)


class TimeOf(_Windows):
    """`time_of_day` and the like: while the clock is in a window."""

    def _made(self, period: WallPeriod) -> Condition:
        return IsPeriod(period)


secondly = Cycle("second")
minutely = Cycle("minute")
hourly = Cycle("hour")
daily = Cycle("day")
weekly = Cycle("week")
monthly = Cycle("month")
yearly = Cycle("year")

time_of_second = TimeOf("second")
time_of_minute = TimeOf("minute")
time_of_hour = TimeOf("hour")
time_of_day = TimeOf("day")
time_of_week = TimeOf("week")
time_of_month = TimeOf("month")
time_of_year = TimeOf("year")


def every(interval: float | timedelta | str, based: str = "run") -> Condition:
    """Once that long has passed since the task's latest "run", "success", "fail" or "finish"."""
    return Every(interval, based=based)


def cron(expression: str) -> Condition:
    """Once at each time of a cron expression."""
    return TaskExecutable(Cron(expression))


def crontime(expression: str) -> Condition:
    """While the clock is in a minute of a cron expression."""
    return IsPeriod(Cron(expression))


def after_success(task: TaskLike) -> Condition:
    """When another task has succeeded since this one ran."""
    return DependSuccess(task)


def after_fail(task: TaskLike) -> Condition:
    """When another task has failed since this one ran."""
    return DependFailure(task)


def after_finish(task: TaskLike) -> Condition:
    """When another task has succeeded or failed since this one ran."""
    return DependFinish(task)


def after_all_success(*tasks: TaskLike) -> Condition:
    """When all of these have succeeded since this one ran."""
    return every_of(map(DependSuccess, tasks))


def after_all_fail(*tasks: TaskLike) -> Condition:
    """When all of these have failed since this one ran."""
    return every_of(map(DependFailure, tasks))


def after_all_finish(*tasks: TaskLike) -> Condition:
    """When all of these have succeeded or failed since this one ran."""
    return every_of(map(DependFinish, tasks))


def after_any_success(*tasks: TaskLike) -> Condition:
    """When one of these has succeeded since this one ran."""
    return any_of(map(DependSuccess, tasks))


def after_any_fail(*tasks: TaskLike) -> Condition:
    """When one of these has failed since this one ran."""
    return any_of(map(DependFailure, tasks))


def after_any_finish(*tasks: TaskLike) -> Condition:
    """When one of these has succeeded or failed since this one ran."""
    return any_of(map(DependFinish, tasks))


class Counted:
    """`succeeded(task)` and the like, still to be told where to count."""

    def __init__(self, kind: type[TaskAction], task: TaskLike | None) -> None:
        self._kind = kind
        self._task = task

    def _in(self, unit: str) -> TaskAction:
        return self._kind(self._task, TIME_OF[unit]())

    @property
    def ever(self) -> TaskAction:
        """In the task's own period, else in all its history."""
        return self._kind(self._task)

    @property
    def this_second(self) -> TaskAction:
        """In this second."""
        return self._in("second")

    @property
    def this_minute(self) -> TaskAction:
        """In this minute."""
        return self._in("minute")

    @property
    def this_hour(self) -> TaskAction:
        """In this hour."""
        return self._in("hour")

    @property
    def today(self) -> TaskAction:
        """On this day."""
        return self._in("day")

    this_day = today

    @property
    def this_week(self) -> TaskAction:
        """In this week."""
        return self._in("week")

    @property
    def this_month(self) -> TaskAction:
        """In this month."""
        return self._in("month")

    @property
    def this_year(self) -> TaskAction:
        """In this year."""
        return self._in("year")

    def past(self, duration: float | timedelta | str) -> TaskAction:
        """In the time that lies less than this back."""
        return self._kind(self._task, TimeDelta(duration))


def started(task: TaskLike | None = None) -> Counted:
    """How often a task has started: `started(fetch).today >= 3`."""
    return Counted(TaskStarted, task)


def succeeded(task: TaskLike | None = None) -> Counted:
    """How often a task has succeeded."""
    return Counted(TaskSucceeded, task)


def failed(task: TaskLike | None = None) -> Counted:
    """How often a task has failed."""
    return Counted(TaskFailed, task)


def finished(task: TaskLike | None = None) -> Counted:
    """How often a task has succeeded or failed."""
    return Counted(TaskFinished, task)


def terminated(task: TaskLike | None = None) -> Counted:
    """How often a task was terminated."""
    return Counted(TaskTerminated, task)


def inacted(task: TaskLike | None = None) -> Counted:
    """How often a task found nothing to do."""
    return Counted(TaskInacted, task)


def running(task: TaskLike | None = None) -> TaskRunning:
    """While a task runs; `running(fetch).more_than("10 minutes")`: once it has run for that long."""
    return TaskRunning(task)


def retry(times: int) -> Condition:
    """While the task has failed, but not more often than that in a row; write it after `daily |`."""
    return Retry(times)


def scheduler_running(more_than: float | timedelta | str) -> Condition:
    """When the scheduler has run for longer than this."""
    return ~SchedulerStarted(more_than)


def scheduler_cycles() -> SchedulerCycles:
    """How many cycles the scheduler has done: `scheduler_cycles() >= 4`."""
    return SchedulerCycles()


def on_event(expression: str, source: str | None = None) -> Condition:
    """When an event has come that the task has not run for; see `OnEvent`."""
    return OnEvent(expression, source)


def condition(
    syntax: Any = None, *, session: Session | None = None
) -> Callable[[Callable[..., Any]], FuncCond]:
    """A decorator: a condition of a function.

    @condition("disk has room")
    def disk_has_room(): ...

    FuncTask(render, start_cond="daily & disk has room")
    FuncTask(render, start_cond=daily & disk_has_room)

    Args:
        syntax: Its text in the language, or a pattern whose groups are the function's arguments, or several.
        session: Whose language; None is the default session.
    """
    return register_condition(session if session is not None else default.get(), syntax)


def register_condition(session: Session, syntax: Any) -> Callable[[Callable[..., Any]], FuncCond]:
    """See `condition`."""

    def decorate(func: Callable[..., Any]) -> FuncCond:
        made = FuncCond(func)
        for text in _several(syntax):
            session.add_condition_parser({text: made})
        return made

    return decorate


def task_condition(
    syntax: Any = None,
    *,
    session: Session | None = None,
    start_cond: Any,
    active_time: float | timedelta | str | None = None,
    **fields: Any,
) -> Callable[[Callable[..., Any]], TaskReturned]:
    """A decorator: a condition that a task of its own finds out, so that looking at it costs nothing.

    @task_condition("market is open", start_cond="every 5 minutes", active_time="10 minutes")
    def market_is_open(): ...

    Args:
        syntax: Its text in the language, or several.
        session: Whose language and whose task; None is the default session.
        start_cond: When to find out.
        active_time: Seconds (or a duration) for which the answer holds; None is until the next.
        fields: More fields of the task.
    """
    home = session if session is not None else default.get()

    def decorate(func: Callable[..., Any]) -> TaskReturned:
        task = FuncTask(func, session=home, start_cond=start_cond, **fields)
        made = TaskReturned(task.name, float("inf") if active_time is None else seconds(active_time))
        for text in _several(syntax):
            home.add_condition_parser({text: made})
        return made

    return decorate


def _several(syntax: Any) -> list[str | re.Pattern[str]]:
    if syntax is None:
        return []
    return [syntax] if isinstance(syntax, (str, re.Pattern)) else list(syntax)
