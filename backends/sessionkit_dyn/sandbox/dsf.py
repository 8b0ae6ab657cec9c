"""Traffic directors (DSF): a service of rulesets, pools, failover chains, record sets and records.

Five levels, each a list inside the one above. All are kept in the service's content; `LEVELS` says what
the resources, ids and lists are called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.record_types import RECORD_TYPES
from sessionkit_dyn.sandbox import things
from sessionkit_dyn.sandbox.call import plain_name
from sessionkit_dyn.sandbox.envelope import Answer, done, invalid, missing, not_found
from sessionkit_dyn.sandbox.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit_dyn.sandbox.call import Call, Routes

Content = dict[str, Any]

_SERVICE = Kind("DSF", ("service_id",), "service", made=True)


@dataclass(frozen=True, slots=True)
class Level:
    """One level below the service.

    Attributes:
        resource: "DSFRuleset".
        key: What its ids are called.
        within: The list of the level above that holds it.
        defaults: Content that is there from the start.
    """

    resource: str
    key: str
    within: str
    defaults: Content


LEVELS = (
    Level(
        "DSFRuleset", "dsf_ruleset_id", "rulesets", {"label": "", "criteria_type": "always", "criteria": {}}
    ),
    Level(
        "DSFResponsePool",
        "dsf_response_pool_id",
        "response_pools",
        {"label": "", "core_set_count": "1", "eligible": "true", "automation": "auto", "status": "up"},
    ),
    Level(
        "DSFRecordSetFailoverChain",
        "dsf_record_set_failover_chain_id",
        "rs_chains",
        {"label": "", "core": "false"},
    ),
    Level(
        "DSFRecordSet",
        "dsf_record_set_id",
        "record_sets",
        {
            "label": "",
            "rdata_class": "A",
            "automation": "auto",
            "serve_count": "1",
            "eligible": "true",
            "ttl": "",
        },
    ),
    Level(
        "DSFRecord",
        "dsf_record_id",
        "records",
        {
            "label": "",
            "weight": "1",
            "automation": "auto",
            "endpoints": [],
            "endpoint_up_count": "",
            "eligible": "true",
            "status": "up",
            "torpidity": "0",
            "ttl": "",
        },
    ),
)
_DEPTH = {level.resource: depth for depth, level in enumerate(LEVELS)}


def routes() -> Routes:
    """Resource -> method -> handler."""
    table: Routes = {
        "DSF": {"GET": get, "POST": create, "PUT": update, "DELETE": delete},
        "DSFNode": {"GET": nodes, "POST": add_node, "PUT": replace_nodes, "DELETE": remove_node},
    }
    for level in LEVELS:
        table[level.resource] = {"GET": get_part, "POST": add_part, "PUT": update_part, "DELETE": delete_part}
    return table


def get(call: Call) -> Answer:
    """One service, or the account's services."""
    if call.part(0):
        return done(_load(call), "detail: Here is your service")
    found = things.list_below(call, _SERVICE, [])
    if call.flag("detail"):
        return done(found, "detail: Here are your services")
    return done([f"/REST/DSF/{each['service_id']}/" for each in found], "get: Here are your services")


def create(call: Call) -> Answer:
    """A new service with everything below it."""
    content = {
        "label": call.need("label"),
        "ttl": str(call.args.get("ttl") or 300),
        "service_id": things.new_id(call),
        "active": "Y",
        "pending_change": "",
        "nodes": _nodes(call.items("nodes")),
        "notifiers": call.items("notifiers"),
    }
    content["rulesets"] = [_build(call, content, 0, given) for given in call.items("rulesets")]
    return _save(call, content, "add: Service added")


def update(call: Call) -> Answer:
    """Other label, ttl or nodes; rulesets in another order; published or taken back."""
    content = _load(call)
    for name in ("label", "ttl"):
        if call.args.get(name) is not None:
            content[name] = str(call.args[name])
    if "nodes" in call.args:
        content["nodes"] = _nodes(call.items("nodes"))
    for name in ("add_notifier", "remove_notifier"):
        for notifier in call.items(name):
            others = [each for each in content["notifiers"] if each != notifier]
            content["notifiers"] = [*others, notifier] if name == "add_notifier" else others
    given = call.items("rulesets")
    if given:
        content["rulesets"] = [_build(call, content, 0, each) for each in given]
    return _save(call, content, "update: Service updated")


def delete(call: Call) -> Answer:
    """A service no more."""
    _load(call)
    things.forget(call, "DSF", [call.part(0)])
    return done(None, "delete: Service deleted")


def nodes(call: Call) -> Answer:
    """The nodes a service answers for."""
    return done(_load(call)["nodes"], "get: Here are your nodes")


def add_node(call: Call) -> Answer:
    """Another node."""
    content = _load(call)
    content["nodes"] += [node for node in _nodes([call.need("node")]) if node not in content["nodes"]]
    return _save(call, content, "add: Node added", show="nodes")


def replace_nodes(call: Call) -> Answer:
    """Exactly these nodes."""
    content = _load(call)
    content["nodes"] = _nodes(call.items("nodes"))
    return _save(call, content, "update: Nodes updated", show="nodes")


def remove_node(call: Call) -> Answer:
    """A node less."""
    content = _load(call)
    gone = _nodes([call.need("node")])
    content["nodes"] = [node for node in content["nodes"] if node not in gone]
    return _save(call, content, "delete: Node removed", show="nodes")


