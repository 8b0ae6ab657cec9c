"""A web server on a real socket whose every answer a test writes itself."""

import http.server
import json
import threading
from types import SimpleNamespace

from sessionkit import HttpEngine


class Api(HttpEngine):
    """A session of these tests."""

    __metakey__ = "test.api"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together: no waiting for acknowledgements

    def handle_any(self):
        length = int(self.headers.get("content-length") or 0)
        seen = SimpleNamespace(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
            peer=self.client_address,
        )
        self.server.seen.append(seen)
        answer = self.server.answer(seen)
        if answer is None:
            self.close_connection = True
            return
        if isinstance(answer, bytes):
            self.wfile.write(answer)
            self.close_connection = True
            return
        status, headers, body = answer
        body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**usual, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any  # noqa: N815 - http.server's names

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.seen = []
        self.answer = lambda seen: (200, {}, {"path": seen.path})
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def script(self, *answers):
        """Answer with these in turn, then with the last one."""
        left = list(answers)
        lock = threading.Lock()

        def answer(seen):
            with lock:
                now = left.pop(0) if len(left) > 1 else left[0]
            return now(seen) if callable(now) else now

        self.answer = answer

    def handle_error(self, request, client_address):
        pass

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join(10)
