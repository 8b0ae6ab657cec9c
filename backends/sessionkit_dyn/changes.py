"""The unpublished changes of a zone, as the service has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.calls import path
from sessionkit_dyn.resource import ask, plain_name, rows

if TYPE_CHECKING:
    from sessionkit_dyn.session import DynectSession


@dataclass(frozen=True, slots=True)
class Change:
    """One change that waits to be published; the service does not say whether it adds, changes or deletes.

    Attributes:
        id: Its number.
        fqdn: The node.
        record_type: "A", ...
        ttl: Seconds.
        rdata: The record's data.
        raw: Everything the service says of it.
    """

    id: Any
    fqdn: str
    record_type: str
    ttl: Any
    rdata: dict[str, Any]
    raw: dict[str, Any]


def get_changes(zone: str, *, session: DynectSession | None = None) -> list[Change]:
    """What this session has changed in a zone and not yet published.

    >>> changes.get_changes("example.test")
    """
    return [
        _change(row) for row in rows(ask(session, "GET", path("ZoneChanges", plain_name(zone))), "changes")
    ]


def discard_changes(zone: str, *, session: DynectSession | None = None) -> None:
    """Give up what this session has changed in a zone and not yet published.

    >>> changes.discard_changes("example.test")
    """
    ask(session, "DELETE", path("ZoneChanges", plain_name(zone)))


def _change(row: dict[str, Any]) -> Change:
    kind = str(row.get("rdata_type", ""))
    data = row.get("rdata")
    inside = data.get(f"rdata_{kind.lower()}") if isinstance(data, dict) else None
    rdata = inside if isinstance(inside, dict) else {}
    return Change(row.get("id"), str(row.get("fqdn", "")), kind, row.get("ttl"), rdata, row)
