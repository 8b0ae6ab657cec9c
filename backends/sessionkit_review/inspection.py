"""Questions about entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit_review.entity import Entity
    from sessionkit_review.symbols import Symbol


def primary_key(entity: Entity) -> dict[str, str]:
    """An entity's primary key, by attribute, in order."""
    return dict(zip(entity.primary_key_attributes, entity.primary_key, strict=True))


def identity(entity: Entity) -> tuple[str, list[str]]:
    """An entity's type and the values of its primary key."""
    return entity.entity_type, list(entity.primary_key)


def state(entity: Entity) -> Symbol:
    """What the next commit does to an entity: CREATED, MODIFIED, DELETED or, for nothing, NOT_SET."""
    return entity.session.unit.state(entity)


def states(entities: Iterable[Entity]) -> list[Symbol]:
    """The state of each."""
    return [state(entity) for entity in entities]
