"""Records: the thirty `<T>Record` resources, `AllRecord` and `ANYRecord`, on the table of record types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_dyn.record_types import RECORD_TYPES, InvalidRecord, RecordType, check_ttl
from sessionkit_dyn.sandbox import changes
from sessionkit_dyn.sandbox.call import is_name, plain_name
from sessionkit_dyn.sandbox.changes import Record
from sessionkit_dyn.sandbox.envelope import Answer, Refusal, done, invalid, not_found, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit_dyn.sandbox.call import Call, Routes

#: The service's limit of addresses at one node.
_MOST_ADDRESSES = 13
_PRIMARY = "Primary"


def routes() -> Routes:
    """Resource -> method -> handler."""
    methods = {"GET": get, "POST": add, "PUT": update, "DELETE": delete}
    table: Routes = {
        kind.resource: {name: methods[name] for name in sorted(kind.methods)}
        for kind in RECORD_TYPES.values()
    }
    table["AllRecord"] = {"GET": tree}
    table["ANYRecord"] = {"GET": node_records}
    return table


def place(call: Call) -> tuple[str, str]:
    """The zone and the node that the path names; the zone exists, the node lies in it."""
    zone = plain_name(call.part(0))
    changes.zone_row(call, zone)
    fqdn = plain_name(call.part(1)) or zone
    if not in_zone(fqdn, zone):
        raise not_found("node: Not in zone", "detail: Host is not in this zone")
    return zone, fqdn


def in_zone(fqdn: str, zone: str) -> bool:
    """Whether a node can be part of a zone."""
    return is_name(fqdn) and (fqdn == zone or fqdn.endswith(f".{zone}"))


def get(call: Call) -> Answer:
    """One record by its id, or all of a type at a node."""
    zone, fqdn = place(call)
    kind = _kind(call)
    if call.part(2):
        return done(_find(call, zone, fqdn, kind).public(), "get: Found the record", source="API-B")
    if not any(changes.view(call, zone, fqdn)) and not _has_below(call, zone, fqdn):
        raise not_found("node: Not in zone", "get: Host not found in this zone")
    found = changes.view(call, zone, fqdn, kind.name)
    return done(_listed(call, found), f"detail: Found {len(found)} record(s)")


def add(call: Call) -> Answer:
    """A new record, in the session's changeset."""
    zone, fqdn = place(call)
    record = _build(call, zone, fqdn, call.args)
    _check_neighbours(call, record)
    changes.stage(call, "add", record)
    return done(record.public(), "add: Record added")


def update(call: Call) -> Answer:
    """A change of one record, or another list of records for all of a type at a node."""
    zone, fqdn = place(call)
    kind = _kind(call)
    if kind.replacing in call.args:
        return _replace_all(call, zone, fqdn, kind)
    if not call.part(2):
        if kind.name != "SOA":
            raise not_found("id: You did not reference a specific record", "update: No record updated")
        record = changes.view(call, zone, zone, "SOA")[0]
    else:
        record = _find(call, zone, fqdn, kind)
    given = _rdata(call.args.get("rdata"), kind)
    rdata = {**record.rdata, **_valid(kind, given, partial=True)}
    ttl = _ttl(call, zone, call.args["ttl"]) if "ttl" in call.args else record.ttl
    beside = {**record.beside, **_beside(kind, call.args, only_given=True)}
    changed = changes.changed(record, rdata=rdata, ttl=ttl, beside=beside)
    if (changed.rdata, changed.ttl, changed.beside) == (record.rdata, record.ttl, record.beside):
        return done(record.public(), "update: No changes specified")
    changes.stage(call, "update", changed)
    return done(changed.public(), "update: Record updated")


def delete(call: Call) -> Answer:
    """One record by its id, or all of a type at a node."""
    zone, fqdn = place(call)
    kind = _kind(call)
    if call.part(2):
        record = _find(call, zone, fqdn, kind)
        _check_removable(record)
        changes.stage(call, "delete", record)
        gone = () if changes.view(call, zone, fqdn) else (f"remove_node: {fqdn} removed from tree.",)
        return done(None, "delete: Record will be deleted on zone publish", *gone)
    found = [record for record in changes.view(call, zone, fqdn, kind.name) if not _is_primary(record)]
    for record in found:
        changes.stage(call, "delete", record)
    return done(None, f"delete: {len(found)} records deleted", source="API-B")


def tree(call: Call) -> Answer:
    """All records of a zone, or of a node and everything below it."""
    zone = plain_name(call.part(0))
    changes.zone_row(call, zone)
    fqdn = plain_name(call.part(1)) or zone
    found = [record for record in changes.view(call, zone) if in_zone(record.fqdn, fqdn)]
    if not found and fqdn != zone:
        raise not_found("node: Node is not in the zone", "get_tree: Node name not found within the zone")
    return done(_by_type(call, found), "get_tree: Here is your zone tree")


def node_records(call: Call) -> Answer:
    """All records of one node."""
    zone, fqdn = place(call)
    found = changes.view(call, zone, fqdn)
    if not found:
        raise not_found("node: Not in zone", "get: Host not found in this zone")
    return done(_by_type(call, found), f"detail: Found {len(found)} record(s)")


def _kind(call: Call) -> RecordType:
    return RECORD_TYPES[call.resource.removesuffix("Record")]


def _find(call: Call, zone: str, fqdn: str, kind: RecordType) -> Record:
    wanted = call.part(2)
    for record in changes.view(call, zone, fqdn, kind.name):
        if record.record_id and str(record.record_id) == wanted:
            return record
    raise not_found("id: No such record", "get: Record not found")


