"""Everything that is created, read, changed and deleted alike: users, contacts, groups, services of a node.

The table in `kinds` says what each resource is; the handlers know no single one of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.sandbox import changes, tables
from sessionkit_dyn.sandbox.call import plain_name, yes_no
from sessionkit_dyn.sandbox.envelope import Answer, done, invalid, missing, not_found, refuse
from sessionkit_dyn.sandbox.kinds import BY_NAME, KINDS, STEERING, Kind
from sessionkit_dyn.sandbox.records import in_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_dyn.sandbox.call import Call, Routes

Content = dict[str, Any]


def routes() -> Routes:
    """Resource -> method -> handler."""
    return {kind.name: {"GET": get, "POST": create, "PUT": update, "DELETE": delete} for kind in KINDS}


def get(call: Call) -> Answer:
    """One thing, or all below the path."""
    kind = BY_NAME[call.resource]
    path = _path(call, kind)
    if len(path) == len(kind.keys) and not kind.listed:
        return done(find(call, kind, path), f"get: Here is your {kind.noun}")
    found = list_below(call, kind, path)
    in_full = call.flag("detail") or call.flag("rules") or kind.listed
    if in_full:
        return done(found, f"get: Here are your {kind.noun}s")
    uris = [f"/REST/{kind.name}/{'/'.join(str(each[key]) for key in kind.keys)}/" for each in found]
    return done(uris, f"get: Here are your {kind.noun}s")


def create(call: Call) -> Answer:
    """A new thing."""
    kind = BY_NAME[call.resource]
    path = _path(call, kind)
    for name in kind.required:
        call.need(name)
    path = _complete(call, kind, path)
    if load(call, kind.name, path) is not None:
        raise refuse(
            "TARGET_EXISTS", f"{kind.keys[-1]}: Name already exists", f"create: {kind.noun} not created"
        )
    content = {**kind.defaults, **_kept(kind, call.args), **dict(zip(kind.keys, path, strict=True))}
    _HOOKS.get((kind.name, "POST"), _nothing)(call, content)
    save(call, kind.name, path, content)
    remarks = ("add_node: New node added to zone",) if "fqdn" in kind.keys else ()
    return done(public(kind, content), *remarks, f"add: {kind.noun.capitalize()} added")


def update(call: Call) -> Answer:
    """A thing with some of its content changed, renamed by `new_<key>`."""
    kind = BY_NAME[call.resource]
    path = _path(call, kind)
    if len(path) < len(kind.keys):
        raise missing(kind.keys[len(path)])
    stored = load(call, kind.name, path)
    if stored is None:
        if not kind.upsert:
            raise _unknown(kind)
        stored = {**kind.defaults, **dict(zip(kind.keys, path, strict=False))}
    renamed = str(call.args.pop(f"new_{kind.keys[-1]}", None) or path[-1])
    content = {**stored, **_kept(kind, call.args), kind.keys[-1]: renamed}
    _HOOKS.get((kind.name, "PUT"), _nothing)(call, content)
    if renamed != path[-1]:
        forget(call, kind.name, path)
    save(call, kind.name, [*path[:-1], renamed], content)
    if kind.listed:
        return done(list_below(call, kind, []), f"update: {kind.noun.capitalize()} updated")
    return done(public(kind, content), f"update: {kind.noun.capitalize()} updated")


def delete(call: Call) -> Answer:
    """A thing no more; without the last part of the path, all of them."""
    kind = BY_NAME[call.resource]
    path = _path(call, kind)
    if len(path) == len(kind.keys):
        find(call, kind, path)
    for content in list_below(call, kind, path):
        _HOOKS.get((kind.name, "DELETE"), _nothing)(call, content)
    forget(call, kind.name, path)
    return done(None, f"delete: {kind.noun.capitalize()} deleted")


def _path(call: Call, kind: Kind) -> list[str]:
    """The path's parts as keys; a zone must be there, a node lie in it."""
    path = [
        plain_name(part) if key in {"zone", "fqdn"} else part
        for key, part in zip(kind.keys, call.parts, strict=False)
    ]
    if kind.in_zone and path:
        changes.zone_row(call, path[0])
        if len(path) > 1 and kind.keys[1] == "fqdn" and not in_zone(path[1], path[0]):
            raise not_found("node: Not in zone", "detail: Host is not in this zone")
    return path


