"""query, search, create, update, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.errors import invalid
from sessionkit_review.sandbox.operations.call import Call, text, texts
from sessionkit_review.sandbox.query.grammar import Combined, Compare, Exists, Literal, Path, Step, parse
from sessionkit_review.sandbox.results import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionkit_review.sandbox.query.grammar import Criteria

Json = dict[str, Any]

# Where a search looks for its words.
_SEARCHED = {
    "User": ("username", "first_name", "last_name", "email"),
    "AssetVersion": ("asset.name", "comment"),
    "Note": ("content",),
    "Project": ("name", "full_name"),
}


def query(call: Call, operation: Mapping[str, Any]) -> Json:
    """Entities, or rows of an aggregate."""
    return call.results.query(text(operation, "expression"), call.style)


def search(call: Call, operation: Mapping[str, Any]) -> Json:
    """A query narrowed to entities in which every one of some words occurs."""
    name = operation.get("entity_type") or "Task"
    expression = text(operation, "expression")
    if " from " not in f" {expression} ":
        expression = f"{expression} from {name}"
    asked = parse(expression)
    entity_type = call.storage.schema.types.get(asked.entity_type.text)
    attributes = entity_type.attributes if entity_type else {}
    parts: list[Criteria] = [asked.criteria] if asked.criteria else []
    for term in texts(operation, "terms"):
        looked_at = _SEARCHED.get(asked.entity_type.text, ("name",))
        parts.append(Combined("or", tuple(_compare(path, "like", f"%{term}%") for path in looked_at)))
    if operation.get("context_id"):
        within: list[Criteria] = [
            _compare(name, "=", str(operation["context_id"]))
            for name in ("id", "project_id", "parent_id", "context_id")
            if name in attributes
        ]
        if "ancestors" in attributes:
            same = _compare("id", "=", str(operation["context_id"]))
            within.append(Exists(_path("ancestors"), "any", same))
        parts.append(Combined("or", tuple(within)))
    if operation.get("object_type_ids"):
        wanted = tuple(Literal(item, True, 0) for item in texts(operation, "object_type_ids"))
        parts.append(Compare(_path("object_type_id"), "in", wanted))
    narrowed = replace(asked, criteria=Combined("and", tuple(parts)) if parts else None)
    return {**call.results.run(narrowed, expression, call.style), "action": "search"}


def create(call: Call, operation: Mapping[str, Any]) -> Callable[[], Json]:
    """Add an entity; the answer is made when the batch has ended."""
    name, data = text(operation, "entity_type"), _data(operation)
    call.user.check("create", name)
    entity_type, key = call.batch.create(name, {**_key_values(call, name, operation), **data})
    names = [a.name for a in entity_type.scalars if not a.restricted and a.name not in entity_type.computed]
    return lambda: _answer(call, "create", entity_type.name, key, [*names, *_references(data)])


def update(call: Call, operation: Mapping[str, Any]) -> Callable[[], Json]:
    """Change an entity; the answer is made when the batch has ended."""
    name, data = text(operation, "entity_type"), _data(operation)
    call.user.check("update", name)
    entity_type, key = call.batch.update(name, operation.get("entity_key") or (), data)
    return lambda: _answer(call, "update", entity_type.name, key, [name for name in data if name[:2] != "__"])


def delete(call: Call, operation: Mapping[str, Any]) -> Json:
    """Delete an entity and what belongs to it."""
    name = text(operation, "entity_type")
    call.user.check("delete", name)
    call.batch.delete(name, operation.get("entity_key") or ())
    return {"action": "delete", "data": True}


def _answer(call: Call, action: str, name: str, key: tuple[str, ...], names: list[str]) -> Json:
    """The entity as it is now; its key alone if a later operation deleted it."""
    entity_type = call.storage.schema.get(name)
    own = {"__entity_type__": name, **dict(zip(entity_type.primary_key, key, strict=True))}
    entity = call.results.entity(entity_type, key, names, Style()) or own
    if action == "create":
        entity = {name: value for name, value in entity.items() if value is not None}
    return {"action": action, "data": {**own, **entity}}


def _references(data: Mapping[str, Any]) -> list[str]:
    return [name for name, value in data.items() if isinstance(value, dict) and "__entity_type__" in value]


def _data(operation: Mapping[str, Any]) -> Json:
    data = operation.get("entity_data")
    if not isinstance(data, dict):
        raise invalid(f"{operation.get('action')}: entity_data must be an object, not {data!r}.")
    return data


def _key_values(call: Call, name: str, operation: Mapping[str, Any]) -> Json:
    """The primary key that stands beside the data."""
    key = operation.get("entity_key")
    if isinstance(key, list) and name in call.storage.schema:
        keys = call.storage.schema.get(name).primary_key
        return dict(zip(keys, key, strict=False)) if len(keys) == len(key) else {}
    return {}


def _path(dotted: str) -> Path:
    return Path(tuple(Step(name) for name in dotted.split(".")), 0)


def _compare(dotted: str, operator: str, value: str) -> Compare:
    return Compare(_path(dotted), operator, (Literal(value, True, 0),))
