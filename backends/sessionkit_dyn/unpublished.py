"""Records that are not published: they have no number, so they are told apart by their data."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sessionkit.errors import Conflict, ConnectionFailed, NotFound, RequestError
from sessionkit.http import Call
from sessionkit_dyn import errors
from sessionkit_dyn.calls import DynectCall, path
from sessionkit_dyn.changeset import target
from sessionkit_dyn.record_types import InvalidRecord, RecordType
from sessionkit_dyn.resource import ask, odd, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.clock import Deadline
    from sessionkit.tokens import Token
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
    with exclusive(session, kind, zone, fqdn) as deadline:
        there, _ = _there(session, kind, uri, deadline)
        alike = _alike(kind, there, data.get("rdata"))
        if len(alike) != 1:
            raise _unclear(kind, fqdn, method, uri, len(alike))
        number = alike[0].get("record_id")
        if number:
            uri = path(kind.resource, zone, fqdn, number)
            return ask(session, method, uri, body, timeout=deadline.remaining())
        kept = [_body(kind, row) for row in there if row is not alike[0]]
        kept += [] if body is None else [body]
        answer = ask(session, "PUT", uri, {kind.replacing: kept}, timeout=deadline.remaining())
    if body is None:
        return None
    changed = _comparable(kind, body["rdata"])
    listed = answer if isinstance(answer, list) else []
    return next(
        (row for row in listed if isinstance(row, dict) and _comparable(kind, row.get("rdata")) == changed),
        None,
    )


@contextmanager
def exclusive(session: DynectSession, kind: RecordType, zone: str, fqdn: str) -> Iterator[Deadline]:
    """Hold a node's records of one type for some calls, which have the time of one: until the deadline.

    Raises:
        CallTimeout: somebody else held them until then.
    """
    deadline = session.deadline()
    with session.login.changeset.exclusive(deadline, zone.lower(), fqdn.lower(), kind.name):
        yield deadline


def add(session: DynectSession, kind: RecordType, zone: str, fqdn: str, body: dict[str, Any]) -> Any:
    """Add a record, once: when the answer is lost, look whether it has arrived before adding it again.

    Returns what the service says of it.

    Raises:
        ConnectionFailed: the answer was lost, and what is there may have been there before.
    """
    call = Call("POST", path(kind.resource, zone, fqdn), body)
    with exclusive(session, kind, zone, fqdn) as deadline:
        try:
            return ask(session, "POST", call.uri, body, timeout=deadline.remaining())
        except ConnectionFailed as error:
            if not error.sent or session.retry.attempts <= 1:
                raise
            try:
                there, token = _there(session, kind, call.uri, deadline)
            except RequestError as again:
                raise error from again
            found = _alike(kind, there, body["rdata"])
            if not found:
                return ask(session, "POST", call.uri, body, timeout=deadline.remaining())
            if _was_there(session, kind, call, found[0]):
                raise
    session.carried_out(call, token)
    return found[0]


def _was_there(session: DynectSession, kind: RecordType, call: Call, found: dict[str, Any]) -> bool:
    """Whether what `call` was to add may have been there before: published, or written by another call."""
    body = call.args
    if found.get("record_id") or (body["ttl"] and str(found.get("ttl")) != str(body["ttl"])):
        return True
    earlier = session.pending_changes.get(target(call)[1], ())
    told = [each.args for each in earlier if each.uri == call.uri and isinstance(each.args, dict)]
    bodies = [each for args in told for each in (args.get(kind.replacing) or [args])]
    written = [each for each in bodies if isinstance(each, dict) and isinstance(each.get("rdata"), dict)]
    return bool(_alike(kind, written, body["rdata"]))


def _alike(kind: RecordType, listed: list[dict[str, Any]], rdata: Any) -> list[dict[str, Any]]:
    """Those of some records that have this data."""
    wanted = _comparable(kind, rdata)
    return [row for row in listed if _comparable(kind, row.get("rdata")) == wanted]


def _there(
    session: DynectSession, kind: RecordType, uri: str, deadline: Deadline
) -> tuple[list[dict[str, Any]], Token | None]:
    """The records that are there, and the token they were seen with."""
    look = DynectCall("GET", uri, {"detail": "Y"})
    try:
        seen = session.perform(look, timeout=deadline.remaining())
        return rows(seen.result["data"], kind.resource), seen.response.request.token
    except NotFound:
        return [], None


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
