"""Entity types, made from the server's schema when they are first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.events import Event
from sessionkit_review.attributes import attributes_of, similar
from sessionkit_review.entity import Entity
from sessionkit_review.errors import UnknownEntityType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionkit.events import EventHub

Schema = Mapping[str, Any]

CONSTRUCT: Final = "ftrack.api.session.construct-entity-type"
"""The topic by which a plugin may put a class of its own in the place of an entity type's."""


class Factory:
    """Makes a class of a schema. Bases are the entity type's helpers."""

    def create(self, schema: Schema, bases: Sequence[type] | None = None) -> type[Entity]:
        """The class of an entity type.

        >>> class Shouting(Entity):
        ...     __slots__ = ()
        ...     def shout(self): return self["name"].upper()
        >>> StandardFactory().create(event["data"]["schema"], bases=[Shouting])

        Args:
            schema: As the server describes the type.
            bases: Classes to inherit from, besides the standard ones.

        Raises:
            UnexpectedResponse: for a schema that makes no sense.
        """
        try:
            name, keys = str(schema["id"]), tuple(map(str, schema["primary_key"]))
            namespace = {
                "__slots__": (),
                "__module__": __name__,
                "__doc__": f"{name}, as the server describes it.",
                "entity_type": name,
                "primary_key_attributes": keys,
                "default_projections": tuple(schema.get("default_projections") or keys),
                "attributes": attributes_of(schema),
                "schema": schema,
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise UnexpectedResponse(f"a schema makes no sense: {error!r}") from error
        mine = [base for base in bases or () if base is not Entity]
        parents = (*mine, *(base for base in self.bases(schema) if not _covered(base, mine)))
        return type(name, parents or (Entity,), namespace)

    def bases(self, schema: Schema) -> Sequence[type[Entity]]:  # noqa: ARG002 - a subclass looks at it
        """What an entity type inherits from."""
        return (Entity,)


def _covered(base: type, by: Sequence[type]) -> bool:
    return any(issubclass(other, base) for other in by)


class StandardFactory(Factory):
    """The factory that sessions use: gives each type the helpers that belong to it."""

    def bases(self, schema: Schema) -> Sequence[type[Entity]]:
        """The helpers of a type, by its name and by what it can carry."""
        # Imported when the first type is made: the helpers know of locations and transfers.
        from sessionkit_review.entities import helpers_of  # noqa: PLC0415

        return helpers_of(schema)


class Types(Mapping[str, type[Entity]]):
    """The entity types of a server, by name; each class is made when it is first asked for.

    >>> isinstance(entity, session.types["Task"])

    Args:
        schemas: As the server sent them.
        hub: Gives the hub where plugins may answer `CONSTRUCT`, None while there is none.

    Raises:
        UnexpectedResponse: when the schemas make no sense.
    """

    def __init__(self, schemas: Any, hub: Callable[[], EventHub | None]) -> None:
        if not isinstance(schemas, list) or not all(_makes_sense(schema) for schema in schemas):
            raise UnexpectedResponse("the server sent schemas that make no sense")
        self.schemas: list[Schema] = schemas
        self._hub = hub
        self._by_name: dict[str, Schema] = {schema["id"]: schema for schema in schemas}
        self._made: dict[str, type[Entity]] = {}

    def __getitem__(self, name: str) -> type[Entity]:
        found = self._made.get(name)
        return found if found is not None else self._make(name)

    def _make(self, name: str) -> type[Entity]:
        schema = self._by_name.get(name) if isinstance(name, str) else None
        if schema is None:
            close = similar(name, self._by_name)
            raise UnknownEntityType(
                f"the server has no entity type {name!r}", hint=f"did you mean {close!r}?" if close else ""
            )
        made = self._asked(schema) or StandardFactory().create(schema)
        # Whichever thread was first: all see one class.
        return self._made.setdefault(name, made)

    def _asked(self, schema: Schema) -> type[Entity] | None:
        """The class that a plugin makes of a schema, if one does."""
        hub = self._hub()
        if hub is None or not hub.enabled:
            return None
        event = Event(CONSTRUCT, data={"schema": schema, "schemas": self.schemas})
        answers = [each for each in hub.publish(event, synchronous=True) or () if each is not None]
        if len(answers) > 1:
            raise ConfigurationError(
                f"{len(answers)} plugins want to make the entity type {schema['id']}",
                hint="let one of them do it",
            )
        if answers and not (isinstance(answers[0], type) and issubclass(answers[0], Entity)):
            raise ConfigurationError(f"a plugin made the entity type {schema['id']} of {answers[0]!r}")
        return answers[0] if answers else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.schemas)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name


def _makes_sense(schema: Any) -> bool:
    return (
        isinstance(schema, dict)
        and isinstance(schema.get("id"), str)
        and isinstance(schema.get("primary_key"), list)
        and bool(schema["primary_key"])
        and isinstance(schema.get("properties"), dict)
        and all(isinstance(fragment, dict) for fragment in schema["properties"].values())
    )


def mixin(instance: Entity, kind: type) -> None:
    """Let one entity have the methods of `kind` too; once is enough, and twice does no harm.

    Raises:
        ConfigurationError: when `kind` has attributes of its own; write `__slots__ = ()` in it.
    """
    if isinstance(instance, kind):
        return
    old = type(instance)
    try:
        instance.__class__ = type(old.__name__, (kind, old), {"__slots__": (), "__module__": old.__module__})
    except TypeError as error:
        raise ConfigurationError(
            f"{kind.__name__} cannot be mixed into an entity", hint="give it __slots__ = ()"
        ) from error
