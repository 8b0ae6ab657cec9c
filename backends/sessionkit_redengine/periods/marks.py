"""Points inside a cycle, as they are written: `10:00` in a day, `Mon 10:00` in a week, `3rd` in a month."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sessionkit_redengine.errors import ParserError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
LAST_DAY = -1
A_MONTH = float("inf")  # the width of a mark that names a whole month: its length depends on which
_DAY, _HOUR, _MINUTE = 86_400.0, 3_600.0, 60.0
_LEAP_YEAR = 2024


class Mark(NamedTuple):
    """A point in a cycle.

    Attributes:
        month: 1 to 12 in a year, else 0.
        day: 0 (Monday) to 6 in a week; 1 to 31, or `LAST_DAY`, in a month; else 0.
        seconds: Seconds after that day's midnight, or into the minute or hour.
        width: Seconds that the mark as written covers (`Mon`: a day), or `A_MONTH`.
        timed: Whether it says a time, so that as an end it means that instant and not all it covers.
    """

    month: int
    day: int
    seconds: float
    width: float
    timed: bool

    def on(self, base: date) -> datetime | None:
        """This mark's wall time in the month or year of `base`; None where its day does not occur."""
        month = base.month if self.month == 0 else self.month
        if self.day == LAST_DAY:
            first = datetime(base.year + month // 12, month % 12 + 1, 1)  # noqa: DTZ001 - a wall time
            return first - timedelta(days=1) + timedelta(seconds=self.seconds)
        if self.day > days_in(base.year, month):
            return None
        return datetime(base.year, month, self.day) + timedelta(seconds=self.seconds)  # noqa: DTZ001 - a wall time

    def after(self, start: datetime) -> datetime:
        """The end of what the mark covers when it begins at `start`."""
        if self.width == A_MONTH:
            return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        return start + timedelta(seconds=self.width)


def days_in(year: int, month: int) -> int:
    """How many days a month has."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day


_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}(?:\.\d{1,6})?))?\s*([AaPp]\.?[Mm]\.?)?")
_SECONDS = re.compile(r"(\d{1,2})(\.\d{1,6})?")
_MINUTES = re.compile(r"(\d{1,2}):(\d{2}(?:\.\d{1,6})?)")
_QUARTER = re.compile(r"([1-4]) quarter")
_FRACTION = re.compile(r"0?\.(\d{1,6})|(\d{1,3}) ?ms")
_DATE = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?")


def _time_of_day(text: str, whole: str, example: str) -> float:
    found = _TIME.fullmatch(text.strip())
    if found is None or not (found[2] or found[4]):
        raise _wrong(whole, example)
    hours, minutes, secs = int(found[1]), int(found[2] or 0), float(found[3] or 0)
    if found[4]:
        if not 1 <= hours <= 12:
            raise _wrong(whole, example)
        hours = hours % 12 + (12 if found[4][0] in "pP" else 0)
    total = hours * _HOUR + minutes * _MINUTE + secs
    if minutes > 59 or secs >= 60 or total > _DAY:
        raise _wrong(whole, example)
    return total


def _wrong(text: str, example: str) -> ParserError:
    return ParserError(
        f"{text!r} is no point in this period.", text=text, hint=f"write for example {example}"
    )


def of_second(text: str) -> Mark:
    """`0.25` or `250 ms`."""
    found = _FRACTION.fullmatch(text)
    if found is None:
        raise _wrong(text, '"0.25" or "250 ms"')
    fraction = float(f"0.{found[1]}") if found[1] else int(found[2]) / 1000
    return Mark(0, 0, fraction, 1e-3, timed=True)


def of_minute(text: str) -> Mark:
    """Seconds: `30` or `30.5`."""
    found = _SECONDS.fullmatch(text)
    if found is None or float(text) > 60:
        raise _wrong(text, '"30" or "30.5" (seconds)')
    return Mark(0, 0, float(text), 1.0, timed=True)


def of_hour(text: str) -> Mark:
    """Minutes and seconds `30:00`, or `2 quarter`."""
    if quarter := _QUARTER.fullmatch(text):
        return Mark(0, 0, (int(quarter[1]) - 1) * 15 * _MINUTE, 15 * _MINUTE, timed=False)
    found = _MINUTES.fullmatch(text)
    total = int(found[1]) * _MINUTE + float(found[2]) if found else _DAY
    if found is None or float(found[2]) >= 60 or total > _HOUR:
        raise _wrong(text, '"30:00" (minutes and seconds) or "2 quarter"')
    return Mark(0, 0, total, _MINUTE, timed=True)


def of_day(text: str) -> Mark:
    """`10:00`, `10:00:15`, `3 PM`."""
    return Mark(0, 0, _time_of_day(text, text, '"10:00", "10:00:15" or "3 PM"'), _HOUR, timed=True)


def of_week(text: str) -> Mark:
    """`Mon`, `Monday`, `Mon 10:00`."""
    example = '"Mon", "Monday" or "Mon 10:00"'
    name, _, time = text.partition(" ")
    return _dated(0, _named(name, WEEKDAYS, text, example), time, text, example)


def of_month(text: str) -> Mark:
    """`1st`, `5`, `3. 10:00`, `last`."""
    example = '"1st", "5", "3. 10:00" or "last"'
    name, _, time = text.partition(" ")
    time = time.removeprefix("day").strip() if name == "last" else time
    return _dated(0, _day_of_month(name, 31, text, example), time, text, example)


def of_year(text: str) -> Mark:
    """`Jan`, `January 1st`, `Feb last 10:00`."""
    example = '"Jan", "January 1st" or "Jan 1st 10:00"'
    name, _, rest = text.partition(" ")
    month = _named(name, MONTHS, text, example) + 1
    if not rest:
        return Mark(month, 1, 0.0, A_MONTH, timed=False)
    day, _, time = rest.partition(" ")
    longest = days_in(_LEAP_YEAR, month)
    return _dated(month, _day_of_month(day, longest, text, example), time, text, example)


def _dated(month: int, day: int, time: str, text: str, example: str) -> Mark:
    if not time:
        return Mark(month, day, 0.0, _DAY, timed=False)
    return Mark(month, day, _time_of_day(time, text, example), _HOUR, timed=True)


def _named(name: str, names: tuple[str, ...], text: str, example: str) -> int:
    wanted = name.lower()
    for index, known in enumerate(names):
        if wanted in {known, known[:3]}:
            return index
    raise _wrong(text, example)


def _day_of_month(name: str, longest: int, text: str, example: str) -> int:
    if name == "last":
        return LAST_DAY
    found = _DATE.fullmatch(name)
    if found is None or not 1 <= int(found[1]) <= longest:
        raise _wrong(text, example)
    return int(found[1])
