"""A web server that is faster than any client here: one asyncio protocol in a process of its own.

with FastServer(delay=0.02, answers={"/other": "[]"}) as server:
    urllib3.request("GET", server.url)
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

BODY = b'{"id": 1, "name": "thing"}\n'


def answer_of(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


class Protocol(asyncio.Protocol):
    """Answers every request for a path with the same bytes, after a delay."""

    delay = 0.0
    answers: dict[bytes, bytes] = {}  # noqa: RUF012 - set once, before the first connection
    usual = answer_of(BODY)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line[:15].lower() == b"content-length:":
                    length = int(line[15:])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            answer = self.answers.get(head.split(b" ", 2)[1], self.usual) if self.answers else self.usual
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.answer, answer)
            else:
                self.answer(answer)

    def answer(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def serve(delay: float, certificate: str | None) -> None:
    Protocol.delay = delay
    given = json.loads(sys.stdin.readline())
    Protocol.answers = {path.encode(): answer_of(body.encode()) for path, body in given.items()}
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Protocol, "127.0.0.1", 0, ssl=context, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class FastServer:
    """The server in a process of its own; `url` says where."""

    def __init__(
        self, delay: float = 0.0, certificate: str = "", answers: dict[str, str] | None = None
    ) -> None:
        self.answers = answers or {}
        self.arguments = [sys.executable, "-m", "benchmarks.server", str(delay), certificate]
        self.scheme = "https" if certificate else "http"

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.arguments, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(self.answers), file=self.process.stdin, flush=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), sys.argv[2] or None))
