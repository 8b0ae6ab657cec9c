"""Durations as people write them: `10 minutes`, `1 hour 30 min`, `2 days, 3 hours`, `1h30m`, `01:30:00`."""

from __future__ import annotations

import re
from datetime import timedelta

from sessionkit_redengine.errors import ParserError

_UNITS = {
    "week": 604_800.0,
    "day": 86_400.0,
    "hour": 3_600.0,
    "minute": 60.0,
    "second": 1.0,
    "millisecond": 1e-3,
    "microsecond": 1e-6,
}
_SHORT = {"w": "week", "d": "day", "h": "hour", "hr": "hour", "m": "minute", "min": "minute"}
_SHORT |= {"s": "second", "sec": "second", "ms": "millisecond", "us": "microsecond"}
_NAMES = {**_SHORT, **{f"{short}s": name for short, name in _SHORT.items() if len(short) > 1}}
_NAMES |= {**{name: name for name in _UNITS}, **{f"{name}s": name for name in _UNITS}}

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*(?:,|and\b)?\s*")
_CLOCK = re.compile(r"(\d+):([0-5]?\d)(?::([0-5]?\d(?:\.\d+)?))?")

NEVER = float("inf")


def seconds(value: float | timedelta | str) -> float:
    """The seconds in a duration: a number (seconds), a `timedelta` or text such as `1 hour 30 min`.

    `"never"` is infinity: a timeout that does not come.

    >>> seconds("1h30m")
    5400.0

    Raises:
        ParserError: for text that is no duration, and for one that is not above zero.
    """
    if isinstance(value, timedelta):
        return _positive(value.total_seconds(), str(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _positive(_float(value), str(value))
    if not isinstance(value, str):
        raise ParserError(f"A duration is text, seconds or a timedelta, not {type(value).__name__}.")
    return _positive(_parse(value), value)


def lasting(value: float | timedelta | str) -> float:
    """The same for what has to end: an interval, a stretch of the past.

    Raises:
        ParserError: as `seconds`, and for `"never"`.
    """
    found = seconds(value)
    if found == NEVER:
        raise ParserError("A duration that never ends makes no sense here.", text=str(value))
    return found


def spelled(value: float) -> str:
    """A duration for people: `1h 30m`, `250ms`."""
    if value < 1:
        return f"{value * 1000:g}ms"
    parts = []
    rest = round(value, 3)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, rest = divmod(rest, size)
        parts += [f"{count:g}{unit}"] if count else []
    return " ".join([*parts, *([f"{rest:g}s"] if rest or not parts else [])])


def _positive(value: float, text: str) -> float:
    if value > 0:  # also refuses NaN
        return value
    raise ParserError("A duration must be longer than nothing.", text=text)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an int of hundreds of digits
        raise ParserError("A duration is not that long.") from None


def _parse(text: str) -> float:
    stripped = text.strip()
    if stripped == "never":
        return NEVER
    if clock := _CLOCK.fullmatch(stripped):
        hours, minutes, secs = clock.groups()
        return _countable(float(hours) * 3600 + int(minutes) * 60 + float(secs or 0), text)
    position = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    total = 0.0
    if position == end:
        raise ParserError("A duration is missing here.", text=text, position=position)
    while position < end:
        part = _PART.match(text, position)
        unit = _NAMES.get(part[2]) if part else None
        if part is None or unit is None:
            raise ParserError(
                "This is no duration.",
                text=text,
                position=position,
                hint='write for example "10 minutes", "1 hour 30 min", "2 days, 3 hours" or "01:30:00"',
            )
        total += float(part[1]) * _UNITS[unit]
        position = part.end()
    return _countable(total, text)


def _countable(total: float, text: str) -> float:
    """A number of so many digits that it became infinity is no way to say "never"."""
    if total == NEVER:
        raise ParserError("A duration is not that long.", text=text)
    return total
