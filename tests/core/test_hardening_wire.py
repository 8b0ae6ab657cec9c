"""Odd answers, odd arguments and slow peers: one typed error each, in time, and nothing sent twice."""

import json
import os
import socket
import threading
import time
from datetime import datetime

import pytest
from core_kit import Api
from requests.auth import AuthBase, HTTPDigestAuth

from sessionkit import CredentialLogin, HeaderAuth, RetryPolicy, Secret, TokenAuth, TokenSource, secrets
from sessionkit.errors import (
    CallTimeout,
    ConfigurationError,
    ConnectionFailed,
    NotFound,
    RateLimited,
    ResponseTooLarge,
    SessionClosed,
    UnexpectedResponse,
)
from sessionkit.http.body import Body
from sessionkit.http.retry import retry_after
from sessionkit.testing import ManualClock

OK = (200, {}, {"ok": True})
HEAD = b"HTTP/1.1 200 OK\r\n"
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="abc", qop="auth", algorithm=MD5'}


class Slow:
    """A peer that a test plays byte by byte: `play(connection)` in a thread of its own."""

    def __init__(self, play):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stop = threading.Event()
        self.play = play
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            self.play(self, connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.listener.close()
        self.thread.join(10)


def drip(slow, connection):
    while not slow.stop.wait(0.02):
        try:
            connection.sendall(b"x")
        except OSError:
            return


# --- answers ---


def test_a_post_whose_answer_cannot_be_read_is_not_sent_again(api, server):
    server.script(HEAD + b"Content-Length: \xb2\r\nContent-Encoding: gzip\r\n\r\nno gzip")
    with pytest.raises(ConnectionFailed) as caught:
        api.post("/x", {})
    assert caught.value.sent
    assert len(server.seen) == 1


def test_a_length_in_odd_digits_is_no_length(api, server):
    server.script(HEAD + b"Content-Length: \xb2\r\n\r\n{}")
    assert api.post("/x", {}) == {}


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: -5\r\n\r\n", b"Content-Length: abc\r\n\r\n", b"\r\n"],
    ids=["negative", "no number", "none"],
)
def test_a_length_that_is_none_does_not_lift_the_limit(server, head):
    server.script(HEAD + head + b'"' + b"x" * 100_000 + b'"')
    with Api.detached(server.url, max_response_size=1000) as api, pytest.raises(ResponseTooLarge):
        api.get("/x")


