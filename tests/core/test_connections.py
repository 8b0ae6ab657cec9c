"""TLS, proxies, forks and what is left when sessions end."""

import base64
import contextlib
import gc
import json
import os
import socket
import ssl
import threading
import weakref
from pathlib import Path

import pytest
import trustme
from core_kit import Api, Server

import sessionkit
from sessionkit import Call, HeaderAuth, RetryPolicy, Secret
from sessionkit.errors import ConfigurationError, ConnectionFailed
from sessionkit.http.tls import shared_context

OK = (200, {}, {"ok": True})


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def authority_file(authority, tmp_path):
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


def tls_server(authority, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if options.get("client"):
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return Server(tls=context)


@pytest.fixture
def secure_server(authority):
    server = tls_server(authority)
    server.script(OK)
    yield server
    server.stop()


# --- TLS ---


def test_an_unknown_authority_is_refused_in_words(secure_server):
    api = Api.detached(secure_server.url, retry=RetryPolicy.never())
    with pytest.raises(ConnectionFailed, match="TLS failed") as caught:
        api.get("/")
    assert not caught.value.sent
    assert "verify=" in caught.value.hint
    assert not secure_server.seen


def test_a_named_authority_is_trusted_by_calls_streams_and_the_plain_session(secure_server, authority_file):
    with Api.detached(secure_server.url, verify=authority_file) as api:
        assert api.get("/") == {"ok": True}
        assert api.http.get("/").json() == {"ok": True}
        with api.stream("/") as answer:
            assert b"".join(answer)


def test_what_the_caller_set_is_not_overridden_by_the_environment(secure_server, authority_file, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority_file))
    with Api.detached(secure_server.url) as api:
        assert api.get("/") == {"ok": True}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    with Api.detached(secure_server.url, verify=authority_file) as api:
        assert api.get("/") == {"ok": True}
        assert api.http.get("/").json() == {"ok": True}


def test_verification_can_be_turned_off_by_name_only(secure_server):
    with Api.detached(secure_server.url, verify=False) as api, pytest.warns(Warning, match="Unverified"):
        assert api.get("/") == {"ok": True}


def test_a_client_certificate_is_shown(authority, authority_file, tmp_path):
    mine = authority.issue_cert("client.test")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "mine.pem")
    server = tls_server(authority, client=True)
    server.script(OK)
    try:
        with Api.detached(server.url, verify=authority_file, cert=tmp_path / "mine.pem") as api:
            assert api.get("/") == {"ok": True}
            assert api.http.get("/").json() == {"ok": True}
        api = Api.detached(server.url, verify=authority_file, retry=RetryPolicy.never())
        with pytest.raises(ConnectionFailed):
            api.get("/")
    finally:
        server.stop()


def test_a_certificate_file_that_is_none_is_a_clear_error(tmp_path):
    (tmp_path / "bad.pem").write_text("nothing")
    api = Api.detached("https://127.0.0.1:1", verify=tmp_path / "bad.pem")
    with pytest.raises(ConfigurationError, match=r"bad\.pem"):
        api.get("/")


def test_sessions_share_one_tls_context(authority_file):
    assert shared_context(authority_file) is shared_context(authority_file)
    assert shared_context() is shared_context(verify=True)
    assert shared_context() is not shared_context(authority_file)


# --- proxies ---


