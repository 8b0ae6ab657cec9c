"""A keep-alive peer that sends exactly the bytes a test wrote, in the pieces it wants."""

import contextlib
import socket
import threading
import time
from types import SimpleNamespace

GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"good":true}'
CLOSE = object()
"""In a script: close the connection here."""


class Wire:
    """Answers "/good" well, and everything else as `script(*answers)` says: each a list of pieces.

    A piece is bytes, a number of seconds to wait, an event to wait for, or CLOSE. When the answers are used
    up the last one is given again.
    """

    def __init__(self, tls=None):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.seen = []
        self.open = []
        self.at_once = self.most_at_once = 0
        self.ended = threading.Event()
        self.threads = []
        self.answer = None
        self.reads_bodies = True
        self.connections = 0
        self.script([GOOD])
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def script(self, *answers):
        self.answers = list(answers)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self.serve, args=(connection,))
                self.threads.append(thread)
                thread.start()

    def serve(self, connection):
        with contextlib.suppress(OSError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
        with connection, contextlib.suppress(OSError, ValueError):
            with self.lock:
                self.open.append(connection)
                self.connections += 1
                number = self.connections
            reader = connection.makefile("rb")
            with reader:
                while (request := self.read(reader)) is not None:
                    request.connection = number
                    with self.lock:
                        self.seen.append(request)
                        self.at_once += 1
                        self.most_at_once = max(self.most_at_once, self.at_once)
                    try:
                        if not self.reply(connection, request):
                            break
                    finally:
                        with self.lock:
                            self.at_once -= 1
        with self.lock, contextlib.suppress(ValueError):
            self.open.remove(connection)

    def read(self, reader):
        first = reader.readline()
        if not first:
            return None
        headers = {}
        while (line := reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        method, path, _ = first.decode().split(" ")
        body = reader.read(int(headers.get("content-length") or 0)) if self.reads_bodies else b""
        return SimpleNamespace(method=method, path=path, headers=headers, body=body)

    def reply(self, connection, request):
        """Send an answer; whether the connection goes on."""
        if request.path.endswith("/good"):
            connection.sendall(GOOD)
            return True
        if self.answer is not None:
            pieces = self.answer(request)
        else:
            with self.lock:
                pieces = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        for piece in pieces:
            if piece is CLOSE:
                return False
            if isinstance(piece, bytes):
                connection.sendall(piece)
            elif isinstance(piece, threading.Event):
                piece.wait(20)
            else:
                self.ended.wait(piece)
        return True

    def stop(self):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        with self.lock:
            left = list(self.open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)


def ok(body=b"{}", *fields, status=b"200 OK"):
    """An answer of a stated length."""
    head = b"".join(field + b"\r\n" for field in fields)
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


def settle(read, seconds=10):
    """Wait until `read()` is true."""
    end = time.monotonic() + seconds
    while not read():
        assert time.monotonic() < end, "it did not settle"
        time.sleep(0.005)
