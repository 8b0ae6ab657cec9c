"""Records that are not published: they have no number, so they are told apart by their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import Conflict, NotFound
from sessionkit_dyn import errors
from sessionkit_dyn.calls import path
from sessionkit_dyn.record_types import InvalidRecord, RecordType
from sessionkit_dyn.resource import ask, odd, rows

if TYPE_CHECKING:
    from sessionkit_dyn.session import DynectSession


def replace(
    session: DynectSession, kind: RecordType, data: dict[str, Any], body: dict[str, Any] | None
) -> Any:
    """Put `body` (None: nothing) in the place of the one record that `data` describes.

    The node's records of this type are read, and written again with that one changed; meanwhile nobody who
    shares the session's token adds one there. If the record has been published meanwhile, it has a number by
    now and is changed by it.

    Raises:
        DynectDeleteError, DynectUpdateError: it is not there any more (`NotFound`), or there are two
            alike (`Conflict`).
    """
    zone, fqdn = str(data.get("zone", "")), str(data.get("fqdn", ""))
    method = "DELETE" if body is None else "PUT"
    uri = path(kind.resource, zone, fqdn)
    with session.login.changeset.exclusive(zone.lower(), fqdn.lower(), kind.name):
        there = _there(session, kind, uri)
        wanted = _comparable(kind, data.get("rdata"))
        alike = [row for row in there if _comparable(kind, row.get("rdata")) == wanted]
        if len(alike) != 1:
            raise _unclear(kind, fqdn, method, uri, len(alike))
        number = alike[0].get("record_id")
        if number:
            return ask(session, method, path(kind.resource, zone, fqdn, number), body)
        kept = [_body(kind, row) for row in there if row is not alike[0]]
        kept += [] if body is None else [body]
        answer = ask(session, "PUT", uri, {kind.replacing: kept})
    if body is None:
        return None
    changed = _comparable(kind, body["rdata"])
    listed = answer if isinstance(answer, list) else []
    return next(
        (row for row in listed if isinstance(row, dict) and _comparable(kind, row.get("rdata")) == changed),
        None,
    )


def find(
    session: DynectSession, kind: RecordType, zone: str, fqdn: str, rdata: dict[str, Any]
) -> dict[str, Any] | None:
    """The record of this data as the session sees it, or None."""
    wanted = _comparable(kind, rdata)
    there = _there(session, kind, path(kind.resource, zone, fqdn))
    return next((row for row in there if _comparable(kind, row.get("rdata")) == wanted), None)


def _there(session: DynectSession, kind: RecordType, uri: str) -> list[dict[str, Any]]:
    try:
        return rows(ask(session, "GET", uri, {"detail": "Y"}), kind.resource)
    except NotFound:
        return []


def _comparable(kind: RecordType, rdata: Any) -> dict[str, str]:
    """Data in a form that is the same however it was written."""
    if not isinstance(rdata, dict):
        raise odd("rdata", "an object", rdata)
    plain = {
        name: value.replace("\\;", ";") if name == "txtdata" and isinstance(value, str) else value
        for name, value in rdata.items()
        if name not in kind.read_only
    }
    try:
        checked = kind.validate(plain)
    except InvalidRecord:
        checked = plain
    return {name: str(value) for name, value in checked.items()}


def _body(kind: RecordType, row: dict[str, Any]) -> dict[str, Any]:
    """What leaves a listed record as it is."""
    beside = {name: row[name] for name, _ in kind.beside if row.get(name)}
    return {"rdata": row.get("rdata"), "ttl": row.get("ttl"), **beside}


def _unclear(kind: RecordType, fqdn: str, method: str, uri: str, count: int) -> errors.DynectError:
    """The error when it cannot be told which record is meant."""
    doing = errors.BY_METHOD[method]
    if count:
        return errors.both(doing, Conflict)(
            f"{count} unpublished {kind.name} records of {fqdn} are alike; it cannot be told which is meant",
            hint="publish the zone, then read the records again: each has a number of its own",
            method=method,
            uri=uri,
        )
    return errors.both(doing, NotFound)(
        f"{fqdn} has no such {kind.name} record any more",
        hint="it was deleted, discarded, or lost with its token; read the node's records again",
        method=method,
        uri=uri,
    )
