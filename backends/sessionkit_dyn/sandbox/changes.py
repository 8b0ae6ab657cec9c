"""Changesets: what a session has changed and not yet published, laid over what is published.

A change belongs to the token that made it. Nobody else sees it, and it is gone when the session is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.record_types import RECORD_TYPES
from sessionkit_dyn.sandbox import tables
from sessionkit_dyn.sandbox.envelope import not_found

if TYPE_CHECKING:
    import sqlite3

    from sessionkit_dyn.sandbox.call import Call

_COLUMNS = "zone, fqdn, type, ttl, rdata, beside"
_ESCAPED = frozenset({"TXT", "SPF"})


@dataclass(slots=True)
class Record:
    """A record as a session sees it.

    Attributes:
        record_id: 0 until it is published.
        change_id: The change that adds or updates it, or 0.
        zone: Its zone.
        fqdn: Its node, without a trailing dot.
        type: "A", ...
        ttl: Seconds.
        rdata: Its data, as validated.
        beside: What stands beside ttl: the service class, the serial style.
    """

    zone: str
    fqdn: str
    type: str
    ttl: int
    rdata: dict[str, Any]
    beside: dict[str, Any] = field(default_factory=dict)
    record_id: int = 0
    change_id: int = 0

    def public(self) -> dict[str, Any]:
        """The form on the wire."""
        rdata = self.rdata
        if self.type in _ESCAPED:  # the service writes ";" as "\;"
            rdata = {**rdata, "txtdata": rdata["txtdata"].replace(";", "\\;")}
        return {
            "zone": self.zone,
            "ttl": self.ttl,
            "fqdn": self.fqdn,
            "record_type": self.type,
            "rdata": rdata,
            "record_id": self.record_id,
            **self.beside,
        }

    def same_data(self, other: Record) -> bool:
        """Whether both say the same at the same node, whatever their time to live."""
        return (self.fqdn, self.type, self.rdata) == (other.fqdn, other.type, other.rdata)


def zone_row(call: Call, zone: str, *remarks: str) -> dict[str, Any]:
    """The zone, when this account has it.

    Raises:
        Refusal: "zone: No such zone".
    """
    found = tables.one(call.db, "SELECT * FROM dyn_zone WHERE zone = ? AND customer = ?", zone, call.customer)
    if found is None:
        raise not_found("zone: No such zone", *remarks, source="API-B")
    return found


def view(call: Call, zone: str, fqdn: str | None = None, kind: str | None = None) -> list[Record]:
    """The zone's records as this session sees them: published ones, with its own changes laid over."""
    records: dict[int, Record] = {}
    added: list[Record] = []
    for row in _rows(call.db, "dyn_record", "record_id, 0 AS change_id", {"zone": zone}, fqdn, kind):
        records[row.record_id] = row
    own = {"token": call.token, "zone": zone}
    for change, row in _changes(call.db, own, fqdn, kind):
        if change == "add":
            added.append(row)
        elif change == "delete":
            records.pop(row.record_id, None)
        elif row.record_id in records:
            records[row.record_id] = row
    found = [*records.values(), *added]
    for record in found:
        if record.type == "SOA":
            zone_serial = tables.one(call.db, "SELECT serial FROM dyn_zone WHERE zone = ?", zone)
            record.rdata = {**record.rdata, "serial": zone_serial["serial"] if zone_serial else 0}
    return found


def _rows(
    db: sqlite3.Connection, table: str, ids: str, keys: dict[str, str], fqdn: str | None, kind: str | None
) -> list[Record]:
    wanted = {**keys, **({"fqdn": fqdn} if fqdn else {}), **({"type": kind} if kind else {})}
    where = " AND ".join(f"{name} = ?" for name in wanted)
    query = f"SELECT {ids}, {_COLUMNS} FROM {table} WHERE {where} ORDER BY 1"  # noqa: S608 - our own names
    return [_record(row) for row in db.execute(query, list(wanted.values()))]