def _has_below(call: Call, zone: str, fqdn: str) -> bool:
    return fqdn == zone or any(record.fqdn.endswith(f".{fqdn}") for record in changes.view(call, zone))


def _by_type(call: Call, found: list[Record]) -> Any:
    if not call.flag("detail"):
        return _listed(call, found)
    data: dict[str, list[Any]] = {kind.listing: [] for kind in RECORD_TYPES.values()}
    for record in found:
        data[RECORD_TYPES[record.type].listing].append(record.public())
    return data


def _listed(call: Call, found: Iterable[Record]) -> list[Any]:
    """Records in full when `detail` is asked for, else their URIs."""
    if call.flag("detail"):
        return [record.public() for record in found]
    return [f"/REST/{record.type}Record/{record.zone}/{record.fqdn}/{record.record_id}" for record in found]


def _build(call: Call, zone: str, fqdn: str, body: dict[str, Any]) -> Record:
    kind = _kind(call)
    rdata = _valid(kind, _rdata(body.get("rdata"), kind))
    ttl = _ttl(call, zone, body.get("ttl"))
    return Record(zone, fqdn, kind.name, ttl, rdata, _beside(kind, body))


def _rdata(given: Any, kind: RecordType) -> dict[str, Any]:
    """The data as it was given; only what the service fills in itself is left out."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise invalid("rdata", "Hash expected", "add: Record not added")
    data = {str(name): value for name, value in given.items() if name not in kind.read_only}
    if isinstance(data.get("txtdata"), str):
        data["txtdata"] = data["txtdata"].replace("\\;", ";")
    return data


def _valid(kind: RecordType, rdata: dict[str, Any], *, partial: bool = False) -> dict[str, Any]:
    try:
        return kind.validate(rdata, partial=partial)
    except InvalidRecord as error:
        raise _refused(error) from error


def _refused(error: InvalidRecord) -> Refusal:
    code = "MISSING_DATA" if error.problem == "required field missing" else "INVALID_DATA"
    return refuse(code, f"{error.field}: {error.problem}", "add: Record not added", source="DYN")


def _ttl(call: Call, zone: str, value: Any) -> int:
    try:
        ttl = check_ttl(value)
    except InvalidRecord as error:
        raise _refused(error) from error
    return ttl or default_ttl(call, zone)


def default_ttl(call: Call, zone: str) -> int:
    """The zone's time to live for records that have none of their own."""
    soa = changes.view(call, zone, zone, "SOA")
    return soa[0].ttl if soa else 3600


def _beside(kind: RecordType, body: dict[str, Any], *, only_given: bool = False) -> dict[str, Any]:
    chosen = {}
    for name, default in kind.beside:
        if body.get(name) is not None or not only_given:
            chosen[name] = body.get(name) or default
    if chosen.get("serial_style", "increment") not in SERIAL_STYLES:
        raise invalid("serial_style", f"Value must be one of {', '.join(SERIAL_STYLES)}")
    return chosen


#: How a zone's serial grows.
SERIAL_STYLES = ("increment", "epoch", "day", "minute")


def _check_neighbours(call: Call, record: Record) -> None:
    """What else is at the node may forbid the record."""
    kind = RECORD_TYPES[record.type]
    beside = changes.view(call, record.zone, record.fqdn)
    if any(record.same_data(other) for other in beside):
        raise refuse(
            "TARGET_EXISTS",
            "make: Cannot duplicate existing record data",
            "add: Record not added",
            source="DYN",
        )
    for other in beside:
        clash = other.type != kind.name and (kind.alone or RECORD_TYPES[other.type].alone)
        if clash or (kind.single and other.type == kind.name):
            raise refuse(
                "ILLEGAL_OPERATION",
                f"rdata: A {kind.name} record cannot stand beside a {other.type} record at {record.fqdn}",
                "add: Record not added",
            )
    if kind.name == "A" and sum(other.type == "A" for other in beside) >= _MOST_ADDRESSES:
        raise refuse(
            "OPERATION_FAILED", f"make: At most {_MOST_ADDRESSES} A records per node", "add: Record not added"
        )


def _is_primary(record: Record) -> bool:
    return record.type == "NS" and record.beside.get("service_class") == _PRIMARY


def _check_removable(record: Record) -> None:
    if _is_primary(record):
        raise refuse("ILLEGAL_OPERATION", "delete: Primary NS records cannot be removed")


def _replace_all(call: Call, zone: str, fqdn: str, kind: RecordType) -> Answer:
    """The records of one type at a node become exactly those listed; equal ones keep their ids."""
    listed = call.args[kind.replacing]
    if not isinstance(listed, list) or not all(isinstance(body, dict) for body in listed):
        raise invalid(kind.replacing, "List of records expected", "update: No record updated")
    wanted = [_build(call, zone, fqdn, body) for body in listed]
    if kind.name == "SOA":
        raise refuse("ILLEGAL_OPERATION", "update: A zone has one SOA record")
    kept: list[Record] = []
    for record in changes.view(call, zone, fqdn, kind.name):
        match = next((each for each in wanted if each.same_data(record) and each.ttl == record.ttl), None)
        if match is not None:
            wanted.remove(match)
            kept.append(record)
        elif _is_primary(record):
            kept.append(record)
        else:
            changes.stage(call, "delete", record)
    for record in wanted:
        _check_neighbours(call, record)
        changes.stage(call, "add", record)
    return done([record.public() for record in (*kept, *wanted)], f"update: {len(wanted)} records added")
