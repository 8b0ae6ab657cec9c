from __future__ import annotations

import json
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionkit.cache import FileCache, Hit, LayeredCache, MemoryCache, Miss, ResponseCache
from sessionkit.errors import CacheError, ConfigurationError
from sessionkit.http import Call, Request, Response
from sessionkit.secrets import Secret
from sessionkit.testing import ManualClock

ZONE = Call("GET", "/zones/1")


def answer(body=b"{}", status=200, url=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request("GET", "https://service.test/zones/1?key=abc")
    return Response(status, named, body, url or request.url, request)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store():
    return MemoryCache()


@pytest.fixture
def make(store, identity, clock):
    def build(principal="ann", cache=store, **options):
        return ResponseCache(cache, identity(principal), clock=clock, **options)

    return build


def keep(responses, response, call=ZONE):
    miss = responses.lookup(call)
    assert isinstance(miss, Miss)
    return responses.store(miss, response)


def test_an_answer_is_found_while_it_is_fresh(make, clock):
    responses = make()
    assert keep(responses, answer(b"\x00\n\xff", cache_control="max-age=60", X_Count="7")) is None
    clock.advance(59)
    hit = responses.lookup(ZONE)
    assert isinstance(hit, Hit)
    assert (hit.status, hit.body, hit.age, hit.lifetime, hit.stale) == (200, b"\x00\n\xff", 59, 60, False)
    assert hit.headers == {"cache-control": "max-age=60", "x-count": "7"}
    assert hit.url == "https://service.test/zones/1"
    clock.advance(1)
    assert isinstance(responses.lookup(ZONE), Miss)


def test_the_age_an_answer_came_with_counts(make, clock):
    responses = make()
    keep(responses, answer(cache_control="max-age=60", age="50"))
    assert responses.lookup(ZONE).age == 50
    clock.advance(10)
    assert isinstance(responses.lookup(ZONE), Miss)


def test_the_time_an_answer_was_on_its_way_counts(make, clock):
    responses = make()
    miss = responses.lookup(ZONE)
    clock.advance(50)
    responses.store(miss, answer(cache_control="max-age=60", etag='"1"'))
    assert responses.lookup(ZONE).age == 50
    clock.advance(10)
    miss = responses.lookup(ZONE)
    clock.advance(40)
    assert responses.store(miss, answer(b"", 304)).age == 40


def test_without_a_word_from_the_service_the_ttl_decides(make, clock):
    keep(make(), answer())
    assert isinstance(make().lookup(ZONE), Miss)
    keep(make(ttl=60), answer())
    assert isinstance(make().lookup(ZONE), Hit)


@pytest.mark.parametrize(
    "response",
    [
        answer(cache_control="no-store"),
        answer(cache_control="max-age=0"),
        answer(vary="*"),
        answer(status=404),
        answer(status=206),
        answer(status=500),
        answer(b"x" * 101),
    ],
    ids=lambda response: f"{response.status} {dict(response.headers)} {len(response.body)}",
)
def test_what_is_not_kept(make, store, response):
    keep(make(ttl=60, max_body=100), response)
    assert store.keys() == []


@pytest.mark.parametrize(
    "call",
    [
        Call("POST", "/zones/1"),
        Call("HEAD", "/zones/1"),
        Call("GET", "/zones/1", signed=False),
        Call("GET", "/zones/1", stream=True),
        Call("GET", "/zones/1", headers={"Cache-Control": "no-store"}),
        Call("GET", "/zones/1", headers={"Range": "bytes=0-1"}),
        Call("GET", "/zones/1", headers={"If-None-Match": '"mine"'}),
        Call("GET", "/zones/1", {("a", "b"): 1}),
    ],
    ids=str,
)
def test_calls_the_cache_keeps_out_of(make, store, call):
    responses = make(ttl=60)
    assert keep(responses, answer(), call) is None
    assert store.keys() == []
    assert responses.lookup(call).conditions == {}


def test_a_caller_may_ask_for_a_newer_answer(make, clock):
    responses = make(ttl=60)
    keep(responses, answer(b"old", etag='"1"'))
    clock.advance(10)
    for control in ("no-cache", "max-age=10", "max-age=nonsense"):
        found = responses.lookup(Call("GET", "/zones/1", headers={"cache-control": control}))
        assert isinstance(found, Miss)
        assert found.conditions == {"If-None-Match": '"1"'}
    asked = Call("GET", "/zones/1", headers={"Cache-Control": "max-age=11"})
    assert isinstance(responses.lookup(asked), Hit)


def test_different_questions_have_different_answers(make):
    calls = [
        Call("GET", "/zones"),
        Call("GET", "/zones?page=2"),
        Call("GET", "/zones", {"page": 2}),
        Call("GET", "/zones", {"page": "2"}),
        Call("GET", "/zones", {"page": [2, 3]}),
        Call("GET", "/zones", headers={"Accept": "text/csv"}),
    ]
    responses = make(ttl=60)
    for number, call in enumerate(calls):
        keep(responses, answer(str(number).encode()), call)
    assert [responses.lookup(call).body for call in calls] == [str(n).encode() for n in range(len(calls))]


def test_the_order_of_arguments_does_not_matter(make):
    responses = make(ttl=60)
    keep(responses, answer(), Call("GET", "/zones", {"a": 1, "b": 2}, {"X": "1", "Y": "2"}))
    assert isinstance(responses.lookup(Call("GET", "/zones", {"b": 2, "a": 1}, {"y": "2", "x": "1"})), Hit)


def test_an_answer_that_varies_is_for_requests_alike(make):
    french = make(headers={"Accept-Language": "fr", "X-Other": "1"})
    keep(french, answer(cache_control="max-age=60", vary="Accept-Language, accept-encoding"))
    assert isinstance(make(headers={"accept-language": "fr", "X-Other": "2"}).lookup(ZONE), Hit)
    assert isinstance(make(headers={"accept-language": "de"}).lookup(ZONE), Miss)
    assert isinstance(make().lookup(ZONE), Miss)


def test_a_confirmed_answer_is_renewed(make, clock):
    responses = make()
    modified = "Thu, 01 Jan 2015 00:00:00 GMT"
    keep(
        responses,
        answer(b"body", cache_control="max-age=60", etag='"1"', last_modified=modified, age="9", x_old="o"),
    )
    clock.advance(61)
    miss = responses.lookup(ZONE)
    assert miss.conditions == {"If-None-Match": '"1"', "If-Modified-Since": modified}
    news = {"cache_control": "max-age=30", "content_length": "0", "x_new": "n"}
    hit = responses.store(miss, answer(b"", 304, **news))
    assert (hit.status, hit.body, hit.age, hit.lifetime) == (200, b"body", 0, 30)
    assert (hit.headers["x-old"], hit.headers["x-new"]) == ("o", "n")
    assert "content-length" not in hit.headers
    clock.advance(29)
    assert responses.lookup(ZONE).body == b"body"


def test_a_confirmed_answer_survives_the_cache_losing_it(make, store):
    responses = make()
    keep(responses, answer(b"body", etag='"1"'))
    miss = responses.lookup(ZONE)
    store.clear()
    assert responses.store(miss, answer(b"", 304)).body == b"body"


def test_not_modified_that_nobody_asked_for_is_passed_on(make):
    assert keep(make(), answer(b"", 304)) is None


def test_another_answer_replaces_the_old_one(make, clock):
    responses = make(ttl=60)
    keep(responses, answer(b"old", etag='"1"'))
    clock.advance(60)
    keep(responses, answer(b"new", etag='"2"'))
    assert responses.lookup(ZONE).body == b"new"
    clock.advance(60)
    keep(responses, answer(b"hidden", cache_control="no-store"))
    miss = responses.lookup(ZONE)
    assert (miss.conditions, miss.kept) == ({}, None)


def test_an_answer_that_cannot_be_kept_ends_the_one_before_it(make):
    secret = Secret("hunter-23-hunter")
    responses = make()
    for newer in (answer(b"of no use later"), answer(secret.reveal().encode(), etag='"2"')):
        keep(responses, answer(b"old", cache_control="max-age=60"))
        reload = Call("GET", "/zones/1", headers={"Cache-Control": "no-cache"})
        responses.store(responses.lookup(reload), newer)
        assert isinstance(responses.lookup(ZONE), Miss)


def test_a_stale_answer_stands_in_for_a_failure(make, clock):
    responses = make(ttl=60, stale_if_error=300)
    keep(responses, answer(b"old"))
    clock.advance(359)
    miss = responses.lookup(ZONE)
    responses.store(miss, answer(status=503))
    hit = responses.on_error(miss)
    assert (hit.body, hit.age, hit.stale) == (b"old", 359, True)
    clock.advance(2)
    assert responses.on_error(responses.lookup(ZONE)) is None


def test_no_stand_in_where_none_is_allowed(make, clock):
    responses = make(ttl=60)
    keep(responses, answer())
    clock.advance(61)
    assert responses.on_error(responses.lookup(ZONE)) is None
    strict = make(ttl=60, stale_if_error=300)
    strict.clear()
    keep(strict, answer(cache_control="max-age=1, must-revalidate", etag='"1"'))
    clock.advance(2)
    assert strict.on_error(strict.lookup(ZONE)) is None
    assert strict.on_error(Miss()) is None


def test_no_stand_in_is_older_than_allowed_when_the_failure_took_its_time(make, clock):
    responses = make(ttl=60, stale_if_error=300)
    keep(responses, answer(b"old"))
    clock.advance(350)
    miss = responses.lookup(ZONE)
    clock.advance(10)
    assert responses.on_error(miss).age == 360
    clock.advance(1)
    assert responses.on_error(miss) is None


def test_what_was_dropped_while_the_service_failed_does_not_stand_in(make, clock):
    responses = make(ttl=60, stale_if_error=300)
    keep(responses, answer(b"old"))
    clock.advance(100)
    miss = responses.lookup(ZONE)
    responses.clear("^GET /zones")
    assert responses.on_error(miss) is None


def test_nothing_stands_in_where_nobody_said_so(make):
    responses = make(ttl=60)
    keep(responses, answer(b"fresh, but not wanted"))
    miss = responses.lookup(Call("GET", "/zones/1", headers={"Cache-Control": "no-cache"}))
    assert isinstance(miss, Miss)
    assert responses.on_error(miss) is None


def test_answers_are_private_unless_said_otherwise(make):
    keep(make("ann", ttl=60), answer(b"ann's"))
    assert isinstance(make("bob", ttl=60).lookup(ZONE), Miss)
    keep(make("ann", ttl=60, shared=True), answer(b"everyone's"))
    assert make("bob", ttl=60, shared=True).lookup(ZONE).body == b"everyone's"
    assert make("ann", ttl=60).lookup(ZONE).body == b"ann's"


def test_a_private_answer_is_never_shared(make, store):
    keep(make(shared=True), answer(cache_control="private, max-age=60"))
    assert store.keys() == []


def test_a_write_makes_everything_doubtful_unless_the_backend_knows_better(make):
    calls = [Call("GET", path) for path in ("/zones", "/zones/1", "/zones/1/records", "/users/1")]

    def left(responses, write):
        responses.clear()
        for call in calls:
            keep(responses, answer(), call)
        responses.invalidate(write)
        return [call.uri for call in calls if isinstance(responses.lookup(call), Hit)]

    for safe in ("GET", "HEAD", "OPTIONS"):
        assert len(left(make(ttl=60), Call(safe, "/zones/1"))) == 4
    for write in ("POST", "PUT", "PATCH", "DELETE", "QUERY"):
        assert left(make(ttl=60), Call(write, "/zones/1")) == []

    def touches(call):
        return [f"^GET {re.escape(call.uri)}\\b", re.compile("^GET /zones$")]

    assert left(make(ttl=60, touches=touches), Call("PUT", "/zones/1")) == ["/users/1"]


def test_a_write_leaves_other_identities_alone(make):
    ann, bob = make("ann", ttl=60), make("bob", ttl=60)
    keep(ann, answer())
    keep(bob, answer())
    ann.invalidate(Call("PUT", "/zones/1"))
    assert isinstance(ann.lookup(ZONE), Miss)
    assert isinstance(bob.lookup(ZONE), Hit)


def test_an_answer_on_its_way_during_a_write_is_not_kept(make, store):
    responses = make(ttl=60)
    miss = responses.lookup(ZONE)
    responses.invalidate(Call("PUT", "/zones/1"))
    responses.store(miss, answer(b"from before"))
    assert store.keys() == []


def test_credentials_are_never_stored(path, identity):
    secret = Secret("hunter-22-hunter")
    call = Call(
        "GET", "/zones?api_key=query-secret", {"token": "args-secret"}, {"X-Api-Key": "header-secret"}
    )
    response = answer(
        b'{"public": 1}',
        url="https://ann:url-secret@service.test/zones?api_key=query-secret",
        set_cookie="sid=cookie-secret",
        X_Auth_Token="token-secret",
        authentication_info="info-secret",
        vary="X-Api-Key",
        cache_control="max-age=60",
    )
    with FileCache(path) as store:
        responses = ResponseCache(store, identity(), headers={"Authorization": "Bearer session-secret"})
        keep(responses, response, call)
        assert isinstance(responses.lookup(call), Hit)
        keep(responses, answer(f'{{"echo": "{secret.reveal()}"}}'.encode(), cache_control="max-age=60"))
        assert isinstance(responses.lookup(ZONE), Miss)
        content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"/zones" in content
    assert b"secret" not in content
    assert b"hunter" not in content
    assert b"abc" not in content


class Broken(MemoryCache):
    broken = True

    def get(self, key):
        if self.broken:
            raise CacheError("cannot be read")
        return super().get(key)

    def set(self, key, value):
        if self.broken:
            raise CacheError("no space")
        super().set(key, value)

    def clear(self, pattern=None):
        if self.broken:
            raise CacheError("no space")
        super().clear(pattern)

    def advance(self):
        if self.broken:
            raise CacheError("no space")
        super().advance()


def test_a_broken_cache_never_breaks_a_call(make, caplog):
    responses = make(cache=Broken(), ttl=60)
    keep(responses, answer())
    assert isinstance(responses.lookup(ZONE), Miss)
    assert "no space" in caplog.text


def test_what_could_not_be_dropped_is_not_used(make, clock):
    store = Broken()
    store.broken = False
    responses = make(cache=store, ttl=600)
    keep(responses, answer(b"old"))
    clock.advance(1)
    store.broken = True
    responses.invalidate(Call("PUT", "/zones/1"))
    store.broken = False
    assert isinstance(responses.lookup(ZONE), Miss)
    clock.advance(1)
    keep(responses, answer(b"new"))
    assert responses.lookup(ZONE).body == b"new"


@pytest.mark.parametrize("jump", [0, -40])
def test_what_could_not_be_dropped_is_never_used_whatever_the_clock_says(make, clock, jump):
    store = Broken()
    store.broken = False
    responses = make(cache=store, ttl=600)
    keep(responses, answer(b"old"))
    clock.jump(jump)
    store.broken = True
    responses.invalidate(Call("PUT", "/zones/1"))
    clock.advance(60)
    assert isinstance(responses.lookup(ZONE), Miss)
    store.broken = False
    assert isinstance(responses.lookup(ZONE), Miss)


def test_an_answer_on_its_way_while_a_write_could_not_be_told_to_the_cache_is_not_kept(make, clock):
    store = Broken()
    store.broken = False
    responses = make(cache=store, ttl=600)
    miss, late = responses.lookup(ZONE), responses.lookup(ZONE)
    store.broken = True
    responses.invalidate(Call("PUT", "/zones/1"))
    store.broken = False
    clock.advance(1)
    responses.store(miss, answer(b"old"))
    assert isinstance(responses.lookup(ZONE), Miss)
    responses.store(late, answer(b"old"))
    assert isinstance(responses.lookup(ZONE), Miss)


def test_a_cache_that_fails_during_a_lookup_makes_no_conditional_call(make, clock, monkeypatch):
    store = MemoryCache()
    responses = make(cache=store)
    keep(responses, answer(etag='"1"'))

    def fail():
        raise CacheError("no space")

    monkeypatch.setattr(store, "epoch", fail)
    assert responses.lookup(ZONE) == Miss()


def test_a_clock_set_back_makes_answers_doubtful(make, clock):
    responses = make(ttl=60)
    keep(responses, answer())
    clock.jump(-30)
    assert isinstance(responses.lookup(ZONE), Miss)


def test_negative_times_are_mistakes(make):
    for wrong in ({"ttl": -1}, {"stale_if_error": -1}):
        with pytest.raises(ConfigurationError):
            make(**wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
HEADS = st.tuples(*[JSON] * 7) | st.tuples(
    st.just(200) | JSON,
    st.dictionaries(st.sampled_from(["etag", "vary", "cache-control"]), st.text() | JSON),
    st.just("u") | JSON,
    st.just(1_767_225_600.0) | JSON,
    st.just(0) | JSON,
    st.just(60.0) | JSON,
    st.just({}) | JSON,
)


@given(HEADS.map(json.dumps) | JSON.map(json.dumps) | st.text())
def test_a_store_that_was_tampered_with_raises_nothing(identity_of_ann, text):
    store, responses, prefix = identity_of_ann
    for raw in (text.encode(), text.encode() + b"\nbody", text):
        store.set(f"{prefix}:GET /zones/1", raw)
        found = responses.lookup(ZONE)
        if isinstance(found, Miss):
            responses.on_error(found)
            responses.store(found, answer(b"", 304))


@pytest.fixture(scope="module")
def identity_of_ann():
    from sessionkit.outcome import Identity

    store = MemoryCache()
    responses = ResponseCache(store, Identity("service", "ann", "u"), clock=ManualClock(), stale_if_error=60)
    keep(responses, answer(cache_control="max-age=60"))
    return store, responses, store.keys()[0].split(":")[0]


def test_threads_and_layers(file_cache, make):
    responses = make(cache=LayeredCache([MemoryCache(), file_cache]), ttl=60)
    errors = []

    def work(number):
        try:
            for turn in range(30):
                call = Call("GET", f"/zones/{number}/{turn % 3}")
                found = responses.lookup(call)
                if isinstance(found, Miss):
                    responses.store(found, answer(call.uri.encode()))
                else:
                    assert found.body == call.uri.encode()
                if turn % 10 == 9:
                    responses.invalidate(Call("PUT", "/zones"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
