"""From the server's JSON to entities, in one walk.

Each JSON object that is an entity becomes the data of the entity of that identity, which is made if it is
not there yet. An answer may write an entity out once and only refer to it elsewhere: everything that
arrives of one identity ends up in one object, in whatever order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import SessionKitError, UnexpectedResponse
from sessionkit_review.collection import Collection, KeyValues, made_of
from sessionkit_review.news import catch_up
from sessionkit_review.values import instant

if TYPE_CHECKING:
    from sessionkit_review.entity import Entity, Key
    from sessionkit_review.news import Asked
    from sessionkit_review.session import ReviewSession

# `_data`, `_base`, `_key` and `_peers` of entities are the package's own.
# ruff: noqa: SLF001

_PRIMITIVES = {"datetime": instant, "date": instant}
_new = object.__new__


class Kind:
    """What the walk must know of an entity type, looked up once."""

    __slots__ = ("collections", "key", "keys", "kind", "table")

    def __init__(self, kind: type[Entity], table: dict[Key, Entity]) -> None:
        self.kind = kind
        self.keys = kind.primary_key_attributes
        self.key = self.keys[0] if len(self.keys) == 1 else None
        self.collections = frozenset(
            name
            for name, attribute in kind.attributes.items()
            if attribute.kind not in {"scalar", "reference"}
        )
        self.table = table


class Decoder:
    """Turns what a session receives into entities of its identity map."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._kinds: dict[str, Kind] = {}

    def decode(self, value: Any, *, regroup: bool = True, asked: Asked | None = None) -> Any:
        """`value`, as JSON gave it, with entities and dates in the place of what stands for them.

        Lists and dictionaries are changed in place. With `regroup`, what arrives together becomes peers;
        without, entities that are known keep those they have. What was `asked` of the server goes into the
        session's cache too, and what has changed since then is forgotten again.

        Raises:
            UnexpectedResponse: when it makes no sense.
            UnknownEntityType: when it holds an entity of a type that is not in the schema.
        """
        session = self._session
        _ = session.types  # loaded before the lock is taken
        try:
            with session.unit.lock:
                walk = _Walk(session, self._kinds, regroup=regroup)
                decoded = walk.value(value)
                if asked is not None:
                    catch_up(session, asked)
        except SessionKitError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            raise UnexpectedResponse(
                f"the server's answer makes no sense: {type(error).__name__}: {error}",
                hint="see what came back with session.call() and history=1",
            ) from error
        if asked is not None and session.entity_store is not None:
            session.entity_store.keep(walk.arrived(), asked.epoch)
        return decoded


class _Walk:
    """One answer on its way. What arrives together of one type are peers: they are loaded together later."""

    __slots__ = ("_kinds", "_peers", "_regroup", "_session")

    def __init__(self, session: ReviewSession, kinds: dict[str, Kind], *, regroup: bool) -> None:
        self._session = session
        self._kinds = kinds
        self._regroup = regroup
        self._peers: dict[str, list[Entity]] = {}

    def arrived(self) -> list[Entity]:
        """The entities of the answer."""
        return [entity for peers in self._peers.values() for entity in peers]

    def value(self, value: Any) -> Any:
        """Any value."""
        if value.__class__ is dict:
            return self._object(value)
        if value.__class__ is list:
            for index, item in enumerate(value):
                if item.__class__ is dict or item.__class__ is list:
                    value[index] = self.value(item)
        return value

    def _object(self, raw: dict[str, Any]) -> Any:
        if "__entity_type__" in raw:
            return self._entity(raw)
        primitive = raw.get("__type__")
        if primitive is not None:
            convert = _PRIMITIVES.get(primitive)
            return raw if convert is None else convert(raw["value"])
        for name, value in raw.items():
            if value.__class__ is dict or value.__class__ is list:
                raw[name] = self.value(value)
        return raw

    def _kind(self, name: str) -> Kind:
        kind = Kind(self._session.types[name], self._session.entities.table(name))
        self._kinds[name] = kind
        return kind

    def _entity(self, raw: dict[str, Any]) -> Entity:
        name = raw.pop("__entity_type__")
        kind = self._kinds.get(name) or self._kind(name)
        # Keys are strings: a server that sends numbers would otherwise never be found again.
        if kind.key is not None:
            key: Key = raw[kind.key]
            if key.__class__ is not str:
                raw[kind.key] = key = _text(key)
        else:
            key = tuple([_text(raw[part]) for part in kind.keys])
        peers = self._peers.get(name)
        if peers is None:
            peers = self._peers[name] = []
        entity = kind.table.get(key)
        known = entity is not None
        if entity is None:
            entity = _new(kind.kind)
            entity.session = self._session
            entity._data = raw
            entity._base = None
            entity._key = key
            entity._peers = peers
            peers.append(entity)
            kind.table[key] = entity
        elif entity._peers is not peers and self._regroup:
            entity._peers = peers
            peers.append(entity)
        # Listed first: what is nested may be this very entity, and add to `raw`.
        nested = [pair for pair in raw.items() if (of := pair[1].__class__) is dict or of is list]
        for attribute, value in nested:
            if value.__class__ is dict:
                raw[attribute] = self._object(value)
            else:
                raw[attribute] = self._list(entity, attribute, value, kind)
        if known:
            if entity._base is None:
                entity._data.update(raw)
            else:
                _beneath(entity, raw, entity._base)
        return entity

    def _list(self, entity: Entity, name: str, value: list[Any], kind: Kind) -> Any:
        self.value(value)
        if name not in kind.collections:
            return value
        known = entity._data.get(name)
        if isinstance(known, (Collection, KeyValues)) and (entity._base is None or name not in entity._base):
            known.replace_items(value)
            return known
        return made_of(entity, kind.kind.attributes[name], value)


def _beneath(entity: Entity, raw: dict[str, Any], base: dict[str, Any]) -> None:
    """Take in what arrived, below what was changed here."""
    for name, value in raw.items():
        if name in base:
            base[name] = value
        else:
            entity._data[name] = value


def _text(key: Any) -> str:
    if isinstance(key, (str, int)) and not isinstance(key, bool):
        return str(key)
    raise UnexpectedResponse(f"an entity arrived whose key is a {type(key).__name__}")
