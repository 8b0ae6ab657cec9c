"""What a batch changed, as the service tells its clients: `ftrack.update` events."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox import values
from sessionkit_review.sandbox.schema.model import TREE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_review.sandbox.schema.model import EntityType
    from sessionkit_review.sandbox.storage import Row, Storage

Json = dict[str, Any]

# The columns by which an entity hangs in the project's tree, the first that is set counts.
_PARENT_COLUMNS = ("parent_id", "context_id", "asset_id", "version_id", "project_id", "review_session_id")


@dataclass(slots=True)
class Change:
    """One entity that was added, updated or removed.

    Attributes:
        before: Its columns before the batch; {} when it is new.
        after: Its columns after the batch; {} when it is gone.
        values: Its custom attributes that changed: {key: {"old": ..., "new": ...}}.
    """

    action: str
    entity_type: EntityType
    before: Row
    after: Row
    values: Json = field(default_factory=dict)

    @property
    def row(self) -> Row:
        """The columns by which to describe the entity."""
        return self.after or self.before


def entity_kind(entity_type: EntityType) -> str:
    """The name of a type in events: "show", "task", "assetversion"."""
    if entity_type.is_a("TypedContext"):
        return "task"
    if entity_type.name == "Project":
        return "show"
    if entity_type.family in {"Component", "List"}:
        return entity_type.family.lower()
    return entity_type.name.lower()


def parents(storage: Storage, entity_type: EntityType, row: Mapping[str, Any]) -> list[Json]:
    """The entity and what it is in, up to the project. Read before the entity is deleted."""
    listed = [_step(entity_type, row)]
    if entity_type.family != "Context" and listed[0]["parentId"]:
        parent = storage.type_of(listed[0]["parentId"])
        found = storage.row(parent, (listed[0]["parentId"],)) if parent else None
        return listed + (parents(storage, storage.schema.get(found["_type"]), found) if found else [])
    cursor = storage.db.execute(
        f"SELECT ancestor FROM {TREE} WHERE descendant = ? AND depth > 0 ORDER BY depth",
        (row.get("id"),),
    )
    for (ancestor,) in cursor.fetchall():
        found = storage.row(storage.schema.get("Context"), (ancestor,))
        if found:
            listed.append(_step(storage.schema.get(found["_type"]), found))
    return listed


def _step(entity_type: EntityType, row: Mapping[str, Any]) -> Json:
    parent = next((row[name] for name in _PARENT_COLUMNS if row.get(name)), None)
    own = _entity_id(entity_type, row)
    return {
        "entityId": own,
        "entityType": entity_kind(entity_type),
        "parentId": parent if parent != own else None,
    }


def _entity_id(entity_type: EntityType, row: Mapping[str, Any]) -> str:
    return ",".join(str(row[name]) for name in entity_type.primary_key)


def described(change: Change, above: list[Json]) -> Json:
    """A change as it stands in an event."""
    entity_type, row = change.entity_type, change.row
    altered: Json = dict(change.values)
    for attribute in entity_type.scalars:
        old, new = change.before.get(attribute.name), change.after.get(attribute.name)
        if change.action != "remove" and old != new:
            altered[attribute.alias] = {
                "old": values.from_column("any" if attribute.kind == "any" else "string", old),
                "new": values.from_column("any" if attribute.kind == "any" else "string", new),
            }
    return {
        **_step(entity_type, row),
        "action": change.action,
        "objectTypeId": row.get("object_type_id"),
        "keys": sorted(altered),
        "changes": altered or None,
        "parents": above,
    }


def update_event(entities: list[Json], user: Mapping[str, Any], headers: Mapping[str, str]) -> Json:
    """The event that tells of changes; the client's tokens come back in it, by which it knows its own."""
    return {
        "id": uuid.uuid4().hex,
        "topic": "ftrack.update",
        "data": {
            "entities": entities,
            "user": {"userid": user["id"], "name": user["username"]},
            "parents": sorted({step["entityId"] for entity in entities for step in entity["parents"]}),
            "pushToken": headers.get("ftrack-pushtoken"),
            "clientToken": headers.get("ftrack-clienttoken"),
        },
        "source": {"id": "ftrack", "user": {"username": user["username"]}, "applicationId": "ftrack.server"},
        "target": "",
        "sent": None,
        "inReplyToEvent": None,
    }
