"""Entities in an entity: lists, texts by key (metadata), values by key (custom attributes)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import TYPE_CHECKING, Any, overload

from sessionkit.errors import ConfigurationError
from sessionkit_review.custom_attributes import configurations_of
from sessionkit_review.entity import Entity
from sessionkit_review.errors import DuplicateItem, UnknownAttribute
from sessionkit_review.symbols import CREATED, DELETED, NOT_SET

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_review.attributes import Attribute


class Collection(MutableSequence[Entity]):
    """The entities of one attribute, in order, each once. Changing it records a change of its owner.

    >>> version["uses_versions"].append(other_version)
    >>> session.commit()
    """

    __slots__ = ("_items", "attribute", "entity")

    def __init__(self, entity: Entity, attribute: Attribute, items: list[Entity]) -> None:
        self.entity = entity
        self.attribute = attribute
        self._items = items

    def replace_items(self, items: list[Entity]) -> None:
        """Hold other entities, because the server said so."""
        self._items = items

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entity]: ...
    def __getitem__(self, index: int | slice) -> Entity | list[Entity]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._items)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._change(lambda items: items.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._change(lambda items: items.__delitem__(index))

    def insert(self, index: int, value: Entity) -> None:
        """Put `value` before position `index`.

        Raises:
            DuplicateItem: when it is in the collection already.
            ConfigurationError: when it is no entity.
        """
        self._change(lambda items: items.insert(index, value))

    def extend(self, values: Iterable[Entity]) -> None:
        """Append several; recorded as one change."""
        added = list(values)
        self._change(lambda items: items.extend(added))

    def _change(self, edit: Callable[[list[Entity]], None]) -> None:
        with self.entity.session.unit.lock:
            edited = list(self._items)
            edit(edited)
            self.entity.session.unit.assign(self.entity, self.attribute.name, edited)

    def __eq__(self, other: object) -> bool:
        """Whether the other holds the same entities, in whatever order."""
        if not isinstance(other, (Collection, list)):
            return NotImplemented
        others = list(other)
        return len(others) == len(self._items) and set(others) == set(self._items)

    __hash__ = None  # type: ignore[assignment]  # its content changes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._items!r}>"


def checked(attribute: Attribute, items: Iterable[Any] | None) -> list[Entity]:
    """`items` as a collection may hold them; none for None.

    Raises:
        DuplicateItem, ConfigurationError: when it may not.
    """
    if items is None:
        return []
    if isinstance(items, (str, Mapping)) or not isinstance(items, Iterable):
        raise ConfigurationError(f"{attribute.name} takes entities, not a {type(items).__name__}")
    found = list(items)
    strangers = [item for item in found if not isinstance(item, Entity)]
    if strangers:
        raise ConfigurationError(f"{attribute.name} holds entities, not a {type(strangers[0]).__name__}")
    if len(set(found)) != len(found):
        raise DuplicateItem(f"{attribute.name} holds each entity once")
    return found


class KeyValues(MutableMapping[str, Any]):
    """Values by key, each kept by the server as an entity of its own: the base of the two kinds."""

    # stale: Read again before it is used; it is kept because some of it waits to be committed.
    __slots__ = ("attribute", "collection", "entity", "stale")

    def __init__(self, entity: Entity, attribute: Attribute, items: list[Entity]) -> None:
        self.entity = entity
        self.attribute = attribute
        self.stale = False
        self.collection = Collection(entity, attribute, items)

    def replace_items(self, items: list[Entity]) -> None:
        """Hold other entities, because the server said so; what waits to be committed stays."""
        waiting = [item for item in self.collection if self._state(item) is CREATED]
        self.collection.replace_items([*items, *(item for item in waiting if item not in items)])

    def _state(self, item: Entity) -> Any:
        return self.entity.session.unit.state(item)

    def _there(self) -> list[Entity]:
        if self.stale and self.entity.session.flags.auto_populate:
            self.entity.session.loader.renew(self.entity, self.attribute.name)
            self.stale = False
        return self.known_items()

    def known_items(self) -> list[Entity]:
        """The entities of the values that are here, without loading any."""
        # What was deleted, or created and taken back, is no longer among the session's entities.
        here = self.entity.session.entities
        return [item for item in self.collection if item in here and self._state(item) is not DELETED]

    def _items(self) -> dict[str, Entity]:
        return {self._name(item): item for item in self._there()}

    def _name(self, item: Entity) -> str:
        return str(item["key"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def __len__(self) -> int:
        return len(self._items())

    def replace(self, values: Mapping[str, Any] | None) -> None:
        """Have exactly these; none for None.

        Raises:
            ConfigurationError: when `values` is no mapping.
        """
        wanted = {} if values is None else values
        if not isinstance(wanted, Mapping):
            raise ConfigurationError(f"{self.attribute.name} takes a mapping, not a {type(values).__name__}")
        wanted = {str(name): value for name, value in wanted.items()}
        for name in [name for name in self if name not in wanted]:
            del self[name]
        self.update(wanted)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict(self)!r}>"


class Metadata(KeyValues):
    """An entity's metadata: texts by key, which is a text itself: 1001 and "1001" are the same.

    >>> project["metadata"]["frame_rate"] = "24"
    >>> del project["metadata"]["resolution"]
    >>> project["metadata"] = {"frame_rate": "25"}          # exactly this
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return self._items()[str(key)]["value"]

    def __setitem__(self, key: str, value: Any) -> None:
        unit, owner, key = self.entity.session.unit, self.entity, str(key)
        self._items()  # whatever has to be loaded is loaded before the lock is taken
        with unit.lock:
            known = self._items().get(key)
            if known is not None:
                known["value"] = value
                return
            data = {"key": key, "value": value, "parent_id": owner.primary_key[0]}
            data["parent_type"] = owner.entity_type
            item = owner.session.entities.get("Metadata", (data["parent_id"], key))
            if item is not None and unit.state(item) is DELETED:
                # Deleted and set again before a commit: the same entity gets another value.
                unit.undelete(item)
                item["value"] = value
            else:
                if item is not None:
                    owner.session.entities.discard(item)  # somebody else has deleted it since
                item = owner.session.create("Metadata", data)
            if item not in self.collection:
                self.collection.replace_items([*self.collection, item])

    def __delitem__(self, key: str) -> None:
        session = self.entity.session
        item = self._items()[str(key)]
        with session.unit.lock:
            if session.unit.state(item) is CREATED:
                self.collection.replace_items([each for each in self.collection if each is not item])
            session.delete(item)


