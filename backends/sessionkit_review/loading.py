"""Loading what is missing: for all that arrived together at once, not for one entity after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit_review.collection import Collection, KeyValues, made_of
from sessionkit_review.entity import Entity
from sessionkit_review.expression import checked_path, criterion
from sessionkit_review.news import is_old
from sessionkit_review.symbols import CREATED, DELETED, NOT_SET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessionkit_review.attributes import Attribute
    from sessionkit_review.session import ReviewSession

# `_data`, `_key` and `_peers` of entities are the package's own.
# ruff: noqa: SLF001

CHUNK: Final = 500
"""How many entities one call loads an attribute for."""
_TRIES: Final = 5


class Loader:
    """Loads attributes of one session's entities.

    Args:
        together: Load a missing attribute also for the entities that arrived together with the one that
            is read.
    """

    def __init__(self, session: ReviewSession, *, together: bool) -> None:
        self._session = session
        self.together = together

    def read(self, entity: Entity, name: str) -> Any:
        """The value of an attribute that is not here: loaded, if it can be, else NOT_SET.

        Raises:
            UnknownAttribute: when there is no such attribute.
        """
        attribute = entity.attributes[name]
        session = self._session
        if self._exists(entity):
            if not session.flags.auto_populate:
                return NOT_SET
            if (
                session.entity_store is not None
                and session.entity_store.fetch(entity)
                and name in entity._data
            ):
                return entity._data[name]
            chunk = self._chunk(entity, [name])
            return self._load(chunk, _projections(session, attribute), [(entity, attribute)])[0]
        if attribute.kind in {"scalar", "reference"}:
            return NOT_SET  # the server may fill it in
        return self._ensure(entity, attribute)

    def renew(self, entity: Entity, name: str) -> None:
        """Load an attribute, whether it is here or not."""
        if self._exists(entity):
            self._load([entity], _projections(self._session, entity.attributes[name]))

    def complete(self, entity: Entity) -> None:
        """Load all attributes of an entity that are not here, in one call."""
        session = self._session
        missing = [each for name, each in entity.attributes.items() if name not in entity._data]
        if not missing or not session.flags.auto_populate or not self._exists(entity):
            return
        chunk = self._chunk(entity, [attribute.name for attribute in missing])
        paths = [path for attribute in missing for path in _projections(session, attribute)]
        self._load(chunk, paths, [(each, attribute) for each in chunk for attribute in missing])

    def _ensure(self, entity: Entity, attribute: Attribute) -> Any:
        """The value that came; where none did, what stands for that, so that nobody asks again."""
        empty: Any = NOT_SET
        if not attribute.is_value and attribute.kind != "reference":
            empty = made_of(entity, attribute, [])
        return entity._data.setdefault(attribute.name, empty)

    def _chunk(self, entity: Entity, names: Sequence[str]) -> list[Entity]:
        """The entity, and those of its peers that lack one of the attributes too."""
        if not self.together:
            return [entity]
        wanted = set(names)
        lacking = [peer for peer in entity._peers if peer is not entity and not peer._data.keys() >= wanted]
        if len(lacking) >= CHUNK:
            # Readers go forward: what comes next is wanted next.
            place = next((at for at, peer in enumerate(entity._peers) if peer is entity), 0)
            ahead = [peer for peer in entity._peers[place + 1 :] if not peer._data.keys() >= wanted]
            lacking = list(dict.fromkeys([*ahead, *lacking]))
        return [entity, *(peer for peer in lacking[: CHUNK - 1] if self._exists(peer))]

    def _exists(self, entity: Entity) -> bool:
        return self._session.unit.state(entity) is not CREATED

    def _load(
        self,
        entities: Sequence[Entity],
        projections: Iterable[str],
        wanted: Sequence[tuple[Entity, Attribute]] = (),
    ) -> list[Any]:
        """Load attributes of entities of one type, in one call; the values that are wanted of them."""
        session = self._session
        kind = type(entities[0])
        where = criterion(kind.primary_key_attributes, [entity._key for entity in entities])
        names = dict.fromkeys([*kind.primary_key_attributes, *projections])
        expression = f"select {', '.join(names)} from {kind.entity_type} where {where}"
        operation = {"action": "query", "expression": expression}
        for _ in range(_TRIES):
            asked = session.asked()
            session.decode_value(self._answer(operation), regroup=False, asked=asked)
            with session.unit.lock:
                if not is_old(session, asked, entities):
                    return [self._ensure(*each) for each in wanted]
        # What changes faster than it can be asked for is taken as it comes.
        with session.unit.lock:
            session.decode_value(self._answer(operation), regroup=False)
            return [self._ensure(*each) for each in wanted]

    def _answer(self, operation: dict[str, str]) -> Any:
        result = self._session.read_operations([operation])[0]
        return result.get("data") if isinstance(result, dict) else None

    def populate(self, entities: Iterable[Entity], paths: str | Sequence[str]) -> None:
        """Load attributes of many entities, in one call for each type and `CHUNK` of them.

        Entities that have them already, and those that are not on the server yet, are left out; what was
        changed here stays.

        Args:
            entities: Of whatever types.
            paths: Such as "name, status.name", or a list.
        """
        listed = paths.split(",") if isinstance(paths, str) else paths
        wanted = [checked_path(path.strip()) for path in listed]
        by_type: dict[str, list[Entity]] = {}
        for entity in dict.fromkeys(entities):
            if self._session.unit.state(entity) in {CREATED, DELETED}:
                continue
            if any(not _has(entity, path.split(".")) for path in wanted):
                by_type.setdefault(entity.entity_type, []).append(entity)
        for group in by_type.values():
            _ = [group[0].attributes[path.partition(".")[0].partition("[")[0]] for path in wanted]
            for begin in range(0, len(group), CHUNK):
                self._load(group[begin : begin + CHUNK], wanted)


def _projections(session: ReviewSession, attribute: Attribute) -> list[str]:
    """What to ask for when an attribute is read: of entities also what is shown of them by default."""
    if attribute.is_value:
        return [attribute.name]
    if attribute.kind in {"metadata", "custom_attributes"}:
        return [attribute.name, f"{attribute.name}.key", f"{attribute.name}.value"]
    if attribute.target not in session.types:
        return [attribute.name]
    target = session.types[attribute.target]
    names = dict.fromkeys([*target.primary_key_attributes, *target.default_projections])
    return [attribute.name, *(f"{attribute.name}.{name}" for name in names)]


def _has(value: Any, path: Sequence[str]) -> bool:
    """Whether all that `path` leads to is here."""
    if not path:
        return True
    if isinstance(value, KeyValues):
        value = value.collection
    if isinstance(value, Collection):
        return all(_has(item, path) for item in value)
    if not isinstance(value, Entity):
        return True
    name = path[0].partition("[")[0]
    return name in value._data and _has(value._data[name], path[1:])
