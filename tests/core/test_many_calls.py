"""Many calls at once: in order, in time, never too many, and nothing left behind."""

import contextlib
import gc
import io
import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import threading
import time
import weakref
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trustme
from core_kit import Api
from wire_kit import CLOSE, Wire, ok, settle

from sessionkit import HeaderAuth, RetryPolicy, Secret, SessionKitError, TokenAuth, TokenSource
from sessionkit.cache import MemoryCache
from sessionkit.errors import (
    CallTimeout,
    ConfigurationError,
    InvalidRequest,
    NotFound,
    SessionClosed,
)
from sessionkit.events import EventHub
from sessionkit.http import Call, many
from sessionkit.http.body import Body
from sessionkit.http.caching import CachePolicy
from sessionkit.http.job import Task
from sessionkit.http.many import do_all
from sessionkit.http.stream import Stream
from sessionkit.outcome import Exchange
from sessionkit.tokens import Token

NEVER = RetryPolicy.never()
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def wire():
    wire = Wire()
    wire.answer = lambda seen: [ok(json.dumps(seen.path).encode())]
    yield wire
    wire.stop()


def session_with(wire, warm=4, **options):
    """A session with some kept connections."""
    session = Api.detached(wire.url, **{"timeout": 10, "retry": NEVER, **options})
    gate = threading.Barrier(warm) if warm > 1 else None

    def ask():
        with session.stream("/good") as answer:
            if gate is not None:
                gate.wait(10)
            b"".join(answer)

    threads = [threading.Thread(target=ask) for _ in range(warm)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    del wire.seen[:]
    return session


def gets(paths, **more):
    return (Call("GET", path, **more) for path in paths)


def paths(number):
    return [f"/{n}" for n in range(number)]


def results(came):
    return [each.result if isinstance(each, Exchange) else type(each).__name__ for each in came]


def mine():
    """The threads of many calls."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("sessionkit-many")]


def places(session):
    return session._limit._places.qsize()


@pytest.fixture(autouse=True)
def no_thread_left():
    yield
    settle(lambda: not mine())


# --- order and bounds ---


def test_results_are_in_the_calls_order_whatever_order_answers_come_in(wire):
    turns = {f"/{n}": threading.Event() for n in range(6)}
    turns["/5"].set()

    def answer(seen):
        number = int(seen.path[1:])
        body = json.dumps(seen.path).encode()
        pieces = [turns[seen.path], ok(body)]
        threading.Thread(
            target=lambda: (
                turns[seen.path].wait(10),
                time.sleep(0.01),
                turns.get(f"/{number - 1}", turns["/5"]).set(),
            )
        ).start()
        return pieces

    wire.answer = answer
    with session_with(wire, 6) as session:
        assert results(session.perform_all(gets(paths(6)), at_once=6)) == paths(6)


@pytest.mark.parametrize(("at_once", "limit", "most"), [(3, None, 3), (8, 2, 2), (3, 3, 3), (1, None, 1)])
def test_never_more_than_at_once_nor_than_the_sessions_limit(wire, at_once, limit, most):
    wire.answer = lambda seen: [0.002, ok(json.dumps(seen.path).encode())]
    with session_with(wire, min(most, 4), max_concurrency=limit) as session:
        wire.most_at_once = 0
        assert results(session.perform_all(gets(paths(40)), at_once=at_once)) == paths(40)
        assert wire.most_at_once == most
        assert limit is None or places(session) == limit


def test_no_more_is_read_than_twice_at_once_ahead_of_what_was_taken(wire):
    read = []

    def calls():
        for path in paths(60):
            read.append(path)
            yield Call("GET", path)

    with session_with(wire, 3) as session:
        taken = 0
        for _ in session.perform_all(calls(), at_once=3):
            taken += 1
            time.sleep(0.001)
            assert len(read) <= 6 + taken
        assert taken == 60


def test_a_thousand_calls_fifty_at_once_on_five_places(wire):
    with session_with(wire, 1, max_concurrency=5) as session:
        wire.most_at_once = 0
        assert results(session.perform_all(gets(paths(1000)), at_once=50)) == paths(1000)
        assert wire.most_at_once <= 5
        assert len({seen.connection for seen in wire.seen}) <= 5
        assert places(session) == 5


def test_no_calls_no_results_and_wrong_numbers_are_refused(wire):
    with session_with(wire, 1) as session:
        assert list(session.perform_all([])) == []
        with pytest.raises(ConfigurationError):
            session.perform_all([], at_once=0)
        (error,) = session.perform_all(gets(["/x"]), timeout="soon")
        assert isinstance(error, ConfigurationError)


# --- what goes wrong stays where it went wrong ---


def test_errors_of_single_calls_stand_in_their_places(wire):
    bad = {"/1": [ok(b"{}", status=b"404 Not Found")], "/3": [CLOSE], "/4": [ok(b"{")]}
    wire.answer = lambda seen: bad.get(seen.path, [ok(json.dumps(seen.path).encode())])
    with session_with(wire) as session:
        found = results(session.perform_all(gets(paths(6)), at_once=4))
    assert found == ["/0", "NotFound", "/2", "ConnectionFailed", "UnexpectedResponse", "/5"]


slow_servers = pytest.mark.parametrize(
    "slow",
    [
        pytest.param([20.0], id="silent"),
        pytest.param([HEAD, *[b"x" if n % 2 else 0.02 for n in range(1000)]], id="dripping a head"),
        pytest.param([HEAD + b"Content-Length: 999\r\n\r\n", *[b"x", 0.02] * 500], id="dripping a body"),
        pytest.param([HEAD + b"\r\n0\r\n\r\n", 20.0], id="a close that does not come"),
        pytest.param([HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n0\r\n\r\n", 20.0], id="a chunk's end"),
        pytest.param([HEAD + b"Content-Length: +99\r\n\r\n{", 20.0], id="an odd length"),
        pytest.param([HEAD + b"X-A: 1\n", 20.0], id="an odd head"),
        pytest.param([b"%s%s" % (HEAD, b"X: 1\r\n" * 90), 20.0], id="part of a head"),
        pytest.param([HEAD + b"Content-Length: 900000\r\n\r\n", b"x" * 300_000, 20.0], id="a large body"),
    ],
)


def until(event, pieces):
    """Send these pieces, and hang up when something has happened."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        elif event.wait(piece):
            break
    yield CLOSE


@slow_servers
def test_a_slow_server_holds_up_nobody_else(wire, slow):
    others = threading.Event()
    wire.answer = lambda seen: (
        until(others, slow) if seen.path == "/0" else [ok(json.dumps(seen.path).encode())]
    )
    with session_with(wire, 2) as session:

        def finish(came):
            if came.result == "/40":
                others.set()
            return came.result

        tasks = [Task(Call("GET", path)) for path in paths(41)]
        tasks[40].__class__ = type("Last", (Task,), {"finish": lambda _, came: finish(came), "__slots__": ()})
        found = list(do_all(session, tasks, 2, 20))
        assert others.is_set()
        assert [came.result for came in found[1:-1]] == paths(40)[1:]


@slow_servers
def test_a_slow_server_is_waited_for_until_the_deadline(wire, slow):
    wire.answer = lambda seen: slow
    with session_with(wire, 2) as session:
        begun = time.monotonic()
        (found,) = do_all(session, [Task(Call("GET", "/0"))], 2, 0.2)
        assert isinstance(found, CallTimeout)
        assert 0.15 < time.monotonic() - begun < 9


def test_an_answer_that_came_in_time_counts_though_the_calls_came_slowly(wire):
    def calls():
        yield Call("GET", "/0")
        yield Call("GET", "/1")
        time.sleep(1.2)
        yield Call("GET", "/2")

    wire.answer = lambda seen: [0.05, ok(json.dumps(seen.path + "x" * 200_000).encode())]
    with session_with(wire, 3) as session:
        found = results(session.perform_all(calls(), at_once=3, timeout=1.0))
    assert [each[:2] for each in found] == ["/0", "/1", "/2"]


def test_what_reading_the_calls_raised_is_raised_after_those_under_way(wire):
    def calls():
        yield from gets(paths(3))
        raise LookupError("no more")

    wire.answer = lambda seen: [0.02, ok(json.dumps(seen.path).encode())]
    with session_with(wire) as session:
        found = []
        with pytest.raises(LookupError, match="no more"):
            found.extend(each.result for each in session.perform_all(calls(), at_once=3))
        came = iter(session.perform_all(calls(), at_once=3))
        assert [next(came).result for _ in range(3)] == paths(3)
        with pytest.raises(LookupError):
            next(came)


class Fussy(Api):
    """A session whose own steps raise."""

    __metakey__ = "test.fussy"
    error: Exception

    def process(self, response, call):
        if response.url.endswith("/2"):
            raise self.error
        return super().process(response, call)


@pytest.mark.parametrize("warm", [0, 2], ids=["new connections", "kept ones"])
def test_what_a_backend_raises_stands_in_its_place_or_is_raised(wire, warm):
    with session_with(wire, warm) as api, Fussy.detached(wire.url) as session:
        session._transport, api._transport = api._transport, session._transport
        session.error = NotFound("as the backend says")
        assert results(session.perform_all(gets(paths(4)), at_once=2)) == ["/0", "/1", "NotFound", "/3"]
        session.error = ZeroDivisionError("a bug")
        came = session.perform_all(gets(paths(4)), at_once=2)
        assert [next(came).result, next(came).result] == ["/0", "/1"]
        with pytest.raises(ZeroDivisionError, match="a bug"):
            next(came)
        assert list(came) == []


def test_what_is_no_call_is_raised_in_its_place(wire):
    with session_with(wire, 2) as session:
        came = session.perform_all([Call("GET", "/0"), "no call"], at_once=2)
        assert next(came).result == "/0"
        with pytest.raises(AttributeError):
            next(came)
        with pytest.raises(AttributeError):
            list(session.perform_all([None]))


def test_what_a_task_raises_or_leaves_by_is_told(wire):
    class Leaves(Task):
        __slots__ = ()

        def finish(self, came):
            sys.exit(3)

    with session_with(wire, 1) as session, pytest.raises(SystemExit):
        list(do_all(session, [Leaves(Call("GET", "/x"))], 1, None))


# --- the end ---


def test_leaving_early_leaves_no_thread_no_place_and_no_half_read_connection(wire):
    hold = threading.Event()
    wire.answer = lambda seen: (
        [ok(b"1")] if seen.path == "/0" else [HEAD + b"Content-Length: 9\r\n\r\n12", hold, b"3456789"]
    )
    with session_with(wire, 4, max_concurrency=4) as session:
        came = session.perform_all(gets(paths(9)), at_once=4)
        assert next(came).result == 1
        settle(lambda: len(wire.seen) >= 5)
        begun = time.monotonic()
        came.close()
        assert time.monotonic() - begun < 2
        assert not mine()
        assert places(session) == 4
        held = {seen.connection for seen in wire.seen if seen.path != "/0"}
        del wire.seen[:]
        hold.set()
        for _ in range(8):
            assert session.get("/good") == {"good": True}
        assert not held & {seen.connection for seen in wire.seen}


def test_forgetting_the_results_ends_it_too(wire):
    hold = threading.Event()
    wire.answer = lambda seen: [ok(b"1")] if seen.path == "/0" else [hold, ok(b"1")]
    with session_with(wire, 3, max_concurrency=3) as session:
        came = session.perform_all(gets(paths(9)), at_once=3)
        next(came)
        del came
        gc.collect()
        settle(lambda: not mine() and places(session) == 3)
        hold.set()


def test_calls_that_nobody_begins_to_take_begin_nothing(wire):
    with session_with(wire, 1) as session:
        session.perform_all(gets(paths(9)))
        assert not mine()
        assert not wire.seen


def test_leaving_early_does_not_wait_for_calls_that_never_come(wire, monkeypatch):
    monkeypatch.setattr("sessionkit.http.many.GRACE", 0.1)
    more = threading.Event()

    def calls():
        yield Call("GET", "/0")
        more.wait(20)

    with session_with(wire, 1) as session:
        came = session.perform_all(calls(), at_once=1)
        next(came)
        begun = time.monotonic()
        came.close()
        assert time.monotonic() - begun < 5
        more.set()


def test_a_result_is_there_before_the_next_call_is_known(wire):
    more = queue.SimpleQueue()
    more.put("/0")
    with session_with(wire, 2) as session:
        found = []
        for exchange in session.perform_all(gets(iter(more.get, None)), at_once=1):
            found.append(exchange.result)
            more.put(f"/{len(found)}" if len(found) < 5 else None)
        assert found == paths(5)


def test_streams_that_nobody_took_give_back_place_and_connection(wire):
    hold = threading.Event()
    wire.answer = lambda _: [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"200000\r\n" + b"x" * 0x200000,
        hold,
    ]
    with session_with(wire, 3, max_concurrency=3) as session:
        came = session.perform_all(gets(paths(3), stream=True), at_once=3)
        first = next(came)
        settle(lambda: len(wire.seen) == 3)
        came.close()
        settle(lambda: places(session) == 2)
        Stream(first.response).close()
        assert places(session) == 3
        hold.set()


def test_streams_that_flow_slowly_are_handed_on_and_followed_by_the_next(wire):
    wire.answer = lambda seen: [HEAD + b"Content-Length: 3\r\n\r\n", b"a", 0.45, b"b", 0.45, b"c"]
    with session_with(wire, 1) as session:
        read = []
        for exchange in session.perform_all(gets(paths(2), stream=True), at_once=1, timeout=0.8):
            stream = Stream(exchange.response)
            read.append(b"".join(stream))
            stream.close()
        assert read == [b"abc"] * 2


def test_a_stream_redirected_to_another_origin_keeps_its_place_until_closed(wire):
    other = Wire()
    try:
        other.script([HEAD + b"Content-Length: 9\r\n\r\nabc", 0.02, b"defghi"])
        wire.answer = lambda _: [ok(b"", b"Location: " + other.url.encode() + b"/y", status=b"302 Found")]
        with session_with(wire, 1, max_concurrency=1) as session:
            (exchange,) = session.perform_all(gets(["/x"], stream=True))
            assert places(session) == 0
            stream = Stream(exchange.response)
            assert b"".join(stream) == b"abcdefghi"
            stream.close()
            assert places(session) == 1
    finally:
        other.stop()


def test_a_session_closed_meanwhile_says_so_for_what_was_not_begun(wire):
    with session_with(wire, 2) as session:
        came = session.perform_all(gets(paths(20)), at_once=2)
        next(came)
        session.close()
        rest = results(came)
        assert rest[-1] == "SessionClosed"
        assert set(rest) <= {*paths(20), "SessionClosed"}
        assert results(session.perform_all(gets(["/x"]))) == ["SessionClosed"]


def test_a_siblings_calls_end_with_the_session(wire):
    session = session_with(wire, 1)
    twin = session.sibling()
    twin.get("/good")
    session.close()
    (error,) = twin.perform_all(gets(["/x"]))
    assert isinstance(error, SessionClosed)


def test_the_consumer_may_use_the_session_while_it_takes(wire):
    with session_with(wire, 1, max_concurrency=1, timeout=5) as session:
        for number, exchange in enumerate(session.perform_all(gets(paths(12)), at_once=3)):
            assert exchange.result == f"/{number}"
            assert session.get("/good") == {"good": True}
            assert results(session.perform_all(gets(["/y"]))) == ["/y"]


def test_200_consumers_in_threads_leave_nothing(wire):
    with session_with(wire, 4, max_concurrency=8) as session:
        found = []

        def consume(number):
            came = session.perform_all(gets([f"/{number}", "/a", "/b"]), at_once=2)
            found.append(next(came).result == f"/{number}")
            if number % 2:
                came.close()
            else:
                found.extend(each.result in {"/a", "/b"} for each in came)

        threads = [threading.Thread(target=consume, args=(number,)) for number in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert all(found)
        assert len(found) == 200 + 100 * 2
        settle(lambda: not mine())
        assert places(session) == 8
        pool = next(iter(session._transport._routes.values())).pool
        kept = [conn for conn in list(pool.pool.queue) if conn is not None]
        assert len(kept) == len(set(map(id, kept))), "a connection was given back twice"


EXITS = """
import sys
sys.path.insert(0, {tests!r})
from core_kit import Api
from sessionkit.http import Call
session = Api.detached({url!r})
session.get("/good")
def calls():
    while True:
        yield Call("GET", "/x")
came = session.perform_all(calls(), at_once=2)
next(came)
print("left")
"""


def test_a_program_that_ends_in_the_middle_ends_at_once(wire):
    code = EXITS.format(tests=str(Path(__file__).parent), url=wire.url)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "left\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_is_told_and_its_parent_goes_on(wire):
    with session_with(wire, 3, max_concurrency=3) as session:
        came = session.perform_all(gets(paths(30)), at_once=3)
        assert next(came).result == "/0"
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                try:
                    next(came)
                    said = "nothing"
                except SessionKitError as error:
                    said = str(error)
                os.write(write, f"{said} {results(session.perform_all(gets(['/c'])))}".encode())
            finally:
                os._exit(0)
        os.close(write)
        assert results(came) == paths(30)[1:]
        with os.fdopen(read) as pipe:
            assert pipe.read() == "these calls belong to the parent process\n  -> make them anew ['/c']"
        os.waitpid(pid, 0)
        assert places(session) == 3


def test_threads_that_call_first_share_one_pool(wire):
    for _ in range(10):
        with session_with(wire, 8) as session:
            pool = next(iter(session._transport._routes.values())).pool
            assert sum(conn is not None for conn in pool.pool.queue) == 8


# --- the same as single calls ---


def test_history_events_and_cache_see_what_they_see_of_single_calls(wire):
    def look(ask):
        hub, told = EventHub(), []
        hub.subscribe(
            "topic=sessionkit.request.*", lambda event: told.append((event["topic"], sorted(event["data"])))
        )
        wire.answer = lambda seen: [ok(b"[]", status=b"404 No")] if seen.path == "/1" else [ok(b"[]")]
        options = {
            "history": 9,
            "cache": MemoryCache(),
            "cache_policy": CachePolicy(ttl=60),
            "event_hub_factory": lambda _: hub,
        }
        with session_with(wire, 1, **options) as session:
            del told[:]
            ask(session, gets(["/0", "/1", "/0", "/2"]))
            entries = [(entry.uri, entry.status, entry.attempts) for entry in session.history]
        return told, entries[1:], [seen.path for seen in wire.seen]

    def singly(session, calls):
        for call in calls:
            with contextlib.suppress(SessionKitError):
                session.perform(call)

    many = look(lambda session, calls: list(session.perform_all(calls, at_once=1)))
    assert many == look(singly)
    assert many[2] == ["/0", "/1", "/2"]
    assert many[1]
    assert many[0]


def test_credentials_do_not_cross_origins(wire):
    other = Wire()
    try:
        wire.answer = lambda seen: [ok(b"", b"Location: " + other.url.encode() + b"/y", status=b"302 Found")]
        auth = HeaderAuth({"X-Api-Key": Secret("key-12345")})
        with session_with(wire, 2, auth=auth, headers={"X-Own": "1"}) as session:
            for _ in range(2):  # the second time a connection to the other stands
                assert results(session.perform_all(gets(["/a", "/b"]), at_once=2)) == [{"good": True}] * 2
        assert {seen.headers["x-api-key"] for seen in wire.seen} == {"key-12345"}
        assert len(other.seen) == 4
        assert not any({"x-api-key", "x-own"} & set(seen.headers) for seen in other.seen)
    finally:
        other.stop()


ODD_HEADERS = [
    {"X": "a\r\nX-Injected: 1"},
    {"X": "a\nb"},
    {"X": "a\rb"},
    {"X": "a\0b"},
    {"X": "€"},
    {"": "1"},
    {"X Y": "1"},
    {"X:": "1"},
    {"X\r\nX-Injected": "1"},
    {"X": None},
    {"X": 5},
    {"X": b"bytes"},
    {"X": " spaces "},
    {"Host": "other.test"},
    {"Transfer-Encoding": "chunked"},
]


@pytest.mark.parametrize("headers", ODD_HEADERS, ids=repr)
def test_odd_headers_are_sent_or_refused_alike(wire, headers):
    def look(warm, ask):
        with session_with(wire, warm) as session:
            came = ask(session, Call("GET", "/x", headers=headers))
            told = str(came) if isinstance(came, Exception) else came.result
            return told, [(seen.method, seen.path, sorted(seen.headers.items())) for seen in wire.seen]

    def singly(session, call):
        try:
            return session.perform(call, timeout=1.0)
        except SessionKitError as error:
            return error

    cold = look(0, singly)
    assert look(1, singly) == cold
    assert look(1, lambda session, call: next(session.perform_all([call], timeout=1.0))) == cold
    assert not any("x-injected" in dict(fields) for _, _, fields in cold[1])


class Upload(Body):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __iter__(self):
        for at in range(0, self.size, 1000):
            yield b"u" * min(1000, self.size - at)


@pytest.mark.parametrize(
    "args",
    [b"", b"bytes", {"a": [1, None]}, None, Upload(0), Upload(20_500), b"x" * 16_384, b"x" * 300_000],
    ids=["empty", "bytes", "JSON", "none", "an empty Body", "a Body", "16 kB", "300 kB"],
)
def test_bodies_are_sent_as_by_single_calls(wire, args):
    wire.answer = lambda seen: [ok(json.dumps([len(seen.body), seen.headers.get("content-length")]).encode())]

    def look(warm, ask):
        with session_with(wire, warm) as session:
            result = ask(session, Call("POST", "/x", args)).result
            (seen,) = wire.seen
            return result, seen.body, sorted(seen.headers.items())

    cold = look(0, lambda session, call: session.perform(call))
    assert look(1, lambda session, call: session.perform(call)) == cold
    assert look(1, lambda session, call: next(session.perform_all([call]))) == cold


@pytest.mark.parametrize("warm", [0, 1], ids=["cold", "warm"])
def test_an_answer_to_a_body_that_is_not_read_is_heard(wire, warm):
    # The service says no after the head, and hangs up while the body is still being sent.
    wire.reads_bodies = False
    wire.answer = lambda _: [ok(b"", b"Connection: close", status=b"413 Too Large"), 0.05, CLOSE]
    with session_with(wire, warm) as session, pytest.raises(InvalidRequest):
        session.post("/x", b"x" * 30_000_000)


def test_forever_is_a_timeout(wire):
    with session_with(wire, 1) as session:
        for timeout in (float("inf"), 1e12, 1e7):
            assert session.get("/x", timeout=timeout) == "/x"
            assert results(session.perform_all(gets(["/y", "/z"]), timeout=timeout)) == ["/y", "/z"]
    with Api.detached(wire.url, timeout=1e7) as session:
        assert session.get("/x") == "/x"


def test_no_time_is_none(wire):
    with session_with(wire, 1) as session:
        for timeout in (0, -1):
            (error,) = session.perform_all(gets(["/y"]), timeout=timeout)
            with pytest.raises(CallTimeout) as caught:
                session.get("/y", timeout=timeout)
            assert str(error) == str(caught.value)
        assert not wire.seen


@pytest.mark.parametrize("limit", [None, 1, 3], ids=["no limit", "one place", "three"])
def test_a_token_that_ends_in_the_middle_is_renewed_once_and_holds_up_nothing(wire, limit):
    tokens, fetched = count(1), []
    refused = {"0"}

    def answer(seen):
        if seen.path == "/login":
            return [0.05, ok(b"[]")]
        number = seen.headers["authorization"].removeprefix("Bearer t")
        return [ok(b"{}", status=b"401 No")] if number in refused else [ok(json.dumps(seen.path).encode())]

    def fetch(deadline):
        session.perform(Call("POST", "/login", {}, signed=False), timeout=deadline.remaining())
        fetched.append(next(tokens))
        return Token(f"t{fetched[-1]}")

    wire.answer = answer
    source = TokenSource(fetch, key="k")
    with session_with(wire, 0, auth=TokenAuth(source), max_concurrency=limit, timeout=5) as session:
        session.get("/good")
        found = []
        for number, exchange in enumerate(session.perform_all(gets(paths(60)), at_once=8)):
            found.append(exchange.result if isinstance(exchange, Exchange) else exchange)
            if number == 20:
                refused.add("1")
        assert found == paths(60)
        assert fetched == [1, 2]
        if limit:
            assert places(session) == limit


def test_a_token_that_is_not_there_is_not_waited_for_by_the_one_that_gathers(wire):
    gate, who = threading.Event(), []

    def fetch(_):
        who.append(threading.current_thread().name)
        gate.wait(5)
        return Token("t1")

    with session_with(wire, 0, auth=TokenAuth(TokenSource(fetch, key="k")), timeout=5) as session:
        session.execute(Call("GET", "/good", signed=False))
        calls = [Call("GET", "/a"), *gets(paths(5), signed=False)]
        threading.Timer(0.3, gate.set).start()
        begun = time.monotonic()
        assert results(session.perform_all(calls, at_once=3)) == ["/a", *paths(5)]
        assert time.monotonic() - begun < 4
    assert len(who) == 1
    assert who != ["sessionkit-many"]


@pytest.mark.filterwarnings("always::ResourceWarning")
def test_ctrl_c_before_anything_was_begun_leaves_no_socket(wire, monkeypatch, recwarn):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with session_with(wire, 1) as session, monkeypatch.context() as patch:
        came = session.perform_all(gets(["/x"]))
        patch.setattr(many.threading, "Thread", interrupted)
        gc.collect()
        recwarn.clear()
        with pytest.raises(KeyboardInterrupt):
            next(came)
        gc.collect()
    assert not [each.message for each in recwarn]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs pthread_kill")
def test_ctrl_c_in_a_call_closes_its_connection(wire):
    wire.answer = lambda _: [HEAD, 20.0]
    with session_with(wire, 1) as session:
        (conn,) = [each for each in next(iter(session._transport._routes.values())).pool.pool.queue if each]
        interrupt = partial(signal.pthread_kill, threading.get_ident(), signal.SIGINT)
        threading.Timer(0.1, interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            session.get("/x")
        assert conn.sock is None
        assert session.get("/good") == {"good": True}


# --- the way there ---


@pytest.mark.parametrize("path", ["/x", "/a/../b", "/a/./b", "/x?q=%2f&r=\u00fc", "/x?"])
def test_a_proxy_is_asked_alike(wire, path):
    wire.answer = lambda _: [ok(b"[1]")]

    def look(warm, ask):
        del wire.seen[:]
        with Api.detached(
            "http://service.test", proxies={"http": wire.url.replace("//", "//ann:pw@")}
        ) as session:
            for _ in range(warm):
                session.get("/good")
            assert ask(session, Call("GET", path)).result == [1]
        seen = wire.seen[-1]
        return seen.path, sorted(seen.headers.items()), "proxy-authorization" in seen.headers

    cold = look(0, lambda session, call: session.perform(call))
    assert cold[2]
    assert look(1, lambda session, call: session.perform(call)) == cold
    assert look(1, lambda session, call: next(session.perform_all([call]))) == cold


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secure(authority, tmp_path):
    """A wire with TLS, and what a session needs to trust it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    wire = Wire(tls=context)
    yield wire, {"verify": tmp_path / "authority.pem"}
    wire.stop()


def test_many_calls_over_tls(secure):
    wire, trust = secure
    large = json.dumps("x" * 300_000).encode()
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-T: 1\r\n\r\n" % (
        len(large),
        large,
    )
    kinds = [ok(large), chunked, ok(b"1"), b"HTTP/1.1 103 X\r\n\r\n" + ok(b"2")]
    wire.answer = lambda seen: [kinds[int(seen.path[1:]) % 4]]
    with session_with(wire, 4, **trust) as session:
        found = results(session.perform_all(gets(paths(40)), at_once=8))
        assert found == ["x" * 300_000, "x" * 300_000, 1, 2] * 10
        kept = {seen.connection for seen in wire.seen}
        assert len(kept) <= 8
        (late,) = session.perform_all(gets(["/2"]), timeout=1e-9)
        assert isinstance(late, CallTimeout)


@pytest.mark.parametrize("many", [False, True], ids=["singly", "many"])
@pytest.mark.parametrize("size", [9000, 8192 - 41], ids=["read with it", "left where it was decrypted"])
def test_what_tls_decrypted_beyond_an_answer_is_no_answer(secure, many, size):
    # Answer and excess come in one record: what is left of it no poll of the socket would show.
    wire, trust = secure
    answer = ok(b"1" * size)
    assert size == 9000 or len(answer) == io.DEFAULT_BUFFER_SIZE
    wire.answer = lambda _: [answer + ok(b'"stale"') * 50]
    with session_with(wire, 1, **trust) as session:
        for _ in range(3):
            ask = session.perform_all if many else lambda calls: map(session.perform, calls)
            (exchange,) = ask(gets(["/x"], raw=True))
            assert exchange.result.body == b"1" * size
            assert session.get("/good") == {"good": True}


def test_a_session_is_freed_at_once_whatever_its_calls_met(wire):
    wire.answer = lambda seen: {"/0": [ok(b"{}", status=b"404 No")], "/1": [CLOSE], "/2": [b"odd\r\n"]}.get(
        seen.path, [ok(b"{")]
    )
    gc.collect()
    gc.disable()
    try:
        session = session_with(wire, 4)
        gone = weakref.ref(session)
        assert len(list(session.perform_all(gets(paths(4)), at_once=4))) == 4
        del session
        settle(lambda: gone() is None)
    finally:
        gc.enable()
