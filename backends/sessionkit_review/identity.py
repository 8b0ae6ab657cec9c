"""The identity map: what is the same on the server is one object here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionkit_review.entity import Entity, Key

Identity = tuple[str, tuple[str, ...]]
"""An entity's type and the values of its primary key."""


class EntityMap:
    """The entities of a session, by type and primary key.

    >>> session.entities.get("Task", task_id) is task
    True
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[Key, Entity]] = {}

    def table(self, entity_type: str) -> dict[Key, Entity]:
        """The entities of one type by key; the very dictionary, which others fill."""
        return self._tables.setdefault(entity_type, {})

    def get(self, entity_type: str, key: Any) -> Entity | None:
        """The entity of that type and key, if it is here.

        Args:
            entity_type: Its type.
            key: A string, or a sequence of strings.
        """
        table = self._tables.get(entity_type)
        return table.get(as_key(key)) if table else None

    def find(self, identifier: str, entity_types: Iterable[str] | None = None) -> list[Entity]:
        """The entities with that single key, among all types or some."""
        tables = self._tables.values() if entity_types is None else map(self.table, entity_types)
        return [found for table in list(tables) if (found := table.get(identifier)) is not None]

    def add(self, entity: Entity) -> Entity:
        """Enter an entity; returns the one that was there before, if there was."""
        return self.table(entity.entity_type).setdefault(entity._key, entity)  # noqa: SLF001 - the package's own

    def discard(self, entity: Entity) -> None:
        """Forget an entity; those who hold it still have it."""
        self.table(entity.entity_type).pop(entity._key, None)  # noqa: SLF001 - the package's own

    def clear(self) -> None:
        """Forget all."""
        for table in self._tables.values():
            table.clear()

    def __iter__(self) -> Iterator[Entity]:
        for table in list(self._tables.values()):
            yield from list(table.values())

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables.values())

    def __contains__(self, entity: object) -> bool:
        kind, key = getattr(entity, "entity_type", None), getattr(entity, "_key", None)
        return isinstance(kind, str) and self._tables.get(kind, {}).get(key) is entity


def as_key(key: Any) -> Key:
    """A primary key in the form in which entities are found by it."""
    if isinstance(key, str):
        return key
    if isinstance(key, (list, tuple)):
        return str(key[0]) if len(key) == 1 else tuple(map(str, key))
    return str(key)


def as_tuple(key: Key) -> tuple[str, ...]:
    """A primary key's values."""
    return key if isinstance(key, tuple) else (key,)
