"""Keys made of things that are no keys themselves."""

from __future__ import annotations

import pickle
import types
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

KeyType = TypeVar("KeyType", str, bytes)

_ROUTINES = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)


class KeyMaker(ABC, Generic[KeyType]):
    """Makes one key of any number of items. Subclasses say what one item contributes, in `_key`.

    Attributes:
        item_separator: What stands between the contributions.
    """

    item_separator: KeyType

    def key(self, *items: Any) -> KeyType:
        """The key of `items`, in this order."""
        return self.item_separator.join([self._key(item) for item in items])

    @abstractmethod
    def _key(self, obj: Any) -> KeyType:
        """What `obj` contributes."""


class StringKeyMaker(KeyMaker[str]):
    """Keys that are the items' text, one after the other.

    >>> StringKeyMaker().key("Task", 7)
    'Task7'
    """

    item_separator = ""

    def _key(self, obj: Any) -> str:
        return str(obj)


class ObjectKeyMaker(KeyMaker[bytes]):
    r"""Keys of bytes that are equal only for equal items, whatever these are.

    A mapping contributes its pairs in the order of its keys, whatever order they were put in. Other
    iterables contribute their items (so that a list and a tuple of the same are the same). Functions,
    methods and classes contribute their names. Everything else, and text, is written in version 2 of
    Python's own notation for objects, which has not changed since 2003.

    >>> ObjectKeyMaker().key({"b": 1, "a": (2,)})
    b'\x01\x80\x02X\x01\x00\x00\x00aq\x00.\x02\x03\x80\x02K\x02.\x03\x00\x80\x02X\x01\x00\x00\x00bq\x00.\x02\x80\x02K\x01.\x01'

    Raises:
        ConfigurationError: when an item, such as an open file, cannot be told in bytes.
    """

    item_separator = b"\x00"
    mapping_identifier = b"\x01"
    mapping_pair_separator = b"\x02"
    iterable_identifier = b"\x03"
    name_identifier = b"\x04"

    def _key(self, obj: Any) -> bytes:
        if isinstance(obj, str):
            return _written(obj)
        if isinstance(obj, _ROUTINES):
            return self._name(obj)
        if isinstance(obj, Mapping):
            return self.mapping_identifier + self._pairs(obj) + self.mapping_identifier
        if isinstance(obj, Iterable):
            # A set has no order of its own that another process would share.
            parts = [self._key(item) for item in obj]
            ordered = sorted(parts) if isinstance(obj, (set, frozenset)) else parts
            return self.iterable_identifier + self.item_separator.join(ordered) + self.iterable_identifier
        return _written(obj)

    def _pairs(self, mapping: Mapping[Any, Any]) -> bytes:
        try:
            names = sorted(mapping)
        except TypeError:  # names of several types have an order only once they are bytes
            names = sorted(mapping, key=self._key)
        return self.item_separator.join(
            [self._key(name) + self.mapping_pair_separator + self._key(mapping[name]) for name in names]
        )

    def _name(self, routine: Callable[..., Any]) -> bytes:
        parts = [routine.__name__]
        owner = getattr(routine, "__self__", None)
        if isinstance(routine, types.MethodType):
            parts.append((owner if isinstance(owner, type) else type(owner)).__name__)
        if not isinstance(routine, types.BuiltinFunctionType):
            parts.append(routine.__module__)
        return self.name_identifier + self.item_separator.join(part.encode() for part in parts)


def _written(obj: Any) -> bytes:
    try:
        return pickle.dumps(obj, protocol=2)
    except Exception as error:
        # Whatever an object's own __reduce__ raises.
        raise ConfigurationError(
            f"No key can be made of a {type(obj).__name__} object.",
            hint="Pass what identifies it (an id, a path, a name) instead.",
        ) from error
