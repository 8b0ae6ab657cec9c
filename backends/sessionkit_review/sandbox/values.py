"""Values between the wire and the columns of a table.

Dates are kept as naive UTC text ("2024-01-02T03:04:05"), which sorts as time does; values of kind "any" as
JSON, so that text, numbers and lists stay what they are.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_review.sandbox.schema.model import Attribute

_TRUE = {"true", "1"}
_FALSE = {"false", "0"}


def timestamp(value: object) -> str:
    """A date or time in any spelling the service accepts, as it is kept.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, datetime):
        value = _parse(str(value))
    if value.tzinfo is not None:
        value = value.astimezone(timezone.utc).replace(tzinfo=None)
    return value.isoformat()


def _parse(text: str) -> datetime:
    text = text.strip()
    text = f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text
    moment, point, rest = text.partition(".")
    if point:  # Python 3.10 reads three or six digits of a second, services send any number
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = f"{moment}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"
    return datetime.fromisoformat(text)


def now(seconds: float) -> str:
    """The instant `seconds` after the epoch, as dates are kept."""
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None, microsecond=0).isoformat()


def boolean(value: object) -> int:
    """A truth value, as it is kept."""
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(value)
    return int(text in _TRUE)


def integer(value: object) -> int:
    """A whole number."""
    number_ = number(value)
    if number_ != int(number_) or abs(number_) >= 1 << 63:  # the largest that SQLite keeps
        raise ValueError(value)
    return int(value) if isinstance(value, int) else int(number_)


def number(value: object) -> float:
    """A finite number."""
    if not isinstance(value, (int, float, str)):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for "this cannot be one"
    parsed = float(value)
    if parsed in {float("inf"), float("-inf")} or parsed != parsed:  # noqa: PLR0124 - NaN only
        raise ValueError(value)
    return parsed


def text(value: object) -> str:
    """A string; numbers are written out, lists and objects as JSON."""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(value)


def anything(value: object) -> str:
    """A value of any kind, as JSON."""
    return json.dumps(value.isoformat() if isinstance(value, (date, datetime)) else value)


_TO_COLUMN: dict[str, Callable[[object], object]] = {
    "string": text,
    "json": text,
    "object": text,
    "boolean": boolean,
    "integer": integer,
    "number": number,
    "date": timestamp,
    "any": anything,
}


def to_column(attribute: Attribute, value: object) -> Any:
    """What is stored for `value` as it came over the wire.

    Raises:
        ApiError: when `value` cannot be one of this attribute.
    """
    if value is None:
        return None
    try:
        return _TO_COLUMN[attribute.kind](value)
    except (ValueError, OverflowError):
        article = "an" if attribute.kind[0] in "aeiou" else "a"
        raise invalid(f"{attribute.name}: {value!r} is not {article} {attribute.kind}.") from None


def from_column(kind: str, value: Any) -> Any:
    """What goes over the wire for a stored `value`."""
    if value is None:
        return None
    if kind == "date":
        return {"__type__": "datetime", "value": value}
    if kind == "boolean":
        return bool(value)
    if kind == "any":
        return json.loads(value)
    return value
