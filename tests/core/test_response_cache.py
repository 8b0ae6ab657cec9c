"""Answers that are used again: before anything is prepared, for nobody else, and not for too long."""

import threading

import pytest
from core_kit import Api

from sessionkit import HeaderAuth, RetryPolicy, Secret
from sessionkit.cache import FileCache, MemoryCache
from sessionkit.errors import ConnectionFailed, ServerError, SessionClosed
from sessionkit.http import CachePolicy
from sessionkit.testing import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


def counting(server, **headers):
    """Answers with the number of the request."""
    server.answer = lambda seen: (200, headers, {"n": len(server.seen)})


def cached(server, clock, policy=None, **options):
    policy = policy or CachePolicy(ttl=60)
    return Api.detached(
        server.url, clock=clock, cache_policy=policy, retry=RetryPolicy.never(), timeout=1e6, **options
    )


def test_an_answer_is_used_again_while_it_is_fresh(server, clock):
    counting(server)
    with cached(server, clock) as api:
        assert api.get("/x", {"a": 1}) == api.get("/x", {"a": 1}) == {"n": 1}
        assert api.get("/x", {"a": 2}) == {"n": 2}
        clock.advance(61)
        assert api.get("/x", {"a": 1}) == {"n": 3}


def test_without_a_policy_nothing_is_kept(server, clock):
    counting(server)
    with Api.detached(server.url, clock=clock) as api:
        assert [api.get("/x")["n"], api.get("/x")["n"]] == [1, 2]


def test_the_service_decides_where_it_speaks(server, clock):
    counting(server, **{"Cache-Control": "no-store"})
    with cached(server, clock) as api:
        assert [api.get("/x")["n"], api.get("/x")["n"]] == [1, 2]


def test_an_answer_past_its_time_is_asked_after(server, clock):
    def answer(seen):
        if seen.headers.get("if-none-match") == '"v1"':
            return 304, {"ETag": '"v1"'}, b""
        return 200, {"ETag": '"v1"'}, {"n": len(server.seen)}

    server.answer = answer
    with cached(server, clock) as api:
        api.get("/x")
        clock.advance(61)
        assert api.get("/x") == {"n": 1}
        assert api.get("/x") == {"n": 1}
    assert len(server.seen) == 2


@pytest.mark.parametrize("failure", [None, (500, {}, {})], ids=["no answer", "server error"])
def test_an_old_answer_stands_in_when_the_service_fails(server, clock, failure):
    counting(server)
    with cached(server, clock, CachePolicy(ttl=60, stale_if_error=600)) as api:
        api.get("/x")
        server.script(failure)
        clock.advance(120)
        assert api.get("/x") == {"n": 1}
        clock.advance(1000)
        with pytest.raises((ConnectionFailed, ServerError)):
            api.get("/x")


def test_a_write_makes_kept_answers_doubtful(server, clock):
    counting(server)
    with cached(server, clock) as api:
        api.get("/x")
        api.post("/y")
        assert api.get("/x") == {"n": 3}


def test_a_backend_says_what_a_write_touches(server, clock):
    class Zoned(Api):
        __metakey__ = "test.zoned"

        def touches(self, call):
            return [f"^GET /{call.uri.split('/')[1]}/"]

    counting(server)
    with Zoned.detached(server.url, clock=clock, cache_policy=CachePolicy(ttl=60)) as api:
        api.get("/a/1")
        api.get("/b/1")
        api.put("/a/9")
        assert api.get("/b/1") == {"n": 2}
        assert api.get("/a/1") == {"n": 4}


@pytest.mark.parametrize("shared", [False, True])
def test_one_users_answers_never_reach_another_unless_they_are_said_to_be_public(server, clock, shared):
    server.answer = lambda seen: (200, {}, {"for": seen.headers["x-user"]})
    cache = MemoryCache()

    def user(name):
        auth = HeaderAuth({"X-User": name})
        policy = CachePolicy(ttl=60, shared=shared)
        return cached(server, clock, policy, cache=cache, auth=auth, principal=name)

    with user("ann") as ann, user("bob") as bob:
        assert ann.get("/me") == {"for": "ann"}
        assert bob.get("/me") == {"for": "ann" if shared else "bob"}


def test_siblings_share_what_is_kept_and_drop_it_together(server, clock):
    counting(server)
    with cached(server, clock) as api:
        sibling = api.sibling()
        api.get("/x")
        assert sibling.get("/x") == {"n": 1}
        sibling.post("/x")
        assert api.get("/x") == {"n": 3}


def test_a_write_during_a_read_keeps_the_read_from_being_kept(server, clock):
    gate, asked = threading.Event(), threading.Event()

    def answer(seen):
        number = len(server.seen)
        if seen.method == "GET" and number == 1:
            asked.set()
            gate.wait(10)
        return 200, {}, {"n": number}

    server.answer = answer
    with cached(server, clock) as api:
        reader = threading.Thread(target=api.get, args=("/x",))
        reader.start()
        asked.wait(10)
        api.post("/x")
        gate.set()
        reader.join(10)
        assert api.get("/x") == {"n": 3}


def test_kept_answers_outlive_the_process_and_hold_no_secret(server, clock, tmp_path):
    server.answer = lambda seen: (200, {"Set-Cookie": "sid=cookie-12345"}, {"n": len(server.seen)})
    path = tmp_path / "cache.sqlite"
    auth = {"auth": HeaderAuth({"X-Api-Key": Secret("key-12345")}), "principal": "ann"}
    for _ in range(2):
        with FileCache(path) as cache, cached(server, clock, cache=cache, **auth) as api:
            assert api.get("/x?api_key=query-12345") == {"n": 1}
    for file in tmp_path.iterdir():
        assert b"12345" not in file.read_bytes()


def test_a_closed_session_answers_nothing_from_its_cache(server, clock):
    counting(server)
    api = cached(server, clock)
    api.get("/x")
    api.close()
    with pytest.raises(SessionClosed):
        api.get("/x")
