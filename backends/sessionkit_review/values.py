"""Values between the wire and Python: dates, and nothing else that needs it."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import Any, Final

UTC: Final = timezone.utc
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)


def instant(text: str) -> datetime:
    """The aware `datetime` that an ISO 8601 text means; without an offset it is UTC.

    >>> instant("2024-01-02T03:04:05").isoformat()
    '2024-01-02T03:04:05+00:00'

    Raises:
        ValueError: when it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = _spelled_otherwise(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _spelled_otherwise(text: str) -> datetime:
    # Before Python 3.11 `fromisoformat` reads neither "Z" nor any number of digits after the point.
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a date: {text[:40]!r}")
    day, minutes, seconds, fraction, offset = match.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else f"{offset[:3]}:{offset[-2:]}"
    digits = (fraction or "")[:6].ljust(6, "0")
    return datetime.fromisoformat(f"{day}T{minutes or '00:00'}{seconds or ':00'}.{digits}{zone}")


def is_date(value: Any) -> bool:
    """Whether `value` is a date or time: of the standard library, or an Arrow object."""
    return isinstance(value, date) or _is_arrow(value)


def _is_arrow(value: Any) -> bool:
    # By its looks: Arrow is no requirement, and whoever has one of its objects has it imported.
    return type(value).__module__.partition(".")[0] == "arrow" and isinstance(
        getattr(value, "datetime", None), datetime
    )


def plain(value: Any) -> Any:
    """`value`, an Arrow object as the `datetime` it stands for."""
    return value.datetime if _is_arrow(value) else value


def moment(value: Any) -> dict[str, str]:
    """A date or time as the server takes it."""
    return {"__type__": "datetime", "value": value.isoformat()}
