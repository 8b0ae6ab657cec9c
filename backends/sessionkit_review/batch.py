"""Recorded operations as one batch for the server: as few as will do, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_review.encoding import plain_value
from sessionkit_review.identity import as_tuple
from sessionkit_review.operations import CreateEntityOperation, DeleteEntityOperation, UpdateEntityOperation
from sessionkit_review.symbols import NOT_SET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessionkit_review.entity import Key
    from sessionkit_review.operations import Operation

Payload = dict[str, Any]


class Change:
    """One operation of a batch in the making: what is to be done to one entity."""

    __slots__ = ("action", "data", "entity_type", "key")

    def __init__(self, action: str, entity_type: str, key: Key, data: dict[str, Any]) -> None:
        self.action = action
        self.entity_type = entity_type
        self.key = key
        self.data = data

    @property
    def identity(self) -> tuple[str, Key]:
        """Which entity."""
        return (self.entity_type, self.key)

    def payload(self) -> Payload:
        """As it is sent."""
        found: Payload = {
            "action": self.action,
            "entity_type": self.entity_type,
            "entity_key": list(as_tuple(self.key)),
        }
        if self.action != "delete":
            found["entity_data"] = {"__entity_type__": self.entity_type, **self.data}
        return found


def changes_of(operations: Sequence[Operation]) -> list[Change]:
    """The changes that `operations` come to.

    What was created and deleted again is left out; of several changes of an attribute the last one counts;
    a change right after its entity's creation, or after another change of it, becomes part of that. The
    order is kept otherwise, because later operations may need what earlier ones made.

    Raises:
        ConfigurationError: when a value cannot be sent.
    """
    changes = _without_passing(map(_change, operations))
    _keep_last_values(changes)
    merged: list[Change] = []
    for change in changes:
        change.data = {name: value for name, value in change.data.items() if value is not NOT_SET}
        if change.action != "delete" and not change.data:
            continue
        before = merged[-1] if merged else None
        if change.action == "update" and before is not None and _takes(before, change):
            before.data.update(change.data)
        else:
            merged.append(change)
    for change in merged:
        change.data = {name: _sendable(change, name, value) for name, value in change.data.items()}
    return merged


def _change(operation: Operation) -> Change:
    kind, key = operation.entity_type, operation.entity_key
    if isinstance(operation, CreateEntityOperation):
        return Change("create", kind, key, dict(operation.entity_data))
    if isinstance(operation, UpdateEntityOperation):
        return Change("update", kind, key, {operation.attribute_name: operation.new_value})
    if isinstance(operation, DeleteEntityOperation):
        return Change("delete", kind, key, {})
    raise ConfigurationError(f"a {type(operation).__name__} cannot be committed")


def _without_passing(changes: Iterable[Change]) -> list[Change]:
    """Without all that concerns entities which were both created and deleted, or deleted already."""
    found: list[Change] = []
    gone: set[Any] = set()
    for change in changes:
        if change.action == "create":
            gone -= {change.identity, change.key}
        if not _concerns(change, gone):
            found.append(change)
        if change.action == "delete":
            gone |= {change.identity, change.key}
    created = {change.identity for change in found if change.action == "create"}
    passing: set[Any] = {change.identity for change in found if change.action == "delete"} & created
    passing |= {key for _, key in passing}
    return [change for change in found if not _concerns(change, passing)]


def _concerns(change: Change, entities: set[Any]) -> bool:
    """Whether it is about one of these, by identity; or about its metadata or the like, by its key."""
    parts = change.key if isinstance(change.key, tuple) else ()
    return change.identity in entities or not entities.isdisjoint(parts)


def _keep_last_values(changes: list[Change]) -> None:
    """Drop from updates what a later update sets again."""
    later: set[tuple[str, Key, str]] = set()
    for change in reversed(changes):
        if change.action != "update":
            continue
        for name in list(change.data):
            setting = (change.entity_type, change.key, name)
            if setting in later:
                del change.data[name]
            later.add(setting)


def _takes(before: Change, change: Change) -> bool:
    return before.action in {"create", "update"} and before.identity == change.identity


def _sendable(change: Change, name: str, value: Any) -> Any:
    try:
        return plain_value(value)
    except TypeError as error:
        raise ConfigurationError(f"{change.entity_type}.{name} cannot be set: {error}") from error
