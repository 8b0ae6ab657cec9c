"""Tokens in Redis: kept, locked with an owner, and harmless when Redis is not there."""

import builtins
import time

import pytest
from redis_kit import real_redis
from token_kit import until

from sessionkit.clock import Deadline
from sessionkit.errors import ConfigurationError, DeadlineExceeded
from sessionkit.tokens import RedisTokenStore, Token, TokenSource


@pytest.fixture(scope="module")
def redis_server():
    with real_redis() as server:
        yield server


@pytest.fixture
def server(redis_server):
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def store(redis_server, server):
    store = RedisTokenStore(redis_server.socket_url, lock_ttl=0.3)
    yield store
    store.close()


def test_what_is_saved_is_loaded(store, server):
    token = Token("value-in-redis", time.time() + 100, extra={"refresh_token": "more"}, issued_at=1.0)
    assert store.load("k") is None
    store.save("k", token)
    store.save("for ever", Token("without end"))
    assert store.load("k") == token
    assert store.load("k").extra == token.extra
    lasts = sorted(server.ttl(name) for name in server.scan_iter())
    assert lasts[0] == -1
    assert 30 * 86400 < lasts[1] <= 30 * 86400 + 100
    store.remove("k")
    assert store.load("k") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}", b"1" * 5_000])
def test_foreign_content_is_no_token(store, server, content):
    store.save("k", Token("value"))
    server.set(server.keys()[0], content)
    assert store.load("k") is None


def test_another_type_of_entry_is_no_token(store, server, caplog):
    store.save("k", Token("value"))
    name = server.keys()[0]
    server.delete(name)
    server.rpush(name, "a list")
    assert store.load("k") is None
    assert len(caplog.records) == 1
    store.save("k", Token("another"), None)
    assert store.load("k").value == "another"


def test_the_lock_excludes_others_and_is_extended_while_held(store):
    with store.lock("k", Deadline.after(5)):
        time.sleep(0.7)
        with pytest.raises(DeadlineExceeded), store.lock("k", Deadline.after(0.1)):
            pytest.fail("two hold it")
        with store.lock("other", Deadline.after(0.1)):
            pass
    with store.lock("k", Deadline.after(0.1)):
        pass


def test_a_lock_that_was_lost_is_not_taken_from_its_new_owner(store, server):
    with store.lock("k", Deadline.after(1)):
        name = next(name for name in server.scan_iter() if name.endswith(b":lock"))
        server.set(name, b"somebody else")
    assert server.get(name) == b"somebody else"


def test_without_redis_the_token_lives_in_memory(clock, endpoint, caplog, tmp_path):
    store = RedisTokenStore(f"unix://{tmp_path / 'nobody.sock'}")
    source = TokenSource(endpoint, key="k", store=store, clock=clock)
    token = source.get()
    assert source.get() is token
    assert source.get(refused=token).value == "token-number-2"
    assert len(caplog.records) == 1
    assert "a token of its own" in caplog.text


def test_a_redis_that_goes_away_while_the_lock_is_held_loses_no_token(clock, endpoint, caplog, tmp_path):
    endpoint.delay = 0.3
    with real_redis() as server:
        store = RedisTokenStore(server.socket_url, lock_ttl=0.1)

        def fetch(deadline):
            server.stop()
            return endpoint(deadline)

        assert TokenSource(fetch, key="k", store=store, clock=clock).get().value == "token-number-1"
        until(lambda: "a token of its own" in caplog.text)
        store.close()


def test_its_password_is_not_shown():
    assert "hunter2" not in repr(RedisTokenStore("redis://ann:hunter2@127.0.0.1:1/0"))


@pytest.mark.parametrize("url", ["http://host", "nonsense", "redis://host:port/0"])
def test_what_is_no_redis_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="not a Redis URL"):
        RedisTokenStore(url)


def test_without_redis_py_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "redis":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError) as caught:
        RedisTokenStore("redis://host")
    assert "sessionkit[redis]" in caught.value.hint
