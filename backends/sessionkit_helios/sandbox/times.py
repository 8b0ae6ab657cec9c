"""Instants as the service writes and reads them; inside they are whole milliseconds since the epoch, UTC."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?)?)?)?)?"
    # A plus sign that was not escaped in a query arrives as a space.
    r"(?P<zone>Z|[+\- ]\d\d:?\d\d)?"
)
_EARLIEST = {"year": 1, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}


def parse(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 instant, in full or cut short: `2017-01`.

    What is missing counts as its first: `2017-01` is the midnight that began January.

    Raises:
        ValueError: when `text` is no such instant.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    given = match.groupdict()
    year, month, day, hour, minute, second = (int(given[name] or low) for name, low in _EARLIEST.items())
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    milliseconds = int((given["fraction"] or "").ljust(3, "0")[:3])
    return int(moment.timestamp()) * 1000 + milliseconds - _offset(given["zone"] or "Z")


def _offset(zone: str) -> int:
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "")
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(digits[:2]) * 60 + int(digits[2:])) * 60_000


def iso(milliseconds: int) -> str:
    """`2018-01-01T00:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def compact(milliseconds: int) -> str:
    """`20180101000000000`, as in the names of images."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y%m%d%H%M%S}{rest:03d}"


def parse_compact(text: str) -> int:
    """The inverse of `compact`.

    Raises:
        ValueError: when `text` is not 17 digits that name an instant.
    """
    if not re.fullmatch(r"\d{17}", text):
        raise ValueError(text)
    moment = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 1000 + int(text[14:])
