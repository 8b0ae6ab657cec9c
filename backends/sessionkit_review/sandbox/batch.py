"""One batch of operations: changes that happen together or not at all.

The caller opens the transaction; a batch that raises leaves it to be rolled back. Required attributes and
references are checked when the batch ends, so that an entity may be completed by a later operation.
"""

from __future__ import annotations

import sqlite3
import uuid
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox import behaviours, cascade, values
from sessionkit_review.sandbox.changes import Change, described, parents
from sessionkit_review.sandbox.errors import duplicate, in_use, invalid, missing
from sessionkit_review.sandbox.schema.model import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionkit_review.sandbox.behaviours import Scene
    from sessionkit_review.sandbox.schema.model import EntityType, Relation
    from sessionkit_review.sandbox.storage import Row

Json = dict[str, Any]
Key = tuple[str, ...]


class Batch:
    """Creates, updates and deletes entities.

        with db:
            batch = Batch(scene)
            key = batch.create("Task", {"name": "light", "parent_id": shot_id})
            events = batch.finish()

    Args:
        lenient: Takes data as it is: nothing is required, references may lead nowhere.
    """

    def __init__(self, scene: Scene, *, lenient: bool = False) -> None:
        self.scene = scene
        self.storage = scene.storage
        self.schema = scene.storage.schema
        self._lenient = lenient
        self._changes: dict[tuple[str, Key], Change] = {}
        self._above: dict[tuple[str, Key], list[Json]] = {}
        self._refers: list[tuple[EntityType, Key, Relation]] = []
        self.removed_components: list[str] = []

    def create(self, name: str, data: Mapping[str, Any]) -> tuple[EntityType, Key]:
        """Add an entity; returns its type, which may be more exact than `name`, and its key.

        Raises:
            ApiError: for unknown attributes, values that do not fit, a second one of what is unique.
        """
        entity_type = self._type(name, data)
        columns, collections = self._split(entity_type, data)
        if entity_type.primary_key == ("id",) and not columns.get("id"):
            columns["id"] = str(uuid.uuid4())
        if entity_type.family == "CustomAttributeValue":
            return entity_type, self._set_value(entity_type, columns)
        row = {**behaviours.schema_defaults(entity_type), **columns}
        behaviours.fill(self.scene, entity_type, row)
        key = self._key(entity_type, row)
        if self.storage.row(self.schema.types[entity_type.family], key):
            raise duplicate(f"Duplicate entry: there is a {entity_type.name} {', '.join(key)} already.")
        behaviours.check_unique(self.storage, entity_type, row)
        self._write(lambda: self.storage.insert(entity_type, row))
        if entity_type.is_a("Context"):
            behaviours.plant(self.storage, key[0], row.get("parent_id"))
        self._note("add", entity_type, key, {}, row)
        self._refer(entity_type, key, columns)
        self._set_collections(entity_type, key, collections)
        return entity_type, key

    def update(self, name: str, key: Sequence[Any], data: Mapping[str, Any]) -> tuple[EntityType, Key]:
        """Change an entity.

        Raises:
            ApiError: also when there is no such entity or an attribute cannot be changed.
        """
        entity_type = self._type(name, {})
        if entity_type.family == "CustomAttributeValue":
            columns, _ = self._split(entity_type, data)
            pairs = dict(zip(entity_type.primary_key, _key_parts(entity_type, key), strict=True))
            return entity_type, self._set_value(entity_type, {**pairs, **columns})
        entity_type, found, row = self.find(name, key)
        columns, collections = self._split(entity_type, data)
        fixed = [
            column for column in columns if column in entity_type.immutable and columns[column] != row[column]
        ]
        if fixed and not self._lenient:
            raise invalid(f"{entity_type.name}.{fixed[0]} cannot be changed.")
        columns = {name: value for name, value in columns.items() if name not in entity_type.primary_key}
        if columns:
            behaviours.check_unique(self.storage, entity_type, {**row, **columns})
            self._write(lambda: self.storage.update(entity_type, found, columns))
            self._react(entity_type, found, row, columns)
            self._refer(entity_type, found, columns)
        self._note("update", entity_type, found, row, {**row, **columns})
        self._set_collections(entity_type, found, collections)
        return entity_type, found

    def delete(self, name: str, key: Sequence[Any]) -> None:
        """Delete an entity and what belongs to it.

        Raises:
            ApiError: when there is no such entity, or another one needs it.
        """
        wanted = self._type(name, {})
        if wanted.family == "CustomAttributeValue":
            self.storage.delete(wanted, _key_parts(wanted, key))
            return
        entity_type, _, row = self.find(name, key)
        cascade.delete(self.storage, entity_type, row, self._leaving)

    def find(self, name: str, key: Sequence[Any]) -> tuple[EntityType, Key, Row]:
        """The exact type, key and stored columns of an entity.

        Raises:
            ApiError: KeyError when there is none.
        """
        entity_type = self._type(name, {})
        found = _key_parts(entity_type, key)
        row = self.storage.row(entity_type, found)
        if row is None:
            raise missing(f"There is no {name} {', '.join(found)}.")
        return self.schema.types[row["_type"]], found, row

    def finish(self) -> list[Json]:
        """Complete and check what was changed; returns the changes as events tell them.

        Raises:
            ApiError: ValidationError for what is still missing, IntegrityError for references to nothing.
        """
        for (_, key), change in list(self._changes.items()):
            if change.action != "remove" and change.entity_type.family != "CustomAttributeValue":
                self._complete(change, key)
        if self._lenient:  # nobody is told of data that is loaded
            return []
        for entity_type, key, relation in self._refers:
            self._check_reference(entity_type, key, relation)
        told = []
        for identity, change in self._changes.items():
            above = self._above.get(identity) or parents(self.storage, change.entity_type, change.row)
            description = described(change, above)
            if description["keys"] or change.action != "update":
                told.append(description)
        return told

    def _type(self, name: Any, data: Mapping[str, Any]) -> EntityType:
        try:
            return self.schema.concrete(name, data)
        except KeyError as error:
            raise missing(str(error.args[0])) from None

    def _key(self, entity_type: EntityType, row: Mapping[str, Any]) -> Key:
        lacking = [name for name in entity_type.primary_key if row.get(name) is None]
        if lacking:
            raise invalid(f"{entity_type.name}.{lacking[0]} is required.")
        return tuple(str(row[name]) for name in entity_type.primary_key)

    def _split(self, entity_type: EntityType, data: Mapping[str, Any]) -> tuple[Row, dict[str, list[Any]]]:
        """`data` as columns, and the collections in it."""
        columns: Row = {}
        collections: dict[str, list[Any]] = {}
        stored = self.storage.columns(entity_type.family)
        for name, value in data.items():
            if name.startswith("__"):
                continue
            attribute = entity_type.attributes.get(name)
            if attribute is None:
                if self._lenient and name in stored:
                    columns[name] = value
                    continue
                raise invalid(f"{entity_type.name} has no attribute {name!r}.")
            if attribute.kind in {"many", "mapped"}:
                collections[name] = _items(name, value)
            elif attribute.kind == "one":
                column = entity_type.relations[name].own if name in entity_type.relations else ""
                if column in stored:
                    columns[column] = self._reference(name, value)
            elif name in stored and not (self._lenient and name in entity_type.computed):
                columns[name] = values.to_column(attribute, value)
            elif not self._lenient and value is not None:
                raise invalid(f"{entity_type.name}.{name} is worked out by the service and cannot be set.")
        return columns, collections

    def _reference(self, name: str, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, dict) and str(value.get("__entity_type__")) in self.schema:
            key = self.schema.types[value["__entity_type__"]].primary_key[0]
            if isinstance(value.get(key), str):
                return str(value[key])
        raise invalid(f"{name}: this {type(value).__name__} is not a reference to an entity.")

    def _note(self, action: str, entity_type: EntityType, key: Key, before: Row, after: Row) -> None:
        known = self._changes.get((entity_type.family, key))
        if known is not None and known.action != "remove":
            known.after = {**known.after, **after}
            return
        self._changes[entity_type.family, key] = Change(action, entity_type, dict(before), dict(after))

    def _leaving(self, entity_type: EntityType, row: Row) -> None:
        identity = (entity_type.family, self._key(entity_type, row))
        known = self._changes.pop(identity, None)
        if known is None or known.action != "add":
            self._above[identity] = parents(self.storage, entity_type, row)
            self._changes[identity] = Change("remove", entity_type, row, {})
        if entity_type.is_a("Component"):
            self.removed_components.append(row["id"])

    def _react(self, entity_type: EntityType, key: Key, row: Row, columns: Row) -> None:
        """What follows from changed columns."""
        parent_id = columns.get("parent_id", row.get("parent_id"))
        if entity_type.is_a("TypedContext") and parent_id != row["parent_id"]:
            behaviours.move(self.storage, key[0], parent_id)
        told = f"{'TypedContext' if entity_type.is_a('TypedContext') else entity_type.name}StatusChange"
        if "status_id" in columns and columns["status_id"] != row.get("status_id") and told in self.schema:
            change = {
                "id": str(uuid.uuid4()),
                "parent_id": key[0],
                "status_id": columns["status_id"],
                "from_status_id": row.get("status_id"),
            }
            behaviours.fill(self.scene, self.schema.get(told), change)
            self.storage.insert(self.schema.get(told), change)

    def _refer(self, entity_type: EntityType, key: Key, columns: Row) -> None:
        self._refers += [
            (entity_type, key, relation)
            for relation in entity_type.relations.values()
            if relation.kind == "one" and columns.get(relation.own) is not None
        ]

    def _complete(self, change: Change, key: Key) -> None:
        entity_type = change.entity_type
        row = self.storage.row(entity_type, key)
        if row is None:
            return
        filled = dict(row)
        behaviours.fill(self.scene, entity_type, filled)
        news = {name: value for name, value in filled.items() if value != row[name]}
        if news:
            self.storage.update(entity_type, key, news)
        change.after = {**change.after, **filled}
        if self._lenient:
            return
        stored = self.storage.columns(entity_type.family)
        lacking = [
            name for name in sorted(entity_type.required) if name in stored and filled.get(name) is None
        ]
        if lacking:
            raise invalid(f"{entity_type.name}.{lacking[0]} is required.")

    def _check_reference(self, entity_type: EntityType, key: Key, relation: Relation) -> None:
        row = self.storage.row(entity_type, key)
        target = self.schema.types[relation.target]
        value = row.get(relation.own) if row else None
        if value is None or len(target.primary_key) != 1 or self.storage.row(target, (value,)):
            return
        raise in_use(f"{entity_type.name}.{relation.own}: there is no {target.name} {value}.")

    def _set_value(self, entity_type: EntityType, columns: Row) -> Key:
        """Store a custom attribute's value, whether or not there was one: there is one for every entity."""
        key = self._key(entity_type, columns)
        configuration = self.storage.row(self.schema.get("CustomConfigurationBase"), key[:1])
        if configuration is None and not self._lenient:
            raise missing(f"There is no CustomAttributeConfiguration {key[0]}.")
        before = self.storage.row(self.schema.get("CustomAttributeValue"), key)
        row = {"key": (configuration or {}).get("key"), **columns}
        row = {
            name: row.get(name)
            for name in ("configuration_id", "entity_id", "value", "key")
            if name in self.storage.columns(entity_type.family)
        }
        if before:
            self.storage.update(entity_type, key, {"value": row["value"]})
        else:
            self.storage.insert(entity_type, row)
        owner = self.storage.type_of(key[1])
        if owner is not None and configuration is not None:
            self._note_value(
                owner, key[1], str(configuration["key"]), (before or {}).get("value"), row["value"]
            )
        return key

    def _note_value(self, owner: EntityType, entity_id: str, name: str, old: Any, new: Any) -> None:
        """A custom attribute changes its owner; in events it stands under its key."""
        row = self.storage.row(owner, (entity_id,)) or {}
        self._note("update", owner, (entity_id,), row, row)
        change = self._changes[owner.family, (entity_id,)]
        change.values[name] = {"old": values.from_column("any", old), "new": values.from_column("any", new)}

    def _set_collections(
        self, entity_type: EntityType, key: Key, collections: Mapping[str, list[Any]]
    ) -> None:
        for name, items in collections.items():
            relation = entity_type.relations.get(name)
            if relation is None or relation.kind in {"dense", "tree"}:
                continue
            if relation.kind == "link":
                self._set_links(relation, key[0], [self._reference(name, item) for item in items])
            else:
                self._set_items(entity_type.attributes[name].kind, relation, key[0], items)

    def _set_items(self, kind: str, relation: Relation, owner: str, items: list[Any]) -> None:
        """Make `items` those that refer back to `owner`."""
        target = self.schema.types[relation.target]
        wanted = [self._key_of(target, item) for item in items]
        changes = {relation.column: owner, **dict(relation.fixed)}
        for key in wanted:
            row = self.storage.row(target, key)
            if row is not None and any(row[name] != value for name, value in changes.items()):
                self.update(row["_type"], key, changes)
        if kind == "mapped":  # a client deletes the entities of a mapping itself
            return
        where = " AND ".join(f"{quote(name)} = ?" for name in changes)
        for row in self.storage.rows(target, where, changes.values()):
            key = self._key(self.schema.types[row["_type"]], row)
            if key not in wanted:
                self._release(target, row["_type"], key, relation)

    def _release(self, target: EntityType, name: str, key: Key, relation: Relation) -> None:
        """Take an entity out of a collection; one that cannot be elsewhere is deleted."""
        if relation.fixed or relation.column in target.primary_key or relation.column in target.required:
            self.delete(name, key)
        else:
            self.update(name, key, {relation.column: None})

    def _set_links(self, relation: Relation, owner: str, wanted: list[str | None]) -> None:
        """Make `wanted` the other sides of a many-to-many relation."""
        link = relation.link
        assert link is not None
        own, other = link.own.strip('"'), link.other.strip('"')
        cursor = self.storage.db.execute(
            f"SELECT {link.other} FROM {link.table} WHERE {link.own} = ?",
            (owner,),
        )
        current = [row[0] for row in cursor]
        for entity_id in [item for item in wanted if item not in current]:
            if link.entity_type:
                self.create(link.entity_type, {own: owner, other: entity_id})
            else:
                self.storage.db.execute(f"INSERT INTO {link.table} VALUES (?, ?)", (owner, entity_id))
        for entity_id in [item for item in current if item not in wanted]:
            where = f"{link.own} = ? AND {link.other} = ?"
            if link.entity_type:
                entity_type = self.schema.get(link.entity_type)
                for row in self.storage.rows(entity_type, where, (owner, entity_id)):
                    self.delete(link.entity_type, self._key(entity_type, row))
            else:
                self.storage.db.execute(f"DELETE FROM {link.table} WHERE {where}", (owner, entity_id))

    def _key_of(self, target: EntityType, item: Any) -> Key:
        if not isinstance(item, dict) or any(
            not isinstance(item.get(name), str) for name in target.primary_key
        ):
            raise invalid(f"This {type(item).__name__} is not a reference to a {target.name}.")
        return tuple(item[name] for name in target.primary_key)

    def _write(self, statement: Any) -> None:
        try:
            statement()
        except sqlite3.IntegrityError as error:
            raise duplicate(f"Duplicate entry: {error}.") from None


def _key_parts(entity_type: EntityType, key: Any) -> Key:
    """A key as it stands in an operation: a list of its parts, or the one part it has."""
    parts = list(key) if isinstance(key, (list, tuple)) else [key]
    if len(parts) != len(entity_type.primary_key):
        expected = ", ".join(entity_type.primary_key)
        raise invalid(f"A key of {entity_type.name} is ({expected}), not {parts!r}.")
    return tuple(str(part) for part in parts)


def _items(name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(f"{name}: a {type(value).__name__} is not a list of entities.")
    return value
