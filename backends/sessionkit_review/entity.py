"""`Entity`: a mapping from attribute names to values, one object for each thing on the server.

An entity refers to the very dictionary that its answer was decoded into. Attributes that did not arrive
take no space; reading one of those loads it.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit_review.symbols import NOT_SET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from sessionkit_review.attributes import Attributes
    from sessionkit_review.session import ReviewSession

Key = Any
"""A primary key as entities are found by it: a string, or a tuple of strings where there are several."""


class Entity(MutableMapping[str, Any]):
    """One thing on the server: a task, a version, a note.

    >>> task = session.query("Task where name is lighting").first()
    >>> task["status"]["name"]
    'In progress'
    >>> task["description"] = "Rim light softer."
    >>> session.commit()

    Entities are made by `session.create` and by queries, never directly. Within a session each exists
    once: what is the same on the server is the same object here.

    Attributes:
        session: Whose entity it is.
        entity_type: The name of its type.
        primary_key_attributes: What identifies it, in order.
        default_projections: What the server sends when nothing else is asked for.
        attributes: All its attributes, by name.
        schema: Its type as the server describes it.
        only: Values that every entity of the type has that a client creates.
    """

    # _data: the values as they are now. _base: of those changed here, what they were; None when none is.
    # _key: the primary key. _peers: the entities of its type that arrived with it.
    __slots__ = ("__weakref__", "_base", "_data", "_key", "_peers", "session")

    entity_type: ClassVar[str] = ""
    primary_key_attributes: ClassVar[tuple[str, ...]] = ("id",)
    default_projections: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[Attributes]
    schema: ClassVar[Mapping[str, Any]]
    only: ClassVar[Mapping[str, Any]] = {}

    session: ReviewSession
    _data: dict[str, Any]
    _base: dict[str, Any] | None
    _key: Key
    _peers: list[Entity]

    def __init__(self) -> None:
        raise TypeError(f"a {type(self).__name__} is made by session.create({self.entity_type!r}, ...)")

    def __getitem__(self, name: str) -> Any:
        try:
            return self._data[name]
        except KeyError:
            return self.session.loader.read(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.session.unit.assign(self, name, value)

    def __delitem__(self, name: str) -> None:
        """Take back what was set here; what the server said counts again."""
        self.session.unit.revert(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.attributes)

    def __len__(self) -> int:
        return len(self.attributes)

    def __contains__(self, name: object) -> bool:
        return name in self.attributes

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Entity):
            return NotImplemented
        return self._key == other._key and self.entity_type == other.entity_type

    def __hash__(self) -> int:
        return hash(self._key)

    def __cache_key__(self) -> tuple[str, ...]:
        """What it is to a cache's keys: who it is, whatever its values are; nothing is loaded."""
        return self.entity_type, *self.primary_key

    def items(self) -> ItemsView[str, Any]:
        """All attributes and their values; those that are missing are loaded first, in one call."""
        self.session.loader.complete(self)
        return super().items()

    def values(self) -> ValuesView[Any]:
        """The values of all attributes; those that are missing are loaded first, in one call."""
        self.session.loader.complete(self)
        return super().values()

    def clear(self) -> None:
        """Take back everything that was set here."""
        for name in list(self._base or ()):
            del self[name]

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The values of `primary_key_attributes`."""
        return self._key if isinstance(self._key, tuple) else (self._key,)

    def __repr__(self) -> str:
        return f"<{self.entity_type}({', '.join(self.primary_key)})>"

    def __str__(self) -> str:
        return repr(self)

    def __copy__(self) -> Self:
        """Itself: an entity exists once in a session, also in copies of what refers to it."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self!r} belongs to a session and is not pickled; send its type and key, "
            "and get it with session.get() in the other process"
        )


def known(entity: Entity) -> dict[str, Any]:
    """The values that are here, without loading any."""
    return {
        name: value
        for name, value in list(entity._data.items())  # noqa: SLF001 - the package's own
        if value is not NOT_SET and name in entity.attributes
    }
