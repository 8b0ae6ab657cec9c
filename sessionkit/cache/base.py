"""What every cache promises, and the cache that stands in front of another."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

Key: TypeAlias = "str | bytes"
Which: TypeAlias = "str | re.Pattern[str] | Callable[[Key], bool]"


def matcher(pattern: Which | None) -> Callable[[Key], bool]:
    """A predicate telling which keys `pattern` finds, anywhere in the key (`re.search`); None finds all.

    A key of bytes is read as Latin-1, which gives every byte a character of its own.

    Raises:
        re.error: when `pattern` is no regular expression.
    """
    if pattern is None:
        return lambda _key: True
    if callable(pattern):
        return pattern
    search = re.compile(pattern).search
    return lambda key: search(key if isinstance(key, str) else key.decode("latin-1")) is not None


def check_bounds(**bounds: float | None) -> None:
    """Refuse a bound of nothing, which would be a cache that keeps nothing.

    Raises:
        ConfigurationError: naming the bound that is not None and not more than 0.
    """
    for name, bound in bounds.items():
        if bound is not None and bound <= 0:
            raise ConfigurationError(f"{name} must be more than 0, not {bound}.", hint="None means no bound.")


class Cache(ABC):
    """A place for values, each found again by its key: text or bytes, which are never the same key.

    A missing key is a `KeyError`, in every cache. All caches here may be shared by threads.

    >>> from sessionkit.cache import MemoryCache
    >>> cache = MemoryCache()
    >>> cache.set("user:ann", {"id": 7})
    >>> cache.get("user:ann")
    {'id': 7}
    >>> cache.clear("^user:")
    >>> cache.keys()
    []
    """

    @abstractmethod
    def get(self, key: Key) -> Any:
        """The value kept for `key`.

        Raises:
            KeyError: when there is none.
        """

    @abstractmethod
    def set(self, key: Key, value: Any) -> None:
        """Keep `value` for `key`, instead of what was there."""

    @abstractmethod
    def remove(self, key: Key) -> Any:
        """Take the value out, and return it.

        Raises:
            KeyError: when there is none.
        """

    @abstractmethod
    def keys(self) -> list[Key]:
        """The keys at this moment; other threads and processes may change them at the next."""

    def values(self) -> list[Any]:
        """The values at this moment, in the order of `keys()`."""
        values = []
        for key in self.keys():
            with suppress(KeyError):  # gone since: another thread, another process, its time
                values.append(self.get(key))
        return values

    def clear(self, pattern: Which | None = None) -> None:
        """Remove every key in which the regular expression `pattern` is found; without one, all keys.

        Instead of an expression, `pattern` may be a function that tells of each key whether it is meant.

        Raises:
            re.error: when `pattern` is no regular expression.
        """
        matches = matcher(pattern)
        for key in filter(matches, self.keys()):
            with suppress(KeyError):
                self.remove(key)

    # --- values that may have become wrong while they were on their way here ---

    _epoch: Any = None

    def epoch(self) -> Any:
        """A token that changes with every `advance()`, by whichever thread or process shares this cache."""
        return self._epoch

    def advance(self) -> None:
        """Refuse, from now on, the values that were asked for before: something has changed."""
        self._epoch = object()

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value` unless `epoch`, as it was when the value was asked for, is over; tell whether.

        >>> epoch = cache.epoch()                                                         # doctest: +SKIP
        >>> cache.set_within(epoch, "zones", ask_for_zones())                             # doctest: +SKIP

        One step in every cache of sessionkit; in one of your own that does not see to it, two.
        """
        if self.epoch() != epoch:
            return False
        self.set(key, value)
        return True

    def close(self) -> None:  # noqa: B027 -- most caches hold nothing that wants closing
        """Give back files and connections. The cache is not used afterwards; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class ProxyCache(Cache):
    """A cache that hands everything to `proxied`: the base for those that add one thing on the way."""

    def __init__(self, proxied: Cache) -> None:
        self.proxied = proxied

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.proxied!r})"

    def get(self, key: Key) -> Any:
        """The value kept for `key`; KeyError when there is none."""
        return self.proxied.get(key)

    def set(self, key: Key, value: Any) -> None:
        """Keep `value` for `key`."""
        self.proxied.set(key, value)

    def remove(self, key: Key) -> Any:
        """Take the value out, and return it; KeyError when there is none."""
        return self.proxied.remove(key)

    def keys(self) -> list[Key]:
        """The keys at this moment."""
        return self.proxied.keys()

    def clear(self, pattern: Which | None = None) -> None:
        """Remove the keys in which `pattern` is found; without one, all."""
        self.proxied.clear(pattern)

    def epoch(self) -> Any:
        """The epoch of `proxied`."""
        return self.proxied.epoch()

    def advance(self) -> None:
        """Begin another epoch of `proxied`."""
        self.proxied.advance()

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value` for `key` unless `epoch` is over."""
        if type(self).set is not ProxyCache.set:  # a subclass does something on the way
            return super().set_within(epoch, key, value)
        return self.proxied.set_within(epoch, key, value)

    def close(self) -> None:
        """Close `proxied`."""
        self.proxied.close()