def get_part(call: Call) -> Answer:
    """One part of a service, or all of its level."""
    content, level = _load(call), LEVELS[_DEPTH[call.resource]]
    if call.part(1):
        return done(_find(content, level, call.part(1))[1], "detail: Here is your service")
    parts = [part for _, part in _walk(content, _DEPTH[level.resource])]
    return done(parts, "detail: Here is your service")


def add_part(call: Call) -> Answer:
    """Another part, in the one of the level above that the path or the body names."""
    content, depth = _load(call), _DEPTH[call.resource]
    parent: Content = content
    if depth:
        above = LEVELS[depth - 1]
        wanted = call.part(1) or str(call.args.get(above.key) or "")
        if wanted:
            parent = _find(content, above, wanted)[1]
        elif call.resource != "DSFResponsePool":
            raise missing(above.key)
    part = _build(call, content, depth, call.args, None if parent is content else parent)
    siblings = parent.setdefault(LEVELS[depth].within, [])
    index = call.number("index", len(siblings))
    siblings.insert(index, part)
    return _save(call, content, "add: Service part added", part=part)


def update_part(call: Call) -> Answer:
    """Some of a part's content changed."""
    content, depth = _load(call), _DEPTH[call.resource]
    level = LEVELS[depth]
    _, part = _find(content, level, call.part(1))
    part.update(_plain(call.args))
    if call.resource == "DSFRecord" and "rdata" in call.args:
        part["rdata"] = _rdata(call.args["rdata"])
    below = LEVELS[depth + 1 : depth + 2]
    for lower in below:
        if lower.within in call.args:
            part[lower.within] = [_build(call, content, depth + 1, each) for each in call.items(lower.within)]
    return _save(call, content, "update: Service part updated", part=part)


def delete_part(call: Call) -> Answer:
    """A part no more, with everything below it."""
    content, level = _load(call), LEVELS[_DEPTH[call.resource]]
    siblings, part = _find(content, level, call.part(1))
    siblings.remove(part)
    return _save(call, content, "delete: Service part deleted", show="")


def _load(call: Call) -> Content:
    content = things.load(call, "DSF", [call.part(0)])
    if content is None:
        raise not_found("service_id: No such service")
    return content


def _save(
    call: Call, content: Content, remark: str, *, part: Content | None = None, show: str | None = None
) -> Answer:
    things.save(call, "DSF", [content["service_id"]], content)
    if part is not None:
        return done(part, remark)
    if show is None:
        return done(content, remark)
    return done(content[show] if show else None, remark)


def _walk(content: Content, depth: int) -> Iterator[tuple[list[Any], Content]]:
    """Every part of a level with the list that holds it; pools without a ruleset hang on the service."""
    level = LEVELS[depth]
    parents = [content]
    if depth:
        parents += [part for _, part in _walk(content, depth - 1)]
    for parent in parents:
        siblings = parent.get(level.within, [])
        for part in siblings:
            yield siblings, part


def _find(content: Content, level: Level, wanted: str) -> tuple[list[Any], Content]:
    for siblings, part in _walk(content, _DEPTH[level.resource]):
        if part.get(level.key) == wanted:
            return siblings, part
    raise not_found(f"{level.key}: No such part of the service")


def _build(call: Call, service: Content, depth: int, given: Any, above: Content | None = None) -> Content:
    """A part as given, with ids and defaults, and the parts below it; an id names one that is there."""
    level = LEVELS[depth]
    if not isinstance(given, dict):
        raise invalid(level.within, "List of hashes expected")
    known = given.get(level.key)
    if known:
        part = _find(service, level, str(known))[1]
    else:
        part = {**level.defaults, level.key: things.new_id(call), "service_id": service["service_id"]}
    part = {**part, **_plain(given)}
    if depth and above:
        part[LEVELS[depth - 1].key] = above[LEVELS[depth - 1].key]
    if level.resource == "DSFRecord":
        part["rdata"] = _rdata(given["rdata"]) if "rdata" in given else part.get("rdata", [])
        part["rdata_class"] = part["rdata"][0]["type"] if part["rdata"] else "A"
    for lower in LEVELS[depth + 1 : depth + 2]:
        listed = given.get(lower.within)
        if listed is None:
            listed = part.get(lower.within, [])
        part[lower.within] = [_build(call, service, depth + 1, each, part) for each in listed]
    return part


def _plain(given: Content) -> Content:
    """What of a body is a part's own: no lists of lower parts, no steering; numbers as text."""
    lists = {level.within for level in LEVELS} | {"rdata", "publish", "notes", "index"}
    content = {}
    for name, value in given.items():
        if name not in lists and value is not None:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            content[name] = str(value) if number else value
    return content


def _rdata(given: Any) -> list[Content]:
    """A record's data as answers have it: under `rdata_<type>`, with every other type there and empty."""
    if isinstance(given, list):
        return given
    if not isinstance(given, dict):
        raise invalid("rdata", "Hash expected")
    data: Content = {
        kind.rdata_key: {field.name: "0" for field in kind.fields} for kind in RECORD_TYPES.values()
    }
    name = ""
    for key, fields in given.items():
        name = str(key).removesuffix("_rdata").removeprefix("rdata_")
        data[f"rdata_{name}"] = fields
    return [{"data": data, "type": name.upper(), "ttl": ""}]


def _nodes(given: list[Any]) -> list[Content]:
    if not all(isinstance(node, dict) and node.get("zone") for node in given):
        raise invalid("nodes", "List of {zone, fqdn} expected")
    return [
        {"zone": plain_name(node["zone"]), "fqdn": plain_name(node.get("fqdn") or node["zone"])}
        for node in given
    ]
