"""Zones and their nodes: create, import, transfer, publish, freeze, thaw, delete."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.record_types import RECORD_TYPES, InvalidRecord, check_ttl
from sessionkit_dyn.sandbox import changes, tables, tasks, things, zonefile
from sessionkit_dyn.sandbox.call import is_name, plain_name
from sessionkit_dyn.sandbox.changes import Record
from sessionkit_dyn.sandbox.envelope import Answer, done, invalid, missing, not_found, refuse
from sessionkit_dyn.sandbox.records import SERIAL_STYLES, in_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit_dyn.sandbox.call import Call, Routes

NAMESERVERS = tuple(f"ns{number}.p28.dynect.test." for number in range(1, 5))

_SETUP = (
    "setup: If you plan to provide your own secondary DNS for the zone, allow notify requests from these IP "
    "addresses on your nameserver: 204.13.249.66, 208.78.68.66, 2600:2001:0:1::66, 2600:2003:0:1::66"
)


def routes() -> Routes:
    """Resource -> method -> handler."""
    return {
        "Zone": {"GET": get, "POST": create, "PUT": update, "DELETE": remove},
        "ZoneFile": {"POST": import_file},
        "ZoneTransfer": {"POST": import_transfer, "PUT": import_transfer, "GET": transfer_state},
        "ZoneChanges": {"GET": pending, "DELETE": discard},
        "NodeList": {"GET": node_list},
        "Node": {"DELETE": remove_node},
        "Apex": {"GET": apex},
    }


def get(call: Call) -> Answer:
    """One zone, or the account's zones."""
    if call.part(0):
        row = changes.zone_row(call, plain_name(call.part(0)))
        return done(public(row), f"get: Your zone, {row['zone']}")
    found = tables.rows(call.db, "SELECT * FROM dyn_zone WHERE customer = ? ORDER BY zone", call.customer)
    listed = [public(row) if call.flag("detail") else f"/REST/Zone/{row['zone']}/" for row in found]
    return done(listed, f"get: Your {len(found)} zone{'' if len(found) == 1 else 's'}")


def create(call: Call) -> Answer:
    """A new, empty zone; it has a serial once it is published."""
    zone = plain_name(call.part(0) or call.args.get("zone", ""))
    rname = call.need("rname")
    _check_new(call, zone)
    style = str(call.args.get("serial_style") or "increment")
    add_zone(call, zone, rname=rname, ttl=call.args.get("ttl"), style=style)
    row = changes.zone_row(call, zone)
    return done(public(row), _SETUP, f"create: New zone {zone} created.  Publish it to put it on our server.")


def add_zone(call: Call, zone: str, *, rname: Any, ttl: Any = None, style: str = "increment") -> None:
    """Keep a zone with its SOA and its four name servers."""
    if style not in SERIAL_STYLES:
        raise invalid(
            "serial_style", f"Value must be one of {', '.join(SERIAL_STYLES)}", "create: Zone not created"
        )
    try:
        seconds = check_ttl(ttl) or 3600
        rdata = RECORD_TYPES["SOA"].validate({"rname": rname, "minimum": 1800})
    except InvalidRecord as error:
        raise invalid(error.field, error.problem, "create: Zone not created") from error
    tables.insert(call.db, "zone", zone=zone, customer=call.customer, serial_style=style)
    timers = {"mname": NAMESERVERS[0], "serial": 0, "refresh": 3600, "retry": 600, "expire": 604_800}
    changes.store(call.db, Record(zone, zone, "SOA", seconds, {**rdata, **timers}, {"serial_style": style}))
    for server in NAMESERVERS:
        changes.store(
            call.db, Record(zone, zone, "NS", 86_400, {"nsdname": server}, {"service_class": "Primary"})
        )


def _check_new(call: Call, zone: str) -> None:
    if not zone:
        raise missing("zone")
    if not is_name(zone) or "." not in zone:
        raise invalid("zone", "Zone name expected", "create: Zone not created")
    existing = tables.one(call.db, "SELECT customer FROM dyn_zone WHERE zone = ?", zone)
    if existing is not None:
        own = existing["customer"] == call.customer
        remark = "create: You already have this zone." if own else "create: Zone not created"
        raise refuse("TARGET_EXISTS", "name: Name already exists", remark)


def import_file(call: Call) -> Answer:
    """A new zone from the text of a BIND zone file of less than 1 MB."""
    zone = plain_name(call.part(0))
    text = call.need("file")
    _check_new(call, zone)
    return _import(call, zone, zonefile.parse(zone, text), "file: Zone file imported")


def import_transfer(call: Call) -> Answer:
    """A new zone, or the new content of one, from another server; `fetched` brought it before."""
    zone = plain_name(call.part(0))
    if call.method == "POST":
        _check_new(call, zone)
    else:
        changes.zone_row(call, zone)
        _delete_zone(call, zone)
    return _import(call, zone, call.fetched, "transfer: Zone transferred")


async def fetch(call: Call) -> None:
    """Ask the other server for the zone, before the call's transaction begins."""
    zone = plain_name(call.part(0))
    if call.method == "POST":
        _check_new(call, zone)
    else:
        changes.zone_row(call, zone)
    call.fetched = await zonefile.transfer(zone, str(call.need("master_ip")))


def _import(call: Call, zone: str, imported: zonefile.Imported, remark: str) -> Answer:
    add_zone(call, zone, rname=imported.rname, ttl=imported.ttl)
    for fqdn, kind, ttl, rdata in imported.records:
        beside = dict(RECORD_TYPES[kind].beside)
        changes.stage(call, "add", Record(zone, fqdn, kind, ttl, rdata, beside))
    return done(public(changes.zone_row(call, zone)), remark, *imported.skipped)