def _changes(
    db: sqlite3.Connection, keys: dict[str, str], fqdn: str | None = None, kind: str | None = None
) -> list[tuple[str, Record]]:
    records = _rows(db, "dyn_change", "change_id, record_id", keys, fqdn, kind)
    where = "token = ? AND zone = ?"
    query = f"SELECT change_id, kind FROM dyn_change WHERE {where}"  # noqa: S608 - our own words
    kinds = dict(db.execute(query, [keys["token"], keys["zone"]]).fetchall())
    return [(kinds[record.change_id], record) for record in records]


def _record(row: sqlite3.Row) -> Record:
    return Record(
        row["zone"],
        row["fqdn"],
        row["type"],
        row["ttl"],
        json.loads(row["rdata"]),
        json.loads(row["beside"]),
        row["record_id"],
        row["change_id"],
    )


def stage(call: Call, kind: str, record: Record) -> None:
    """Note a change in the changeset; a later change of a record takes the place of an earlier one."""
    if record.record_id:
        call.db.execute(
            "DELETE FROM dyn_change WHERE token = ? AND record_id = ?", [call.token, record.record_id]
        )
    elif kind == "delete":  # it was never published: forgetting its addition is all there is to do
        call.db.execute("DELETE FROM dyn_change WHERE change_id = ?", [record.change_id])
        return
    tables.insert(
        call.db, "change", token=call.token, kind=kind, record_id=record.record_id, **_columns(record)
    )


def _columns(record: Record) -> dict[str, Any]:
    return {
        "zone": record.zone,
        "fqdn": record.fqdn,
        "type": record.type,
        "ttl": record.ttl,
        "rdata": record.rdata,
        "beside": record.beside,
    }


def store(db: sqlite3.Connection, record: Record) -> int:
    """Keep a record as published; returns its id."""
    return tables.insert(db, "record", **_columns(record))


def apply(call: Call, zone: str) -> int:
    """Make the session's changes of a zone published; returns how many there were."""
    changes = _changes(call.db, {"token": call.token, "zone": zone})
    for kind, record in changes:
        if kind == "add":
            store(call.db, record)
        elif kind == "delete":
            call.db.execute("DELETE FROM dyn_record WHERE record_id = ?", [record.record_id])
        else:
            call.db.execute(
                "UPDATE dyn_record SET ttl = ?, rdata = ?, beside = ? WHERE record_id = ?",
                [record.ttl, json.dumps(record.rdata), json.dumps(record.beside), record.record_id],
            )
        if record.type == "SOA":
            style = record.beside.get("serial_style", "increment")
            call.db.execute("UPDATE dyn_zone SET serial_style = ? WHERE zone = ?", [style, zone])
    discard(call, zone)
    return len(changes)


def discard(call: Call, zone: str) -> int:
    """Forget the session's changes of a zone; returns how many there were."""
    return call.db.execute("DELETE FROM dyn_change WHERE token = ? AND zone = ?", [call.token, zone]).rowcount


def pending(call: Call, zone: str) -> list[dict[str, Any]]:
    """The changeset in the form of `ZoneChanges`; additions, updates and deletions look alike there."""
    serial = zone_row(call, zone)["serial"]
    listed = []
    for _, record in _changes(call.db, {"token": call.token, "zone": zone}):
        key = RECORD_TYPES[record.type].rdata_key
        listed.append(
            {
                "id": record.change_id,
                "user_id": 1,
                "zone": zone,
                "fqdn": record.fqdn,
                "serial": serial,
                "ttl": record.ttl,
                "rdata_type": record.type,
                "rdata": {key: record.public()["rdata"]},
            }
        )
    return listed


def forget_session(db: sqlite3.Connection, token: str) -> None:
    """A session has ended: its changes and its jobs go with it."""
    db.execute("DELETE FROM dyn_change WHERE token = ?", [token])
    db.execute("DELETE FROM dyn_job WHERE token = ?", [token])


def changed(record: Record, **values: Any) -> Record:
    """The record with some of its parts changed."""
    return replace(record, **values)
