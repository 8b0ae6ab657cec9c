"""What users ask in Python, as the service's query parameters."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def encoded(given: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as text: lists joined by commas, times in ISO 8601, None left out.

    >>> encoded({"bbox": [-78, 37, -77, 38], "sensors": {"visibility": {"max": 0.5}}, "state": None})
    {'bbox': '-78,37,-77,38', 'sensors[visibility][max]': '0.5'}

    A polygon is a list of points: `[(-78, 37), (-77, 37), (-77, 38)]` becomes `-78 37,-77 37,-77 38`.
    `sensors` may also be the text that the vendor's client takes: `"sensors[visibility][max]=0.5"`.
    """
    return dict(_pairs(given))


def _pairs(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if value is None:
            continue
        if name == "sensors":
            yield from _sensors(value)
        else:
            yield name, text(value)


def _sensors(value: Any, prefix: str = "sensors") -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, str) and prefix == "sensors":
        yield from parse_qsl(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _sensors(inner, f"{prefix}[{name}]")
    elif prefix == "sensors":
        raise ConfigurationError(
            f"sensors={value!r} is not understood", hint='for example {"visibility": {"max": 0.5}}'
        )
    else:
        yield prefix, text(value)


def text(value: Any) -> str:
    """One value as the service reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime, date)):
        return time_text(value)
    if isinstance(value, (list, tuple)):
        return ",".join(_pair(item) for item in value)
    return str(value)


def _pair(value: Any) -> str:
    """One of a list: a point of a polygon is itself two numbers."""
    return " ".join(map(text, value)) if isinstance(value, (list, tuple)) else text(value)


def time_text(value: str | date) -> str:
    """An instant in ISO 8601, UTC; a text as it is. A `datetime` without a zone is taken as UTC.

    >>> time_text(datetime(2018, 1, 1, tzinfo=timezone.utc))
    '2018-01-01T00:00:00.000Z'

    Raises:
        ConfigurationError: it is neither.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, date):
        raise ConfigurationError(f"{value!r} is no time", hint="ISO 8601, or a datetime")
    if not isinstance(value, datetime):
        return value.isoformat()
    moment = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def time_of(value: Any) -> datetime | None:
    """The instant that a text of the service means; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        # Python before 3.11 reads no "Z".
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def segment(value: str) -> str:
    """An id as a part of a path."""
    if not isinstance(value, str) or not value or value in {".", ".."}:
        raise ConfigurationError(f"{value!r} is no id")
    return quote(value, safe=":")
