"""Several caches as one, the quickest in front."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import TYPE_CHECKING, Any

from sessionkit import fork
from sessionkit.cache.base import Cache, matcher
from sessionkit.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionkit.cache.base import Key, Which


class LayeredCache(Cache):
    """Caches asked in turn; what a deeper one knows is kept in those above it for the next time.

    >>> from sessionkit.cache import MemoryCache
    >>> near, far = MemoryCache(), MemoryCache()
    >>> cache = LayeredCache([near, far])
    >>> far.set("k", 1)
    >>> cache.get("k"), near.get("k")
    (1, 1)

    A value's time starts again in the layer it is copied to: give the layers above the shorter `ttl`.
    Writing goes from the deepest layer up, so that a store that refuses (`CacheError`) leaves the layers
    above as they were, in agreement with it.
    """

    def __init__(self, caches: Sequence[Cache]) -> None:
        self.caches = list(caches)
        self._changes = 0
        self._lock = threading.RLock()
        fork.aware(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.caches!r})"

    def after_fork_in_child(self) -> None:
        """Start with a lock of our own."""
        self._lock = threading.RLock()

    def get(self, key: Key) -> Any:
        """The value from the first layer that has it; KeyError when none has."""
        changes = self._changes
        for depth, cache in enumerate(self.caches):
            try:
                value = cache.get(key)
            except KeyError:
                continue
            if depth:
                self._promote(key, value, depth, changes)
            return value
        raise KeyError(key)

    def _promote(self, key: Key, value: Any, depth: int, changes: int) -> None:
        """Copy `value` to the layers above, unless somebody wrote since it was read."""
        with self._lock, contextlib.suppress(CacheError):
            if self._changes == changes:
                for cache in self.caches[:depth]:
                    cache.set(key, value)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock, and count the change at its end: nothing read before that is promoted."""
        with self._lock:
            try:
                yield
            finally:
                self._changes += 1

    def set(self, key: Key, value: Any) -> None:
        """Keep `value` for `key` in every layer."""
        with self._writing():
            for cache in reversed(self.caches):
                cache.set(key, value)

    def epoch(self) -> Any:
        """The epochs of all layers."""
        return tuple(cache.epoch() for cache in self.caches)

    def advance(self) -> None:
        """Begin another epoch of every layer, and promote nothing that was read before."""
        with self._writing():
            for cache in reversed(self.caches):
                cache.advance()

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value` for `key` in every layer, from the deepest up to one whose epoch is over."""
        with self._writing():
            layers = zip(reversed(self.caches), reversed(epoch), strict=True)
            return all(cache.set_within(theirs, key, value) for cache, theirs in layers)

    def remove(self, key: Key) -> Any:
        """Take the value out of every layer, and return the topmost; KeyError when none had it."""
        found: list[Any] = []
        with self._writing():
            for cache in reversed(self.caches):
                with contextlib.suppress(KeyError):
                    found.append(cache.remove(key))
        if not found:
            raise KeyError(key)
        return found[-1]

    def keys(self) -> list[Key]:
        """The keys of all layers at this moment, each once."""
        return list(dict.fromkeys(itertools.chain.from_iterable(cache.keys() for cache in self.caches)))

    def clear(self, pattern: Which | None = None) -> None:
        """Remove the keys in which `pattern` is found from every layer; without one, all."""
        matcher(pattern)  # a wrong expression is refused before any layer is touched
        with self._writing():
            for cache in reversed(self.caches):
                cache.clear(pattern)

    def close(self) -> None:
        """Close every layer."""
        for cache in self.caches:
            cache.close()
