"""What the service tells of itself: information, schemas, permissions, widgets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sessionkit_review.sandbox.basics import AUTOMATIC
from sessionkit_review.sandbox.operations.call import Call, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

VERSION = "4.13.8"


def server_information(call: Call, operation: Mapping[str, Any]) -> Json:
    """Version, schema hash and settings; only the named ones when `values` lists names."""
    found: Json = {
        "version": VERSION,
        "schema_hash": call.storage.schema.hash,
        "is_timezone_support_enabled": True,
        "is_nested_subqueries_enabled": True,
        "storage_scenario": _storage_scenario(call),
        "user_information": {
            "id": call.user.id,
            "username": call.user.username,
            "is_global_access_key": False,
            "restricted_user": False,
        },
        "company_information": {"name": "Tern Studio", "logo_url": None},
        "preferred_language": "en",
        "week_startday": 1,
        "workday_length": 28800,
        "display_week_numbers": True,
        "default_colors": ["#fd3995", "#ff5b36", "#ffb21e", "#8bc34a", "#1cbc90", "#2aa1df"],
        "license": ["sandbox"],
        "product": {"name": "sessionkit sandbox"},
        **call.information,
    }
    wanted = texts(operation, "values")
    return {name: found[name] for name in wanted if name in found} if wanted else found


def _storage_scenario(call: Call) -> Json:
    """Where files are kept, as the administrators' setting has it."""
    if "Setting" not in call.storage.schema:
        return AUTOMATIC
    row = call.storage.db.execute(
        "SELECT value FROM review_Setting WHERE name = 'storage_scenario' AND \"group\" = 'STORAGE'"
    ).fetchone()
    try:
        found = json.loads(row[0]) if row is not None else None
    except (TypeError, ValueError):
        found = None
    return found if isinstance(found, dict) else AUTOMATIC


def schemas(call: Call, _: Mapping[str, Any]) -> list[Json]:
    """The schemas of all entity types."""
    return call.storage.schema.raw


def permissions(call: Call, _: Mapping[str, Any]) -> Json:
    """What the user may do, by entity type."""
    allowed = {
        name: {action: call.user.may(action, name) for action in ("create", "update", "delete")}
        for name in call.storage.schema.types
    }
    return {"action": "permissions", "data": {"roles": sorted(call.user.roles), "entity_types": allowed}}


def compute_rollups(call: Call, operation: Mapping[str, Any]) -> Json:
    """Bid and logged time of contexts with all that is below them, in seconds."""
    data = []
    for context_id in texts(operation, "context_ids"):
        row = call.storage.db.execute(
            "SELECT coalesce(sum(c.bid), 0), coalesce(sum((SELECT sum(l.duration) FROM review_Timelog l "
            "WHERE l.context_id = c.id)), 0) FROM review__tree x "
            "JOIN review_Context c ON c.id = x.descendant "
            "WHERE x.ancestor = ?",
            (context_id,),
        ).fetchone()
        data.append({"context_id": context_id, "bid": row[0], "time_logged": row[1]})
    return {"action": "compute_rollups", "data": data}


def widget_url(call: Call, operation: Mapping[str, Any]) -> Json:
    """Where a page of the web interface is shown, signed in as the user."""
    query = {"view": text(operation, "name"), "theme": operation.get("theme") or "light"}
    if operation.get("entity_type"):
        key = operation.get("entity_key") or []
        query["entityType"] = str(operation["entity_type"])
        query["entityId"] = ",".join(map(str, key)) if isinstance(key, list) else str(key)
    return {
        "action": "get_widget_url",
        "widget_url": f"{call.host.url}/widget?{urlencode(query, errors='replace')}",
    }
