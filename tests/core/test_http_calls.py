"""What goes out, what comes back, and how long it may take."""

import contextlib
import gzip
import json
import socket
import threading
import time

import pytest
import requests
from core_kit import Api
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from sessionkit import Call, HeaderAuth, RetryPolicy, Secret
from sessionkit.errors import (
    AuthenticationError,
    CallTimeout,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    ResponseTooLarge,
    ServerError,
    UnexpectedResponse,
)

OK = (200, {}, {"ok": True})


def test_arguments_of_a_get_are_its_query(api, server):
    assert api.get("/find", {"q": "a b&c", "tags": ["x", "y"], "none": None, "deep": True}) == {
        "path": "/find?q=a+b%26c&tags=x&tags=y&deep=true"
    }


def test_arguments_of_a_post_are_its_json_body(api, server):
    server.script(OK)
    api.post("/things", {"name": "ü"})
    assert json.loads(server.seen[0].body) == {"name": "ü"}
    assert server.seen[0].headers["content-type"] == "application/json"


def test_the_base_url_keeps_its_path_and_takes_uris_with_and_without_slash(server):
    with Api.detached(server.url + "/v1/") as api:
        assert api.get("/a") == {"path": "/v1/a"}
        assert api.get("b") == {"path": "/v1/b"}


def test_one_connection_serves_many_calls(api, server):
    for _ in range(5):
        api.get("/")
    assert len({seen.peer for seen in server.seen}) == 1


def test_a_connection_closed_while_idle_is_replaced_unseen(api, server):
    server.script((200, {"Connection": "close"}, {"n": 1}), OK)
    api.get("/")
    assert api.post("/x") == {"ok": True}


def test_an_empty_answer_is_none(api, server):
    server.script((204, {}, b""))
    assert api.delete("/x") is None


def test_gzip_is_undone(api, server):
    server.script((200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"a": 1}')))
    assert api.get("/") == {"a": 1}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (403, PermissionDenied),
        (404, NotFound),
        (404, LookupError),
        (405, InvalidRequest),
        (409, Conflict),
        (422, ValueError),
        (401, AuthenticationError),
        (500, ServerError),
        (418, RequestError),
    ],
)
def test_each_status_has_its_error(server, status, kind):
    server.script((status, {}, {"error": {"message": "the service's words"}}))
    with Api.detached(server.url, retry=RetryPolicy.never()) as api, pytest.raises(kind) as caught:
        api.post("/things?token=abcdef", {})
    error = caught.value
    assert error.status == status
    assert "the service's words" in str(error)
    assert "POST" in str(error)
    assert "/things" in str(error)
    assert "abcdef" not in str(error)
    assert len(error.attempts) == 1


@pytest.mark.parametrize(
    "body",
    [b"<html><title>502 Bad Gateway</title></html>", b'{"a": ', b"\xff\xfe", b"[" * 100_000],
    ids=["html", "cut short", "no text", "nested"],
)
def test_a_success_that_is_no_json_is_one_clear_error(api, server, body):
    server.script((200, {"Content-Type": "text/html"}, body))
    with pytest.raises(UnexpectedResponse) as caught:
        api.get("/x")
    assert caught.value.status == 200
    assert caught.value.hint


def test_a_gateways_page_is_named_by_its_title(api, server):
    server.script((200, {}, b"<html><head><title>Sign in to Wifi</title>"))
    with pytest.raises(UnexpectedResponse, match="Sign in to Wifi"):
        api.get("/x")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"",
        b"\x15\x03\x01\x00\x02\x02",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["cut body", "cut chunk", "nothing", "tls", "bad status line", "no gzip"],
)
def test_a_broken_answer_is_one_typed_error_and_not_asked_again_for_a_post(api, server, raw):
    server.script(raw or None)
    with pytest.raises(ConnectionFailed) as caught:
        api.post("/x", {})
    assert caught.value.sent
    assert len(server.seen) == 1


