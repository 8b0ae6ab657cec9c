"""Helpers that belong to entity types: what a version, a user or a note can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_review.entity import Entity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def helpers_of(schema: Mapping[str, Any]) -> Sequence[type[Entity]]:  # noqa: ARG001
    """The helper classes of an entity type, the most particular first."""
    return (Entity,)