def _complete(call: Call, kind: Kind, path: list[str]) -> list[str]:
    """The whole path of a new thing: what the URL leaves out is in the body, or made here."""
    if kind.name == "UpdateUser":
        return [f"{call.customer}-{call.args['nickname']}"]
    for key in kind.keys[len(path) :]:
        if kind.made:
            path = [*path, new_id(call)]
        elif call.args.get(key):
            path = [*path, str(call.args[key])]
        else:
            raise missing(key)
    return path


def new_id(call: Call) -> str:
    """An id that no thing has had, in the service's form."""
    row = tables.one(call.db, "SELECT coalesce(max(thing_id), 0) AS last FROM dyn_thing")
    last = row["last"] if row else 0
    name = tables.one(call.db, "SELECT value FROM dyn_setting WHERE name = 'ids'")
    number = max(int(name["value"]) if name else 0, last) + 1
    call.db.execute("INSERT OR REPLACE INTO dyn_setting VALUES ('ids', ?)", [str(number)])
    return f"id{number:08d}"


def _kept(kind: Kind, args: Content) -> Content:
    """What a call's arguments leave in a thing's content."""
    content: Content = {}
    for name, value in args.items():
        if name in kind.flags:
            content.update(kind.flags[name] if yes_no(value) == "Y" else {})
        elif value is not None and name not in STEERING and name not in kind.keys:
            content[name] = _like(name, value, kind.defaults.get(name))
    return content


def _like(name: str, value: Any, default: Any) -> Any:
    """A value of the same sort as the default it replaces; a single one counts as a list of one."""
    if isinstance(default, list) and not isinstance(value, list):
        return [value]
    if isinstance(default, (dict, str)) and isinstance(value, (dict, list)) != isinstance(default, dict):
        raise invalid(name, "Hash expected" if isinstance(default, dict) else "Text expected")
    return value


def find(call: Call, kind: Kind, path: list[str]) -> Content:
    """The content of a thing.

    Raises:
        Refusal: NOT_FOUND.
    """
    content = load(call, kind.name, path)
    if content is None:
        raise _unknown(kind)
    return public(kind, content)


def _unknown(kind: Kind) -> Exception:
    return not_found(f"{kind.keys[-1]}: No such {kind.noun}")


def public(kind: Kind, content: Content) -> Content:
    """A thing on the wire: without passwords, and a group's zones as mappings."""
    shown = {
        name: value for name, value in content.items() if name != "password" or kind.name == "UpdateUser"
    }
    if kind.name == "PermissionGroup":
        shown["zone"] = [each if isinstance(each, dict) else {"zone_name": each} for each in shown["zone"]]
    return shown


def load(call: Call, resource: str, path: list[str]) -> Content | None:
    """The stored content at a path, or None."""
    query = "SELECT content FROM dyn_thing WHERE customer = ? AND resource = ? AND path = ?"
    row = tables.one(call.db, query, call.customer, resource, _joined(path))
    return None if row is None else json.loads(row["content"])


def save(call: Call, resource: str, path: list[str], content: Content) -> None:
    """Keep content at a path."""
    call.db.execute(
        "INSERT INTO dyn_thing (customer, resource, path, content) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (customer, resource, path) DO UPDATE SET content = excluded.content",
        [call.customer, resource, _joined(path), json.dumps(content)],
    )


def forget(call: Call, resource: str, path: list[str]) -> None:
    """Drop what is at a path and below it."""
    prefix = _joined(path)
    call.db.execute(
        "DELETE FROM dyn_thing WHERE customer = ? AND resource = ? AND substr(path, 1, ?) = ?",
        [call.customer, resource, len(prefix), prefix],
    )


