"""What the service does of its own accord: values it fills in, what may exist once, what goes with what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox import values
from sessionkit_review.sandbox.errors import duplicate, invalid
from sessionkit_review.sandbox.schema.expand import built_in_id
from sessionkit_review.sandbox.schema.model import TREE, discriminators, quote

if TYPE_CHECKING:
    from sessionkit_review.sandbox.schema.model import EntityType
    from sessionkit_review.sandbox.storage import Row, Storage

_MONTH = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Scene:
    """Who changes things, when.

    Attributes:
        user_id: Id of the user, or None while data is loaded.
        seconds: Now, in seconds since the epoch.
    """

    storage: Storage
    user_id: str | None
    seconds: float

    @property
    def now(self) -> str:
        """Now, as dates are stored."""
        return values.now(self.seconds)

    def value(self, name: str, column: str, key: object) -> Any:
        """A column of the entity of type `name` with this id, None if there is none."""
        if key is None or name not in self.storage.schema:
            return None
        row = self.storage.row(self.storage.schema.get(name), (str(key),))
        return row.get(column) if row else None

    def first(self, name: str, where: str = "1", parameters: tuple[Any, ...] = ()) -> Row:
        """The oldest entity of type `name` for which the SQL holds; {} if there is none."""
        if name not in self.storage.schema:
            return {}
        rows = self.storage.rows(self.storage.schema.get(name), where, parameters, limit=1)
        return rows[0] if rows else {}

    def count(self, name: str, column: str, key: object) -> int:
        """How many entities of type `name` have this value."""
        store = self.storage.schema.get(name).store
        sql = f"SELECT count(*) FROM {store} WHERE {quote(column)} = ?"
        return int(self.storage.db.execute(sql, (key,)).fetchone()[0])


def _now(scene: Scene, _: Mapping[str, Any]) -> str:
    return scene.now


def _user(scene: Scene, _: Mapping[str, Any]) -> str | None:
    return scene.user_id


def _constant(value: Any) -> Callable[[Scene, Mapping[str, Any]], Any]:
    return lambda _scene, _row: value


def _in_a_month(scene: Scene, _: Mapping[str, Any]) -> str:
    return values.now(scene.seconds + _MONTH)


def _project_of(scene: Scene, row: Mapping[str, Any]) -> Any:
    return scene.value("Context", "project_id", row.get("parent_id"))


def _workflow_status(scene: Scene, row: Mapping[str, Any]) -> Any:
    """The first status of the project's workflow for tasks, of the object type's own list for others."""
    schema_id = scene.value("Project", "project_schema_id", row.get("project_id"))
    return _listed(scene, schema_id, row, "Status", "task_workflow_schema_id", "WorkflowSchemaStatus")


def _workflow_type(scene: Scene, row: Mapping[str, Any]) -> Any:
    schema_id = scene.value("Project", "project_schema_id", row.get("project_id"))
    return _listed(scene, schema_id, row, "Type", "task_type_schema_id", "TaskTypeSchemaType")


def _listed(scene: Scene, schema_id: Any, row: Mapping[str, Any], what: str, workflow: str, link: str) -> Any:
    column = f"{what.lower()}_id"
    if row.get("object_type_id") != built_in_id("ObjectType", "Task"):
        own = scene.first(
            "Schema", "project_schema_id = ? AND type_id = ?", (schema_id, row.get("object_type_id"))
        )
        listed = scene.first(f"Schema{what}", "schema_id = ?", (own.get("id"),))
        if listed:
            return listed[column]
    workflow_id = scene.value("ProjectSchema", workflow, schema_id)
    owner = "workflow_schema_id" if what == "Status" else "task_type_schema_id"
    listed = scene.first(link, f"{owner} = ?", (workflow_id,))
    return listed.get(column) or scene.first(what).get("id")


def _version_status(scene: Scene, row: Mapping[str, Any]) -> Any:
    context_id = scene.value("Asset", "context_id", row.get("asset_id"))
    project_id = scene.value("Context", "project_id", context_id)
    schema_id = scene.value("Project", "project_schema_id", project_id)
    workflow_id = scene.value("ProjectSchema", "asset_version_workflow_schema_id", schema_id)
    listed = scene.first("WorkflowSchemaStatus", "workflow_schema_id = ?", (workflow_id,))
    return listed.get("status_id") or scene.first("Status").get("id")


def _next_version(scene: Scene, row: Mapping[str, Any]) -> int:
    found = scene.first(
        "AssetVersion",
        "asset_id = ? AND version = (SELECT max(version) FROM review_AssetVersion WHERE asset_id = ?)",
        (row.get("asset_id"),) * 2,
    )
    return int(found.get("version") or 0) + 1


def _parent_type(scene: Scene, row: Mapping[str, Any]) -> str | None:
    parent = scene.storage.type_of(str(row["parent_id"])) if row.get("parent_id") else None
    return parent.name if parent else None


def _reviewed_name(scene: Scene, row: Mapping[str, Any]) -> Any:
    return scene.value("Asset", "name", scene.value("AssetVersion", "asset_id", row.get("version_id"))) or ""


def _reviewed_version(scene: Scene, row: Mapping[str, Any]) -> str:
    return f"Version {scene.value('AssetVersion', 'version', row.get('version_id')) or ''}".strip()


def _last_of_session(scene: Scene, row: Mapping[str, Any]) -> float:
    return scene.count("ReviewSessionObject", "review_session_id", row.get("review_session_id"))


def _attribute_key(scene: Scene, row: Mapping[str, Any]) -> Any:
    return scene.value("CustomConfigurationBase", "key", row.get("configuration_id"))


Makers = dict[str, Callable[[Scene, Mapping[str, Any]], Any]]

_CREATED: Makers = {"created_at": _now, "created_by_id": _user}

# Filled in when nobody gave a value: for each type, column by column, in this order.
FILLED: dict[str, Makers] = {
    "Context": _CREATED,
    "Project": {
        "project_id": lambda _, row: row["id"],
        "full_name": lambda _, row: row.get("name"),
        "status": _constant("active"),
        "project_schema_id": lambda scene, _: scene.first("ProjectSchema").get("id"),
    },
    "TypedContext": {
        "project_id": _project_of,
        "status_id": _workflow_status,
        "type_id": _workflow_type,
        "priority_id": lambda scene, _: scene.first("Priority").get("id"),
        "bid": _constant(0.0),
        "sort": _constant(0.0),
    },
    "AssetVersion": {
        "version": _next_version,
        "date": _now,
        "user_id": _user,
        "status_id": _version_status,
        "is_published": _constant(1),
    },
    "User": {
        "is_active": _constant(1),
        "is_otp_enabled": _constant(0),
        "is_totp_enabled": _constant(0),
        "require_details_update": _constant(0),
        "user_type_id": lambda scene, _: scene.first("UserType").get("id"),
    },
    "Note": {"date": _now, "user_id": _user, "thread_activity": _now, "parent_type": _parent_type},
    "Job": {"created_at": _now, "user_id": _user},
    "Timer": {"start": _now, "user_id": _user},
    "Timelog": {"start": _now, "user_id": _user, "duration": _constant(0.0)},
    "ReviewSession": {
        **_CREATED,
        "start_date": _now,
        "end_date": _in_a_month,
        "is_moderated": _constant(0),
        "passphrase_enabled": _constant(0),
        "shareable_url_enabled": _constant(0),
    },
    "ReviewSessionInvitee": {**_CREATED, "created_from_shared_url": _constant(0)},
    "ReviewSessionObject": {
        "created_at": _now,
        "name": _reviewed_name,
        "version": _reviewed_version,
        "sort_order": _last_of_session,
    },
    "ReviewSessionObjectStatus": {"created_at": _now},
    "List": {"date": _now, "user_id": _user},
    "StatusChange": {"date": _now, "user_id": _user, "parent_type": _parent_type},
    "CalendarEvent": _CREATED,
    "CalendarEventResource": _CREATED,
    "Conversation": _CREATED,
    "Message": _CREATED,
    "Dashboard": _CREATED,
    "Event": {"created_at": _now, "user_id": _user},
    "Metadata": {"parent_type": _parent_type},
    "EntitySetting": {"parent_type": _parent_type},
    "CustomAttributeValue": {"key": _attribute_key},
}

# What can exist only once.
UNIQUE: dict[str, tuple[str, ...]] = {
    "User": ("username",),
    "Project": ("name",),
    "Timer": ("user_id",),
    "ComponentLocation": ("component_id", "location_id"),
    "ListObject": ("list_id", "entity_id"),
    "Membership": ("group_id", "user_id"),
}


def fill(scene: Scene, entity_type: EntityType, row: Row) -> None:
    """Give `row` (column to value) the values that nobody gave."""
    for name, value in discriminators(entity_type).items():
        row[name] = row.get(name) or value
    columns = scene.storage.columns(entity_type.family)
    for name in reversed(entity_type.line):
        for column, make in FILLED.get(name, {}).items():
            if column in columns and row.get(column) in {None, ""}:
                value = make(scene, row)
                if value is not None:
                    row[column] = value


def schema_defaults(entity_type: EntityType) -> Row:
    """The values that the schema itself gives to new entities, primary keys aside."""
    found: Row = {}
    for attribute in entity_type.scalars:
        if attribute.default in {None, "{uid}"} or attribute.name in entity_type.computed:
            continue
        found[attribute.name] = values.to_column(attribute, attribute.default)
    return found


def check_unique(storage: Storage, entity_type: EntityType, row: Mapping[str, Any]) -> None:
    """Refuse a second one.

    Raises:
        ApiError: DuplicateEntryError, naming the columns.
    """
    for name in entity_type.line:
        columns = UNIQUE.get(name, ())
        if not columns or any(row.get(column) is None for column in columns):
            continue
        where = " AND ".join(f"{quote(column)} = ?" for column in columns)
        same = storage.rows(storage.schema.get(name), where, [row[column] for column in columns])
        own = [row[key] for key in entity_type.primary_key]
        others = [r for r in same if [r[k] for k in entity_type.primary_key] != own]
        if others:
            told = ", ".join(f"{column} {row[column]!r}" for column in columns)
            raise duplicate(f"Duplicate entry: there is a {others[0]['_type']} with {told} already.")


def plant(storage: Storage, context_id: str, parent_id: str | None) -> None:
    """Put a context, with everything below it, under another one in the tree of ancestors."""
    storage.db.execute(f"INSERT OR IGNORE INTO {TREE} VALUES (?, ?, 0)", (context_id, context_id))
    below = f"SELECT descendant FROM {TREE} WHERE ancestor = :id"
    parameters = {"id": context_id, "parent": parent_id}
    storage.db.execute(
        f"DELETE FROM {TREE} WHERE descendant IN ({below}) AND ancestor NOT IN ({below})",
        parameters,
    )
    storage.db.execute(
        f"INSERT OR IGNORE INTO {TREE} SELECT up.ancestor, down.descendant, up.depth + down.depth + 1 "
        f"FROM {TREE} up, {TREE} down WHERE up.descendant = :parent AND down.ancestor = :id",
        parameters,
    )


def move(storage: Storage, context_id: str, parent_id: str | None) -> None:
    """Put a context under another one, into another project too.

    Raises:
        ApiError: ValidationError when the new parent is below the context itself.
    """
    below = f"SELECT descendant FROM {TREE} WHERE ancestor = ?"
    if parent_id in {row[0] for row in storage.db.execute(below, (context_id,))}:
        raise invalid(f"Context {context_id} cannot be moved below itself.")
    plant(storage, context_id, parent_id)
    storage.db.execute(
        "UPDATE review_Context SET project_id = (SELECT project_id FROM review_Context WHERE id = ?) "
        f"WHERE id IN ({below})",
        (parent_id, context_id),
    )
