"""What every studio has before its first project: locations, object types, statuses, types, workflows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.encoding import SERVER_LOCATION
from sessionkit_review.sandbox.schema.expand import built_in_id as known

if TYPE_CHECKING:
    from sessionkit_review.sandbox.schema.model import Schema

Json = dict[str, Any]

# Clients know these by id.
_LOCATIONS = {
    "ce9b348f-8809-11e3-821c-20c9d081909b": "ftrack.origin",
    "cb268ecc-8809-11e3-a7e2-20c9d081909b": "ftrack.unmanaged",
    "cd41be70-8809-11e3-b98a-20c9d081909b": "ftrack.review",
    "07b82a97-8cf9-11e3-9383-20c9d081909b": "ftrack.connect",
    SERVER_LOCATION: "ftrack.server",
}
_STATES = {"Not started": "NOT_STARTED", "In progress": "IN_PROGRESS", "Done": "DONE", "Blocked": "BLOCKED"}
_STATUSES = [
    ("Not started", "#b0b6c0", "Not started"),
    ("Ready to start", "#8fa3bf", "Not started"),
    ("In progress", "#3498db", "In progress"),
    ("Pending review", "#f1c40f", "In progress"),
    ("Change requested", "#e67e22", "In progress"),
    ("Approved", "#2ecc71", "Done"),
    ("On hold", "#7f8c8d", "Blocked"),
    ("Omitted", "#34495e", "Blocked"),
]
_VERSION_STATUSES = ("Pending review", "Change requested", "Approved")
_TYPES = [
    "Generic",
    "Animation",
    "Compositing",
    "Editing",
    "FX",
    "Layout",
    "Lighting",
    "Modeling",
    "Rigging",
    "Texture",
    "Character",
    "Prop",
    "Environment",
]
_PRIORITIES = [
    ("None", "#cccccc", 0),
    ("Low", "#8fa3bf", 1),
    ("Medium", "#f1c40f", 2),
    ("High", "#e67e22", 3),
    ("Urgent", "#e74c3c", 4),
]
_ASSET_TYPES = {
    "Image Sequence": "img",
    "Geometry": "geo",
    "Compositing Script": "comp",
    "Upload": "upload",
    "Lighting": "light",
    "Animation": "anim",
    "Rig": "rig",
}
_ROLES = {
    "Administrator": "PROJECT",
    "Project Manager": "PROJECT",
    "User": "PROJECT",
    "Restricted User": "PROJECT",
    "API": "API",
    "Assigned": "ASSIGNED",
}
AUTOMATIC: Json = {"scenario": "ftrack.automatic", "data": {}}
"""Where files are kept until a studio says otherwise: each user's own way."""

_ATTRIBUTE_TYPES = ("text", "boolean", "date", "enumerator", "number", "expression")


def basics(schema: Schema) -> dict[str, list[Json]]:
    """Entities by type, in the form of a data file."""
    return {
        "Location": [
            {"id": id_, "name": name, "label": name.partition(".")[2].title()}
            for id_, name in _LOCATIONS.items()
        ],
        "ObjectType": _object_types(schema),
        "State": [{"id": known("State", n), "name": n, "short": short} for n, short in _STATES.items()],
        "Status": [
            {
                "id": known("Status", n),
                "name": n,
                "color": color,
                "sort": sort,
                "is_active": True,
                "state": _reference("State", state),
            }
            for sort, (n, color, state) in enumerate(_STATUSES)
        ],
        "Type": [{"id": known("Type", n), "name": n, "sort": sort} for sort, n in enumerate(_TYPES)],
        "Priority": [
            {"id": known("Priority", n), "name": n, "color": color, "value": value, "sort": value}
            for n, color, value in _PRIORITIES
        ],
        "AssetType": [{"id": known("AssetType", n), "name": n, "short": s} for n, s in _ASSET_TYPES.items()],
        "UserType": [{"id": known("UserType", n), "name": n} for n in ("User", "Collaborator")],
        "SecurityRole": [{"id": known("SecurityRole", n), "name": n, "type": t} for n, t in _ROLES.items()],
        "ListCategory": [{"id": known("ListCategory", n), "name": n} for n in ("Dailies", "Default")],
        "ManagerType": [{"id": known("ManagerType", n), "name": n} for n in ("Supervisor", "Producer")],
        "NoteCategory": [
            {"id": known("NoteCategory", n), "name": n, "color": "#2aa1df", "sort": sort}
            for sort, n in enumerate(("Internal", "Client feedback"))
        ],
        "NoteLabel": [
            {"id": known("NoteCategory", n), "name": n, "color": "#2aa1df", "sort": sort}
            for sort, n in enumerate(("Internal", "Client feedback"))
        ],
        "CustomAttributeType": [
            {"id": known("CustomAttributeType", n), "name": n, "core": True} for n in _ATTRIBUTE_TYPES
        ],
        "Setting": [{"name": "storage_scenario", "group": "STORAGE", "value": json.dumps(AUTOMATIC)}],
        **_workflow(),
    }


def _object_types(schema: Schema) -> list[Json]:
    """One for each kind of TypedContext, by the id that its schema gives it."""
    kinds = schema.types["TypedContext"].kinds if "TypedContext" in schema else set()
    found = {}
    for name in sorted(kinds):
        attribute = schema.types[name].attributes.get("object_type_id")
        if attribute and attribute.default:
            leaf = name in {"Task", "Milestone"}
            found[str(attribute.default)] = {
                "id": str(attribute.default),
                "name": "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name)),
                "is_leaf": leaf,
                "is_taskable": not leaf,
                "is_schedulable": name == "Task",
                "is_time_reportable": name == "Task",
            }
    return list(found.values())


def _workflow() -> dict[str, list[Json]]:
    """One project schema: which statuses, types and object types its projects use."""
    task, version = known("WorkflowSchema", "Tasks"), known("WorkflowSchema", "Versions")
    types, project = known("TaskTypeSchema", "Task types"), known("ProjectSchema", "VFX")
    shot = known("ObjectType", "Shot")
    return {
        "WorkflowSchema": [{"id": task, "name": "Tasks"}, {"id": version, "name": "Versions"}],
        "WorkflowSchemaStatus": [
            *({"workflow_schema_id": task, "status_id": known("Status", name)} for name, _, _ in _STATUSES),
            *(
                {"workflow_schema_id": version, "status_id": known("Status", name)}
                for name in _VERSION_STATUSES
            ),
        ],
        "TaskTypeSchema": [{"id": types, "name": "Task types"}],
        "TaskTypeSchemaType": [
            {"task_type_schema_id": types, "type_id": known("Type", name)} for name in _TYPES
        ],
        "ProjectSchema": [
            {
                "id": project,
                "name": "VFX",
                "task_workflow_schema_id": task,
                "asset_version_workflow_schema_id": version,
                "task_type_schema_id": types,
            }
        ],
        "ProjectSchemaObjectType": [
            {"project_schema_id": project, "object_type_id": known("ObjectType", name)}
            for name in ("Task", "Shot", "Sequence", "Episode", "Folder", "AssetBuild", "Milestone")
        ],
        "Schema": [
            {
                "id": known("Schema", "Shot"),
                "project_schema_id": project,
                "type_id": shot,
                "object_type_id": shot,
            }
        ],
        "SchemaStatus": [
            {"schema_id": known("Schema", "Shot"), "status_id": known("Status", name), "sort": sort}
            for sort, (name, _, _) in enumerate(_STATUSES)
        ],
    }


def _reference(name: str, of: str) -> Json:
    return {"__entity_type__": name, "id": known(name, of)}
