"""A service of files that answers as it is told, byte for byte, for `transfer_model`."""

import gzip
import hashlib
import random
import socketserver
import threading
from collections import deque

UNNOTICED = {"corrupt", "torn gzip"}
"""Plans that only a checksum finds out; they wait for those who know one."""


def md5(content):
    return hashlib.md5(content).hexdigest()


class Version:
    """One content of a file; `kind` says what the service calls it."""

    def __init__(self, name, number, size, kind):
        self.content = random.Random(f"{name}{number}").randbytes(size)
        self.corrupt = bytes([*self.content[:-1], self.content[-1] ^ 1]) if size else b""
        self.kind = kind
        tags = {"md5": f'"{md5(self.content)}"', "own": f'"{name}-{number}"', "weak": f'W/"{name}"'}
        self.etag = tags.get(kind, "")


class ScriptedFiles(socketserver.ThreadingTCPServer):
    """`plans` says how the next requests are answered, one each; without one, properly.

    A plan is a name and how many bytes of the body come before the connection ends (None: all). The name
    is of the table in `_answer`.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Talk)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.reset()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that was killed has hung up."""

    def reset(self):
        self.plans = deque()
        self.now = {}
        self.latest = "a"
        self.asked = self.planned = 0
        self.forged = set()
        self.sent = {}  # by who asked: the version of the last answer, if it was whole and proper
        self.stored = {}

    def _plan(self, headers, name):
        self.asked += 1
        if not self.plans or (self.plans[0][0] in UNNOTICED and "x-checked" not in headers):
            return "", None
        self.planned += 1
        kind, cut = self.plans.popleft()
        if kind == "corrupt":
            self.forged.add(name)
        return kind, cut

    def answer(self, method, path, headers, body):
        """The bytes of an answer, and whether the connection ends after it."""
        name = path.rpartition("/")[2]
        if method == "PUT":
            return self._stored(name, body)
        if name == "latest":
            return _written(302, {"Location": f"/{self.latest}"}, b""), False
        kind, cut = self._plan(headers, name)
        if kind == "reset":
            return b"", True
        status, fields, body = self._answer(kind, self.now[name], headers)
        self.sent[headers.get("x-who")] = self.now[name] if (kind, status) == ("", 200) else None
        return _written(status, fields, body, cut, chunked=kind == "chunked"), cut is not None

    def _answer(self, kind, version, headers):
        """Status, headers and body."""
        content = version.corrupt if kind == "corrupt" else version.content
        size, fields = len(content), {"ETag": version.etag} if version.etag else {}
        start = int(headers.get("range", "bytes=0-")[6:-1])
        same = headers.get("if-range") == version.etag or kind == "heedless"
        if kind in {"403", "503"}:
            return int(kind), {"Retry-After": "0"} if kind == "503" else {}, b"no"
        if kind == "304" or (version.etag and headers.get("if-none-match") == version.etag):
            return 304, fields, b""
        if kind == "416" or ("range" in headers and same and start >= size and kind != "ignorant"):
            return 416, {"Content-Range": f"bytes */{size}"}, b""
        packed = gzip.compress(content, mtime=0)
        if kind in {"gzip", "torn gzip"}:
            torn = packed[: len(packed) * 2 // 3] if kind == "torn gzip" else packed
            return 200, {**fields, "Content-Encoding": "gzip"}, torn
        if not same or "range" not in headers or kind == "ignorant":
            return (206 if kind == "bare" else 200), fields, content
        if kind == "gzip rest":
            extent = f"bytes {start}-{len(packed) - 1}/{len(packed)}"
            return 206, {**fields, "Content-Range": extent, "Content-Encoding": "gzip"}, packed[start:]
        start = max(0, start - 3) if kind == "elsewhere" else start
        end = start + max(1, (size - start) // 2) if kind in {"less", "unsaid less"} else size
        whole = "*" if kind in {"unsaid", "unsaid less"} else size
        extent = {} if kind == "bare" else {"Content-Range": f"bytes {start}-{end - 1}/{whole}"}
        fields = {} if kind == "nameless" else fields
        return 206, {**fields, **extent}, content[start:end]

    def _stored(self, name, body):
        kind, _ = self._plan({}, name)
        if kind == "reset":
            return b"", True
        if kind in {"403", "503"}:
            return _written(int(kind), {"Retry-After": "0"}, b""), False
        self.stored[name] = body[:-1] + b"!" if kind == "corrupt upload" else body
        if kind == "lost":
            return b"", True
        return _written(200, {"ETag": f'"{md5(self.stored[name])}"'}, b""), False


def _written(status, fields, body, cut=None, *, chunked=False):
    bodiless = status == 304
    length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    fields = {**fields, **({} if bodiless else length)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    if chunked:
        half = len(body) // 2
        pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]) if piece]
        body = b"".join(pieces) + b"0\r\n\r\n"
    return f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + body[:cut]


class _Talk(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        ended = False
        while not ended and (line := self.rfile.readline()):
            method, path, _ = line.decode().split()
            headers = {}
            while field := self.rfile.readline().decode().strip():
                name, _, value = field.partition(":")
                headers[name.lower()] = value.strip()
            length = int(headers.get("content-length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:
                return
            answer, ended = self.server.answer(method, path, headers, body)
            self.wfile.write(answer)