def test_a_lost_answer_is_asked_for_again_where_that_does_no_harm(api, server):
    server.script(None, OK)
    assert api.put("/x", {}) == {"ok": True}
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "no connection could be made"),
        ("http://no-such-host.invalid", "host name"),
    ],
)
def test_an_unreachable_service_is_one_typed_error(url, words):
    retry = RetryPolicy(attempts=2, base=0.001)
    with Api.detached(url, retry=retry) as api, pytest.raises(ConnectionFailed, match=words) as caught:
        api.post("/x", {})
    assert not caught.value.sent
    assert len(caught.value.attempts) == 2
    assert "2 attempts" in str(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://x", "api.example.com", "http://", "http://x:99999"])
def test_a_base_url_that_cannot_work_is_refused_at_once(url):
    with pytest.raises(ConfigurationError, match="base_url"):
        Api.detached(url)


def test_arguments_that_are_no_json_are_refused_before_anything_is_sent(api, server):
    with pytest.raises(ConfigurationError, match="JSON"):
        api.post("/x", {"a": object()})
    assert not server.seen


@pytest.mark.parametrize("uri", ["/a b", "/a\r\nHost: evil", "/ü"])
def test_odd_uris_are_encoded_or_refused_and_smuggle_nothing(api, server, uri):
    with contextlib.suppress(ConnectionFailed):
        api.get(uri)
    for seen in server.seen:
        assert "evil" not in seen.headers.get("host", "")


def test_a_header_with_a_line_break_is_refused(api, server):
    with pytest.raises(RequestError):
        api.get("/x", headers={"X-Name": "a\r\nX-Evil: 1"})
    assert not any("x-evil" in seen.headers for seen in server.seen)


def test_too_large_answers_are_refused_announced_or_not(server):
    with Api.detached(server.url, max_response_size=1000) as api:
        server.script((200, {}, b'"' + b"x" * 2000 + b'"'))
        with pytest.raises(ResponseTooLarge, match="1,000 bytes"):
            api.get("/announced")
        bomb = gzip.compress(b"x" * 1_000_000)
        server.script((200, {"Content-Encoding": "gzip"}, bomb), OK)
        with pytest.raises(ResponseTooLarge):
            api.get("/bomb")
        assert api.get("/") == {"ok": True}


# --- time ---


def test_a_silent_server_ends_with_the_deadline(server):
    gate = threading.Event()
    server.answer = lambda seen: gate.wait(20) and None
    with Api.detached(server.url, timeout=0.2) as api:
        begun = time.monotonic()
        with pytest.raises(CallTimeout, match=r"0\.2 s"):
            api.get("/x")
        assert time.monotonic() - begun < 5
    gate.set()


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_server_that_drips_ends_with_the_deadline(part):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(part)
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with Api.detached(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.3) as api:
                begun = time.monotonic()
                with pytest.raises(CallTimeout):
                    api.get("/x")
                assert time.monotonic() - begun < 5
        finally:
            stop.set()
            thread.join(10)


def test_a_call_can_have_a_deadline_of_its_own(api, server):
    gate = threading.Event()
    server.answer = lambda seen: gate.wait(20) and None
    with pytest.raises(CallTimeout):
        api.get("/x", timeout=0.1)
    gate.set()


def test_concurrency_is_bounded_for_the_session_as_a_whole(server):
    inside, most, lock = 0, 0, threading.Lock()

    def answer(seen):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return OK

    server.answer = answer
    with Api.detached(server.url, max_concurrency=3) as api:
        sessions = [api, api.sibling(), api.sibling()]
        threads = [threading.Thread(target=sessions[n % 3].get, args=("/",)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert most == 3


def test_waiting_for_a_place_has_the_calls_deadline(server):
    gate = threading.Event()
    server.answer = lambda seen: gate.wait(20) and OK
    with Api.detached(server.url, max_concurrency=1) as api:
        thread = threading.Thread(target=api.get, args=("/",))
        thread.start()
        while not server.seen:
            time.sleep(0.005)
        with pytest.raises(CallTimeout, match="concurrent requests"):
            api.get("/", timeout=0.05)
        gate.set()
        thread.join(10)


def test_a_stream_holds_its_place_until_it_was_read(server):
    with Api.detached(server.url, max_concurrency=1) as api:
        for _ in range(3):
            with api.stream("/") as answer:
                with pytest.raises(CallTimeout, match="concurrent requests"):
                    api.get("/", timeout=0.05)
                assert b"".join(answer)
            api.get("/")
        server.script((404, {}, b""), OK)
        with pytest.raises(NotFound), api.stream("/"):
            pass
        api.get("/")


# --- signing ---


def test_header_keys_sign_every_call_and_the_plain_session(server):
    server.script(OK)
    with Api.detached(server.url, auth=HeaderAuth({"X-Api-Key": Secret("key-12345")})) as api:
        api.get("/a")
        api.http.get("/b")
        api.http.get(server.url + "/c")
    assert [seen.headers.get("x-api-key") for seen in server.seen] == ["key-12345"] * 3


def test_any_auth_object_of_requests_signs(server):
    class Query(AuthBase):
        def __call__(self, request):
            request.prepare_url(request.url, {"key": "query-key-1"})
            return request

    server.script(OK)
    for auth in (HTTPBasicAuth("ann", "pw-secret"), Query()):
        with Api.detached(server.url, auth=auth) as api:
            api.get("/x", {"a": 1})
    assert server.seen[0].headers["authorization"].startswith("Basic ")
    assert server.seen[1].path == "/x?a=1&key=query-key-1"


def test_digest_authentication_works_through_its_hooks(server):
    challenge = 'Digest realm="r", nonce="abc", qop="auth", algorithm=MD5'

    def answer(seen):
        if "authorization" in seen.headers:
            return OK
        return 401, {"WWW-Authenticate": challenge}, {}

    server.answer = answer
    with Api.detached(server.url, auth=HTTPDigestAuth("ann", "pw")) as api:
        assert api.get("/x") == {"ok": True}
    assert 'username="ann"' in server.seen[-1].headers["authorization"]


@pytest.mark.parametrize("how", ["session", "http", "stream"])
def test_no_credential_of_any_name_crosses_an_origin(server, other_server, how):
    other_server.script(OK)
    server.script((302, {"Location": other_server.url + "/elsewhere"}, b""))
    keys = {"X-Api-Key": Secret("key-12345"), "ftrack-user": "ann", "Authorization": "Bearer t-12345"}
    auth = HeaderAuth(keys)
    with Api.detached(server.url, auth=auth, headers={"X-Own": "own-12345"}) as api:
        if how == "session":
            api.get("/x", headers={"Cookie": "c=1-12345"})
        elif how == "http":
            api.http.get("/x", headers={"X-Own": "own-12345", "Cookie": "c=1-12345"})
        else:
            with api.stream("/x") as answer:
                list(answer)
    assert server.seen[0].headers["x-api-key"] == "key-12345"
    crossed = other_server.seen[0].headers
    assert "12345" not in json.dumps(crossed)
    assert "ann" not in crossed.values()


def test_another_origin_asked_for_directly_gets_no_credential(server, other_server):
    other_server.script(OK)
    with Api.detached(server.url, auth=HeaderAuth({"X-Api-Key": Secret("key-12345")})) as api:
        api.get(other_server.url + "/x")
        api.http.get(other_server.url + "/x")
    assert "key-12345" not in json.dumps([seen.headers for seen in other_server.seen])


def test_a_redirect_within_the_origin_stays_signed(server):
    server.script((307, {"Location": "/there"}, b""), OK)
    with Api.detached(server.url, auth=HeaderAuth({"X-Api-Key": Secret("key-12345")})) as api:
        api.post("/x", {"a": 1})
    assert server.seen[1].path == "/there"
    assert server.seen[1].method == "POST"
    assert server.seen[1].body == b'{"a": 1}'
    assert server.seen[1].headers["x-api-key"] == "key-12345"


def test_a_body_is_never_redirected_to_another_origin(server, other_server):
    server.script((307, {"Location": other_server.url}, b""))
    with Api.detached(server.url) as api, pytest.raises(UnexpectedResponse, match="another origin"):
        api.post("/login", {"password": "x"})
    assert not other_server.seen


def test_redirects_in_a_circle_end(server):
    server.script((302, {"Location": "/x"}, b""))
    with Api.detached(server.url) as api, pytest.raises(UnexpectedResponse, match="redirects"):
        api.get("/x")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "javascript:x", "http://"])
def test_redirects_lead_to_http_only(server, target):
    server.script((302, {"Location": target}, b""))
    with Api.detached(server.url) as api, pytest.raises(UnexpectedResponse):
        api.get("/x")


def test_netrc_changes_nothing(server, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.script(OK)
    with Api.detached(server.url, auth=HeaderAuth({"Authorization": "Bearer mine-1"})) as api:
        api.get("/a")
        api.http.get("/b")
    with Api.detached(server.url) as api:
        api.get("/c")
        api.http.get("/d")
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer mine-1"] * 2 + [None] * 2


def test_the_plain_session_has_the_sessions_timeout(server):
    gate = threading.Event()
    server.answer = lambda seen: gate.wait(20) and None
    with Api.detached(server.url, timeout=0.1) as api, pytest.raises(requests.Timeout):
        api.http.get("/x")
    gate.set()


# --- streams and history ---


def test_a_stream_is_read_as_it_comes_and_gives_its_connection_back(api, server):
    server.script((200, {}, b"x" * 1_000_000), OK)
    with api.stream("/big") as answer:
        assert sum(len(chunk) for chunk in answer) == 1_000_000
        assert answer.headers["Content-Length"] == "1000000"
    api.get("/")
    assert server.seen[0].peer == server.seen[1].peer


def test_a_stream_left_early_drops_its_connection(api, server):
    server.script((200, {}, b"x" * 5_000_000), OK)
    with api.stream("/big") as answer:
        next(iter(answer))
    api.get("/")
    assert server.seen[0].peer != server.seen[1].peer


def test_a_stream_cut_short_is_an_error(api, server):
    server.script(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    with api.stream("/x") as answer, pytest.raises(ConnectionFailed):
        list(answer)


def test_an_error_instead_of_a_stream_is_raised_typed(api, server):
    server.script((404, {}, {"message": "no such file"}))
    with pytest.raises(NotFound, match="no such file"), api.stream("/x"):
        pass


def test_history_remembers_the_latest_calls_without_secrets(server):
    server.script(OK, (404, {}, {}))
    with Api.detached(server.url, history=2) as api:
        api.get("/first")
        api_fails(api)
        api_fails(api)
        history = api.history
    assert [entry.method for entry in history] == ["POST", "POST"]
    assert history[-1].status == 404
    assert "hunter22" not in repr(history)
    assert "abc123" not in repr(history)
    assert history[-1].args["user"] == "ann"


def api_fails(api):
    with pytest.raises(NotFound):
        api.post("/login?api_key=abc123", {"user": "ann", "password": "hunter22", "deep": [{"token": "t-1"}]})


def test_attempts_are_on_the_response_of_a_call(api, server):
    server.script((503, {}, {}), OK)
    exchange = api.perform(Call("GET", "/x"))
    assert [a.status for a in exchange.attempts] == [503, 200]
    assert exchange.response.attempts is exchange.attempts
    assert exchange.attempts[0].cause


def test_rate_limits_say_how_long(server):
    server.script((429, {"Retry-After": "120"}, {}))
    with Api.detached(server.url, timeout=5) as api, pytest.raises(RateLimited) as caught:
        api.get("/x")
    assert caught.value.retry_after == 120
    assert len(server.seen) == 1
