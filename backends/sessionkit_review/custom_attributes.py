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
    everywhere: list[Entity] = []
    particular: list[Entity] = []
    for each in entity.session.custom_attributes.all():
        fits = each["entity_type"] == kind and each["object_type_id"] in {None, object_type}
        inherited = bool(each["is_hierarchical"]) and kind in {"task", "show"}
        if fits or inherited:
            (everywhere if each["project_id"] is None else particular).append(each)
    if particular:
        # Asked only where it matters, as it may have to be loaded. What is the project's own comes before
        # what is everybody's.
        project = _project_id(entity)
        everywhere += [each for each in particular if each["project_id"] == project]
    return {each["key"]: each for each in everywhere}


def _project_id(entity: Entity) -> str | None:
    """The project that an entity belongs to: a version's is its asset's, and an asset's is its parent's."""
    if entity.entity_type == "Project":
        return entity.primary_key[0]
    if "project_id" in entity.attributes:
        return _value(entity, "project_id")
    name = next((each for each in ("asset", "parent") if each in entity.attributes), None)
    above = entity[name] if name else None
    return _project_id(above) if above else None


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
