"""The sandbox's event server: Socket.IO 0.9 over WebSocket and long polling.

Vendors' hubs and ours meet here: `GET /socket.io/1/` shakes hands, the events are routed by
`sessionkit.sandbox.eventbus`. Faults for tests (`SocketIoServer.fault`, or `Sandbox.fault`):

| kind | what clients meet | options (default) |
|---|---|---|
| event_silent | their connections stay open and say nothing any more | |
| event_drop | their connections are cut | |
| event_garbage | a packet that makes no sense | packet (several kinds of nonsense) |
| event_late_ack | the next acknowledgements come late | seconds (1.0), times (1) |
| event_refuse | the next events are refused | message ("refused"), times (1) |
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError
from sessionkit.events import wire
from sessionkit.events.errors import EventHubPacketError, ExpressionError
from sessionkit.events.event import Event
from sessionkit.events.topics import SUBSCRIBE, UNSUBSCRIBE
from sessionkit.sandbox.eventbus import Answer, EventBus, Peer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from sessionkit.clock import Clock

_logger = logging.getLogger("sessionkit.sandbox")

Authenticator = Callable[[Mapping[str, str], Mapping[str, str]], "str | None"]
"""From the handshake's headers and query to a user's name, or None for a stranger."""


NONSENSE = ("9:::", "", "x", "5:::{", "5:::[]", "6:::1", "6:::x", '5:::{"name":"ftrack.event","args":[7]}')
_MOST_QUEUED = 50_000
_POLL_SECONDS = 20.0
_UNCLAIMED_SECONDS = 30.0


class Connection:
    """One client's connection, whichever its transport.

    Attributes:
        id: The session identifier that the handshake gave out.
        queue: Packets to send.
        heard: When the client was heard last, on the loop's clock.
        silent: A fault: say nothing any more.
        close: Cuts the connection.
    """

    def __init__(self, sid: str, hub: str) -> None:
        self.id = sid
        self.hub, self.lost = _hub_header(hub)
        self.queue: asyncio.Queue[str] = asyncio.Queue(_MOST_QUEUED)
        self.heard = asyncio.get_running_loop().time()
        self.silent = False
        self.close: Callable[[], None] | None = None
        self.peer: Peer | None = None

    def send(self, packet: str) -> None:
        """Queue a packet; a client that does not read for ever is cut off."""
        try:
            self.queue.put_nowait(packet)
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """End the connection at once."""
        if self.close is not None:
            self.close()


class SocketIoServer:
    """The event server, as routes for a Starlette application.

    Usage:
        server = SocketIoServer()
        app = Starlette(routes=server.routes())
        server.publish({"topic": "ftrack.update", "data": {"entities": []}})

    Args:
        clock: The time in `sent`, and for `grace`.
        heartbeat: Seconds between heartbeats; a client silent for three of them is cut off.
        grace: Seconds for which a hub that can resume is expected back; see `sessionkit.sandbox.eventbus`.
        backlog: How many events are kept for one hub.

    Attributes:
        authenticators: A handshake must satisfy one of these; without any, everybody may connect.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        *,
        heartbeat: float = 5.0,
        grace: float = 15.0,
        backlog: int = 50_000,
    ) -> None:
        self.authenticators: list[Authenticator] = []
        self.bus = EventBus(clock, grace, backlog)
        self._heartbeat = heartbeat
        self._connections: dict[str, Connection] = {}
        self._instance = secrets.token_hex(8)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[dict[str, Any]] = []

    def routes(self) -> Sequence[BaseRoute]:
        """The server's routes, from the root of the application."""
        return [
            Route("/socket.io/1/", self._shake_hands, methods=["GET", "POST"]),
            Route("/socket.io/1", self._shake_hands, methods=["GET", "POST"]),
            WebSocketRoute("/socket.io/1/websocket/{sid}", self._websocket),
            Route("/socket.io/1/xhr-polling/{sid}", self._polling, methods=["GET", "POST"]),
        ]

    def publish(self, event: Mapping[str, Any]) -> None:
        """Send an event (at least its `topic`) to those who subscribed to it; from any thread.

        Raises:
            EventHubPacketError: when it is no event.
        """
        made = Event.from_wire(dict(event))
        wire.dumps(made.to_wire())
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self.bus.receive, None, made, _ignore)

    def fault(self, kind: str, options: Mapping[str, Any] | None = None) -> bool:
        """Do a fault to the clients that are connected now, or to the next events.

        Call it on the server's loop. Returns False when there is no such kind.

        Raises:
            ConfigurationError: for an option that the kind does not have.
        """
        known = _FAULTS.get(kind)
        if known is None:
            return False
        action, defaults = known
        given = {"times": 1, **(options or {})}
        unknown = sorted(set(given) - {"times", *defaults})
        if unknown:
            raise ConfigurationError(f"a fault of kind {kind!r} has no option {unknown[0]!r}")
        if action is None:
            self._waiting.append({**defaults, **given, "kind": kind})
            return True
        del given["times"]
        for connection in list(self._connections.values()):
            action(connection, **given)
        return True

    def stop(self) -> None:
        """Stop the timer; connections end with their server."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Transports

    async def _shake_hands(self, request: Request) -> PlainTextResponse:
        if self.authenticators and not any(
            check(request.headers, request.query_params) is not None for check in self.authenticators
        ):
            return PlainTextResponse("handshake unauthorized", 401)
        self._loop = asyncio.get_running_loop()
        sid = secrets.token_hex(16)
        hub = request.headers.get(wire.HUB_HEADER, "")
        self._connections[sid] = Connection(sid, hub)
        self._watch()
        timeout = max(1, round(3 * self._heartbeat))
        body = f"{sid}:{timeout}:{timeout + 10}:websocket,xhr-polling"
        return PlainTextResponse(body, headers={wire.RESUME_HEADER: self._instance} if hub else None)

    async def _websocket(self, socket: WebSocket) -> None:
        connection = self._connections.get(socket.path_params["sid"])
        if connection is None or connection.peer is not None:
            await socket.close(1008)
            return
        await socket.accept()
        tasks: list[asyncio.Task[None]] = []
        connection.close = partial(_cancel, tasks)
        self._join(connection)
        tasks.extend(
            asyncio.ensure_future(work)
            for work in (self._read(socket, connection), _write(socket, connection), self._beat(connection))
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _cancel(tasks)
            await asyncio.gather(*tasks, return_exceptions=True)
            self._part(connection)
            if socket.client_state is WebSocketState.CONNECTED:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await socket.close()

    async def _read(self, socket: WebSocket, connection: Connection) -> None:
        while True:
            message = await socket.receive()
            if message["type"] != "websocket.receive":
                return
            if not connection.silent and not self._handle(connection, message.get("text") or ""):
                return

    async def _beat(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        while connection.silent or loop.time() - connection.heard < 3 * self._heartbeat:
            await asyncio.sleep(self._heartbeat)
            connection.send(f"{wire.HEARTBEAT}::")

    async def _polling(self, request: Request) -> PlainTextResponse:
        connection = self._connections.get(request.path_params["sid"])
        if connection is None:
            return PlainTextResponse("7:::1+0")
        if connection.peer is None:
            connection.close = partial(self._part, connection)
            self._join(connection)
        connection.heard = asyncio.get_running_loop().time()
        if "disconnect" in request.query_params:
            self._handle(connection, "0::")
            self._part(connection)
            return PlainTextResponse("")
        if request.method == "GET":
            return PlainTextResponse(await _poll(connection))
        try:
            for packet in wire.decode_payload((await request.body()).decode("utf-8", "replace")):
                self._handle(connection, packet)
        except EventHubPacketError as error:
            return PlainTextResponse(str(error), 400)
        return PlainTextResponse("1")

    def _join(self, connection: Connection) -> None:
        resumes = bool(connection.hub)
        key = connection.hub or connection.id
        for other in list(self._connections.values()):
            if resumes and other.hub == key and other is not connection and other.peer is not None:
                other.cut()
        connection.peer = self.bus.join(key, connection.send, resumes=resumes, lost=connection.lost)
        connection.send(f"{wire.CONNECT}::")

    def _part(self, connection: Connection) -> None:
        if self._connections.pop(connection.id, None) is not None and connection.peer is not None:
            self.bus.vanish(connection.peer, connection.send)

    def _watch(self) -> None:
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(min(1.0, self.bus.grace / 4), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.bus.tick()
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections.values()):
            patience = _UNCLAIMED_SECONDS if connection.peer is None else _POLL_SECONDS + 3 * self._heartbeat
            if now - connection.heard > patience and not connection.silent:
                self._part(connection)
        if self._connections or not self.bus.idle:
            self._watch()

    # Packets

    def _handle(self, connection: Connection, text: str) -> bool:
        """Do what a packet asks; False when the client says goodbye."""
        connection.heard = asyncio.get_running_loop().time()
        assert connection.peer is not None
        try:
            packet = wire.parse_packet(text)
            if packet.code == wire.DISCONNECT:
                if not packet.path:
                    self.bus.leave(connection.peer)
                return bool(packet.path)
            if packet.code == wire.CONNECT:
                connection.send(f"{wire.CONNECT}::{packet.path}")
            elif packet.code == wire.EVENT:
                self._event(connection, connection.peer, packet)
            elif packet.code == wire.ACK:
                self.bus.acknowledged(connection.peer, wire.parse_ack(packet.data)[0])
        except EventHubPacketError as error:
            _logger.info("a client sent a packet that makes no sense: %s", error)
            connection.send(f"{wire.ERROR}:::{error}")
        return True

    def _event(self, connection: Connection, peer: Peer, packet: wire.Packet) -> None:
        name, arguments = wire.parse_event(packet.data)
        answer = self._answering(connection, packet)
        if name == wire.RESUME_NAME:
            self.bus.resume(peer)
        elif name == wire.EVENT_NAME and arguments:
            refusal = self._fault("event_refuse")
            event = Event.from_wire(arguments[0])
            if refusal is not None:
                answer(False, str(refusal["message"]))
            elif event["topic"] in {SUBSCRIBE, UNSUBSCRIBE}:
                answer(*self._subscription(peer, event, packet.path))
            else:
                self.bus.receive(peer, event, answer)
        else:
            answer(False, f"there is no event {name!r} here")

    def _subscription(self, peer: Peer, event: Event, path: str) -> tuple[bool, str]:
        data = event["data"] if isinstance(event["data"], dict) else {}
        subscriber, text = data.get("subscriber"), data.get("subscription")
        if not isinstance(subscriber, dict) or not isinstance(subscriber.get("id"), str):
            return False, "a subscriber has an id"
        if event["topic"] == UNSUBSCRIBE:
            self.bus.unsubscribe(peer, subscriber["id"])
            return True, ""
        if not isinstance(text, str):
            return False, "a subscription is an expression"
        try:
            self.bus.subscribe(peer, text, subscriber, path)
        except ExpressionError as error:
            return False, str(error)
        return True, ""

    def _answering(self, connection: Connection, packet: wire.Packet) -> Answer:
        """How to acknowledge `packet`: with data, without, or not at all, as it asks."""
        if not packet.id:
            return _ignore
        start = f"{wire.ACK}::{packet.path}:{packet.id}"
        if not packet.id.endswith("+"):
            connection.send(start)
            return _ignore

        def answer(success: bool, message: str) -> None:
            body = {"success": True} if success else {"success": False, "message": message}
            fault = self._fault("event_late_ack")
            if fault is None:
                connection.send(f"{start}{wire.dumps([body])}")
            else:
                loop = asyncio.get_running_loop()
                late = float(fault["seconds"])
                loop.call_later(late, connection.send, f"{start}{wire.dumps([body])}")

        return answer

    def _fault(self, kind: str) -> dict[str, Any] | None:
        for fault in self._waiting:
            if fault["kind"] == kind:
                if fault["times"] is not None:
                    fault["times"] -= 1
                    if fault["times"] < 1:
                        self._waiting.remove(fault)
                return fault
        return None


def _hub_header(text: str) -> tuple[str, float | None]:
    """The hub's identifier, and for how long it was away."""
    hub, _, parameter = text.partition(";")
    name, _, value = parameter.strip().partition("=")
    try:
        return hub.strip(), float(value) if name == "lost" else None
    except ValueError:
        return hub.strip(), None


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _write(socket: WebSocket, connection: Connection) -> None:
    while True:
        packet = await connection.queue.get()
        if not connection.silent:
            await socket.send_text(packet)


async def _poll(connection: Connection) -> str:
    """What waits for a polling client, as soon as something does."""
    try:
        packets = [await asyncio.wait_for(connection.queue.get(), _POLL_SECONDS)]
    except asyncio.TimeoutError:
        return f"{wire.NOOP}::"
    while not connection.queue.empty():
        packets.append(connection.queue.get_nowait())
    return wire.encode_payload(packets)


def _silence(connection: Connection) -> None:
    connection.silent = True


def _garble(connection: Connection, packet: str | None = None) -> None:
    for nonsense in NONSENSE if packet is None else (packet,):
        connection.send(nonsense)


_FAULTS: dict[str, tuple[Callable[..., None] | None, dict[str, Any]]] = {
    "event_silent": (_silence, {}),
    "event_drop": (Connection.cut, {}),
    "event_garbage": (_garble, {"packet": None}),
    "event_late_ack": (None, {"seconds": 1.0}),
    "event_refuse": (None, {"message": "refused"}),
}
"""The kinds: what is done to every connection now (or None: what waits for its event), and the options."""


def _ignore(success: bool, message: str) -> None:
    """Nobody asked for an acknowledgement."""
