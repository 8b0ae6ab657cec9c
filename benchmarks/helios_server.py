"""A Helios service that is faster than any client: fixed answers after a fixed delay, two origins.

with HeliosServer(delay=0.02) as server:
    HeliosSession.detached("id", "secret", server.url)
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

PICTURE = b"\xff\xd8" + random.Random(1).randbytes(41_000) + b"\xff\xd9"
TOTAL = 4000
_SKIP = re.compile(rb"[?&]skip=(\d+)")
_LIMIT = re.compile(rb"[?&]limit=(\d+)")


def answer(body: bytes, kind: str = "application/json", status: str = "200 OK", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def feature(number: int) -> dict[str, object]:
    geometry = {"type": "Point", "coordinates": [-77.0, 38.0]}
    properties = {"city": "Richmond", "state": "Virginia", "country": "United States", "video": False}
    return {"type": "Feature", "id": f"CAM-{number}", "geometry": geometry, "properties": properties}


FEATURES = [json.dumps(feature(number)) for number in range(TOTAL)]
TOKEN = answer(b'{"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 93600}')
SESSION = answer(b'{"name": "bench", "roles": [], "context": {}, "expires_in": 93600}')
IMAGE = answer(PICTURE, "image/jpeg")


def page(target: bytes) -> bytes:
    limit, skip = (int(pattern.search(target)[1]) for pattern in (_LIMIT, _SKIP))
    features = ",".join(FEATURES[skip : skip + limit])
    about = f'{{"total": {TOTAL}, "skip": {skip}, "limit": {limit}, "aggs": {{}}}}'
    body = f'{{"type": "FeatureCollection", "features": [{features}], "properties": {about}, "bbox": []}}'
    return answer(body.encode())


class Protocol(asyncio.Protocol):
    """Answers each request after a delay."""

    delay = 0.0
    other = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if length and len(rest) < int(length[1]):
            return
        self.buffer = b""
        asyncio.get_running_loop().call_later(self.delay, self.send, self.reply(head.split(b" ", 2)[1]))

    def reply(self, target: bytes) -> bytes:
        if target.startswith(b"/pictures/"):
            return IMAGE
        if target == b"/v1/oauth/token":
            return TOKEN
        if target == b"/v1/session":
            return SESSION
        if b"/images/" in target:
            name = target.rpartition(b"/")[2].decode()
            return answer(
                b"", status="302 Found", extra=f"Location: {self.other}/pictures/{name}.jpg?s=1\r\n"
            )
        return page(target)

    def send(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


async def serve(delay: float) -> None:
    Protocol.delay = delay
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Protocol, "127.0.0.1", 0, backlog=256) for _ in range(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    Protocol.other = f"http://127.0.0.1:{ports[1]}"
    print(ports[0], flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


class HeliosServer:
    """The server in a process of its own; `url` says where."""

    url: str

    def __init__(self, delay: float) -> None:
        self.arguments = [sys.executable, "-m", "benchmarks.helios_server", str(delay)]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
