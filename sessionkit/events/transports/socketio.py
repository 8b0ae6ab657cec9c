"""Socket.IO 0.9 over a WebSocket.

What is guaranteed for an event that `publish` accepted:

- It is kept until the server confirms it, and sent again, in order, after every reconnection. If the
  server refuses it, if no confirmation comes within a minute, or if the hub gives up reconnecting, its
  publisher hears of it (`on_error`, `flush()`, the log).
- Because it may be sent twice, hubs of this library drop an identifier they have seen. Other clients
  may then handle an event twice.
- A *plain* server confirms an event when it has received it, and forgets it. A subscriber that is not
  connected at that moment misses it, and nobody is told: the protocol offers nothing better.
- A server that offers to *resume* (the sandbox's does) keeps what a known hub misses for a while, sends
  it when the hub returns, and confirms an event only when every hub that wants it has it. Then every
  accepted event arrives exactly once and in the order of its publisher, also when the server is
  restarted without memory, as long as the hubs return within its `grace`.

The key travels in one header of the handshake. The WebSocket is opened with what the server answered.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from sessionkit.events import wire
from sessionkit.events.errors import (
    EventHubConnectionError,
    EventHubPacketError,
    EventNotDelivered,
)
from sessionkit.events.event import Event
from sessionkit.events.subscriber import Subscriber
from sessionkit.events.topics import REPLY, SUBSCRIBE, UNSUBSCRIBE
from sessionkit.events.transports.link import Link, LinkBroken
from sessionkit.events.transports.outbox import Entry, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.events.transports.base import Listener, Options

_logger = logging.getLogger("sessionkit.events")

_CONFIRM_SECONDS = 60.0
_JOIN_SECONDS = 5.0


class _Keeper:
    """What the background thread and the transport share, so that the thread keeps no transport alive."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.link: Link | None = None

    def stop(self) -> None:
        """End the connection and the thread."""
        self.stopped.set()
        if self.link is not None:
            self.link.abort()


