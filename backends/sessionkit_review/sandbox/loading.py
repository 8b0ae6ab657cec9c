"""The review section of a `--data` file, into the database.

    users: {jenkins: the-api-key}
    server_information: {version: "4.13.8"}
    schemas: schemas.json
    entities:
      Task:
        - {id: ..., name: light, parent: {__entity_type__: Shot, id: ...}, metadata: {lens: 35mm}}

Values are as on the wire. An entity within another one is stored too; `metadata` and `custom_attributes` may
also be written as plain mappings.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_review.sandbox.basics import basics
from sessionkit_review.sandbox.batch import Batch
from sessionkit_review.sandbox.errors import ApiError
from sessionkit_review.sandbox.schema.model import TREE, EntityType, Schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sessionkit_review.sandbox.access import Access
    from sessionkit_review.sandbox.behaviours import Scene

Json = dict[str, Any]

_SECTIONS = {"users": dict, "server_information": dict, "entities": dict, "schemas": (list, str)}


def load(scene: Scene, access: Access, data: Mapping[str, Any], folder: Path, *, replace: bool) -> None:
    """Store a section over what is there, or instead of it. The caller opens the transaction.

    A schema file's relative path starts from `folder`.

    Raises:
        ConfigurationError: naming the key that is wrong.
    """
    for name, value in data.items():
        if name not in _SECTIONS:
            raise ConfigurationError(
                f"review.{name}: there is no such section.", hint=f"Use {', '.join(_SECTIONS)}."
            )
        if not isinstance(value, _SECTIONS[name]):  # type: ignore[arg-type]  # a type or a tuple of types
            raise ConfigurationError(f"review.{name}: this is a {type(value).__name__}.")
    storage = scene.storage
    if replace:
        storage.clear()
        access.forget()
        storage.set_setting("server_information", "{}")
    if "schemas" in data:
        storage.use(_schema(data["schemas"], folder))
    known = json.loads(storage.setting("server_information") or "{}")
    storage.set_setting("server_information", json.dumps({**known, **data.get("server_information", {})}))
    Loader(scene).load(data.get("entities") or {})
    complete(scene)
    for username, api_key in (data.get("users") or {}).items():
        access.set_key(str(username), str(api_key))
        if username != "*":
            ensure_user(scene, str(username))


def complete(scene: Scene) -> None:
    """Add the studio's basics of each type of which there is nothing: locations, statuses, types."""
    storage = scene.storage
    lacking = {
        name: items
        for name, items in basics(storage.schema).items()
        if name in storage.schema and not scene.first(name)
    }
    Loader(scene).load(lacking)


def ensure_user(scene: Scene, username: str) -> None:
    """Make a User for somebody who has a key and no entity yet."""
    if not scene.first("User", "username = ?", (username,)):
        batch = Batch(scene, lenient=True)
        batch.create("User", {"username": username, "first_name": username.title(), "is_active": True})
        batch.finish()


class Loader:
    """Stores entities as they are on the wire."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.storage = scene.storage
        self.batch = Batch(scene, lenient=True)

    def load(self, entities: Mapping[str, Any]) -> None:
        """Store all of them.

        Raises:
            ConfigurationError: naming the entity that is wrong.
        """
        for name, items in entities.items():
            if name not in self.storage.schema:
                raise ConfigurationError(f"review.entities.{name}: the schema has no such type.")
            for index, item in enumerate(items if isinstance(items, list) else [items]):
                where = f"review.entities.{name}[{index}]"
                if not isinstance(item, dict):
                    raise ConfigurationError(f"{where}: this is no mapping of attributes.")
                try:
                    self._store(item.get("__entity_type__", name), item)
                except ApiError as error:
                    raise ConfigurationError(f"{where}: {error.content}") from None
        self._grow_tree()
        self.batch.finish()

    def _store(self, name: str, item: Json) -> None:
        """Store one entity, and those within it."""
        entity_type = self.storage.schema.types.get(name)
        if entity_type is None:
            raise ApiError("KeyError", f"the schema has no type {name!r}.")
        data, within, mapped = {}, [], {}
        for attribute, value in item.items():
            kind = entity_type.attributes[attribute].kind if attribute in entity_type.attributes else ""
            if kind == "mapped" and isinstance(value, dict):
                mapped[attribute] = value
                continue
            within += [
                part for part in (value if isinstance(value, list) else [value]) if self._is_whole(part)
            ]
            data[attribute] = value
        for part in within:
            self._store(part["__entity_type__"], part)
        keys = [data.get(key) for key in entity_type.primary_key]
        if None not in keys and self.storage.row(entity_type, [str(key) for key in keys]):
            _, key = self.batch.update(name, keys, data)
        else:
            _, key = self.batch.create(name, data)
        for attribute, pairs in mapped.items():
            self._store_mapping(entity_type, key[0], attribute, pairs)

    def _is_whole(self, value: Any) -> bool:
        """Whether `value` is an entity with more than its key."""
        if not isinstance(value, dict) or str(value.get("__entity_type__")) not in self.storage.schema:
            return False
        key = self.storage.schema.get(value["__entity_type__"]).primary_key
        return bool(value.keys() - {"__entity_type__", *key})

    def _store_mapping(self, owner: EntityType, owner_id: str, attribute: str, pairs: Json) -> None:
        target = self.storage.schema.get(owner.attributes[attribute].target)
        for key, value in pairs.items():
            if not target.is_dense:
                metadata = {"parent_id": owner_id, "parent_type": owner.name, "key": key, "value": value}
                self._store(target.name, metadata)
                continue
            row = self.scene.first("CustomAttributeConfiguration", '"key" = ?', (key,))
            if not row:
                raise ApiError("KeyError", f"there is no custom attribute {key!r} on {owner.name}.")
            self.batch.create(
                target.name, {"configuration_id": row["id"], "entity_id": owner_id, "value": value}
            )

    def _grow_tree(self) -> None:
        """Read the ancestors anew from the parents: entities may come in any order."""
        if "Context" not in self.storage.schema:
            return
        self.storage.db.execute(f"DELETE FROM {TREE}")
        self.storage.db.execute(
            f"INSERT OR IGNORE INTO {TREE} WITH RECURSIVE up (ancestor, descendant, depth) AS ("
            "SELECT id, id, 0 FROM review_Context UNION ALL "
            "SELECT c.parent_id, descendant, depth + 1 FROM up JOIN review_Context c ON c.id = up.ancestor "
            "WHERE c.parent_id IS NOT NULL AND depth < 100) SELECT * FROM up"
        )
        self.storage.db.execute(
            "UPDATE review_Context SET project_id = (SELECT p.id FROM review__tree x "
            "JOIN review_Context p ON p.id = x.ancestor WHERE p._type = 'Project' "
            "AND x.descendant = review_Context.id) WHERE project_id IS NULL"
        )


def _schema(value: Any, folder: Path) -> Schema:
    """The schemas of a data file: a list, or the path of a JSON file with one."""
    if isinstance(value, str):
        try:
            value = json.loads((folder / value).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"review.schemas: {error}") from None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    try:
        return Schema(value)
    except ValueError as error:
        raise ConfigurationError(f"review.schemas: {error}") from None
