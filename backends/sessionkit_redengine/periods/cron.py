"""Cron expressions as a period: the minute that begins at each time of the expression."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods.base import FOREVER, NEVER_INSIDE, Period, Span
from sessionkit_redengine.periods.zones import FIRST_INSTANT, LAST_INSTANT

if TYPE_CHECKING:
    from cronsim import CronSim

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_TO_SUNDAY = re.compile(r"-sun\b", re.IGNORECASE)
_MINUTE, _HOUR = 60.0, 3_600.0


class Cron(Period):
    """The minutes that a cron expression names (seconds, where it has a sixth field in front).

    >>> Cron("30 3 * * Mon-Fri")
    Cron('30 3 * * Mon-Fri')

    Daylight saving follows Debian's cron: a time left out comes right after the change, a repeated one once,
    and what runs every hour runs in every hour there is.

    Raises:
        ParserError: when it is made from an expression that cron does not know, or that can never come.
    """

    __slots__ = ("_memo", "_width", "expression")

    def __init__(self, expression: str) -> None:
        self.expression = " ".join(expression.split())
        self._width = 1.0 if len(self.expression.split()) > 5 else _MINUTE
        self._memo: tuple[tzinfo, float, Span] | None = None
        self._times(datetime(2000, 1, 1))  # noqa: DTZ001 - only to have it read

    @property
    def cycle(self) -> float:
        """See `Period`: as cron has it, what has a star for its hours belongs to no time of day."""
        minute, hour = _ALIASES.get(self.expression, self.expression).split()[-5:-3]
        if not hour.startswith("*"):
            return FOREVER
        return _MINUTE if minute.startswith("*") else _HOUR

    def span(self, at: float, zone: tzinfo) -> Span:
        """See `Period`."""
        memo = self._memo
        if memo is not None and memo[0] is zone and memo[1] <= at < memo[2].until:
            return memo[2]
        span = self._span(at, zone) if FIRST_INSTANT < at < LAST_INSTANT else NEVER_INSIDE
        self._memo = (zone, at, span)
        return span

    def _span(self, at: float, zone: tzinfo) -> Span:
        # The first time after `at - width` is the window around `at`, if its window reaches that far.
        before = datetime.fromtimestamp(at - self._width, zone)
        following = next(self._times(before), None)
        if following is None:
            return NEVER_INSIDE
        start = following.timestamp()
        return Span(True, start, start + self._width) if start <= at else Span(False, FOREVER, start)

    def _times(self, after: datetime) -> CronSim:
        # Imported here: two thirds of all schedules use no cron.
        try:
            from cronsim import CronSim, CronSimError  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "Cron expressions need cronsim.", hint='pip install "sessionkit[redengine]"'
            ) from None
        try:
            # Weekdays begin with Sunday there; a week that ends with it is what people mean by "Sat-Sun".
            return CronSim(_TO_SUNDAY.sub("-7", _ALIASES.get(self.expression, self.expression)), after)
        except CronSimError as error:
            raise ParserError(
                f"{error} in this cron expression.",
                text=self.expression,
                hint='write "minute hour day-of-month month day-of-week", for example "0 6 * * Mon-Fri"',
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cron) and other.expression == self.expression

    def __hash__(self) -> int:
        return hash((Cron, self.expression))

    def __reduce__(self) -> tuple[object, ...]:
        return Cron, (self.expression,)

    def __repr__(self) -> str:
        return f"Cron({self.expression!r})"
