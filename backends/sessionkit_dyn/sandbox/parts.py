"""Lists inside a thing that have resources of their own: the regions of a balancer, a group's permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.sandbox import things
from sessionkit_dyn.sandbox.call import plain_name
from sessionkit_dyn.sandbox.envelope import Answer, done, missing, not_found, refuse
from sessionkit_dyn.sandbox.kinds import BY_NAME

if TYPE_CHECKING:
    from sessionkit_dyn.sandbox.call import Call, Handler, Routes

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One such list.

    Attributes:
        name: The resource.
        owner: The thing that holds it.
        trail: The lists on the way, each with the key of its entries; "" when the entries are plain words.
        made: Whether the service makes the last key.
    """

    name: str
    owner: str
    trail: tuple[tuple[str, str], ...]
    made: bool = False


_REGIONS = ("region", "region_code")
_POOL = ("pool", "address")

PARTS = (
    Part("AdvRedirectRule", "AdvRedirect", (("rules", "public_id"),), made=True),
    Part("GSLBRegion", "GSLB", (_REGIONS,)),
    Part("GSLBRegionPoolEntry", "GSLB", (_REGIONS, _POOL)),
    Part("RTTMRegion", "RTTM", (_REGIONS,)),
    Part("RTTMRegionPoolEntry", "RTTM", (_REGIONS, _POOL)),
    Part("PermissionGroupPermissionEntry", "PermissionGroup", (("permission", ""),)),
    Part("PermissionGroupZoneEntry", "PermissionGroup", (("zone", ""),)),
    Part("PermissionGroupSubgroupEntry", "PermissionGroup", (("subgroup", ""),)),
    Part("PermissionGroupUserEntry", "PermissionGroup", (("user_name", ""),)),
    Part("UserPermissionEntry", "User", (("permission", ""),)),
    Part("UserGroupEntry", "User", (("group_name", ""),)),
    Part("UserZoneEntry", "User", (("zone", ""),)),
    Part("UserForbidEntry", "User", (("forbid", ""),)),
)
_BY_NAME = {part.name: part for part in PARTS}


def routes() -> Routes:
    """Resource -> method -> handler."""
    keyed: dict[str, Handler] = {"GET": get, "POST": create, "PUT": update, "DELETE": delete}
    words: dict[str, Handler] = {"GET": get, "POST": add_word, "PUT": replace_words, "DELETE": remove_word}
    return {part.name: keyed if part.trail[-1][1] else words for part in PARTS}


class _Place:
    """Where a call points: the owner's content, the list inside it, and the entry's key if it is named."""

    def __init__(self, call: Call) -> None:
        self.part = _BY_NAME[call.resource]
        kind = BY_NAME[self.part.owner]
        names = [plain_name(part) if kind.in_zone else part for part in call.parts[: len(kind.keys)]]
        content = things.load(call, kind.name, names)
        if content is None:
            raise not_found(f"{kind.keys[-1]}: No such {kind.noun}")
        self.path, self.content = names, content
        rest = call.parts[len(kind.keys) :]
        inside = content
        for (field, key), name in zip(self.part.trail[:-1], rest, strict=False):
            inside = _entry(inside.get(field, []), key, name)
        field, self.key = self.part.trail[-1]
        self.entries: list[Any] = inside.setdefault(field, [])
        named = rest[len(self.part.trail) - 1 :]
        self.name = named[0] if named else ""

    def save(self, call: Call) -> None:
        things.save(call, self.part.owner, self.path, self.content)

    @property
    def owner(self) -> Content:
        """The thing that holds the list, as it is shown."""
        return things.public(BY_NAME[self.part.owner], self.content)


def _entry(entries: list[Any], key: str, name: str) -> Content:
    for entry in entries:
        if isinstance(entry, dict) and str(entry.get(key)) == name:
            return entry
    raise not_found(f"{key}: No such {key}")


def get(call: Call) -> Answer:
    """One entry, or all of the list."""
    place = _Place(call)
    if place.name and place.key:
        return done(_entry(place.entries, place.key, place.name), "get: Here is your entry")
    return done(place.entries, "get: Here are your entries")


def create(call: Call) -> Answer:
    """Another entry."""
    place = _Place(call)
    args = {name: value for name, value in call.args.items() if value is not None and name != "publish"}
    key = things.new_id(call) if place.part.made else place.name or args.get(place.key)
    if not key:
        raise missing(place.key)
    if any(isinstance(entry, dict) and str(entry.get(place.key)) == key for entry in place.entries):
        raise refuse("TARGET_EXISTS", f"{place.key}: Name already exists")
    entry = {**args, place.key: key}
    place.entries.append(entry)
    place.save(call)
    return done(entry, "add: Entry added")


def update(call: Call) -> Answer:
    """Some of an entry's content changed."""
    place = _Place(call)
    entry = _entry(place.entries, place.key, place.name)
    entry.update(
        {name: value for name, value in call.args.items() if value is not None and name != "publish"}
    )
    place.save(call)
    return done(entry, "update: Entry updated")


def delete(call: Call) -> Answer:
    """An entry no more; without its key, all of them."""
    place = _Place(call)
    gone = [_entry(place.entries, place.key, place.name)] if place.name else list(place.entries)
    for entry in gone:
        place.entries.remove(entry)
    place.save(call)
    return done(None, "delete: Entry deleted")


def add_word(call: Call) -> Answer:
    """Another word in a list of words."""
    place = _Place(call)
    if not place.name:
        raise missing(place.part.trail[-1][0])
    if place.name not in place.entries:
        place.entries.append(place.name)
    place.save(call)
    return done(place.owner, "add: Entry added")


def replace_words(call: Call) -> Answer:
    """Another list of words: whatever the argument that holds it is called."""
    place = _Place(call)
    given = next((value for value in call.args.values() if isinstance(value, list)), [])
    place.entries[:] = given
    place.save(call)
    return done(place.owner, "update: Entries replaced")


def remove_word(call: Call) -> Answer:
    """A word less."""
    place = _Place(call)
    if place.name not in place.entries:
        raise not_found(f"{place.part.trail[-1][0]}: No such entry")
    place.entries.remove(place.name)
    place.save(call)
    return done(None, "delete: Entry deleted")
