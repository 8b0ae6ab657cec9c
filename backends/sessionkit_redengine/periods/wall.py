"""Periods of the wall clock: the time of second, minute, hour, day, week, month and year.

Cycles up to an hour are elapsed time laid on the wall's current offset, so that the hour repeated in
autumn is two hours. Longer cycles are dates: a day is a day even where it has 23 or 25 hours, and a window
that daylight saving leaves out happens right after the change, at its full length.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, ClassVar

from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods import marks
from sessionkit_redengine.periods.base import FOREVER, NEVER_INSIDE, Period, Span
from sessionkit_redengine.periods.zones import FIRST_INSTANT, LAST_INSTANT, change, instant, offset, wall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

    from sessionkit_redengine.periods.marks import Mark


# Windows that a period remembers; a year of days is more than it ever looks at in one go.
_MOST_LAID = 64
# Spans that it remembers: now, until the next window, in it, and the same for a clock set back.
_MOST_SPANS = 5


class WallPeriod(Period):
    """A window in a cycle of the wall clock.

    >>> TimeOfDay("10:00", "12:00")
    TimeOfDay('10:00', '12:00')
    >>> TimeOfDay("22:00", "02:00")          # a window may wrap; it counts as one
    TimeOfDay('22:00', '02:00')

    Args:
        start: Where the window begins; None is the beginning of the cycle.
        end: Where it ends; None is the end of the cycle. An end that says no time includes all that it
            names: `TimeOfWeek("Mon", "Fri")` ends as Friday does.

    Raises:
        ParserError: for text that names no point of the cycle.
    """

    __slots__ = ("_memo", "_shape", "end", "endpoint", "start", "startpoint")

    def __init__(self, start: str | None = None, end: str | None = None, *, shape: str = "between") -> None:
        self.start = start
        self.end = end
        self._shape = shape
        self.startpoint = self._mark(start)
        self.endpoint = self._mark(end)
        self._memo: tuple[tuple[tzinfo, float, Span], ...] = ()

    @classmethod
    def on(cls, point: str) -> Self:
        """The stretch that a point covers: `TimeOfWeek.on("Mon")` is all Monday, a time of day one hour."""
        return cls(point, point, shape="on")

    @classmethod
    def starting(cls, point: str) -> Self:
        """A full cycle that begins at a point: `TimeOfDay.starting("10:00")` runs from 10:00 to 10:00."""
        return cls(point, None, shape="starting")

    def span(self, at: float, zone: tzinfo) -> Span:
        """See `Period`."""
        # The same question comes again and again: all tasks that are "daily" share this object.
        for place, since, span in self._memo:
            if place is zone and since <= at < span.until:
                return span
        span = self._span(at, zone) if FIRST_INSTANT < at < LAST_INSTANT else NEVER_INSIDE
        self._memo = ((zone, at, span), *self._memo[: _MOST_SPANS - 1])
        return span

    def counted(self, at: float, zone: tzinfo) -> tuple[float, float, float]:
        """See `Period`: the window of the present cycle, also when it is over or yet to come."""
        span = self.span(at, zone)
        if span.inside or not FIRST_INSTANT < at < LAST_INSTANT:
            return (span.start if span.inside else FOREVER, span.until, span.until)
        begin, end = self._cycle(at, zone)
        until = min(end, span.until)
        over = [window for window in self._windows(at, zone) if begin <= window[0] and window[1] <= at]
        return (*over[-1], until) if over else (FOREVER, FOREVER, until)

    def _span(self, at: float, zone: tzinfo) -> Span:
        for left, right in self._windows(at, zone):
            if right > at:
                return Span(True, left, right) if left <= at else Span(False, FOREVER, left)
        return NEVER_INSIDE

    def _windows(self, at: float, zone: tzinfo) -> Iterable[tuple[float, float]]:
        """The windows around an instant, in order; the one that ends after it is among them."""
        raise NotImplementedError

    def _cycle(self, at: float, zone: tzinfo) -> tuple[float, float]:
        raise NotImplementedError

    @classmethod
    def _mark(cls, point: str | None) -> Mark | None:
        if point is None:
            return None
        if not isinstance(point, str):
            raise ParserError(f"A point in time is text, not {type(point).__name__}.")
        return _READ[cls](" ".join(point.split()))

    @property
    def whole(self) -> bool:
        """Whether the window is the whole cycle."""
        return self.start is None and self.end is None

    def _key(self) -> tuple[object, ...]:
        return (type(self), self._shape, self.startpoint, self.endpoint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WallPeriod) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.start, self.end, self._shape)

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._shape != "between":
            return f"{name}.{self._shape}({self.start!r})"
        return f"{name}()" if self.whole else f"{name}({self.start!r}, {self.end!r})"


def _rebuild(cls: type[WallPeriod], start: str | None, end: str | None, shape: str) -> WallPeriod:
    return cls(start, end, shape=shape)


class _Short(WallPeriod):
    """A cycle of a fixed number of seconds."""

    __slots__ = ()
    _length: ClassVar[float]

    @property
    def cycle(self) -> float:
        """See `Period`."""
        return self._length

    def _span(self, at: float, zone: tzinfo) -> Span:
        span = super()._span(at, zone)
        if span.until > LAST_INSTANT:
            return span
        now, then = offset(at, zone), offset(span.until, zone)
        if (now - then) % self._length == 0:
            return span
        # A change by half an hour (Lord Howe Island) moves the hours themselves: certain only until then.
        return span._replace(until=min(span.until, change(at, span.until, zone)))

    def _windows(self, at: float, zone: tzinfo) -> Iterable[tuple[float, float]]:
        begin, length = self._cycle(at, zone)[0], self._length
        start = self.startpoint.seconds if self.startpoint else 0.0
        stop = self._stop(start)
        stop += length if stop <= start else 0.0
        bases = [begin + cycle * length for cycle in range(-1, 3)]
        return [(base + start, base + stop) for base in bases]

    def _stop(self, start: float) -> float:
        if self._shape == "starting":
            return start + self._length
        if self.endpoint is None:
            return self._length
        covers = self._shape == "on" or not self.endpoint.timed
        return self.endpoint.seconds + (self.endpoint.width if covers else 0.0)

    def _cycle(self, at: float, zone: tzinfo) -> tuple[float, float]:
        ahead = offset(at, zone)
        begin = (at + ahead) // self._length * self._length - ahead
        return begin, begin + self._length


class _Dated(WallPeriod):
    """A cycle of whole days."""

    __slots__ = ("_laid",)
    _back: ClassVar[int] = 2
    _ahead: ClassVar[int] = 3

    def __init__(self, start: str | None = None, end: str | None = None, *, shape: str = "between") -> None:
        super().__init__(start, end, shape=shape)
        self._laid: dict[tuple[datetime, int], tuple[float, float] | None] = {}

    def _windows(self, at: float, zone: tzinfo) -> Iterable[tuple[float, float]]:
        base = self._floor(wall(at, zone))
        laid = self._laid
        for cycle in range(-self._back, self._ahead + 1):
            begin = self._shift(base, cycle) if cycle else base
            key = (begin, id(zone))
            if key not in laid:
                if len(laid) > _MOST_LAID:
                    laid.clear()
                laid[key] = self._lay(begin, zone)
            window = laid[key]
            if window is not None:
                yield window

    def _lay(self, begin: datetime, zone: tzinfo) -> tuple[float, float] | None:
        """The window of the cycle that begins at `begin`; None where its day does not occur."""
        start = self._at(begin, self.startpoint) if self.startpoint else begin
        if start is None:
            return None
        stop = self._stop(begin, start)
        left, right = instant(start, zone), instant(stop, zone)
        return left, right if right > left else left + (stop - start).total_seconds()

    def _stop(self, begin: datetime, start: datetime) -> datetime:
        if self._shape == "on" and self.startpoint:
            return self.startpoint.after(start)
        if self._shape == "starting":
            return self._next_start(begin)
        stop = self._end_in(begin)
        return stop if stop > start else self._end_in(self._shift(begin, 1))

    def _end_in(self, begin: datetime) -> datetime:
        following = self._shift(begin, 1)
        if self.endpoint is None:
            return following
        stop = self._at(begin, self.endpoint)
        if stop is None:  # "until the 31st" is until its end in a shorter month
            return following if self.endpoint.month == 0 else self._missing(begin)
        return stop if self.endpoint.timed else self.endpoint.after(stop)

    def _missing(self, begin: datetime) -> datetime:
        point = self.endpoint
        assert point is not None
        return datetime(begin.year, point.month % 12 + 1, 1)  # noqa: DTZ001 - a wall time

    def _next_start(self, begin: datetime) -> datetime:
        assert self.startpoint is not None
        for cycle in range(1, 10):
            start = self._at(self._shift(begin, cycle), self.startpoint)
            if start is not None:
                return start
        raise AssertionError(f"{self!r} never begins again")  # pragma: no cover - it does within eight years

    def _cycle(self, at: float, zone: tzinfo) -> tuple[float, float]:
        base = self._floor(wall(at, zone))
        return instant(base, zone), instant(self._shift(base, 1), zone)

    def _at(self, begin: datetime, mark: Mark) -> datetime | None:
        """The wall time of a mark in the cycle that begins at `begin`; None where that day does not occur."""
        return mark.on(begin)

    def _floor(self, shown: datetime) -> datetime:
        raise NotImplementedError

    def _shift(self, begin: datetime, cycles: int) -> datetime:
        raise NotImplementedError


class TimeOfSecond(_Short):
    """A window in every second: `TimeOfSecond("0.25", "0.5")`."""

    __slots__ = ()
    _length = 1.0


class TimeOfMinute(_Short):
    """A window in every minute, in seconds: `TimeOfMinute("15", "30")`."""

    __slots__ = ()
    _length = 60.0


class TimeOfHour(_Short):
    """A window in every hour: `TimeOfHour("15:00", "30:00")`, `TimeOfHour.on("2 quarter")`."""

    __slots__ = ()
    _length = 3_600.0


class TimeOfDay(_Dated):
    """A window in every day: `TimeOfDay("10:00", "3 PM")`."""

    __slots__ = ()
    _back = 1  # no window is longer than a day

    def _at(self, begin: datetime, mark: Mark) -> datetime:
        return begin + timedelta(seconds=mark.seconds)

    def _floor(self, shown: datetime) -> datetime:
        return shown.replace(hour=0, minute=0, second=0, microsecond=0)

    def _shift(self, begin: datetime, cycles: int) -> datetime:
        return begin + timedelta(days=cycles)


class TimeOfWeek(TimeOfDay):
    """A window in every week: `TimeOfWeek("Mon 10:00", "Fri")`."""

    __slots__ = ()

    def _at(self, begin: datetime, mark: Mark) -> datetime:
        return begin + timedelta(days=mark.day, seconds=mark.seconds)

    def _floor(self, shown: datetime) -> datetime:
        return super()._floor(shown) - timedelta(days=shown.weekday())

    def _shift(self, begin: datetime, cycles: int) -> datetime:
        return begin + timedelta(weeks=cycles)


class TimeOfMonth(_Dated):
    """A window in every month: `TimeOfMonth("1st", "5th")`, `TimeOfMonth.on("last")`."""

    __slots__ = ()

    def _floor(self, shown: datetime) -> datetime:
        return shown.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    def _shift(self, begin: datetime, cycles: int) -> datetime:
        months = begin.year * 12 + begin.month - 1 + cycles
        return begin.replace(year=months // 12, month=months % 12 + 1)


class TimeOfYear(_Dated):
    """A window in every year: `TimeOfYear("Jan 1st", "Mar")`."""

    __slots__ = ()
    _back = 9  # 29 February came last as long as eight years ago
    _ahead = 9

    def _floor(self, shown: datetime) -> datetime:
        return shown.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)

    def _shift(self, begin: datetime, cycles: int) -> datetime:
        return begin.replace(year=begin.year + cycles)


_READ: dict[type[WallPeriod], Callable[[str], Mark]] = {
    TimeOfSecond: marks.of_second,
    TimeOfMinute: marks.of_minute,
    TimeOfHour: marks.of_hour,
    TimeOfDay: marks.of_day,
    TimeOfWeek: marks.of_week,
    TimeOfMonth: marks.of_month,
    TimeOfYear: marks.of_year,
}

#: The periods by the unit of their cycle, as the condition language names it.
TIME_OF: dict[str, type[WallPeriod]] = {
    "second": TimeOfSecond,
    "minute": TimeOfMinute,
    "hour": TimeOfHour,
    "day": TimeOfDay,
    "week": TimeOfWeek,
    "month": TimeOfMonth,
    "year": TimeOfYear,
}
