"""What happens to other entities when one is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.errors import in_use
from sessionkit_review.sandbox.schema.model import TREE, quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_review.sandbox.schema.model import EntityType
    from sessionkit_review.sandbox.storage import Row, Storage

# (family, column): entities that go with the one they refer to. Where the column is part of a primary key
# this is so anyway; elsewhere a required reference keeps what it refers to, another is emptied.
_OWNED = {
    ("Context", "parent_id"),
    ("Asset", "context_id"),
    ("AssetVersion", "asset_id"),
    ("Component", "version_id"),
    ("Component", "container_id"),
    ("ComponentLocation", "component_id"),
    ("ComponentLocation", "location_id"),
    ("Note", "in_reply_to_id"),
    ("Appointment", "context_id"),
    ("Appointment", "resource_id"),
    ("Manager", "context_id"),
    ("Timelog", "context_id"),
    ("Timer", "context_id"),
    ("Timer", "user_id"),
    ("Membership", "user_id"),
    ("Membership", "group_id"),
    ("TypedContextLink", "from_id"),
    ("TypedContextLink", "to_id"),
    ("AssetVersionLink", "from_id"),
    ("AssetVersionLink", "to_id"),
    ("ReviewSession", "project_id"),
    ("ReviewSessionInvitee", "review_session_id"),
    ("ReviewSessionObject", "review_session_id"),
    ("ReviewSessionObject", "version_id"),
    ("ReviewSessionObjectStatus", "review_session_object_id"),
    ("ReviewSessionObjectStatus", "review_session_invitee_id"),
    ("List", "project_id"),
    ("ListObject", "list_id"),
    ("CalendarEvent", "project_id"),
    ("CalendarEventResource", "calendar_event_id"),
    ("CalendarEventResource", "resource_id"),
    ("UserSecurityRole", "user_id"),
    ("UserSecurityRole", "security_role_id"),
    ("UserSecurityRoleProject", "user_security_role_id"),
    ("UserSecurityRoleProject", "project_id"),
    ("Message", "conversation_id"),
    ("Participant", "conversation_id"),
    ("DashboardWidget", "dashboard_id"),
    ("TaskTemplateItem", "template_id"),
    ("StatusChange", "parent_id"),
}

# Columns that hold the id of an entity of any type, for which the schema has no reference.
_OF_ANY_TYPE = {
    ("Note", "parent_id"),
    ("Metadata", "parent_id"),
    ("StatusChange", "parent_id"),
    ("EntitySetting", "parent_id"),
    ("ListObject", "entity_id"),
    ("CustomAttributeValue", "entity_id"),
    ("Schema", "project_schema_id"),
    ("ProjectSchemaOverride", "project_schema_id"),
}


def delete(
    storage: Storage, entity_type: EntityType, row: Row, told: Callable[[EntityType, Row], None]
) -> None:
    """Delete an entity and what belongs to it; `told` hears of each before it goes.

    Raises:
        ApiError: IntegrityError when an entity that stays cannot be without this one.
    """
    waiting, leaving = [(entity_type, row)], {_identity(entity_type, row)}
    order: list[tuple[EntityType, Row]] = []
    while waiting:
        current, values = waiting.pop()
        order.append((current, values))
        if current.primary_key != ("id",):
            continue
        for family, column in _referring(storage, current):
            for other in storage.rows(storage.schema.get(family), f"{quote(column)} = ?", (values["id"],)):
                kind = storage.schema.get(other["_type"])
                if _identity(kind, other) in leaving:
                    continue
                if _goes_along(kind, column):
                    leaving.add(_identity(kind, other))
                    waiting.append((kind, other))
                elif column in kind.required:
                    raise in_use(
                        f"{current.name} {values['id']} is the {column} of {kind.name} {other.get('id')}."
                    )
                else:
                    storage.update(kind, [other[key] for key in kind.primary_key], {column: None})
    for current, values in reversed(order):
        told(current, values)
        storage.delete(current, [values[key] for key in current.primary_key])
        _unlink(storage, current, values)


def _identity(entity_type: EntityType, row: Row) -> tuple[Any, ...]:
    return (entity_type.family, *(row[key] for key in entity_type.primary_key))


def _goes_along(entity_type: EntityType, column: str) -> bool:
    pair = (entity_type.family, column)
    return column in entity_type.primary_key or pair in _OWNED or pair in _OF_ANY_TYPE


def _referring(storage: Storage, target: EntityType) -> list[tuple[str, str]]:
    """The (family, column) pairs whose values may be ids of `target`."""
    schema = storage.schema
    found = {pair for pair in _OF_ANY_TYPE if pair[0] in schema}
    for entity_type in schema.types.values():
        if entity_type.is_dense:
            continue
        found.update(
            (entity_type.family, relation.own)
            for relation in entity_type.relations.values()
            if relation.kind == "one"
            and schema.types[relation.target].family == target.family
            and relation.own in storage.columns(entity_type.family)
        )
    return sorted(found)


def _unlink(storage: Storage, entity_type: EntityType, row: Row) -> None:
    """Remove an entity from the tables that are not made of entities."""
    if entity_type.primary_key != ("id",):
        return
    for table in storage.link_tables():
        storage.db.execute(f"DELETE FROM {table} WHERE own = :id OR other = :id", {"id": row["id"]})
    if entity_type.is_a("Context"):
        storage.db.execute(f"DELETE FROM {TREE} WHERE descendant = :id OR ancestor = :id", {"id": row["id"]})
