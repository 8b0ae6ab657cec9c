"""One request in the sandbox's hands: what a fault may do with it, down to the socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Message, Receive, Scope, Send

    from sessionkit.sandbox.journal import Received

#: SO_LINGER on with no time: closing throws away what is queued and sends RST.
_LINGER_NONE = struct.pack("ii", 1, 0)


class Exchange:
    """A request, the connection it came on, and the service that would answer it.

    Args:
        scope: The ASGI scope.
        receive: Where the request's body comes from.
        send: Where the answer goes.
        handle: Answers as the service does, into the `send` it is given.
        find_transport: Finds the connection; None when it is gone already. Asked only by faults.
        leaving: Set once the sandbox stops, so that nothing sleeps longer than it lives.
        entry: The request's line in the journal.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        handle: Callable[[Receive, Send], Awaitable[None]],
        find_transport: Callable[[], asyncio.Transport | None],
        leaving: asyncio.Event,
        entry: Received,
    ) -> None:
        self.scope = scope
        self.entry = entry
        self._receive = receive
        self._send = send
        self._handle = handle
        self._find_transport = find_transport
        self._leaving = leaving

    async def forward(self) -> None:
        """Let the service answer."""
        await self._handle(self.receive, self.send)

    async def answer(self) -> tuple[Message, bytes]:
        """Let the service work, but keep its answer here: the start message and the whole body."""
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._handle(self.receive, keep)
        return start, bytes(body)

    async def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer instead of the service; the request's body is read first, for the journal."""
        await self.read()
        fields = {"content-length": str(len(body)), **headers}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    async def receive(self) -> Message:
        """The next piece of the request, noted in the journal on its way."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.entry.add(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Pass a piece of the answer on, its status noted in the journal."""
        if message["type"] == "http.response.start":
            self.entry.status = message["status"]
        await self._send(message)

    async def read(self) -> None:
        """Read the request's body to its end."""
        while True:
            message = await self.receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    async def hold(self) -> None:
        """Say nothing more until the client goes away (or the sandbox stops, which closes everything)."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def pause(self, seconds: float) -> None:
        """Let real time pass; a stopping sandbox does not wait for it."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)

    def reset(self) -> None:
        """Break the connection with a RST; nothing that was queued is delivered."""
        transport = self._find_transport()
        if transport is None:
            return
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        transport.abort()

    def hang_up(self) -> None:
        """Close the connection without a word, after what was sent has left."""
        transport = self._find_transport()
        if transport is not None:
            transport.close()