class Proxy:
    """A forwarding proxy: CONNECT tunnels, and plain requests answered by itself."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.seen = []
        self.threads = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        self.port = self.listener.getsockname()[1]
        self.require = None

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                thread = threading.Thread(target=self.handle, args=(connection,))
                thread.start()
                self.threads.append(thread)

    def handle(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(65536)
                if not data:
                    return
                head += data
            text = head.decode()
            self.seen.append(text)
            if self.require and f"Basic {self.require}" not in text:
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            if not text.startswith("CONNECT"):
                body = json.dumps({"line": text.splitlines()[0]}).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                return
            host, port = text.split()[1].split(":")
            with socket.create_connection((host, int(port)), 10) as there:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                pump = threading.Thread(target=self.copy, args=(there, connection))
                pump.start()
                self.copy(connection, there)
                pump.join(10)

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        for thread in self.threads:
            thread.join(10)


@pytest.fixture
def proxy():
    proxy = Proxy()
    yield proxy
    proxy.stop()


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_plain_http_goes_through_a_proxy_with_its_password(proxy):
    proxy.require = base64.b64encode(b"ann:p@ss").decode()
    proxies = {"http": f"http://ann:p%40ss@127.0.0.1:{proxy.port}"}
    with Api.detached("http://service.test/v1", proxies=proxies) as api:
        assert api.get("/x", {"a": 1}) == {"line": "GET http://service.test/v1/x?a=1 HTTP/1.1"}
        assert api.http.get("/x").json() == {"line": "GET http://service.test/v1/x HTTP/1.1"}


def tunnelled(proxy, server, authority_file):
    """A session that signs, behind a proxy with a password."""
    where = f"http://ann:pw@127.0.0.1:{proxy.port}"
    auth = HeaderAuth({"X-Api-Key": Secret("key-12345")})
    return Api.detached(server.url, verify=authority_file, proxies=where, auth=auth)


def test_https_goes_through_a_tunnel_and_the_proxy_sees_no_credential(proxy, secure_server, authority_file):
    with tunnelled(proxy, secure_server, authority_file) as api:
        assert api.get("/") == {"ok": True}
    assert secure_server.seen[0].headers["x-api-key"] == "key-12345"
    assert "proxy-authorization" not in secure_server.seen[0].headers
    assert "key-12345" not in proxy.seen[0]
    assert base64.b64encode(b"ann:pw").decode() in proxy.seen[0]


def test_many_calls_share_a_few_tunnels_and_give_the_proxy_no_credential(
    proxy, secure_server, authority_file
):
    proxy.require = base64.b64encode(b"ann:pw").decode()
    secure_server.answer = lambda seen: (200, {}, {"path": seen.path})
    with tunnelled(proxy, secure_server, authority_file) as api:
        done = list(api.perform_all((Call("GET", f"/{n}") for n in range(40)), at_once=4))
        assert [one.result for one in done] == [{"path": f"/{n}"} for n in range(40)]
    assert len(secure_server.seen) == 40
    assert {seen.headers["x-api-key"] for seen in secure_server.seen} == {"key-12345"}
    assert not any("proxy-authorization" in seen.headers for seen in secure_server.seen)
    assert 1 <= len(proxy.seen) <= 4
    assert all(line.startswith("CONNECT") and "key-12345" not in line for line in proxy.seen)


def test_many_calls_through_a_proxy_that_refuses_are_errors_each(proxy, secure_server, authority_file):
    proxy.require = "nobody"
    where = f"http://ann:hunter22@127.0.0.1:{proxy.port}"
    with Api.detached(
        secure_server.url, verify=authority_file, proxies=where, retry=RetryPolicy.never()
    ) as api:
        done = list(api.perform_all([Call("GET", "/1"), Call("GET", "/2")]))
    assert [type(one) for one in done] == [ConnectionFailed] * 2
    assert all("proxy" in str(one) and "hunter22" not in str(one) for one in done)
    assert not secure_server.seen


def test_the_environments_proxy_is_used_and_can_be_refused(proxy, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    with Api.detached("http://service.test") as api:
        assert "service.test" in api.get("/")["line"]
    with Api.detached(server.url, proxies=False) as api:
        assert api.get("/direct") == {"path": "/direct"}
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Api.detached(server.url) as api:
        assert api.get("/direct") == {"path": "/direct"}


def test_a_proxy_that_refuses_is_an_error_without_its_password(proxy, authority):
    proxy.require = "nobody"
    with (
        Api.detached(
            "https://service.test",
            proxies=f"http://ann:hunter22@127.0.0.1:{proxy.port}",
            retry=RetryPolicy.never(),
        ) as api,
        pytest.raises(ConnectionFailed) as caught,
    ):
        api.get("/")
    assert "hunter22" not in str(caught.value)
    assert "proxy" in str(caught.value)


def test_a_proxy_url_that_cannot_work_is_refused():
    api = Api.detached("http://service.test", proxies="http://ann:hunter22@host:port")
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        api.get("/")
    assert "hunter22" not in str(caught.value)


# --- forks and leaks ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_parent_and_child_share_a_warm_session_and_mix_up_no_answer(
    server, secure_server, authority_file, secure
):
    target = secure_server if secure else server
    target.answer = lambda seen: (200, {}, {"path": seen.path})
    with Api.detached(target.url, verify=authority_file) as api:
        for round_ in range(20):
            api.get("/warm")
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    os.close(read)
                    wrong = sum(api.get(f"/child/{n}") != {"path": f"/child/{n}"} for n in range(30))
                    os.write(write, json.dumps(wrong).encode())
                finally:
                    os._exit(0)
            os.close(write)
            wrong = sum(api.get(f"/parent/{n}") != {"path": f"/parent/{n}"} for n in range(30))
            with os.fdopen(read, "rb") as pipe:
                assert (round_, wrong, pipe.read()) == (round_, 0, b"0")
            os.waitpid(pid, 0)


def others_than(before):
    """The open sessions that are not among those `before`, which another test's thread may still hold."""
    return [session for session in sessionkit.sessions() if session not in before]


