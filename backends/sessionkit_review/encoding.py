"""From Python to the server's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args

from sessionkit.errors import ConfigurationError
from sessionkit_review.collection import Collection, KeyValues
from sessionkit_review.entity import Entity
from sessionkit_review.errors import InvalidArgument
from sessionkit_review.identity import as_tuple
from sessionkit_review.symbols import NOT_SET
from sessionkit_review.values import is_date, moment

# `_data` and `_base` of entities are the package's own.
# ruff: noqa: SLF001

Strategy = Literal["all", "set_only", "modified_only", "persisted_only"]
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)


def reference(entity: Entity) -> dict[str, Any]:
    """An entity's type and primary key, by which the server knows it."""
    keys = zip(entity.primary_key_attributes, entity.primary_key, strict=True)
    return {"__entity_type__": entity.entity_type, **dict(keys)}


def _all(entity: Entity) -> dict[str, Any]:
    return dict(entity.items())


def _set_only(entity: Entity) -> dict[str, Any]:
    return entity._data


def _modified_only(entity: Entity) -> dict[str, Any]:
    data = entity._data
    return {name: data[name] for name, old in (entity._base or {}).items() if not _same(data[name], old)}


def _persisted_only(entity: Entity) -> dict[str, Any]:
    computed = {name for name, attribute in entity.attributes.items() if attribute.computed}
    values = {**entity._data, **(entity._base or {})}
    return {name: value for name, value in values.items() if name not in computed}


def _same(new: Any, old: Any) -> bool:
    return new is old or (type(new) is type(old) and bool(new == old)) or (new == old and old is not NOT_SET)


_CHOOSE: Final[Mapping[str, Callable[[Entity], dict[str, Any]]]] = {
    "all": _all,
    "set_only": _set_only,
    "modified_only": _modified_only,
    "persisted_only": _persisted_only,
}


def encode(value: Any, strategy: str = "set_only") -> str:
    """`value` as JSON, entities with the attributes that `strategy` chooses.

    | strategy | attributes, besides type and primary key |
    |---|---|
    | all | every one; what is missing is loaded |
    | set_only | those that have a value here |
    | modified_only | those that were changed here |
    | persisted_only | those that came from the server, as they came, but for what it works out |

    Raises:
        ConfigurationError: when there is no such strategy.
        InvalidArgument: when something cannot be written as JSON; a TypeError.
    """
    if strategy not in _CHOOSE:
        raise ConfigurationError(
            f"there is no strategy {strategy!r}", hint=f"there are: {', '.join(STRATEGIES)}"
        )
    choose = _CHOOSE[strategy]

    def write(item: Any) -> Any:
        return _entity(item, choose(item)) if isinstance(item, Entity) else _other(item)

    try:
        return json.dumps(value, sort_keys=True, default=write)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"this cannot be written as JSON: {error}") from error


def _entity(entity: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {
        name: plain_value(value)
        for name, value in list(values.items())
        if value is not NOT_SET and name in entity.attributes
    }
    return {**chosen, **reference(entity)}


def _other(item: Any) -> Any:
    if is_date(item):
        return moment(item)
    if isinstance(item, (Collection, KeyValues)):
        return plain_value(item)
    if isinstance(item, Mapping):
        return dict(item)
    raise TypeError(f"a {type(item).__name__} is not a value that the server knows")


def plain_value(value: Any) -> Any:
    """An attribute's value as it stands in an operation: entities are references.

    Raises:
        TypeError: for what the server cannot take.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Entity):
        return reference(value)
    if isinstance(value, KeyValues):
        value = value.collection
    if isinstance(value, (Collection, list, tuple)):
        return [plain_value(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): plain_value(each) for name, each in value.items()}
    return _other(value)


def key_values(keys: tuple[str, ...], key: Any) -> dict[str, str]:
    """A primary key as attributes."""
    return dict(zip(keys, as_tuple(key), strict=True))


def expanded(value: Any, written: set[Entity] | None = None) -> Any:
    """`value` with each entity in it written out once, with all that is here of it; then referred to."""
    written = set() if written is None else written
    if isinstance(value, Entity):
        if value in written:
            return reference(value)
        written.add(value)
        known = {name: item for name, item in list(value._data.items()) if item is not NOT_SET}
        return {**{name: expanded(item, written) for name, item in known.items()}, **reference(value)}
    if isinstance(value, KeyValues):
        value = value.collection
    if isinstance(value, (Collection, list, tuple)):
        return [expanded(item, written) for item in value]
    if isinstance(value, Mapping):
        return {name: expanded(item, written) for name, item in value.items()}
    return value
