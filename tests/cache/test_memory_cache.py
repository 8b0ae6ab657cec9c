from __future__ import annotations

import os
import threading

import pytest

from sessionkit.cache import LayeredCache, MemoryCache, SerialisedCache
from sessionkit.errors import CacheError, ConfigurationError
from sessionkit.testing import ManualClock


def test_the_value_not_used_for_longest_goes_first():
    cache = MemoryCache(max_entries=3)
    for key in "abc":
        cache.set(key, key)
    cache.get("a")
    cache.set("d", "d")
    assert cache.keys() == ["c", "a", "d"]
    cache.set("c", "C")
    cache.set("e", "e")
    assert cache.keys() == ["d", "c", "e"]


def test_bytes_are_bounded_too():
    cache = MemoryCache(max_bytes=100)
    cache.set("a", b"x" * 60)
    cache.set("b", "y" * 30)
    cache.set("c", b"z" * 40)
    assert cache.keys() == ["b", "c"]
    assert cache.statistics.size == 70
    cache.set("b", b"")
    assert cache.statistics.size == 40


def test_a_value_larger_than_the_bound_is_not_kept_nor_is_its_predecessor():
    cache = MemoryCache(max_bytes=100)
    cache.set("a", b"old")
    cache.set("other", b"stays")
    cache.set("a", b"x" * 101)
    assert cache.keys() == ["other"]


def test_sizes_are_measured_as_told():
    cache = MemoryCache(max_bytes=5, size=lambda value: value["weight"])
    cache.set("a", {"weight": 3})
    cache.set("b", {"weight": 3})
    assert cache.keys() == ["b"]


def test_a_value_ages():
    clock = ManualClock()
    cache = MemoryCache(ttl=60, clock=clock)
    cache.set("k", 1)
    clock.advance(59.9)
    cache.set("later", 2)
    assert cache.get("k") == 1
    clock.advance(0.1)
    assert cache.keys() == ["later"]
    assert cache.values() == [2]
    with pytest.raises(KeyError):
        cache.get("k")
    cache.set("k", 1)
    clock.advance(60)
    with pytest.raises(KeyError):
        cache.remove("k")


def test_the_wall_clock_does_not_age_values():
    clock = ManualClock()
    cache = MemoryCache(ttl=60, clock=clock)
    cache.set("k", 1)
    clock.jump(-1_000_000)
    assert cache.get("k") == 1
    clock.jump(2_000_000)
    assert cache.get("k") == 1


def test_statistics_count_what_happened():
    clock = ManualClock()
    cache = MemoryCache(max_entries=1, ttl=10, clock=clock)
    cache.set("a", 1)
    cache.get("a")
    cache.set("b", 1)
    for key in "ab":
        clock.advance(5)
        with pytest.raises(KeyError):
            cache.get(key)
    found = cache.statistics
    assert (found.hits, found.misses, found.evictions, found.entries) == (1, 2, 1, 0)


@pytest.mark.parametrize("bound", [{"max_entries": 0}, {"max_bytes": -1}, {"ttl": 0}])
def test_a_cache_of_nothing_is_a_mistake(bound):
    with pytest.raises(ConfigurationError, match=next(iter(bound))):
        MemoryCache(**bound)


def test_a_value_that_comes_back_while_it_is_dropped_does_no_harm():
    cache = MemoryCache(max_entries=1)

    class Clingy:
        def __del__(self):
            cache.set("last words", "bye")

    cache.set("a", Clingy())
    cache.set("b", "b")
    assert cache.statistics.entries == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    "make", [MemoryCache, lambda: LayeredCache([MemoryCache(), MemoryCache()])], ids=["memory", "layered"]
)
def test_a_child_does_not_wait_for_a_lock_its_parent_held(make):
    cache = make()
    cache.set("k", "v")
    held, done = threading.Event(), threading.Event()

    def hold():
        with cache._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        cache.set("child", "c")
        os._exit(0 if (cache.get("k"), cache.get("child")) == ("v", "c") else 1)
    done.set()
    thread.join(30)
    assert os.waitpid(child, 0)[1] == 0


class Broken(MemoryCache):
    def set(self, key, value):
        raise CacheError("no space")


def test_what_a_deeper_layer_knows_is_kept_above():
    near, middle, far = MemoryCache(), MemoryCache(), MemoryCache()
    cache = LayeredCache([near, middle, far])
    far.set("k", 1)
    assert cache.get("k") == 1
    assert near.get("k") == middle.get("k") == 1
    near.set("k", 2)
    assert cache.get("k") == 2
    assert cache.remove("k") == 2
    assert [layer.keys() for layer in cache.caches] == [[], [], []]


def test_a_layer_that_refuses_leaves_those_above_in_agreement_with_it():
    near, far = MemoryCache(), Broken()
    cache = LayeredCache([near, far])
    with pytest.raises(CacheError):
        cache.set("k", 1)
    assert near.keys() == []


def test_a_layer_above_that_refuses_does_not_spoil_reading():
    far = MemoryCache()
    far.set("k", 1)
    assert LayeredCache([Broken(), far]).get("k") == 1


@pytest.mark.parametrize("write", [lambda cache: cache.set("k", "new"), lambda cache: cache.clear()])
def test_an_old_value_is_not_promoted_over_a_write(write):
    class Slow(MemoryCache):
        def get(self, key):
            value = super().get(key)
            thread = threading.Thread(target=write, args=(cache,))
            thread.start()
            thread.join(30)
            return value

    near, far = MemoryCache(), Slow()
    cache = LayeredCache([near, far])
    far.set("k", "old")
    assert cache.get("k") == "old"
    assert "old" not in near.values()


def test_the_review_habit_of_layers_over_encoded_files(file_cache):
    cache = LayeredCache([MemoryCache(), SerialisedCache(file_cache)])
    cache.set("k", [1, 2])
    cache.caches[0].clear()
    assert cache.get("k") == [1, 2]
    assert cache.caches[0].keys() == ["k"]
