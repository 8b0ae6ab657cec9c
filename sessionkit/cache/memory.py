"""The cache of this process: bounded, and forgetting what was not asked for longest."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit import fork
from sessionkit.cache.base import Cache, check_bounds, matcher
from sessionkit.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.cache.base import Key, Which


@dataclass(frozen=True)
class Statistics:
    """What a `MemoryCache` did so far: counts since it was made, and its present size.

    Attributes:
        hits: Values found.
        misses: Values not found, or found too old.
        evictions: Values given up to keep within a bound.
        entries: Values held now.
        size: Bytes held now; 0 when `max_bytes` is not set.
    """

    hits: int
    misses: int
    evictions: int
    entries: int
    size: int


def size_of(value: Any) -> int:
    """Bytes that `value` stands for: exact for bytes, close for text, the outermost object for the rest."""
    return len(value) if isinstance(value, (str, bytes)) else sys.getsizeof(value)


class MemoryCache(Cache):
    """Values of this process, as they are: no copy is made, and they are gone when it ends.

    Args:
        max_entries: How many values to hold at most; the one not used for longest goes first. None: any
            number.
        max_bytes: How many bytes, as measured by `size`, to hold at most. A value larger than that by
            itself is not kept.
        ttl: Seconds after which a value is no longer given out. None: they do not age.
        size: Tells how many bytes a value stands for.
        clock: What tells the time.

    >>> cache = MemoryCache(max_entries=2)
    >>> for key in "abc":
    ...     cache.set(key, key.upper())
    >>> cache.keys()
    ['b', 'c']
    >>> cache.statistics.evictions
    1
    """

    def __init__(
        self,
        max_entries: int | None = 10_000,
        *,
        max_bytes: int | None = None,
        ttl: float | None = None,
        size: Callable[[Any], int] = size_of,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_bounds(max_entries=max_entries, max_bytes=max_bytes, ttl=ttl)
        self._max_entries = sys.maxsize if max_entries is None else max_entries
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._sizer = size
        self._now = clock.monotonic
        # key: (value, moment it was set, bytes); the one used last stands last.
        self._entries: OrderedDict[Key, tuple[Any, float, int]] = OrderedDict()
        self._size = self._hits = self._misses = self._evictions = 0
        # Re-entrant: dropping a value may run its destructor, which may come back here.
        self._lock = threading.RLock()
        fork.aware(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.statistics.entries} entries)"

    def after_fork_in_child(self) -> None:
        """Start with a lock of our own, and with the sum as the entries have it."""
        self._lock = threading.RLock()
        self._size = sum(size for _, _, size in self._entries.values())

    @property
    def statistics(self) -> Statistics:
        """Hits, misses and evictions so far, entries and bytes now."""
        with self._lock:
            return Statistics(self._hits, self._misses, self._evictions, len(self._entries), self._size)

    def get(self, key: Key) -> Any:
        """The value kept for `key`; KeyError when there is none, or when it is older than `ttl`."""
        with self._lock:
            try:
                value, written, _ = self._entries[key]
            except KeyError:
                self._misses += 1
                raise
            if self._ttl is not None and self._now() - written >= self._ttl:
                self._drop(key)
                self._misses += 1
                raise KeyError(key)
            self._entries.move_to_end(key)
            self._hits += 1
            return value

    def set(self, key: Key, value: Any) -> None:
        """Keep `value` for `key`; older values go where a bound asks for it."""
        size = 0 if self._max_bytes is None else self._sizer(value)
        written = 0.0 if self._ttl is None else self._now()
        with self._lock:
            if key in self._entries:
                self._drop(key)
            if self._max_bytes is not None and size > self._max_bytes:
                self._evictions += 1
                return
            self._entries[key] = (value, written, size)
            self._size += size
            while self._over():
                self._drop(next(iter(self._entries)))
                self._evictions += 1

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value` for `key` unless `epoch` is over."""
        with self._lock:
            return super().set_within(epoch, key, value)

    def advance(self) -> None:
        """Begin another epoch."""
        with self._lock:
            super().advance()

    def remove(self, key: Key) -> Any:
        """Take the value out, and return it; KeyError when there is none."""
        with self._lock:
            value, written, _ = self._entries[key]
            self._drop(key)
            if self._ttl is not None and self._now() - written >= self._ttl:
                raise KeyError(key)
            return value

    def keys(self) -> list[Key]:
        """The keys at this moment, the least recently used first."""
        with self._lock:
            if self._ttl is None:
                return list(self._entries)
            oldest = self._now() - self._ttl
            return [key for key, (_, written, _) in self._entries.items() if written > oldest]

    def values(self) -> list[Any]:
        """The values at this moment, in the order of `keys()`; looking does not count as using them."""
        with self._lock:
            return [self._entries[key][0] for key in self.keys()]

    def clear(self, pattern: Which | None = None) -> None:
        """Remove the keys in which the regular expression `pattern` is found; without one, all."""
        matches = matcher(pattern)
        with self._lock:
            for key in [key for key in self._entries if matches(key)]:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        self._size -= self._entries.pop(key)[2]

    def _over(self) -> bool:
        return len(self._entries) > self._max_entries or (
            self._max_bytes is not None and self._size > self._max_bytes
        )