class SocketIoTransport:
    """A connection that is made again whenever it is lost; see the module's text for its guarantees.

    A thread of its own receives and reconnects. `publish` sends from the caller's thread.
    """

    def __init__(self, options: Options, listener: Listener) -> None:
        self.options = options
        self._listener = listener
        self._outbox = Outbox(options.queue_limit)
        self._sending = threading.Lock()
        self._link: Link | None = None
        self._ready = False
        self._lost_at: float | None = None
        self._keeper: _Keeper | None = None
        self._thread: threading.Thread | None = None
        self._collected: weakref.finalize[..., SocketIoTransport] | None = None
        self._subscribing: dict[int, str] = {}

    # What the hub asks

    @property
    def connected(self) -> bool:
        """Whether the server can be reached at this moment, as far as can be known."""
        return self._ready

    @property
    def active(self) -> bool:
        """Whether it is connected or trying to be."""
        return self._thread is not None and self._thread.is_alive()

    def open(self) -> None:
        """Connect, announce the subscribers, send what waits, and keep the connection up from now on.

        Raises:
            EventHubConnectionError: when that fails.
        """
        self._stop()
        link = self.make_link()
        keeper = self._keep(link)
        try:
            self.start(link, keeper)
        except LinkBroken as error:
            link.close()
            raise EventHubConnectionError(f"the connection was lost at once: {error.message}") from error
        self._thread = threading.Thread(
            target=_keep_up,
            args=(weakref.ref(self), keeper, link),
            name="sessionkit-events-socket",
            daemon=True,
        )
        self._thread.start()

    def close(self, timeout: float, *, keep: bool = False) -> None:
        """Wait for confirmations, disconnect, and report what is still unconfirmed unless it is kept."""
        if self._ready:
            self._outbox.wait_until_empty(timeout)
        self._stop(goodbye=not keep)
        if not keep:
            self._lost_at = None
            self._abandon("the hub was disconnected before the server confirmed it")

    def publish(self, event: Event, on_error: Callable[..., Any] | None = None) -> None:
        """Accept the event and, while connected, send it.

        Raises:
            EventQueueFull: when too many events wait for confirmation.
            EventHubPacketError: when JSON cannot carry it.
        """
        self._outbox.add(wire.dumps(event.to_wire()), event, on_error)
        self._pump()

    def flush(self, timeout: float) -> bool:
        """Whether the server has confirmed everything within `timeout` seconds."""
        return self._outbox.wait_until_empty(timeout)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell the server, if it can be reached; else it hears with the next connection."""
        with self._sending:
            if self._ready and self._link is not None:
                self._send_quietly(self._link, self._subscription(subscriber))

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Tell the server, if it can be reached."""
        with self._sending:
            if self._ready and self._link is not None:
                self._send_quietly(self._link, _unsubscription(subscriber, self._outbox.number()))

    def after_fork_in_child(self) -> None:
        """Forget the parent's connection and queue; its socket is closed here without a word."""
        if self._keeper is not None and self._keeper.link is not None:
            self._keeper.link.drop()
        self._outbox = Outbox(self.options.queue_limit)
        self._sending = threading.Lock()
        self._link = self._keeper = self._thread = self._lost_at = None
        self._ready = False
        self._subscribing = {}

    # What the background thread asks

    def make_link(self) -> Link:
        """A new connection; nothing has been sent on it yet.

        Raises:
            EventHubConnectionError: when that fails.
        """
        hub = self._listener.id
        if self._lost_at is not None:
            hub = f"{hub};lost={time.monotonic() - self._lost_at:.3f}"
        return Link.open(self.options, hub)

    def start(self, link: Link, keeper: _Keeper) -> None:
        """Announce the subscribers on a new connection, then send what waits.

        Raises:
            LinkBroken: when it is lost meanwhile, or no longer wanted.
        """
        with self._sending:
            if keeper.stopped.is_set():
                raise LinkBroken("the hub was disconnected meanwhile")
            self._subscribing.clear()
            for subscriber in [*self._listener.announced(), _for_replies(self._listener.id)]:
                link.send(self._subscription(subscriber))
            if link.resumes:
                link.send(wire.event_packet(wire.RESUME_NAME, "{}"))
            self._outbox.rewind()
            self._link = link
            self._ready = True
            self._lost_at = None
        self._listener.is_up()
        self._pump()

    def lost(self, link: Link) -> None:
        """That connection is gone."""
        with self._sending:
            if self._link is link:
                self._link = None
                self._ready = False
                self._lost_at = link.heard
        link.close()

    def gave_up(self, reason: str) -> None:
        """No further attempt is made: every event that waits is an error now."""
        self._abandon(reason)
        self._listener.is_down(reason)

    def handle(self, text: str, link: Link) -> None:
        """Do what a packet asks; one that makes no sense is logged and does no harm.

        Raises:
            LinkBroken: when the server says goodbye, or answering fails.
        """
        try:
            packet = wire.parse_packet(text)
            if packet.code == wire.DISCONNECT:
                raise LinkBroken("the server ended the session")
            if packet.code == wire.HEARTBEAT:
                self._beat(link)
            elif packet.code == wire.EVENT:
                self._event(packet, link)
            elif packet.code == wire.ACK:
                self._ack(packet)
            elif packet.code == wire.ERROR:
                _logger.error("the event server reports an error: %s", packet.data)
        except EventHubPacketError as error:
            _logger.warning("a packet from the event server was ignored: %s", error)

    def _beat(self, link: Link) -> None:
        with self._sending:
            link.send(f"{wire.HEARTBEAT}::")
        for entry in self._outbox.expired(self.options.clock.monotonic() - _CONFIRM_SECONDS):
            self._fail(entry, f"the server did not confirm it within {_CONFIRM_SECONDS:g} s")

    def _event(self, packet: wire.Packet, link: Link) -> None:
        name, arguments = wire.parse_event(packet.data)
        accepted = True
        if name == wire.EVENT_NAME and arguments:
            accepted = self._listener.received(Event.from_wire(arguments[0]))
        if packet.id and accepted:
            answer = f"{packet.id}[]" if packet.id.endswith("+") else packet.id
            with self._sending:
                link.send(f"{wire.ACK}:::{answer}")

    def _ack(self, packet: wire.Packet) -> None:
        number, arguments = wire.parse_ack(packet.data)
        answer = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        refused = answer.get("success") is False
        subscription = self._subscribing.pop(number, None)
        if subscription is not None:
            if refused:
                _logger.error("the event server refused %s: %s", subscription, answer.get("message"))
            return
        entry = self._outbox.confirm(number)
        if entry is not None and refused:
            self._fail(entry, f"the server refused it: {answer.get('message')}")

    # Sending

    def _pump(self) -> None:
        """Send what waits, in order; whoever publishes meanwhile helps."""
        while self._ready:
            with self._sending:
                link = self._link
                if not self._ready or link is None:
                    return
                entry = self._outbox.take(self.options.clock.monotonic())
                if entry is None:
                    return
                if not self._send_quietly(link, wire.event_packet(wire.EVENT_NAME, entry.text, entry.number)):
                    return

    def _send_quietly(self, link: Link, packet: str) -> bool:
        """Send; a lost connection is the background thread's business, which makes another."""
        try:
            link.send(packet)
        except LinkBroken:
            self._ready = False
            return False
        return True

    def _subscription(self, subscriber: Subscriber) -> str:
        number = self._outbox.number()
        self._subscribing[number] = repr(subscriber)
        data = {"subscriber": subscriber.metadata, "subscription": subscriber.subscription.text}
        return _meta_packet(SUBSCRIBE, data, number)

    def _fail(self, entry: Entry, reason: str) -> None:
        event_id = entry.event["id"]
        error = EventNotDelivered(f"the event {event_id} was not delivered: {reason}", event_ids=[event_id])
        self._listener.undelivered(entry.event, error, entry.on_error)

    def _abandon(self, reason: str) -> None:
        for entry in self._outbox.abandon():
            self._fail(entry, reason)

    def _keep(self, link: Link) -> _Keeper:
        keeper = self._keeper = _Keeper()
        keeper.link = link
        self._collected = weakref.finalize(self, keeper.stop)
        self._collected.atexit = False
        return keeper

    def _stop(self, *, goodbye: bool = False) -> None:
        keeper, thread = self._keeper, self._thread
        self._keeper = self._thread = None
        if keeper is None:
            return
        if self._collected is not None:
            self._collected.detach()
        if goodbye and self._link is not None and self._ready:
            with self._sending:
                self._send_quietly(self._link, f"{wire.DISCONNECT}::")
        keeper.stop()
        with self._sending:
            if self._link is not None:
                self._lost_at = self._link.heard
            self._link = None
            self._ready = False
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)