def transfer_state(call: Call) -> Answer:
    """How the transfer of a zone stands: it is over when the call that asked for it is."""
    zone = plain_name(call.part(0))
    changes.zone_row(call, zone)
    return done({"zone": zone, "status": "unpublished", "message": ""}, "get: Zone transfer is complete")


def update(call: Call) -> Answer:
    """Publish, freeze or thaw."""
    zone = plain_name(call.part(0))
    row = changes.zone_row(call, zone)
    if call.flag("publish"):
        return _publish(call, row)
    if call.flag("freeze") or call.flag("thaw"):
        frozen = call.flag("freeze")
        call.db.execute("UPDATE dyn_zone SET frozen = ? WHERE zone = ?", [frozen, zone])
        words = (
            "freeze: Your zone is now frozen"
            if frozen
            else "thaw: Your zone is now thawed, you may edit normally"
        )
        return done(None, words)
    if row["zone_type"] == "Secondary":
        return done(public(row), "update: No changes specified")
    raise refuse("INVALID_DATA", "update: One of publish, freeze or thaw must be true")


def _publish(call: Call, row: dict[str, Any]) -> Answer:
    zone = row["zone"]
    changes.apply(call, zone)
    row = changes.zone_row(call, zone)
    now = call.clock.time()
    serial = next_serial(row["serial"], row["serial_style"], now)
    call.db.execute("UPDATE dyn_zone SET serial = ? WHERE zone = ?", [serial, zone])
    tables.insert(
        call.db,
        "note",
        zone=zone,
        serial=serial,
        type="publish",
        note=str(call.args.get("notes") or ""),
        timestamp=str(int(now)),
        user_name=call.user,
    )
    task = tasks.create(call, zone, "PublishZone", status="complete")
    return done({**public({**row, "serial": serial}), "task_id": str(task)}, f"publish: {zone} published")


def next_serial(serial: int, style: str, now: float) -> int:
    """The serial after `serial`: one more, or what the style makes of the time if that is more still."""
    moment = time.gmtime(now)
    by_time = {
        "increment": 0,
        "epoch": int(now),
        "day": int(time.strftime("%Y%m%d00", moment)),
        "minute": int(time.strftime("%y%m%d%H%M", moment)),
    }
    return max(serial + 1, by_time[style])


def remove(call: Call) -> Answer:
    """A zone and everything in it, at once."""
    zone = plain_name(call.part(0))
    row = changes.zone_row(call, zone, "remove: No such zone in your account")
    _delete_zone(call, zone)
    return done(public(row), "remove: Zone removed")


def _delete_zone(call: Call, zone: str) -> None:
    for table in ("zone", "record", "change", "note"):
        call.db.execute(f"DELETE FROM dyn_{table} WHERE zone = ?", [zone])  # noqa: S608 - the names above
    things.forget_zone(call, zone)


def pending(call: Call) -> Answer:
    """The session's unpublished changes of a zone."""
    zone = plain_name(call.part(0))
    changes.zone_row(call, zone)
    return done(changes.pending(call, zone), "get: Here are your zone changes")


def discard(call: Call) -> Answer:
    """Forget the session's unpublished changes of a zone."""
    zone = plain_name(call.part(0))
    changes.zone_row(call, zone)
    return done(None, f"discard: {changes.discard(call, zone)} zone changes discarded")


def node_list(call: Call) -> Answer:
    """The names of all nodes of a zone, or of a node and those below it."""
    zone = plain_name(call.part(0))
    changes.zone_row(call, zone)
    top = plain_name(call.part(1)) or zone
    names = {zone, *(record.fqdn for record in changes.view(call, zone)), *things.nodes(call, zone)}
    found = sorted((name for name in names if in_zone(name, top)), key=lambda name: name.split(".")[::-1])
    if not found:
        raise not_found("node: Node is not in the zone", "get_tree: Node name not found within the zone")
    return done(found, "get_tree: Here is your zone tree")


def remove_node(call: Call) -> Answer:
    """A node with everything at and below it."""
    zone, fqdn = plain_name(call.part(0)), plain_name(call.part(1))
    row = changes.zone_row(call, zone)
    at_node = [record for record in changes.view(call, zone) if in_zone(record.fqdn, fqdn)]
    if not fqdn or fqdn == zone:
        raise refuse("ILLEGAL_OPERATION", "node: The root of a zone cannot be removed")
    if not at_node and not things.nodes(call, zone, fqdn):
        raise not_found("node: Node is not in the zone", "remove_node: Node not removed")
    for record in at_node:
        changes.stage(call, "delete", record)
    things.forget_node(call, zone, fqdn)
    return done(public(row), f"remove_node: {fqdn} removed from tree. All records also removed.")


def apex(call: Call) -> Answer:
    """The zone that holds a name."""
    labels = plain_name(call.part(0)).split(".")
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        row = tables.one(
            call.db, "SELECT * FROM dyn_zone WHERE zone = ? AND customer = ?", name, call.customer
        )
        if row is not None:
            return done(public(row), "get: Here is your apex")
    raise not_found("zone: No such zone", source="API-B")


def public(row: dict[str, Any]) -> dict[str, Any]:
    """A zone on the wire."""
    return {name: row[name] for name in ("zone", "zone_type", "serial", "serial_style")}


def known(call: Call, zones: Sequence[Any]) -> list[str]:
    """Those of some zone names that the account has."""
    rows = tables.rows(call.db, "SELECT zone FROM dyn_zone WHERE customer = ?", call.customer)
    own = {row["zone"] for row in rows}
    return [name for name in map(plain_name, zones) if name in own]
