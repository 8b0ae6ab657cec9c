"""The schema as the sandbox works with it: types, attributes, relations and the tables behind them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.schema.expand import schema_hash, studio_schemas
from sessionkit_review.sandbox.schema.families import COLLECTIONS, COLUMNS, DISCRIMINATORS, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]

TREE = "review__tree"
"""Every context with each of its ancestors, itself included: (ancestor, descendant, depth)."""


@lru_cache(maxsize=4096)
def quote(identifier: str) -> str:
    """`identifier` as SQL writes a name; a schema file may contain any."""
    return '"' + identifier.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Link:
    """The table between the two sides of a many-to-many relation."""

    table: str
    own: str
    other: str
    entity_type: str = ""  # "" where no entity type stands for the link


@dataclass(frozen=True, slots=True)
class Relation:
    """How to get from an entity to related ones.

    An entity's `own` column equals `match` at the other side; `source` is the SQL that brings the other
    side into a query as `{t}` (with a link table, if any, as `{x}`).

    Attributes:
        target: Entity type at the other side.
        many: Whether there can be several.
        kind: "one", "inverse", "link", "tree" or "dense".
        column: For "one" and "inverse", the column that is written to change the relation.
        fixed: For "inverse", values that the items must have as well.
    """

    target: str
    many: bool
    kind: str
    own: str
    source: str
    match: str
    column: str = ""
    fixed: tuple[tuple[str, str], ...] = ()
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an entity type.

    Attributes:
        kind: "string", "boolean", "integer", "number", "date", "json", "any" or "object" for what is stored
            in a column, "one", "many" or "mapped" for relations.
        alias: The name used in events.
    """

    name: str
    kind: str
    target: str = ""
    default: Any = None
    alias: str = ""
    restricted: bool = False

    @property
    def is_relation(self) -> bool:
        """Whether the value is one or several other entities."""
        return self.kind in {"one", "many", "mapped"}


@dataclass(frozen=True)
class EntityType:
    """One entity type.

    Attributes:
        line: This type and those it is a kind of, the family last: ("Shot", "TypedContext", "Context").
        kinds: The names of this type and of all kinds of it.
    """

    name: str
    line: tuple[str, ...]
    primary_key: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    required: frozenset[str]
    immutable: frozenset[str]
    computed: frozenset[str]
    default_projections: tuple[str, ...]
    system_projections: tuple[str, ...]
    relations: dict[str, Relation] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)

    @property
    def family(self) -> str:
        """The outermost type this is a kind of; it names the table."""
        return self.line[-1]

    @property
    def is_dense(self) -> bool:
        """Whether there is an entity for every owner and configuration, stored or not (custom attributes)."""
        return self.family == "CustomAttributeValue" and len(self.line) > 1

    @property
    def store(self) -> str:
        """The table that is written, quoted."""
        return quote(f"review_{self.family}")

    @property
    def table(self) -> str:
        """The table or view that is read, quoted."""
        return quote(f"review__dense_{self.name}") if self.is_dense else self.store

    def is_a(self, name: str) -> bool:
        """Whether this type is `name` or a kind of it."""
        return name in self.line

    @cached_property
    def scalars(self) -> tuple[Attribute, ...]:
        """The attributes that hold values, not entities."""
        return tuple(a for a in self.attributes.values() if not a.is_relation)