def _meta_packet(topic: str, data: dict[str, Any], number: int) -> str:
    return wire.event_packet(wire.EVENT_NAME, wire.dumps(Event(topic, data=data).to_wire()), number)


def _unsubscription(subscriber: Subscriber, number: int) -> str:
    return _meta_packet(UNSUBSCRIBE, {"subscriber": subscriber.metadata}, number)


def _for_replies(hub_id: str) -> Subscriber:
    """The subscriber that stands for the hub itself, to which replies are targeted."""
    return Subscriber(f"topic={REPLY}", lambda _: None, {"id": hub_id})


def _keep_up(reference: weakref.ref[SocketIoTransport], keeper: _Keeper, first: Link) -> None:
    """The background thread: receive, and reconnect whenever the connection is lost."""
    link: Link | None = first
    while link is not None:
        reason = _receive(reference, link)
        transport = reference()
        if transport is None or keeper.stopped.is_set():
            link.close()
            return
        _logger.info("the connection to the event server was lost: %s", reason)
        transport.lost(link)
        backoff = transport.options.backoff
        del transport
        link = _reconnected(reference, keeper, list(backoff.delays()))
    transport = reference()
    if transport is not None and not keeper.stopped.is_set():
        transport.gave_up(f"the event server could not be reached again: {reason}")


def _receive(reference: weakref.ref[SocketIoTransport], link: Link) -> str:
    """Handle packets until the connection is lost; why it was."""
    while True:
        try:
            text = link.receive()
            transport = reference()
            if transport is None:
                return "nobody uses it any more"
            transport.handle(text, link)
        except LinkBroken as error:
            return error.message
        except Exception:
            # A hub that says it is connected must not be deaf: whatever went wrong, connect again.
            _logger.exception("handling a packet failed unexpectedly")
            return "an unexpected error"
        finally:
            transport = None


def _reconnected(
    reference: weakref.ref[SocketIoTransport], keeper: _Keeper, delays: list[float]
) -> Link | None:
    """A new connection, fully announced; None when there is none to be had or nobody wants it."""
    for delay in delays:
        if keeper.stopped.wait(delay):
            return None
        transport = reference()
        if transport is None:
            return None
        link = None
        try:
            link = transport.make_link()
            keeper.link = link
            transport.start(link, keeper)
        except (EventHubConnectionError, LinkBroken) as error:
            _logger.info("reconnecting to the event server failed: %s", error.message)
            if link is not None:
                transport.lost(link)
        except Exception:
            _logger.exception("reconnecting to the event server failed unexpectedly")
        else:
            return link
        finally:
            del transport
    return None
