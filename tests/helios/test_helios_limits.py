"""What bounds a session bounds all of it, `session.http` too; what bounds an account, its processes."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from sessionkit.clock import Deadline
from sessionkit.errors import CallTimeout
from sessionkit.tokens import MemoryTokenStore
from sessionkit_helios import Cameras, Collections, HeliosSession, Observations
from sessionkit_helios.pace import Pace

LIMIT = 3
PAIR = {"client_id": "demo-client", "client_secret": "demo-secret"}


class Counting(BaseHTTPRequestHandler):
    """Answers whatever is asked a moment later, and counts how many wait at once."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with server.lock:
            server.now += 1
            server.most = max(server.most, server.now)
            server.paths.append(self.path)
        server.ended.wait(0.01)
        with server.lock:  # before the answer: afterwards the client may have begun the next
            server.now -= 1
        if "/pictures" in self.path:
            self.reply(200, bytes(100_000))
        elif "/images/" in self.path:
            self.reply(302, b"", Location=f"/pictures{self.path}.jpg")
        elif self.path.startswith("/v1/cameras?"):
            features = [{"type": "Feature", "id": "x", "properties": {}, "geometry": {}}]
            self.reply(200, json.dumps({"features": features, "properties": {"total": 20}}).encode())
        else:
            given = {"access_token": "a-token-12345", "expires_in": 9999, "times": [], "collection_id": "c"}
            self.reply(200, json.dumps(given).encode())

    do_POST = do_DELETE = do_GET  # noqa: N815 - as http.server names them

    def reply(self, status, body, **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Clients that leave an answer unread are none."""


@pytest.fixture
def counting():
    server = Server(("127.0.0.1", 0), Counting)
    server.now = server.most = 0
    server.paths, server.lock, server.ended = [], threading.Lock(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def streamed(session):
    with session.http.get("/pictures", stream=True) as answer:
        for _ in answer.iter_content(10_000):
            pass


def left_unread(session):
    session.http.get("/pictures/left", stream=True).close()


WAYS = {
    "search": lambda session, folder: Cameras(session).index(limit=2).features,
    "show": lambda session, folder: Observations(session).show(["a", "b", "c", "d"]).features,
    "times": lambda session, folder: Cameras(session).images("a", "2018"),
    "images": lambda session, folder: Cameras(session).show_image("a", ["1", "2", "3", "4"], folder),
    "images in memory": lambda session, folder: Cameras(session).show_image("a", ["1", "2", "3", "4"]),
    "writes": lambda session, folder: Collections(session).add_image("c", [{"camera_id": "a"}] * 4),
    "call": lambda session, folder: session.get("/anything"),
    "http": lambda session, folder: session.http.get("/anything").json(),
    "http, redirected": lambda session, folder: session.http.get("/cameras/a/images/1").content,
    "http, streamed": lambda session, folder: streamed(session),
    "http, left unread": lambda session, folder: left_unread(session),
}


def test_the_limit_bounds_the_session_whichever_method_or_thread_calls(counting, tmp_path):
    errors = []

    def work(session, way, number):
        try:
            for turn in range(2):
                way(session, tmp_path / f"{number}-{turn}")
        except Exception as error:
            errors.append(error)

    options = {"token_store": MemoryTokenStore(), "proxies": False, "timeout": 60}
    with HeliosSession.detached(**PAIR, api_url=counting.url, max_concurrency=LIMIT, **options) as session:
        sessions = [session, session, session.sibling()]
        threads = [
            threading.Thread(target=work, args=(one, way, number))
            for number, (one, way) in enumerate(itertools.product(sessions, WAYS.values()))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert counting.most == LIMIT
    assert len(counting.paths) > 200


def test_the_plain_session_waits_for_a_place_no_longer_than_its_timeout(counting):
    options = {"token_store": MemoryTokenStore(), "proxies": False}
    with HeliosSession.detached(**PAIR, api_url=counting.url, max_concurrency=1, **options) as session:
        for _ in range(3):
            with (
                session.stream("/pictures"),
                pytest.raises(requests.ConnectTimeout, match="concurrent requests"),
            ):
                session.http.get("/x", timeout=(5, 0.05))
            with session.http.get("/pictures", stream=True), pytest.raises(CallTimeout, match="concurrent"):
                session.get("/x", timeout=0.05)
            session.http.get("/pictures", stream=True)  # forgotten: what it held is free again
            assert session.http.get("/x", timeout=20).status_code == 200
            with pytest.raises(requests.exceptions.InvalidHeader):
                session.http.get("/x", headers={"X": 3})


def test_the_rate_limit_holds_for_the_plain_session_too(counting, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    options = {"token_store": MemoryTokenStore(), "proxies": False, "rate_limit": 0.01}
    refused = pytest.raises(requests.ConnectTimeout, match="rate limit")
    with HeliosSession.detached(**PAIR, api_url=counting.url, **options) as session, refused:
        session.http.get("/x")


HOLD = """
import os, sys
from sessionkit_helios.pace import Pace

pace = Pace(float(sys.argv[1]), "me")
pace._path.parent.mkdir(mode=0o700, exist_ok=True)
pace._file_lock.acquire()
pace._path.write_bytes(b"half")
print("held", flush=True)
sys.stdin.read()
"""

TAKE_TURNS = """
import sys, time
from sessionkit.clock import Deadline
from sessionkit_helios.pace import Pace

pace = Pace(float(sys.argv[1]), "me")
for _ in range(20):
    pace.wait(Deadline.after(60))
    print(time.monotonic(), flush=True)
"""


def process(code, rate, folder):
    return subprocess.Popen(
        [sys.executable, "-c", code, str(rate)],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_keep_the_accounts_rate_though_one_is_killed_in_the_middle(tmp_path):
    rate = 50
    holder = process(HOLD, rate, tmp_path)
    assert holder.stdout.readline() == "held\n"
    workers = [process(TAKE_TURNS, rate, tmp_path) for _ in range(3)]
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=20)
    moments = sorted(
        float(line) for worker in workers for line in worker.communicate(timeout=60)[0].splitlines()
    )
    assert len(moments) == 60
    # However the turns fall, no stretch of them is faster than the rate and its burst allow.
    for first, last in itertools.combinations(range(60), 2):
        assert last - first <= (moments[last] - moments[first] + 0.1) * rate + 1.5


def test_a_holder_that_hangs_does_not_stop_the_others_for_ever(tmp_path, monkeypatch, manual_clock):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sessionkit_helios.pace._PATIENCE", 0.1)
    holder = process(HOLD, 10, tmp_path)
    assert holder.stdout.readline() == "held\n"
    pace = Pace(10, "me")
    for _ in range(30):
        pace.wait(Deadline.after(60, manual_clock))
    holder.communicate(timeout=20)
    assert 2.0 < max(manual_clock.slept) <= 3.0
