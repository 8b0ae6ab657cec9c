"""Reports: notes, queries per second, who may do what."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.sandbox import changes, tables, things, zones
from sessionkit_dyn.sandbox.call import plain_name, yes_no
from sessionkit_dyn.sandbox.envelope import Answer, done, invalid, not_found
from sessionkit_dyn.sandbox.kinds import BY_NAME

if TYPE_CHECKING:
    from sessionkit_dyn.sandbox.call import Call, Routes

#: Method and resource -> the permission it takes. `Record` stands for every record type.
PERMISSION_FOR = {
    ("POST", "Record"): "RecordAdd",
    ("GET", "Record"): "RecordGet",
    ("PUT", "Record"): "RecordUpdate",
    ("DELETE", "Record"): "RecordDelete",
    ("GET", "Zone"): "ZoneGet",
    ("POST", "Zone"): "ZoneCreate",
    ("PUT", "Zone"): "ZonePublish",
    ("DELETE", "Zone"): "ZoneDelete",
    ("GET", "NodeList"): "ZoneGetNodeList",
    ("DELETE", "Node"): "ZoneRemoveNode",
    ("POST", "ZoneFile"): "ZoneAddFile",
    ("POST", "ZoneTransfer"): "ZoneTransfer",
    ("DELETE", "ZoneChanges"): "ZoneDiscardChangeset",
    ("POST", "User"): "UserCreate",
    ("GET", "User"): "UserGet",
    ("PUT", "User"): "UserUpdate",
    ("DELETE", "User"): "UserDelete",
    ("PUT", "Password"): "UserChangepw",
    ("POST", "QPSReport"): "QPSReport",
}
PERMISSIONS = tuple(sorted(PERMISSION_FOR.values()))

_STEP = 300
_MOST_ROWS = 2_000
_MOST_NOTES = 1_000
_HEADINGS = {"hosts": "Hosts", "rrecs": "Record Types", "zones": "Zones"}


def routes() -> Routes:
    """Resource -> method -> handler."""
    handlers = {
        "ZoneNoteReport": notes,
        "QPSReport": queries,
        "CheckPermissionReport": check_permissions,
        "UserPermissionReport": user_permissions,
        "DNSSECTimelineReport": _of_zone,
        "RTTMLogReport": _of_zone,
        "RTTMRRSetReport": _of_zone,
    }
    return {name: {"POST": handler} for name, handler in handlers.items()}


def notes(call: Call) -> Answer:
    """What was noted when a zone was published, latest first."""
    zone = plain_name(call.need("zone"))
    changes.zone_row(call, zone)
    limit, offset = call.number("limit", _MOST_NOTES), call.number("offset", 0)
    if not 0 < limit <= _MOST_NOTES or offset < 0:
        raise invalid("limit", f"Value must be between 1 and {_MOST_NOTES}")
    columns = "zone, serial, type, note, timestamp, user_name"
    found = tables.rows(
        call.db,
        f"SELECT {columns} FROM dyn_note WHERE zone = ? ORDER BY note_id DESC LIMIT ? OFFSET ?",  # noqa: S608 - our own names
        zone,
        limit,
        offset,
    )
    return done(found, "get: Here are your notes")


def queries(call: Call) -> Answer:
    """Queries in steps of 300 s, as CSV; the numbers are made from the names, so they are always the same."""
    start, end = call.number("start_ts", 0), call.number("end_ts", 0)
    if not 0 < start < end:
        raise invalid("end_ts", "A time after start_ts expected")
    own = call.items("zones") or [row["zone"] for row in _own_zones(call)]
    breakdown = [name for name in map(str, call.items("breakdown")) if name in _HEADINGS]
    subjects: dict[str, list[Any]] = {
        "hosts": call.items("hosts") or own,
        "rrecs": call.items("rrecs") or ["A", "AAAA", "MX"],
        "zones": zones.known(call, own),
    }
    head = ",".join(["Timestamp", *(_HEADINGS[name] for name in breakdown), "Queries"])
    rows = [head]
    first = start - start % _STEP
    for moment in range(first, min(end, first + _MOST_ROWS * _STEP), _STEP):
        names = [str(each) for each in subjects[breakdown[0]]] if breakdown else [""]
        for name in names:
            count = zlib.crc32(f"{call.customer} {name} {moment}".encode()) % 500
            rows.append(",".join([str(moment), *([name] if breakdown else []), str(count)]))
    return done({"csv": "\n".join(rows) + "\n"}, "get: Here is your report")


def _own_zones(call: Call) -> list[dict[str, Any]]:
    return tables.rows(call.db, "SELECT zone FROM dyn_zone WHERE customer = ? ORDER BY zone", call.customer)


def granted(call: Call, user: str) -> list[str]:
    """What a user may do: their own permissions and their groups', but nothing that is forbidden to them.

    Raises:
        Refusal: when the account has no such user.
    """
    known = things.load(call, "User", [user])
    if known is None:
        raise not_found("user_name: No such user")
    allowed = set(map(str, known["permission"]))
    for group in things.list_below(call, BY_NAME["PermissionGroup"], []):
        if user in group["user_name"] or yes_no(group["all_users"]) == "Y":
            allowed.update(map(str, group["permission"]))
    return sorted(allowed.difference(map(str, known["forbid"])))


def check_permissions(call: Call) -> Answer:
    """Which of some permissions the signed-in user has."""
    wanted = call.items("permission")
    own = granted(call, call.user)
    return done(
        {
            "allowed": [name for name in wanted if name in own],
            "forbidden": [name for name in wanted if name not in own],
            "admin_override": "1" if own == list(PERMISSIONS) else "0",
        },
        "check: Here are your permissions",
    )


def user_permissions(call: Call) -> Answer:
    """Everything a user may do, and in which zones."""
    own = granted(call, str(call.args.get("user_name") or call.user))
    zone = [{"zone_name": row["zone"], "recurse": "Y"} for row in _own_zones(call)]
    allowed = [{"name": name, "zone": zone} for name in own]
    forbidden = [{"name": name, "zone": []} for name in PERMISSIONS if name not in own]
    return done({"allowed": allowed, "forbidden": forbidden}, "get: Here are the permissions")


def _of_zone(call: Call) -> Answer:
    """A report that has nothing to tell yet."""
    changes.zone_row(call, plain_name(call.need("zone")))
    return done([], "get: Here is your report")
