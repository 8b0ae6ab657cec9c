"""Never over http after https: neither secret nor token is ever seen on a connection without TLS."""

import http.server
import json
import socket
import ssl
import threading

import pytest
import trustme

from sessionkit.errors import RequestError, SessionKitError, UnexpectedResponse
from sessionkit.http import RetryPolicy
from sessionkit_helios import Cameras, Collections, HeliosSession

SECRETS = ("a-token-of-https", "the-client-secret", "Basic ", "Bearer ", "a-client-id")
ELSEWHERE = "elsewhere"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        secure = isinstance(self.connection, ssl.SSLSocket)
        self.server.seen.append((secure, self.command, self.path, f"{self.headers}{body.decode()}"))
        status, location = self.server.answers.get(self.path.partition("?")[0], (200, None))
        given = {"access_token": "a-token-of-https", "expires_in": 9999, "id": "x", "collection_id": "c"}
        payload = json.dumps(given).encode()
        self.send_response(status)
        if location is not None:
            target = (
                f"http://127.0.0.1:{self.server.server_port}/plain" if location is ELSEWHERE else location
            )
            self.send_header("Location", target)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - as http.server names them

    def log_message(self, *args):
        pass


class BothWays(http.server.ThreadingHTTPServer):
    """Speaks TLS and plain http on one port, as the caller does."""

    daemon_threads = True

    def __init__(self, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context
        self.seen, self.answers = [], {}

    def finish_request(self, request, address):
        if request.recv(1, socket.MSG_PEEK) == b"\x16":
            request = self.context.wrap_socket(request, server_side=True)
        with request:
            super().finish_request(request, address)

    def handle_error(self, request, address):
        pass

    def in_clear(self):
        return [f"{method} {path} {rest}" for secure, method, path, rest in self.seen if not secure]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = BothWays(context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_session(server, authority, tmp_path):
    opened = []
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")

    def open_session(scheme="https"):
        session = HeliosSession.detached(
            "a-client-id",
            "the-client-secret",
            f"{scheme}://127.0.0.1:{server.server_port}/v1",
            tmp_path,
            ssl_verify=tmp_path / "authority.pem",
            proxies=False,
            timeout=10,
            retry=RetryPolicy(base=0, attempts=3),
        )
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()


def leaked(server):
    return [secret for secret in SECRETS for seen in server.in_clear() if secret in seen]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_secret_that_https_refuses_is_not_sent_in_clear(server, open_session, status):
    server.answers["/v1/oauth/token"] = status, None
    with pytest.raises(RequestError), open_session():
        pass
    assert server.in_clear() == []
    assert server.seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_endpoint_that_redirects_to_http_gets_no_secret(server, open_session, status):
    server.answers["/v1/oauth/token"] = status, ELSEWHERE
    with pytest.raises(SessionKitError), open_session():
        pass
    assert leaked(server) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "ask",
    [
        lambda session, folder: session.get("/cameras/x"),
        lambda session, folder: Cameras(session).show("x").features,
        lambda session, folder: Cameras(session).show_image("x", "2018", folder),
        lambda session, folder: Cameras(session).show_image("x", "2018"),
        lambda session, folder: session.http.get("/cameras/x"),
    ],
    ids=["call", "show", "file", "memory", "http"],
)
def test_a_token_does_not_follow_a_redirect_to_http(server, open_session, tmp_path, status, ask):
    server.answers["/v1/cameras/x"] = server.answers["/v1/cameras/x/images/2018"] = status, ELSEWHERE
    with open_session() as session:
        ask(session, tmp_path / "out")
    assert len(server.in_clear()) == 1  # it was followed,
    assert leaked(server) == []  # and nothing went with it


@pytest.mark.parametrize("status", [307, 308])
def test_a_write_does_not_follow_a_redirect_to_http(server, open_session, status):
    server.answers["/v1/collections"] = status, ELSEWHERE
    with open_session() as session, pytest.raises(UnexpectedResponse, match="another origin"):
        Collections(session).create("Storm")
    assert server.in_clear() == []


def test_a_refused_token_is_renewed_over_https(server, open_session):
    with open_session() as session:
        server.answers["/v1/cameras/x"] = 401, None
        with pytest.raises(RequestError):
            session.get("/cameras/x")
    assert server.in_clear() == []


@pytest.mark.parametrize("legacy", ['{"access_token": "a-token-of-https"}', "{}"])
def test_a_token_of_https_is_not_used_where_http_is_configured(
    server, open_session, tmp_path, monkeypatch, legacy
):
    with open_session():
        pass
    (tmp_path / ".tokens").mkdir()
    (tmp_path / ".tokens" / "a-client-id.helios_token").write_text(legacy)
    server.seen.clear()
    server.answers["/v1/oauth/token"] = 503, None
    with pytest.raises(RequestError), open_session("http"):
        pass
    assert not any("a-token-of-https" in seen for seen in server.in_clear())


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://helios.test/v1", True),
        ("https://helios.test/v1", False),
        ("http://127.0.0.1:8080/v1", False),
        ("http://localhost/v1", False),
        ("http://[::1]:80/v1", False),
    ],
)
def test_an_api_url_without_tls_is_warned_of(tmp_path, caplog, url, warned):
    HeliosSession.detached("a-client-id", "the-client-secret", url, tmp_path).close()
    assert [record.message for record in caplog.records if "clear text" in record.message] == [
        "client secret and token go to http://helios.test/v1 in clear text"
    ] * warned
