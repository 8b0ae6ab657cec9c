"""Helpers that belong to entity types: what a version, a user or a note can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit_review.entities.media import AssetVersion, Component
from sessionkit_review.entities.notes import CreateNoteMixin, Note
from sessionkit_review.entities.people import User
from sessionkit_review.entities.production import CreateThumbnailMixin, Job, ProjectSchema
from sessionkit_review.entity import Entity
from sessionkit_review.locations.location import Location

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BY_NAME: Final[dict[str, type[Entity]]] = {
    "AssetVersion": AssetVersion,
    "Job": Job,
    "Location": Location,
    "Note": Note,
    "ProjectSchema": ProjectSchema,
    "User": User,
}
_BY_ATTRIBUTE: Final[dict[str, type[Entity]]] = {
    "notes": CreateNoteMixin,
    "thumbnail_id": CreateThumbnailMixin,
}


def helpers_of(schema: Mapping[str, Any]) -> Sequence[type[Entity]]:
    """The helper classes of an entity type, the most particular first."""
    name, properties = str(schema["id"]), schema["properties"]
    own = Component if name.endswith("Component") and "system_type" in properties else _BY_NAME.get(name)
    found = [] if own is None else [own]
    found += [helper for attribute, helper in _BY_ATTRIBUTE.items() if attribute in properties]
    return found or [Entity]
