"""Every cache compared with a list of what was set when, while clocks go on and are set right."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionkit.cache import FileCache, LayeredCache, MemoryCache, ScopedCache, SerialisedCache
from sessionkit.testing import ManualClock


@dataclass
class Book:
    """What a cache should hold: key, value and moment, the one that goes next first."""

    now: object
    ttl: float = 10.0
    most: int = 1000
    moves: bool = True
    rows: list = field(default_factory=list)
    hits: int = 0
    misses: int = 0
    evictions: int = 0

    def fresh(self, row):
        return 0 <= self.now() - row[2] < self.ttl

    def take(self, key):
        found = [row for row in self.rows if row[0] == key]
        self.rows = [row for row in self.rows if row[0] != key]
        return found[0] if found and self.fresh(found[0]) else None

    def get(self, key):
        before, row = self.rows, self.take(key)
        self.hits, self.misses = self.hits + (row is not None), self.misses + (row is None)
        if not self.moves:
            self.rows = before
        elif row is not None:
            self.rows.append(row)
        return KeyError if row is None else row[1]

    def set(self, key, value):
        self.take(key)
        self.rows.append((key, value, self.now()))
        self.evictions += max(0, len(self.rows) - self.most)
        self.rows = self.rows[-self.most :]

    def remove(self, key):
        row = self.take(key)
        return KeyError if row is None else row[1]

    def clear(self, pattern):
        self.rows = [row for row in self.rows if pattern is not None and not re.search(pattern, row[0])]

    def keys(self):
        return [row[0] for row in self.rows if self.fresh(row)]


@dataclass
class Shelf:
    """Books one below the other."""

    books: list

    def get(self, key):
        for depth, book in enumerate(self.books):
            value = book.get(key)
            if value is not KeyError:
                for above in self.books[:depth]:
                    above.set(key, value)
                return value
        return KeyError

    def set(self, key, value):
        for book in self.books:
            book.set(key, value)

    def remove(self, key):
        values = [book.remove(key) for book in self.books]
        return next((value for value in values if value is not KeyError), KeyError)

    def clear(self, pattern):
        for book in self.books:
            book.clear(pattern)

    def keys(self):
        return list(dict.fromkeys(itertools.chain.from_iterable(book.keys() for book in self.books)))


def memory(clock, _path):
    return MemoryCache(3, ttl=10, clock=clock), Book(clock.monotonic, most=3)


def file(clock, path):
    return FileCache(path, ttl=10, clock=clock), Book(clock.time, moves=False)


def layered(clock, path):
    near, far = MemoryCache(2, ttl=5, clock=clock), FileCache(path, ttl=10, clock=clock)
    return LayeredCache([near, far]), Shelf([Book(clock.monotonic, 5, 2), Book(clock.time, moves=False)])


def through(make, *around):
    def made(clock, path):
        cache, book = make(clock, path)
        for wrap in around:
            cache = wrap(cache)
        return cache, book

    return made


def scope(cache):
    return ScopedCache(cache, "ann")


KINDS = {
    "memory": memory,
    "file": file,
    "layered": layered,
    "scoped memory": through(memory, scope),
    "scoped file": through(file, scope),
    "scoped, serialised layers": through(layered, SerialisedCache, scope),
}
KEYS = st.sampled_from(["a", "b", "ab", "c"])
STEPS = st.lists(
    st.tuples(st.just("set"), KEYS, st.integers(0, 99).map(str))
    | st.tuples(st.sampled_from(["get", "get", "remove"]), KEYS)
    | st.tuples(st.just("clear"), st.sampled_from([None, "a", "^b"]))
    | st.tuples(st.sampled_from(["advance", "advance", "jump"]), st.sampled_from([1.0, 4.0, 10.0, -4.0])),
    min_size=5,
    max_size=40,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_a_cache_holds_what_it_should_and_nothing_else(kind, tmp_path_factory, steps):
    clock = ManualClock(1000.0)
    cache, book = KINDS[kind](clock, tmp_path_factory.mktemp("caches") / "cache.db")
    try:
        for name, *args in steps:
            if name in {"advance", "jump"}:
                getattr(clock, name)(abs(args[0]) if name == "advance" else args[0])
                continue
            expected = getattr(book, name)(*args)
            if expected is KeyError:
                with pytest.raises(KeyError, match=repr(args[0])):
                    getattr(cache, name)(*args)
            else:
                assert getattr(cache, name)(*args) == expected
            assert cache.keys() == book.keys()
            if kind == "memory":
                counts = cache.statistics
                assert (counts.hits, counts.misses, counts.evictions) == (
                    book.hits,
                    book.misses,
                    book.evictions,
                )
                assert counts.entries == len(book.rows) <= 3
    finally:
        getattr(cache, "proxied", cache).close()
