"""Time periods: windows of the day, week, month and year, cron, and how they combine.

>>> from sessionkit_redengine.periods import TimeOfDay, TimeOfWeek
>>> office_hours = TimeOfWeek("Mon", "Fri") & TimeOfDay("9:00", "17:00")
>>> datetime(2026, 1, 5, 10) in office_hours
True
"""

from sessionkit_redengine.periods.base import AllPeriods, Always, AnyPeriod, Interval, Period, Span, TimeDelta
from sessionkit_redengine.periods.cron import Cron
from sessionkit_redengine.periods.durations import seconds
from sessionkit_redengine.periods.wall import (
    TIME_OF,
    TimeOfDay,
    TimeOfHour,
    TimeOfMinute,
    TimeOfMonth,
    TimeOfSecond,
    TimeOfWeek,
    TimeOfYear,
    WallPeriod,
)

__all__ = [
    "TIME_OF",
    "AllPeriods",
    "Always",
    "AnyPeriod",
    "Cron",
    "Interval",
    "Period",
    "Span",
    "TimeDelta",
    "TimeOfDay",
    "TimeOfHour",
    "TimeOfMinute",
    "TimeOfMonth",
    "TimeOfSecond",
    "TimeOfWeek",
    "TimeOfYear",
    "WallPeriod",
    "seconds",
]
