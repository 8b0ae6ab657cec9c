"""Whoever comes late with a token leaves the one that somebody else has kept meanwhile."""

import pytest
from redis_kit import real_redis

from sessionkit.tokens import FileTokenStore, MemoryTokenStore, RedisTokenStore, Token, TokenSource

OLD, NEW, LATE = (Token(name) for name in ("the-old-one", "the-new-one", "the-late-one"))


@pytest.fixture(scope="module")
def redis_url():
    with real_redis() as server:
        yield server.url()


@pytest.fixture(params=["memory", "file", "redis"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryTokenStore()
    elif request.param == "file":
        yield FileTokenStore(tmp_path / "tokens.json")
    else:
        store = RedisTokenStore(request.getfixturevalue("redis_url"), prefix=f"{tmp_path}:")
        yield store
        store.close()


def test_a_token_that_came_since_the_store_was_looked_into_stays(store):
    store.save("k", NEW, None)
    store.save("k", LATE, None)
    assert store.load("k") == NEW
    store.save("k", LATE, OLD)
    assert store.load("k") == NEW
    store.save("k", LATE, NEW)
    assert store.load("k") == LATE


def test_an_empty_place_is_always_filled(store):
    store.save("k", NEW, OLD)
    assert store.load("k") == NEW
    store.save("k", LATE)
    assert store.load("k") == LATE


def test_a_renewal_that_comes_home_late_does_not_replace_a_newer_token(store):
    def fetch(deadline):
        store.save("k", NEW)  # by another process, to which this one seemed to hang
        return LATE

    source = TokenSource(fetch, key="k", store=store)
    assert source.get().value == LATE.value
    assert store.load("k") == NEW
    assert TokenSource(fetch, key="k", store=store).get() == NEW


def test_who_writes_to_redis_between_the_look_and_the_write_is_not_overwritten(redis_url, monkeypatch):
    store, other = (RedisTokenStore(redis_url, prefix="between:") for _ in range(2))
    multi = type(store._client.pipeline()).multi

    def meanwhile(pipe):
        monkeypatch.undo()
        other.save("k", NEW)
        multi(pipe)

    with store._client.pipeline() as pipe:
        monkeypatch.setattr(type(pipe), "multi", meanwhile)
    store.save("k", LATE, None)
    assert store.load("k") == NEW
    store.close()
    other.close()