class Schema:
    """All entity types of a server.

    Args:
        raw: The list of schemas in `query_schemas` form.

    Raises:
        ValueError: naming what is wrong with `raw`.
    """

    def __init__(self, raw: list[Json]) -> None:
        self.raw = raw
        self.hash = schema_hash(raw)
        try:
            names = frozenset(item["id"] for item in raw)
            self.types: dict[str, EntityType] = {item["id"]: _entity_type(item, names) for item in raw}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a list of schemas in query_schemas form: {error!r}") from None
        for entity_type in self.types.values():
            for name in entity_type.line:
                self.types[name].kinds.add(entity_type.name)
        for entity_type in self.types.values():
            entity_type.relations.update(
                (attribute.name, _relation(self, entity_type, attribute))
                for attribute in entity_type.attributes.values()
                if attribute.is_relation and attribute.target in self.types
            )

    def __contains__(self, name: str) -> bool:
        return name in self.types

    def get(self, name: str) -> EntityType:
        """The entity type called `name`; KeyError has a sentence about what it might have been."""
        try:
            return self.types[name]
        except (KeyError, TypeError):
            raise KeyError(f"There is no entity type {name!r}{similar(str(name), self.types)}.") from None

    def holder(self, entity_type: EntityType, name: str) -> EntityType | None:
        """The type whose attribute `name` is meant on entities of `entity_type`: itself, or the broadest kind
        of it that has one (a Resource's "username" is the User's). None if there is none.
        """
        if name in entity_type.attributes:
            return entity_type
        kinds = [
            self.types[kind] for kind in sorted(entity_type.kinds) if name in self.types[kind].attributes
        ]
        return max(kinds, key=lambda kind: len(kind.kinds)) if kinds else None

    def concrete(self, name: str, data: Mapping[str, Any]) -> EntityType:
        """The type of an entity created as `name`: `data` may say more exactly what it is."""
        entity_type = self.get(name)
        own = discriminators(entity_type)
        given = {**own, **data}
        told = {kind: self._told(self.types[kind]) for kind in sorted(entity_type.kinds - {name})}
        found = [kind for kind, values in told.items() if values != own and _within(values, given)]
        return self.types[max(found, key=lambda kind: len(told[kind]))] if found else entity_type

    def _told(self, kind: EntityType) -> Json:
        """The attribute values by which entities of this type are recognised."""
        attribute = kind.attributes.get("object_type_id")
        default = {"object_type_id": attribute.default} if attribute and attribute.default else {}
        return {**discriminators(kind), **default}


@cache
def studio() -> Schema:
    """The sandbox's own schema. Nobody changes it: one is enough for a process."""
    return Schema(studio_schemas())


def discriminators(entity_type: EntityType) -> dict[str, str]:
    """The attribute values that go with being of this type: `{"context_type": "show"}` for a Project."""
    name, values = DISCRIMINATORS.get(entity_type.family, ("", {}))
    if not name or entity_type.name == entity_type.family:
        return {}
    value = values.get(entity_type.name, values.get(""))
    return {name: value} if value else {}


def _within(values: Json, given: Json) -> bool:
    return bool(values) and all(given.get(name) == value for name, value in values.items())


def similar(name: str, names: Iterable[str]) -> str:
    """A half sentence such as ", did you mean 'status'?", or nothing."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f", did you mean {found[0]!r}?" if found else ""


_KINDS = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "object": "object",
    "variable": "any",
}


def _attribute(name: str, fragment: Json) -> Attribute:
    kind, target = _kind(fragment)
    return Attribute(
        name,
        kind,
        target,
        default=fragment.get("default"),
        alias=fragment.get("alias_for") or name,
        restricted=bool(fragment.get("restricted_projection")),
    )


def _kind(fragment: Json) -> tuple[str, str]:
    """An attribute's kind and, for relations, the type at the other side."""
    form, type_ = fragment.get("format"), str(fragment.get("type"))
    if "$ref" in fragment and form != "foreign_key":
        return "one", fragment["$ref"]
    if type_ in {"array", "mapped_array"}:
        target = (fragment.get("items") or {}).get("$ref") or ""
        return ("many" if type_ == "array" else "mapped"), target
    if form in {"date-time", "json"}:
        return ("date" if form == "date-time" else "json"), ""
    return _KINDS.get(type_, "string"), ""