class CustomAttributes(KeyValues):
    """An entity's custom attributes: values by key, for every attribute that the studio has configured.

    >>> shot["custom_attributes"]["fstart"] = 1009
    >>> shot["custom_attributes"]["client_note"]
    ''

    One that has no value yet has its configuration's default.
    """

    # sparse: The server has not sent one for each configuration yet; those that are here were set here.
    __slots__ = ("sparse",)

    def __init__(self, entity: Entity, attribute: Attribute, items: list[Entity]) -> None:
        super().__init__(entity, attribute, items)
        self.sparse = not items

    def replace_items(self, items: list[Entity]) -> None:
        """See `KeyValues`."""
        super().replace_items(items)
        self.sparse = not items

    def _items(self) -> dict[str, Entity]:
        found: dict[str, Entity] = {}
        for item in self._there():
            name = self._name(item)
            # A project may have an attribute of its own beside everybody's of the same name.
            if name not in found or item["configuration_id"] == self._configuration(name)["id"]:
                found[name] = item
        return found

    def _name(self, item: Entity) -> str:
        name = item["key"]
        return str(name) if name is not NOT_SET else str(item["configuration"]["key"])

    def _configurations(self) -> dict[str, Entity]:
        """The configurations that apply to the owner, by key."""
        return configurations_of(self.entity)

    def __iter__(self) -> Iterator[str]:
        # The server sends one for each configuration; before it did, the configurations tell the names.
        found = self._items()
        return iter(dict.fromkeys([*self._configurations(), *found]) if self.sparse else found)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, key: str) -> Any:
        found = self._items().get(key)
        return found["value"] if found is not None else self._configuration(key)["default"]

    def __setitem__(self, key: str, value: Any) -> None:
        item = self._items().get(key)
        if item is None:
            item = self._item(self._configuration(key))
        item["value"] = value

    def __delitem__(self, key: str) -> None:
        """Give it its default again; the attribute itself stays."""
        self[key] = self._configuration(key)["default"]

    def clear(self) -> None:
        """Give each its default again."""
        for key in list(self):
            del self[key]

    def _item(self, configuration: Entity) -> Entity:
        """The value's entity, which exists for every configuration as soon as its owner does."""
        session, owner = self.entity.session, self.entity
        data = {
            "configuration_id": configuration["id"],
            "entity_id": owner.primary_key[0],
            "key": configuration["key"],
            "value": configuration["default"],
        }
        with session.unit.lock:
            known = session.entities.get(self.attribute.target, (configuration["id"], owner.primary_key[0]))
            item = known or session.create(self.attribute.target, data, reconstructing=True)
            if item not in self.collection:
                self.collection.replace_items([*self.collection, item])
        return item

    def _configuration(self, key: str) -> Entity:
        configurations = self._configurations()
        if key not in configurations:
            raise UnknownAttribute(
                f"{self.entity.entity_type} has no custom attribute {key!r}",
                hint=f"there are: {', '.join(sorted(configurations)) or 'none'}",
            )
        return configurations[key]


_KINDS: dict[str, Any] = {
    "collection": Collection,
    "metadata": Metadata,
    "custom_attributes": CustomAttributes,
}


def made_of(entity: Entity, attribute: Attribute, items: list[Entity]) -> Collection | KeyValues:
    """What an attribute that holds entities holds."""
    found: Collection | KeyValues = _KINDS[attribute.kind](entity, attribute, items)
    return found