def test_a_small_length_beside_chunks_does_not_lift_the_limit(server):
    chunk = b"186a0\r\n" + b"1" * 100_000 + b"\r\n0\r\n\r\n"
    server.script(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    with Api.detached(server.url, max_response_size=1000) as api, pytest.raises(ResponseTooLarge):
        api.get("/x")


def test_early_hints_are_not_the_answer(api, server):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    server.script(b"HTTP/1.1 100 Continue\r\n\r\n" + hints * 2 + HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}')
    assert api.get("/x") == {"a": 1}


def test_a_protocol_changed_unasked_is_an_error(api, server):
    server.script(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    with pytest.raises(ConnectionFailed, match="101"):
        api.post("/x")


@pytest.mark.parametrize("charset", ["idna", "punycode", "hex", "undefined", "no-such", "\x00"])
def test_an_error_in_an_odd_charset_is_the_same_error(api, server, charset):
    server.script((404, {"Content-Type": f"text/html; charset={charset}"}, b"\xff\xfe?"))
    with pytest.raises(NotFound):
        api.get("/x")


# --- arguments ---


@pytest.mark.parametrize("args", [{"a": "\ud800"}, ["a"], "abc", 5])
def test_arguments_that_are_no_query_are_refused_before_anything_is_sent(api, server, args):
    with pytest.raises(ConfigurationError, match="query"):
        api.get("/x", args)
    assert not server.seen


@pytest.mark.parametrize("uri", ["http://[bad", "http://x:99999/", "http://evil.test\\@127.0.0.1/"])
def test_a_whole_url_that_is_none_is_refused(api, uri):
    with pytest.raises(ConfigurationError, match="URL"):
        api.get(uri)


@pytest.mark.parametrize("headers", [{"X": "€"}, {"X": None}, {"X Y:": "1"}, {"X": "a\r\nb"}])
def test_headers_that_cannot_be_sent_are_not_tried_again(api, server, headers):
    with pytest.raises(ConnectionFailed, match="could not be sent") as caught:
        api.get("/x", headers=headers)
    assert not caught.value.sent
    assert len(caught.value.attempts) == 1
    assert not server.seen


@pytest.mark.parametrize(
    "url", ["http://ann:hunter22@x.test/v1", "http://x.test/v1?key=hunter22", "http://x.test/#a"]
)
def test_a_base_url_holds_neither_credential_nor_query(url):
    with pytest.raises(ConfigurationError, match="base_url") as caught:
        Api.detached(url)
    assert "hunter22" not in str(caught.value)


# --- redirects ---


@pytest.mark.parametrize("target", ["//[", "http://[::1", "http://x:99999/", "http://evil.test\\@127.0.0.1/"])
def test_redirects_that_lead_nowhere_are_one_typed_error(server, target):
    server.script((302, {"Location": target}, b""))
    with Api.detached(server.url) as api, pytest.raises(UnexpectedResponse):
        api.get("/x")


def test_a_redirect_in_plain_utf_8_is_followed(api, server):
    server.script((302, {"Location": "/ü".encode().decode("latin-1")}, b""), OK)
    api.get("/x")
    assert server.seen[1].path == "/%C3%BC"


def test_a_post_that_was_redirected_to_a_page_that_fails_is_not_posted_again(server):
    server.script((303, {"Location": "http://127.0.0.1:1/done"}, b""))
    with Api.detached(server.url, clock=ManualClock()) as api, pytest.raises(ConnectionFailed):
        api.post("/order", {})
    assert len(server.seen) == 1


def test_a_post_that_was_redirected_to_a_page_that_throttles_is_not_posted_again(server):
    server.script((303, {"Location": "/done"}, b""), (429, {}, {}))
    with Api.detached(server.url, clock=ManualClock()) as api, pytest.raises(RateLimited):
        api.post("/order", {})
    assert [seen.method for seen in server.seen] == ["POST", "GET"]


class Upload(Body):
    def __len__(self):
        return 5

    def __iter__(self):
        yield b"12345"


def test_a_redirect_that_drops_the_body_drops_what_describes_it(api, server):
    server.script((303, {"Location": "/done"}, b""), OK)
    assert api.post("/x", Upload(), headers={"Content-Type": "image/png"}, timeout=2) == {"ok": True}
    assert not {"content-length", "content-type"} & set(server.seen[1].headers)


def test_digest_authentication_follows_redirects(server):
    def answer(seen):
        if "authorization" not in seen.headers or f'uri="{seen.path}"' not in seen.headers["authorization"]:
            return 401, CHALLENGE, {}
        return OK if seen.path == "/there" else (302, {"Location": "/there"}, b"")

    server.answer = answer
    with Api.detached(server.url, auth=HTTPDigestAuth("ann", "pw")) as api:
        assert api.get("/x") == {"ok": True}


# --- time ---


def test_all_addresses_of_a_host_share_the_time_for_connecting(monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        where = silent.getsockname()
        fill = [socket.socket() for _ in range(4)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(where)
        real = socket.getaddrinfo

        def resolve(host, port, *options, **more):
            found = real("127.0.0.1" if host == "many.test" else host, port, *options, **more)
            return found * 20 if host == "many.test" else found

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        url = f"http://many.test:{where[1]}"
        with Api.detached(url, connect_timeout=0.4, retry=RetryPolicy.never()) as api:
            begun = time.monotonic()
            with pytest.raises(ConnectionFailed, match="in time"):
                api.get("/x")
            assert time.monotonic() - begun < 3
        for one in fill:
            one.close()


def test_the_second_address_serves_when_the_first_is_dead(server, monkeypatch):
    real = socket.getaddrinfo

    def resolve(host, port, *options, **more):
        if host != "two.test":
            return real(host, port, *options, **more)
        return [*real("127.0.0.2", port, *options, **more), *real("127.0.0.1", port, *options, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with Api.detached(server.url.replace("127.0.0.1", "two.test")) as api:
        assert api.get("/x") == {"path": "/x"}
    assert server.seen[0].headers["host"].startswith("two.test")


def read_late(slow, connection):
    connection.settimeout(10)
    while b"\r\n\r\n" not in connection.recv(65536):
        pass
    connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
    slow.stop.wait(1.0)
    left = 20_000_000
    while left > 0 and (data := connection.recv(1 << 20)):
        left -= len(data)
    connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")


def test_the_deadline_of_one_call_does_not_cut_the_next_one_short():
    with Slow(read_late) as slow, Api.detached(slow.url, timeout=20) as api:
        api.get("/x", timeout=0.4)
        assert api.post("/x", b"x" * 20_000_000) == {}


def test_sending_to_a_peer_that_does_not_read_ends_with_the_deadline():
    def never_read(slow, connection):
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        slow.stop.wait(15)

    with Slow(never_read) as slow, Api.detached(slow.url, timeout=60) as api:
        api.get("/x")
        begun = time.monotonic()
        with pytest.raises(CallTimeout):
            api.post("/x", b"x" * 20_000_000, timeout=0.3)
        assert time.monotonic() - begun < 5


def test_a_call_signed_through_requests_hooks_ends_with_the_deadline():
    def play(slow, connection):
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 9999\r\n\r\n")
        drip(slow, connection)

    with Slow(play) as slow, Api.detached(slow.url, auth=HTTPDigestAuth("a", "b"), timeout=0.3) as api:
        begun = time.monotonic()
        with pytest.raises(CallTimeout):
            api.get("/x")
        assert time.monotonic() - begun < 5


def test_a_stream_of_the_plain_session_may_take_longer_than_its_timeout():
    def play(slow, connection):
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\n")
        for _ in range(10):
            slow.stop.wait(0.1)
            connection.sendall(b"x")

    with (
        Slow(play) as slow,
        Api.detached(slow.url, timeout=0.9) as api,
        api.http.get("/x", stream=True) as answer,
    ):
        assert answer.content == b"x" * 10


def test_an_answer_signed_through_requests_hooks_has_the_size_limit(server):
    server.script((401, CHALLENGE, {}), (200, {}, b"1" * 5000))
    auth = HTTPDigestAuth("a", "b")
    with (
        Api.detached(server.url, auth=auth, max_response_size=1000) as api,
        pytest.raises(ResponseTooLarge),
    ):
        api.get("/x")


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs tzset")
def test_a_date_without_zone_is_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert retry_after("Thu, 01 Jan 1970 00:01:40 -0000", 90) == 10
    finally:
        monkeypatch.undo()
        time.tzset()


# --- signing ---


def test_a_stream_leaves_room_for_the_call_that_fetches_its_token(server):
    auth = CredentialLogin("/login", {"user": "ann", "password": "pw-12345"}, token="path")
    with (
        Api.detached(server.url, auth=auth, max_concurrency=1, timeout=2) as api,
        api.stream("/big") as answer,
    ):
        assert b"/big" in b"".join(answer)


def test_a_stream_keeps_its_place_until_it_is_closed(server):
    with Api.detached(server.url, max_concurrency=1) as api:
        with api.stream("/x"), pytest.raises(CallTimeout, match="concurrent"):
            api.get("/y", timeout=0.05)
        assert api.get("/y") == {"path": "/y"}


def test_what_foreign_auth_objects_add_is_not_remembered_for_ever(server):
    class Signature(AuthBase):
        calls = 0

        def __call__(self, request):
            self.calls += 1
            request.headers["X-Signature"] = f"signature-{self.calls:06}-hunter22"
            return request

    with Api.detached(server.url, auth=Signature()) as api:
        for _ in range(5):
            api.get("/x")
        before = len(secrets.registry._registry)
        for _ in range(600):
            api.get("/x")
    assert len(secrets.registry._registry) - before < 400


def test_a_token_that_cannot_be_fetched_is_not_fetched_again_by_the_call():
    fetches = []

    def fetch(deadline):
        fetches.append(1)
        raise ConnectionFailed("nobody there", sent=False)

    source = TokenSource(fetch, key="k")
    with (
        Api.detached("http://127.0.0.1:1", auth=TokenAuth(source), clock=ManualClock()) as api,
        pytest.raises(ConnectionFailed, match="nobody there"),
    ):
        api.get("/x")
    assert len(fetches) == 1


# --- the plain session, many origins ---


def test_the_plain_session_is_closed_with_the_session(server):
    api = Api.detached(server.url, auth=HeaderAuth({"X-Api-Key": Secret("key-12345")}))
    plain = api.http
    plain.get("/x")
    api.close()
    with pytest.raises(SessionClosed):
        plain.get("/x")
    assert len(server.seen) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_plain_session_that_was_held_through_a_fork_mixes_up_no_answer(server):
    with Api.detached(server.url) as api:
        plain = api.http
        plain.get("/warm")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(read)
                os.write(write, json.dumps([plain.get(f"/c{n}").json()["path"] for n in range(20)]).encode())
            finally:
                os._exit(0)
        os.close(write)
        mine = [plain.get(f"/p{n}").json()["path"] for n in range(20)]
        with os.fdopen(read, "rb") as pipe:
            assert json.loads(pipe.read()) == [f"/c{n}" for n in range(20)]
        os.waitpid(pid, 0)
    assert mine == [f"/p{n}" for n in range(20)]
    peers = {seen.path: seen.peer for seen in server.seen}
    assert peers["/c0"] != peers["/warm"]


def test_a_proxy_is_asked_for_the_origin_that_was_signed_for(server):
    with Api.detached("http://api.test", proxies=server.url) as api:
        api.get("http://ann:pw@api.test/x")
    assert server.seen[0].path == "http://api.test/x"


def test_a_session_that_sees_many_origins_keeps_few_connections(server):
    hosts = [f"127.0.1.{n}" for n in range(1, 61)]
    with Api.detached("http://api.test", proxies={"http": server.url}) as api:
        for host in hosts:
            api.get(f"http://{host}/x")
        assert len(api._transport._routes) <= 32


# --- what nothing else would notice ---


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (303, "HEAD", "HEAD"),
        (303, "PUT", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (307, "DELETE", "DELETE"),
    ],
)
def test_which_method_a_redirect_is_followed_with(api, server, status, method, then):
    server.script((status, {"Location": "/there"}, b""), (200, {}, b""))
    api.request(method, "/x", {} if method in {"PUT", "POST"} else None)
    assert [seen.method for seen in server.seen] == [method, then]


def test_answers_pay_into_the_retry_budget_and_failures_do_not(server):
    with Api.detached(server.url, clock=ManualClock(), retry=RetryPolicy(attempts=2)) as api:
        server.script((500, {}, {}), OK)
        full = api._budget.left
        api.get("/")
        assert api._budget.left == full - api._budget.cost + 1


def test_a_stream_may_take_longer_than_its_timeout_while_data_comes():
    def play(slow, connection):
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\n")
        for _ in range(10):
            slow.stop.wait(0.1)
            connection.sendall(b"x")

    with Slow(play) as slow, Api.detached(slow.url, timeout=0.9) as api, api.stream("/x") as answer:
        assert b"".join(answer) == b"x" * 10


def test_a_header_that_a_foreign_auth_object_sets_is_hidden_while_its_request_lives(server):
    class Signature(AuthBase):
        def __call__(self, request):
            request.headers["X-Odd"] = "odd-hunter22-odd"
            return request

    server.script((404, {}, {"message": "you sent odd-hunter22-odd"}))
    with Api.detached(server.url, auth=Signature()) as api, pytest.raises(NotFound) as caught:
        api.get("/x")
    assert "hunter22" not in str(caught.value) + caught.value.body


def test_history_says_when_a_call_began_and_hides_by_part_of_a_name(server):
    with Api.detached(server.url, history=5) as api:
        begun = time.time()
        server.answer = lambda seen: time.sleep(0.3) or OK
        api.post("/x", {"my_password_2": "hunter22"})
        (entry,) = api.history
    assert entry.args == {"my_password_2": "***"}
    assert abs(datetime.fromisoformat(entry.at).timestamp() - begun) < 0.25


def test_a_stream_left_while_more_is_to_come_gives_its_connection_to_nobody():
    hung_up = []

    def play(slow, connection):
        connection.settimeout(10)
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\n12345")
        hung_up.append(connection.recv(1) == b"")

    with Slow(play) as slow, Api.detached(slow.url) as api:
        with api.stream("/x") as answer:
            next(iter(answer))
        slow.thread.join(5)
        assert hung_up == [True]