def _entity_type(item: Json, names: frozenset[str]) -> EntityType:
    attributes = {name: _attribute(name, fragment) for name, fragment in item["properties"].items()}
    by_alias = {attribute.alias: attribute.name for attribute in attributes.values()}

    def known(group: str) -> list[str]:
        return resolved(item.get(group) or ())

    def resolved(listed: Iterable[str]) -> list[str]:
        names_ = [name if name in attributes else by_alias.get(name, "") for name in listed]
        return [name for name in names_ if name]

    stands_for = item.get("alias_for")
    classifiers = stands_for.get("classifiers", {}) if isinstance(stands_for, dict) else {}

    return EntityType(
        name=item["id"],
        line=family_of(item, names),
        primary_key=tuple(item["primary_key"]),
        attributes=attributes,
        required=frozenset(known("required")),
        immutable=frozenset(known("immutable")),
        computed=frozenset(known("computed")),
        default_projections=tuple(known("default_projections")),
        system_projections=tuple(dict.fromkeys([*known("system_projections"), *resolved(classifiers)])),
    )


def _relation(schema: Schema, owner: EntityType, attribute: Attribute) -> Relation:
    target = schema.types[attribute.target]
    if attribute.kind == "one":
        return _reference(owner, attribute, target)
    if target.is_dense and attribute.kind == "mapped":
        return Relation(target.name, True, "dense", "id", f"{target.table} {{t}}", "{t}.entity_id")
    how = next((COLLECTIONS[key] for key in _keys(owner, attribute) if key in COLLECTIONS), "")
    if how in {"up", "down"}:
        near, far = ("descendant", "ancestor") if how == "up" else ("ancestor", "descendant")
        source = f"{TREE} {{x}} JOIN {target.table} {{t}} ON {{t}}.id = {{x}}.{far} AND {{x}}.depth > 0"
        return Relation(target.name, True, "tree", "id", source, f"{{x}}.{near}")
    if how.startswith("via ") and how.split()[1] in schema:
        _, between, own, other = how.split()
        return _many_to_many(
            attribute, target, Link(schema.types[between].table, quote(own), quote(other), between)
        )
    column, fixed = _column_back(schema, owner, target, how)
    if column:
        match = f"{{t}}.{quote(column)}"
        return Relation(
            target.name, True, "inverse", "id", f"{target.table} {{t}}", match, column, tuple(fixed)
        )
    link = Link(quote(f"review__link_{owner.family}_{attribute.name}"), '"own"', '"other"')
    return _many_to_many(attribute, target, link)


def _keys(owner: EntityType, attribute: Attribute) -> list[tuple[str, str]]:
    return [(name, attribute.name) for name in owner.line]


def _reference(owner: EntityType, attribute: Attribute, target: EntityType) -> Relation:
    own = f"{attribute.name}_id"
    if own not in owner.attributes:
        own = next((COLUMNS[key] for key in _keys(owner, attribute) if key in COLUMNS), own)
    source = f"{target.table} {{t}}"
    match = "{t}." + quote(target.primary_key[0])
    return Relation(target.name, False, "one", own, source, match, own)


def _many_to_many(attribute: Attribute, target: EntityType, link: Link) -> Relation:
    source = f"{link.table} {{x}} JOIN {target.table} {{t}} ON {{t}}.id = {{x}}.{link.other}"
    many = attribute.kind != "one"
    return Relation(target.name, many, "link", "id", source, f"{{x}}.{link.own}", link=link)


def _column_back(
    schema: Schema, owner: EntityType, target: EntityType, how: str
) -> tuple[str, list[tuple[str, str]]]:
    """The column of `target` that holds the id of `owner`, "" if there is none."""
    if how and not how.startswith("via "):
        column, *conditions = how.split()
        if column in target.attributes:
            pairs = [condition.partition("=") for condition in conditions]
            return column, [(name, value) for name, _, value in pairs]
    back = [
        _reference(target, attribute, schema.types[attribute.target]).own
        for attribute in target.attributes.values()
        if attribute.kind == "one"
        and attribute.target in schema.types
        and schema.types[attribute.target].family == owner.family
    ]
    named = [f"{_snake(name)}_id" for name in owner.line]
    guesses = [name for name in named if name in back or name in target.attributes]
    found = [*guesses, *(["parent_id"] if "parent_id" in target.attributes and not back else []), *back]
    return (found[0], []) if found else ("", [])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
