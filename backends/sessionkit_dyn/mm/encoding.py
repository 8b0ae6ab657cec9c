"""How values travel to Message Management: forms and queries of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timezone
from typing import Any


def fields(args: Mapping[str, Any] | None) -> dict[str, str]:
    """Arguments as the service reads them; None is left out.

    Lists are joined by commas, moments are ISO 8601 in UTC, the entries of `xheaders` are fields of their
    own.

    >>> fields({"to": ["kim@x.test", "lou@x.test"], "xheaders": {"X-demo": 1}})
    {'to': 'kim@x.test,lou@x.test', 'X-demo': '1'}
    """
    flat: dict[str, Any] = {}
    for name, value in (args or {}).items():
        if name == "xheaders" and isinstance(value, Mapping):
            flat.update(value)
        else:
            flat[name] = value
    return {name: text(value) for name, value in flat.items() if value is not None}


def text(value: Any) -> str:
    """One value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Iterable):
        return ",".join(text(each) for each in value)
    return str(value)


def moment(value: datetime) -> str:
    """ISO 8601 in UTC; one without a zone is UTC.

    >>> moment(datetime(2026, 1, 1, 12))
    '2026-01-01T12:00:00+00:00'
    """
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).isoformat(timespec="seconds")