def test_a_thousand_threads_leave_no_session_and_no_socket(server):
    opened = sessionkit.sessions()

    def connections():
        # TIME_WAIT and the like are the kernel's; what counts is what this process holds.
        return len(list(Path("/proc/self/fd").iterdir()))

    with Api.detached(server.url) as warm:
        warm.get("/")
    gc.collect()
    settle(connections, None)
    before = connections()

    def work(number):
        assert Api(server.url).get(f"/{number}") == {"path": f"/{number}"}

    for start in range(0, 1000, 50):
        threads = [threading.Thread(target=work, args=(start + n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    settle(lambda: others_than(opened), [])
    settle(lambda: connections() <= before + 4, True)
    assert len(server.seen) == 1001


def settle(read, wanted, seconds=15):
    """Wait until `read()` is `wanted`, or for None until it stays the same."""
    pause = threading.Event()
    last = object()
    for _ in range(int(seconds / 0.05)):
        value = read()
        if value == wanted or (wanted is None and value == last):
            return
        last = value
        pause.wait(0.05)
    assert read() == wanted


def test_a_session_that_is_dropped_closes_its_sockets(server):
    opened = sessionkit.sessions()
    api = Api.detached(server.url)
    api.get("/")
    assert others_than(opened) == [api]
    del api
    gc.collect()
    settle(lambda: others_than(opened), [])


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([None, (200, {}, {})], id="connection lost once"),
        pytest.param([None], id="connection lost for good"),
        pytest.param([(503, {}, {}), (200, {}, {})], id="unavailable once"),
        pytest.param([(503, {}, {})], id="unavailable for good"),
        pytest.param([(404, {}, {})], id="not found"),
        pytest.param([(200, {}, b"<html>")], id="no JSON"),
    ],
)
def test_a_dropped_session_ends_at_once_whatever_its_calls_met(server, answers):
    # An error holds the frames it passed, and they the session: only the garbage collector would end that.
    server.script(*answers)
    gc.collect()
    gc.disable()
    try:
        api = Api.detached(server.url, retry=RetryPolicy(base=0.001))
        gone = weakref.ref(api)
        with contextlib.suppress(sessionkit.SessionKitError):
            api.get("/")
        del api
        settle(lambda: gone() is None, True)
    finally:
        gc.enable()
