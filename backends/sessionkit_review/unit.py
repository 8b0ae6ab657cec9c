"""The unit of work: what was changed here and not committed yet.

Everything costs what changed, never what is cached: the entities with changes are kept in a list of their
own, each with the values that it had before.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_review.collection import Collection, KeyValues, checked, made_of
from sessionkit_review.entity import Entity
from sessionkit_review.errors import ImmutableAttribute, InvalidState
from sessionkit_review.identity import as_key
from sessionkit_review.operations import (
    CreateEntityOperation,
    DeleteEntityOperation,
    Operation,
    Operations,
    UpdateEntityOperation,
)
from sessionkit_review.symbols import CREATED, DELETED, NOT_SET, Symbol
from sessionkit_review.values import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_review.attributes import Attribute
    from sessionkit_review.session import ReviewSession

# `_data`, `_base`, `_key` and `_peers` of entities are the package's own.
# ruff: noqa: SLF001


class UnitOfWork:
    """One session's changes.

    Attributes:
        lock: Held while entities change, by whichever thread: for moments, never while something is sent.
        operations: What was recorded.
    """

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self.lock = threading.RLock()
        self.operations = Operations()
        self._changed: dict[int, Entity] = {}

    # --- recording ---

    def create(self, kind: type[Entity], data: Mapping[str, Any], *, reconstructing: bool) -> Entity:
        """A new entity; with `reconstructing`, one that the server has already."""
        given = {name: plain(value) for name, value in data.items()}
        attributes = {name: kind.attributes[name] for name in given}
        if not reconstructing:
            for name, value in kind.only.items():
                if given.setdefault(name, value) != value:
                    raise ConfigurationError(f"the {name} of a new {kind.entity_type} is {value!r}")
            for name, attribute in kind.attributes.items():
                if attribute.default is not None and given.get(name, NOT_SET) is NOT_SET:
                    given[name] = attribute.make_default()
        missing = [
            name for name in kind.primary_key_attributes if not isinstance(given.get(name), (str, int))
        ]
        if missing:
            raise ConfigurationError(
                f"a {kind.entity_type} needs {' and '.join(missing)}", hint="they are its primary key"
            )
        given.update({name: str(given[name]) for name in kind.primary_key_attributes})
        later = {
            name: given.pop(name)
            for name, attribute in attributes.items()
            if attribute.kind in {"metadata", "custom_attributes"}
        }
        with self.lock:
            before = len(self.operations)
            entity = self._enter(kind, given, new=not reconstructing)
            try:
                for name, value in later.items():
                    self.assign(entity, name, value)
            except BaseException:
                if not reconstructing:
                    self._undo_creation(entity, before)
                raise
        return entity

    def _undo_creation(self, entity: Entity, before: int) -> None:
        """Take back an entity that could not be made completely, and what was recorded since."""
        since = list(self.operations)[before:]
        self.operations.discard(since)
        created = [each.identity for each in since if each.state is CREATED]
        for each in (entity, *(self._session.entities.get(*identity) for identity in created)):
            if each is not None:
                self.withdraw(each)

    def _enter(self, kind: type[Entity], values: dict[str, Any], *, new: bool) -> Entity:
        entity: Entity = object.__new__(kind)
        entity.session = self._session
        entity._key = as_key([values[name] for name in kind.primary_key_attributes])
        entity._peers = [entity]
        entity._base = dict.fromkeys(values, NOT_SET) if new else None
        entity._data = dict(values)
        for name, value in values.items():
            if kind.attributes[name].kind == "collection":
                items = checked(kind.attributes[name], value)
                entity._data[name], values[name] = made_of(entity, kind.attributes[name], items), items
        there = self._session.entities.add(entity)
        if there is not entity:
            if new:
                raise InvalidState(f"{there!r} is here already", hint="create it with another primary key")
            _take_in(there, entity)
            return there
        if new:
            self._changed[id(entity)] = entity
            if self._session.flags.record_operations:
                self.operations.push(CreateEntityOperation(kind.entity_type, entity._key, values))
        return entity

    def assign(self, entity: Entity, name: str, value: Any) -> None:
        """Set an attribute, and record it.

        Raises:
            UnknownAttribute, ImmutableAttribute, ConfigurationError, DuplicateItem: when it cannot be set so.
        """
        attribute = entity.attributes[name]
        if attribute.kind in {"metadata", "custom_attributes"}:
            proxy: KeyValues = entity[name]
            if value is not proxy:
                proxy.replace(value)
            return
        if not attribute.mutable:
            raise ImmutableAttribute(f"{entity.entity_type}.{name} cannot be changed once it exists")
        if attribute.kind == "collection":
            self._assign_items(entity, attribute, value)
            return
        new = plain(value)
        with self.lock:
            old = entity._data.get(name, NOT_SET)
            self._note(entity, name, old)
            entity._data[name] = new
            self._record(entity, name, old, new)

    def _assign_items(self, entity: Entity, attribute: Attribute, value: Any) -> None:
        items = checked(attribute, value)
        with self.lock:
            collection = entity._data.get(attribute.name, NOT_SET)
            if not isinstance(collection, Collection):
                collection = Collection(entity, attribute, [])
                old: Any = NOT_SET
            else:
                old = list(collection)
            self._note(entity, attribute.name, old)
            collection.replace_items(items)
            entity._data[attribute.name] = collection
            self._record(entity, attribute.name, old, list(items))

    def _note(self, entity: Entity, name: str, old: Any) -> None:
        """Remember what an attribute was before its first change."""
        if entity._base is None:
            entity._base = {}
        entity._base.setdefault(name, old)
        self._changed[id(entity)] = entity

    def _record(self, entity: Entity, name: str, old: Any, new: Any) -> None:
        if self._session.flags.record_operations:
            self.operations.push(UpdateEntityOperation(entity.entity_type, entity._key, name, old, new))

    def delete(self, entity: Entity) -> None:
        """Record that an entity is to be deleted."""
        if self._session.flags.record_operations:
            with self.lock:
                self.operations.push(DeleteEntityOperation(entity.entity_type, entity._key))

    def withdraw(self, entity: Entity) -> None:
        """Take back an entity's creation, and all that was recorded for it."""
        with self.lock:
            identity = (entity.entity_type, entity._key)
            self.operations.discard([each for each in self.operations if each.identity == identity])
            self._session.entities.discard(entity)
            self._changed.pop(id(entity), None)

    def undelete(self, entity: Entity) -> None:
        """Take back an entity's deletion, which has not been committed."""
        with self.lock:
            identity = (entity.entity_type, entity._key)
            self.operations.discard(
                [each for each in self.operations if each.state is DELETED and each.identity == identity]
            )

    # --- looking ---

    def state(self, entity: Entity) -> Symbol:
        """CREATED, MODIFIED, DELETED or NOT_SET."""
        return self.operations.state(entity.entity_type, entity._key)

    def in_state(self, state: Symbol) -> list[Entity]:
        """The entities in a state, in the order in which they came into it."""
        found = [
            self._session.entities.get(*identity)
            for identity, each in self.operations.states().items()
            if each is state
        ]
        return [entity for entity in found if entity is not None]

    def snapshot(self) -> list[Operation]:
        """What has been recorded up to now."""
        with self.lock:
            return list(self.operations)

    # --- taking back ---

    def revert(self, entity: Entity, name: str) -> None:
        """Take back what was set on one attribute, and its recorded changes."""
        _ = entity.attributes[name]
        with self.lock:
            if entity._base is None or name not in entity._base or _is_new(entity):
                return
            identity = (entity.entity_type, entity._key)
            self.operations.discard(
                [
                    each
                    for each in self.operations
                    if isinstance(each, UpdateEntityOperation)
                    and each.identity == identity
                    and each.attribute_name == name
                ]
            )
            self._restore(entity, name)
            self._tidy(entity)

    def rollback(self) -> None:
        """Take back everything; what was created here is no longer part of the session."""
        with self.lock:
            for entity in list(self._changed.values()):
                if _is_new(entity):
                    self._session.entities.discard(entity)
                    continue
                for name in list(entity._base or ()):
                    self._restore(entity, name)
                entity._base = None
            self._changed.clear()
            self.operations.clear()

    def _restore(self, entity: Entity, name: str) -> None:
        assert entity._base is not None
        before = entity._base.pop(name)
        now = entity._data.get(name)
        if before is NOT_SET:
            entity._data.pop(name, None)
        elif isinstance(now, Collection):
            now.replace_items(list(before))
        else:
            entity._data[name] = before

    def _tidy(self, entity: Entity) -> None:
        if not entity._base:
            entity._base = None
            self._changed.pop(id(entity), None)

    # --- after a commit ---

    def settle(self, done: list[Operation]) -> list[Entity]:
        """Take the oldest operations as carried out; returns the entities that were deleted.

        What was recorded after them stays: an attribute that has been changed again since keeps its change,
        and what was committed is what that change is compared with.
        """
        with self.lock:
            self.operations.discard(done)
            since: dict[tuple[Any, ...], Any] = {}
            for operation in self.operations:
                if isinstance(operation, UpdateEntityOperation):
                    since.setdefault((*operation.identity, operation.attribute_name), operation.old_value)
            deleted = []
            for operation in done:
                entity = self._session.entities.get(operation.entity_type, operation.entity_key)
                if entity is None:
                    continue
                if isinstance(operation, DeleteEntityOperation):
                    self._forget(entity)
                    deleted.append(entity)
                else:
                    self._settle(entity, operation, since)
            return deleted

    def _settle(self, entity: Entity, operation: Operation, since: Mapping[tuple[Any, ...], Any]) -> None:
        if entity._base is None:
            return
        if isinstance(operation, UpdateEntityOperation):
            names = [operation.attribute_name]
        else:
            self.expire_collections(entity)  # of what was new they were empty; the server knows better
            names = list(entity._base)
        for name in names:
            _drop_partner(entity, name)
            again = (*operation.identity, name)
            if again in since:
                entity._base[name] = since[again]
            else:
                entity._base.pop(name, None)
        self._tidy(entity)

    def _forget(self, entity: Entity) -> None:
        entity._base = None
        self._changed.pop(id(entity), None)
        self._session.entities.discard(entity)
        for name, attribute in entity.attributes.items():
            # What was deleted is no longer an item of those it is known to belong to.
            owner = entity._data.get(name) if attribute.kind == "reference" else None
            if isinstance(owner, Entity):
                _remove_from(owner, entity)

    def expire(self, entity: Entity) -> None:
        """Forget what the server said of an entity; it is asked again when somebody reads."""
        with self.lock:
            keep = {*entity.primary_key_attributes, *(entity._base or ())}
            waiting = {
                name: value
                for name, value in entity._data.items()
                if isinstance(value, KeyValues) and any(self.state(each) for each in value.collection)
            }
            for value in waiting.values():
                value.stale = True
            entity._data = {n: v for n, v in entity._data.items() if n in keep or n in waiting}
            if entity._base and not _is_new(entity):
                entity._base = dict.fromkeys(entity._base, NOT_SET)

    def expire_collections(self, entity: Entity) -> None:
        """Forget which entities belong to this one, where that was not changed here."""
        with self.lock:
            kept = entity._base or {}
            entity._data = {
                name: value
                for name, value in entity._data.items()
                if not isinstance(value, Collection) or name in kept
            }


def _is_new(entity: Entity) -> bool:
    """Whether it was created here and has not been committed: then its very key was set here."""
    return entity._base is not None and all(name in entity._base for name in entity.primary_key_attributes)


def _drop_partner(entity: Entity, name: str) -> None:
    """Forget `status_id` when `status` was committed, and the other way round."""
    partner = name[:-3] if name.endswith("_id") else f"{name}_id"
    kinds = {entity.attributes[each].kind for each in (name, partner) if each in entity.attributes}
    if "reference" in kinds and partner not in (entity._base or {}):
        entity._data.pop(partner, None)


def _remove_from(owner: Entity, item: Entity) -> None:
    for value in list(owner._data.values()):
        held = value.collection if isinstance(value, KeyValues) else value
        if isinstance(held, Collection) and item in held:
            held.replace_items([each for each in held if each is not item])


def _take_in(entity: Entity, other: Entity) -> None:
    """Give an entity the values of another one of the same identity, below what was changed here."""
    base = entity._base or {}
    for name, arrived in other._data.items():
        value = arrived
        if isinstance(arrived, Collection):
            value = Collection(entity, arrived.attribute, list(arrived))
        if name in base:
            base[name] = value
        else:
            entity._data[name] = value
