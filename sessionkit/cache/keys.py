"""Keys made of things that are no keys themselves."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import re
import struct
import types
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Generic, TypeVar

from sessionkit.errors import ConfigurationError

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
    r"""Keys of bytes that are equal only for equal items, whatever these are, in any process.

    | item | contributes |
    |---|---|
    | None, truth values, numbers, text | its value, in a fixed notation |
    | a mapping | its pairs in the order of its keys, whatever order they were put in |
    | a set | its items, sorted |
    | another iterable | its items in order (so that a list and a tuple of the same are the same) |
    | a function, method or class | its name, and its module's |
    | moments, `Decimal`, `Fraction`, `UUID`, paths, patterns | its type and its text |
    | a member of an `Enum` | its type and its name |
    | an object with a method `__cache_key__` | its type, and what the method returns |
    | any other object | its type, and its attributes |

    The notation of plain values is that of the version 2 of Python's pickles, which other libraries' keys
    have, too; it is written here, so that no object is asked to pickle itself and nothing is ever read back.

    >>> ObjectKeyMaker().key({"b": 1, "a": (2,)})
    b'\x01\x80\x02X\x01\x00\x00\x00aq\x00.\x02\x03\x80\x02K\x02.\x03\x00\x80\x02X\x01\x00\x00\x00bq\x00.\x02\x80\x02K\x01.\x01'

    Raises:
        ConfigurationError: when an item cannot be told in bytes: an iterator, which can be read only once; an
            open file or a lock, which has no attributes; something that contains itself.
    """

    item_separator = b"\x00"
    mapping_identifier = b"\x01"
    mapping_pair_separator = b"\x02"
    iterable_identifier = b"\x03"
    name_identifier = b"\x04"
    object_identifier = b"\x05"

    def key(self, *items: Any) -> bytes:
        """The key of `items`, in this order."""
        try:
            return super().key(*items)
        except RecursionError:
            raise ConfigurationError("No key can be made of what contains itself.") from None

    def _key(self, obj: Any) -> bytes:
        write = _NOTATION.get(type(obj))
        if write is not None:
            return write(obj)
        if isinstance(obj, _ROUTINES):
            return self._name(obj)
        if hasattr(obj, "__cache_key__"):
            return self._object(obj, obj.__cache_key__())
        if isinstance(obj, enum.Enum):
            return self._object(obj, obj.name)
        if isinstance(obj, _TEXTUAL):
            return self._object(obj, repr(obj))
        if isinstance(obj, _PLAIN):  # of a class of its own
            return self._object(obj, next(base(obj) for base in _PLAIN if isinstance(obj, base)))
        if isinstance(obj, Iterator):
            raise _untold(obj, "Pass a list of its items: it can be read only once.")
        if isinstance(obj, Mapping):
            return self.mapping_identifier + self._pairs(obj) + self.mapping_identifier
        if isinstance(obj, Iterable):
            # A set has no order of its own that another process would share.
            parts = [self._key(item) for item in obj]
            ordered = sorted(parts) if isinstance(obj, (set, frozenset)) else parts
            return self.iterable_identifier + self.item_separator.join(ordered) + self.iterable_identifier
        return self._object(obj, _attributes(obj))

    def _pairs(self, mapping: Mapping[Any, Any]) -> bytes:
        try:
            names = sorted(mapping)
        except TypeError:  # names of several types have an order only once they are bytes
            names = sorted(mapping, key=self._key)
        return self.item_separator.join(
            [self._key(name) + self.mapping_pair_separator + self._key(mapping[name]) for name in names]
        )

    def _object(self, obj: Any, what: Any) -> bytes:
        kind = type(obj)
        name = self._key(f"{kind.__module__}.{kind.__qualname__}")
        return self.object_identifier + name + self.item_separator + self._key(what) + self.object_identifier

    def _name(self, routine: Callable[..., Any]) -> bytes:
        parts = [routine.__name__]
        owner = getattr(routine, "__self__", None)
        if isinstance(routine, types.MethodType):
            parts.append((owner if isinstance(owner, type) else type(owner)).__name__)
        if not isinstance(routine, types.BuiltinFunctionType):
            parts.append(routine.__module__)
        return self.name_identifier + self.item_separator.join(part.encode() for part in parts)


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"\x80\x02X" + len(raw).to_bytes(4, "little") + raw + b"q\x00."


def _integer(number: int) -> bytes:
    if 0 <= number <= 0xFFFF:
        return (
            b"\x80\x02K%c." % number if number <= 0xFF else b"\x80\x02M" + number.to_bytes(2, "little") + b"."
        )
    if -(2**31) <= number < 2**31:
        return b"\x80\x02J" + number.to_bytes(4, "little", signed=True) + b"."
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    head = b"\x8a%c" % size if size <= 0xFF else b"\x8b" + size.to_bytes(4, "little")
    return b"\x80\x02" + head + number.to_bytes(size, "little", signed=True) + b"."


_NOTATION: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x80\x02N.",
    bool: lambda value: b"\x80\x02\x88." if value else b"\x80\x02\x89.",
    int: _integer,
    float: lambda value: b"\x80\x02G" + struct.pack(">d", value) + b".",
    str: _text,
}
_PLAIN = (bool, int, float, str)
_TEXTUAL = (
    dt.date,
    dt.time,
    dt.timedelta,
    dt.tzinfo,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    PurePath,
    re.Pattern,
    complex,
)


def _attributes(obj: Any) -> dict[str, Any]:
    """The attributes of an object, those in slots too."""
    slots = [name for kind in type(obj).__mro__ for name in _slots(kind)]
    if not hasattr(obj, "__dict__") and not slots:
        raise _untold(obj, "Pass what identifies it (an id, a path, a name) instead.")
    found = {name: getattr(obj, name) for name in slots if hasattr(obj, name)}
    return {**found, **getattr(obj, "__dict__", {})}


def _slots(kind: type) -> list[str]:
    names = vars(kind).get("__slots__", ())
    names = [names] if isinstance(names, str) else list(names)
    mangled = [f"_{kind.__name__.lstrip('_')}{name}" if _private(name) else name for name in names]
    return [name for name in mangled if name not in {"__dict__", "__weakref__"}]


def _private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


def _untold(obj: Any, hint: str) -> ConfigurationError:
    return ConfigurationError(f"No key can be made of a {type(obj).__name__} object.", hint=hint)