def list_below(call: Call, kind: Kind, path: list[str]) -> list[Content]:
    """Every thing of a kind at and below a path, oldest first."""
    prefix = _joined(path)
    query = (
        "SELECT content FROM dyn_thing WHERE customer = ? AND resource = ? AND substr(path, 1, ?) = ?"
        " ORDER BY thing_id"
    )
    found = tables.rows(call.db, query, call.customer, kind.name, len(prefix), prefix)
    return [public(kind, json.loads(row["content"])) for row in found]


def _joined(path: list[str]) -> str:
    """A path as one text whose prefixes end at a part: no name contains a slash."""
    return "".join(f"{part}/" for part in path)


def nodes(call: Call, zone: str, fqdn: str | None = None) -> set[str]:
    """The nodes of a zone (or one node) that hold services."""
    query = "SELECT DISTINCT path FROM dyn_thing WHERE customer = ? AND substr(path, 1, ?) = ?"
    prefix = _joined([zone] if fqdn is None else [zone, fqdn])
    found = tables.rows(call.db, query, call.customer, len(prefix), prefix)
    return {parts[1] for row in found if len(parts := row["path"].split("/")) > 2}


def forget_zone(call: Call, zone: str) -> None:
    """A zone is gone: so are its services."""
    _forget_prefix(call, _joined([zone]))


def forget_node(call: Call, zone: str, fqdn: str) -> None:
    """A node is gone, and those below it: so are their services."""
    for node in nodes(call, zone):
        if in_zone(node, fqdn):
            _forget_prefix(call, _joined([zone, node]))


def _forget_prefix(call: Call, prefix: str) -> None:
    names = [kind.name for kind in KINDS if kind.keys[0] == "zone"]
    marks = ", ".join("?" for _ in names)
    call.db.execute(
        f"DELETE FROM dyn_thing WHERE customer = ? AND resource IN ({marks}) AND substr(path, 1, ?) = ?",  # noqa: S608 - only marks
        [call.customer, *names, len(prefix), prefix],
    )


def _nothing(_: Call, __: Content) -> None:
    pass


def _add_login(call: Call, content: Content) -> None:
    name = content["user_name"]
    taken = tables.one(
        call.db, "SELECT 1 AS x FROM dyn_user WHERE customer = ? AND user_name = ?", call.customer, name
    )
    if taken:
        raise refuse("TARGET_EXISTS", "user_name: Name already exists", "create: user not created")
    password = str(content.pop("password"))
    tables.insert(call.db, "user", customer=call.customer, user_name=name, password=password)


def _change_login(call: Call, content: Content) -> None:
    password = content.pop("password", None)
    password = None if password is None else str(password)
    call.db.execute(
        "UPDATE dyn_user SET status = ?, password = coalesce(?, password)"
        " WHERE customer = ? AND user_name = ?",
        [content["status"], password, call.customer, content["user_name"]],
    )


def _drop_login(call: Call, content: Content) -> None:
    call.db.execute(
        "DELETE FROM dyn_user WHERE customer = ? AND user_name = ?", [call.customer, content["user_name"]]
    )


def _secondary_zone(call: Call, content: Content) -> None:
    """A secondary zone is also among the account's zones."""
    zone = content["zone"]
    if tables.one(call.db, "SELECT 1 AS x FROM dyn_zone WHERE zone = ?", zone):
        raise refuse("TARGET_EXISTS", "name: Name already exists", "create: You already have this zone.")
    tables.insert(call.db, "zone", zone=zone, customer=call.customer, zone_type="Secondary")


def _drop_secondary(call: Call, content: Content) -> None:
    call.db.execute("DELETE FROM dyn_zone WHERE zone = ? AND customer = ?", [content["zone"], call.customer])


#: What else happens to the account, by resource and method.
_HOOKS: dict[tuple[str, str], Callable[[Call, Content], None]] = {
    ("User", "POST"): _add_login,
    ("User", "PUT"): _change_login,
    ("User", "DELETE"): _drop_login,
    ("Secondary", "POST"): _secondary_zone,
    ("Secondary", "DELETE"): _drop_secondary,
}
