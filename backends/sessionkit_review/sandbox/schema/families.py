"""What a schema in `query_schemas` form leaves unsaid: which types are kinds of one another, and where
each relation is kept. Recognised by shape and by name, so that a studio's own schema file works too.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# A type is of a family when it has the attributes that mark it. A family shares one table.
FAMILIES: dict[str, frozenset[str]] = {
    "Context": frozenset({"context_type"}),
    "Component": frozenset({"system_type", "component_locations"}),
    "Resource": frozenset({"resource_type"}),
    "List": frozenset({"category_id", "is_open"}),
    "StatusChange": frozenset({"from_status_id"}),
    "CustomAttributeValue": frozenset({"configuration_id", "entity_id", "value"}),
    "CustomConfigurationBase": frozenset({"core", "config", "entity_type"}),
    "CustomAttributeLink": frozenset({"configuration_id", "from_id", "to_id"}),
}

# Types between a family and its members: (name, a member has this attribute).
_BETWEEN = {"Context": ("TypedContext", "object_type_id"), "Component": ("ContainerComponent", "members")}

# The attribute whose value says of which type an entity is, where the schema gives no default for it.
DISCRIMINATORS: dict[str, tuple[str, dict[str, str]]] = {
    "Context": ("context_type", {"Project": "show", "": "task"}),
    "Component": (
        "system_type",
        {"FileComponent": "file", "SequenceComponent": "sequence", "ContainerComponent": "container"},
    ),
    "Resource": ("resource_type", {"User": "user", "Group": "group"}),
    "List": ("system_type", {"TypedContextList": "task", "AssetVersionList": "assetversion"}),
}

# References kept in a column that is not called `<reference>_id`.
COLUMNS: dict[tuple[str, str], str] = {
    ("Asset", "parent"): "context_id",
    ("Note", "author"): "user_id",
    ("List", "owner"): "user_id",
    ("ReviewSessionObject", "asset_version"): "version_id",
    ("ReviewSessionObjectStatus", "invitee"): "review_session_invitee_id",
    ("SchemaType", "task_type"): "type_id",
    ("SchemaStatus", "task_status"): "status_id",
    ("Recipient", "user"): "resource_id",
    ("Recipient", "recipient"): "resource_id",
    ("ProjectSchema", "_task_workflow"): "task_workflow_schema_id",
    ("ProjectSchema", "_version_workflow"): "asset_version_workflow_schema_id",
    ("ProjectSchema", "_task_type_schema"): "task_type_schema_id",
    ("CustomConfigurationBase", "object_type_to"): "object_type_id_to",
    ("Asset", "latest_version"): "latest_version_id",
}

# Collections that cannot be found by looking for the one reference back: "column [column=value]" in their
# items, "via Type own_column item_column", or "up" / "down" the project's tree.
COLLECTIONS: dict[tuple[str, str], str] = {
    ("Context", "children"): "parent_id",
    ("Context", "assignments"): "context_id type=assignment",
    ("Context", "allocations"): "context_id type=allocation",
    ("Resource", "assignments"): "resource_id type=assignment",
    ("Resource", "allocations"): "resource_id type=allocation",
    ("Context", "ancestors"): "up",
    ("Context", "descendants"): "down",
    ("Context", "incoming_links"): "to_id",
    ("Context", "outgoing_links"): "from_id",
    ("Context", "lists"): "via ListObject entity_id list_id",
    ("Context", "status_changes"): "parent_id",
    ("Context", "notes"): "parent_id",
    ("AssetVersion", "incoming_links"): "to_id",
    ("AssetVersion", "outgoing_links"): "from_id",
    ("AssetVersion", "uses_versions"): "via AssetVersionLink to_id from_id",
    ("AssetVersion", "used_in_versions"): "via AssetVersionLink from_id to_id",
    ("AssetVersion", "lists"): "via ListObject entity_id list_id",
    ("AssetVersion", "notes"): "parent_id",
    ("AssetVersion", "status_changes"): "parent_id",
    ("ReviewSessionObject", "notes"): "parent_id",
    ("List", "items"): "via ListObject list_id entity_id",
    ("ObjectType", "project_schemas"): "via ProjectSchemaObjectType object_type_id project_schema_id",
    ("ProjectSchema", "object_types"): "via ProjectSchemaObjectType project_schema_id object_type_id",
    ("Type", "task_type_schemas"): "via TaskTypeSchemaType type_id task_type_schema_id",
    ("TaskTypeSchema", "types"): "via TaskTypeSchemaType task_type_schema_id type_id",
    ("WorkflowSchema", "statuses"): "via WorkflowSchemaStatus workflow_schema_id status_id",
    ("ProjectSchema", "_overrides"): "project_schema_id",
    ("ProjectSchema", "_schemas"): "project_schema_id",
    ("Note", "replies"): "in_reply_to_id",
    ("Component", "members"): "container_id",
}


def family_of(schema: Json, names: frozenset[str]) -> tuple[str, ...]:
    """The types that `schema` is a kind of, itself first and the family last.

    >>> family_of({"id": "Shot", "properties": {"context_type": ..., "object_type_id": ...}}, names)
    ("Shot", "TypedContext", "Context")
    """
    name, properties = schema["id"], frozenset(schema["properties"])
    for family, marks in FAMILIES.items():
        if family not in names or not (name == family or marks <= properties):
            continue
        between, mark = _BETWEEN.get(family, ("", ""))
        line = [name, between if between in names and mark in properties else name, family]
        return tuple(dict.fromkeys(line))
    return (name,)
