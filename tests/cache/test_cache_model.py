"""Nobody gets from a cache what they know to be old, whatever is under way in whichever order.

`cache_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

from __future__ import annotations

from unittest import mock

import pytest
from cache_model import broken_promise, first_broken, search

from sessionkit.cache import LayeredCache, MemoryCache, scope
from sessionkit.http.caching import CachedCalls

pytestmark = pytest.mark.usefixtures("no_logs")

ONCE_BROKEN = {
    "what was on its way to a nearer layer, while others emptied the deeper one, stayed after a clear": (
        {"style": "own"},
        [
            ("read", "ann2", "/plain"),
            ("go", 0, 99),
            ("change", "/plain"),
            ("clear", "ann", "/plain"),
            ("go", 0, 6),
            ("read", "ann", "/plain"),
            ("go", 1, 4),
            ("clear", "ann2", "/plain"),
            ("go", 2, 99),
            *[("go", 0, 99)] * 2,
            ("read", "ann", "/plain"),
            ("go", 0, 99),
        ],
    ),
}


def invalidate_before(calls, call, timeout):
    """Invalidates before the write, not after it."""
    calls._responses.invalidate(call)
    with mock.patch.object(calls._responses, "invalidate"):
        return PERFORM(calls, call, timeout)


def promote_always(cache, key, value, depth, _changes):
    for each in cache.caches[:depth]:
        each.set(key, value)


def keep_always(cache, _epoch, key, value):
    cache.set(key, value)
    return True


PERFORM = CachedCalls.perform
MISTAKES = {
    "a write invalidates before it, not after": (CachedCalls, "perform", invalidate_before),
    "what was dropped is promoted": (LayeredCache, "_promote", promote_always),
    "what was under way is kept in spite of an event": (MemoryCache, "set_within", keep_always),
    "keys tell nothing of the identity": (scope, "digest", lambda *_parts: "all"),
}


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_no_promise_is_broken_that_was_broken_once(name):
    kind, steps = ONCE_BROKEN[name]
    assert not broken_promise(steps, **kind)


@pytest.mark.parametrize(("store", "seeds"), [("memory", 24), ("file", 5), ("none", 5)])
def test_no_promise_is_broken_by_random_schedules(store, seeds):
    broken = search(range(seeds), stores=[store])
    assert not broken, broken


def test_no_promise_is_broken_by_random_schedules_with_redis(redis_cache):
    broken = search(range(4), stores=["redis"], redis=redis_cache)
    assert not broken, broken


@pytest.mark.parametrize("name", MISTAKES)
def test_the_model_notices_mistakes(name):
    """Were it blind, it would find nothing to be wrong for ever."""
    with mock.patch.object(*MISTAKES[name]):
        known = any(broken_promise(steps, **kind) for kind, steps in ONCE_BROKEN.values())
        assert known or first_broken(range(100))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("length", "seeds"), [(40, 2000), (120, 3000), (400, 300)])
@pytest.mark.parametrize("store", ["memory", "file", "none", "redis"])
def test_no_promise_is_broken_by_thousands_of_random_schedules(store, length, seeds, request):
    redis = request.getfixturevalue("redis_cache") if store == "redis" else None
    broken = search(range(1_000_000, 1_000_000 + seeds), length, stores=[store], redis=redis)
    assert not broken, broken
