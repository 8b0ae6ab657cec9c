"""What every time period can answer: are we in it, since when, and until when is that certain?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from sessionkit_redengine.periods.durations import lasting
from sessionkit_redengine.periods.zones import FIRST_INSTANT, LAST_INSTANT, local_zone

FOREVER = float("inf")


class Span(NamedTuple):
    """A period seen from one instant.

    Attributes:
        inside: Whether the instant is in the period.
        start: Where the window around the instant began; meaningful only inside.
        until: The first later instant at which `inside` or `start` may be different; infinity if never.
    """

    inside: bool
    start: float
    until: float


NEVER_INSIDE = Span(False, FOREVER, FOREVER)


class Interval(NamedTuple):
    """A window of a period, `left <= instant < right`."""

    left: datetime
    right: datetime


class Period(ABC):
    """A recurring stretch of time, such as "Mondays from 10:00 to 12:00".

    All windows are half open: a window until 12:00 ends just before 12:00. Periods are immutable, compare
    by what they mean, and combine with `&` and `|`.
    """

    __slots__ = ()

    @property
    def cycle(self) -> float:
        """Seconds between windows, up to an hour; infinity where they belong to dates."""
        return FOREVER

    @abstractmethod
    def span(self, at: float, zone: tzinfo) -> Span:
        """The period as seen from the instant `at` (seconds, UTC) where the wall clock is in `zone`."""

    def counted(self, at: float, zone: tzinfo) -> tuple[float, float, float]:
        """The window whose runs count at `at`, and until when that stays so: `(start, end, until)`.

        Where `span` looks at the window one is in, "has succeeded today between 10:00 and 12:00" asks at
        15:00 for the window that is over. Without one, `start` is infinity: nothing counts.
        """
        span = self.span(at, zone)
        return (span.start if span.inside else FOREVER, span.until, span.until)

    def rollforward(self, moment: datetime) -> Interval:
        """The window that `moment` is in, from `moment` on, or else the next one.

        Raises:
            ValueError: when there is none any more.
        """
        zone = moment.tzinfo or local_zone()
        at = moment.replace(tzinfo=zone).timestamp()
        while at < LAST_INSTANT:
            span = self.span(at, zone)
            if span.inside:
                return _interval(at, span.until, moment.tzinfo, zone)
            at = span.until
        raise ValueError(f"{self} has no window after {moment}")

    def rollback(self, moment: datetime) -> Interval:
        """The window that `moment` is in, up to `moment`, or else the one before.

        Raises:
            ValueError: when there was none yet.
        """
        zone = moment.tzinfo or local_zone()
        at = moment.replace(tzinfo=zone).timestamp()
        span = self.span(at, zone)
        if span.inside:
            return _interval(span.start, at, moment.tzinfo, zone)
        back = 60.0
        while at - back > FIRST_INSTANT:
            found = self._last_window(at - back, at, zone)
            if found:
                return _interval(*found, moment.tzinfo, zone)
            back *= 4
        raise ValueError(f"{self} had no window before {moment}")

    def _last_window(self, since: float, until: float, zone: tzinfo) -> tuple[float, float] | None:
        found = None
        while since < until:
            span = self.span(since, zone)
            found = (span.start, span.until) if span.inside else found
            since = span.until
        return found

    def __contains__(self, moment: datetime) -> bool:
        zone = moment.tzinfo or local_zone()
        return self.span(moment.replace(tzinfo=zone).timestamp(), zone).inside

    def __and__(self, other: Period) -> Period:
        return AllPeriods((*_parts(self, AllPeriods), *_parts(other, AllPeriods)))

    def __or__(self, other: Period) -> Period:
        return AnyPeriod((*_parts(self, AnyPeriod), *_parts(other, AnyPeriod)))


def _parts(period: Period, kind: type[_Combined]) -> tuple[Period, ...]:
    return period.periods if isinstance(period, kind) else (period,)


def _interval(left: float, right: float, given: tzinfo | None, zone: tzinfo) -> Interval:
    shown = [_moment(at, zone) for at in (left, right)]
    return Interval(*shown) if given else Interval(*(moment.replace(tzinfo=None) for moment in shown))


def _moment(at: float, zone: tzinfo) -> datetime:
    epoch = datetime.fromtimestamp(0, zone)
    if at >= LAST_INSTANT:
        return datetime.max.replace(tzinfo=zone)
    if at <= FIRST_INSTANT:
        return datetime.min.replace(tzinfo=zone)
    return epoch.fromtimestamp(at, zone)


class _Combined(Period):
    __slots__ = ("periods",)

    def __init__(self, periods: tuple[Period, ...]) -> None:
        self.periods = periods

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.periods == self.periods

    def __hash__(self) -> int:
        return hash((type(self), self.periods))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.periods))})"


class AllPeriods(_Combined):
    """In all of several periods at once."""

    __slots__ = ()

    def span(self, at: float, zone: tzinfo) -> Span:
        """The common window; outside, nothing changes before the last of the missing ones begins."""
        spans = [period.span(at, zone) for period in self.periods]
        missing = [span.until for span in spans if not span.inside]
        if missing:
            return Span(False, FOREVER, max(missing))
        return Span(True, max(span.start for span in spans), min(span.until for span in spans))


class AnyPeriod(_Combined):
    """In at least one of several periods."""

    __slots__ = ()

    def span(self, at: float, zone: tzinfo) -> Span:
        """Since the first of the windows around began; certain until the first of them ends."""
        spans = [period.span(at, zone) for period in self.periods]
        around = [span for span in spans if span.inside]
        if not around:
            return Span(False, FOREVER, min((span.until for span in spans), default=FOREVER))
        return Span(True, min(span.start for span in around), min(span.until for span in around))


class Always(Period):
    """All of time."""

    __slots__ = ()

    def span(self, at: float, zone: tzinfo) -> Span:  # noqa: ARG002 - the period's interface
        """Inside, for ever."""
        return Span(True, -FOREVER, FOREVER)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Always)

    def __hash__(self) -> int:
        return hash(Always)

    def __repr__(self) -> str:
        return "Always()"


class TimeDelta(Period):
    """The last `past` seconds, seen from now: what "has failed past 2 hours" counts in.

    It slides along with the present, so it contains every instant; only `counted` tells something.
    """

    __slots__ = ("past",)

    def __init__(self, past: float | timedelta | str) -> None:
        self.past = lasting(past)

    def span(self, at: float, zone: tzinfo) -> Span:  # noqa: ARG002 - the period's interface
        """The stretch that ends at `at`."""
        return Span(True, at - self.past, FOREVER)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeDelta) and other.past == self.past

    def __hash__(self) -> int:
        return hash((TimeDelta, self.past))

    def __repr__(self) -> str:
        return f"TimeDelta({self.past:g})"
