"""Which custom attributes a studio has configured, and to what they apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionkit_review.core import ReviewCore
    from sessionkit_review.entity import Entity

_QUERY = (
    "select id, key, default, entity_type, object_type_id, project_id, is_hierarchical "
    "from CustomAttributeConfiguration"
)


class Configurations:
    """The configurations of one session's server, asked for when the first is needed."""

    def __init__(self, session: ReviewCore) -> None:
        self._session = session
        self._all: list[Entity] | None = None

    def all(self) -> list[Entity]:
        """Every configuration."""
        if self._all is None:
            self._all = self._session.query(_QUERY).all()
        return self._all

    def clear(self) -> None:
        """Ask again the next time."""
        self._all = None


def configurations_of(entity: Entity) -> dict[str, Entity]:
    """The configurations that apply to an entity, by key."""
    kind, object_type = _kind(entity), _value(entity, "object_type_id")
    project = _value(entity, "project_id")
    found: dict[str, Entity] = {}
    for each in entity.session.custom_attributes.all():
        fits = each["entity_type"] == kind and each["object_type_id"] in {None, object_type}
        inherited = bool(each["is_hierarchical"]) and kind in {"task", "show"}
        if (fits or inherited) and each["project_id"] in {None, project}:
            found[each["key"]] = each
    return found


def _value(entity: Entity, name: str) -> str | None:
    value = entity[name] if name in entity.attributes else None
    return value if isinstance(value, str) else None


def _kind(entity: Entity) -> str:
    """How configurations name the type of an entity."""
    if "object_type_id" in entity.attributes:
        return "task"
    if entity.entity_type == "Project":
        return "show"
    return "list" if entity.entity_type.endswith("List") else entity.entity_type.lower()
