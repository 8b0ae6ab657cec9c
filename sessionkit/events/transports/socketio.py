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
  accepted event either arrives exactly once, and in the order of its publisher, at every hub whose
  subscription the server had confirmed by then, or its publisher hears of it; also when the server is
  restarted without memory, as long as the hubs return (connect and announce themselves) within its
  `grace`. Two things no server without memory can know: an event that it had refused, if the refusal was
  lost with the connection, is tried again and may come after later ones; and an event of a hub that is
  new, published to a server to which no other hub has returned yet, is confirmed before those have it.

The key travels in one header of the handshake. The WebSocket is opened with what the server answered.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from sessionkit.events import wire
from sessionkit.events.errors import EventHubPacketError
from sessionkit.events.event import Event
from sessionkit.events.subscriber import Subscriber
from sessionkit.events.topics import REPLY, SUBSCRIBE, UNSUBSCRIBE
from sessionkit.events.transports.link import SocketIoLink
from sessionkit.events.transports.reconnecting import LinkBroken, ReconnectingTransport

if TYPE_CHECKING:
    from sessionkit.events.transports.outbox import Entry

_logger = logging.getLogger("sessionkit.events")

_ANSWER_EVERY = 100


class SocketIoTransport(ReconnectingTransport[SocketIoLink]):
    """A Socket.IO 0.9 client; see the module's text for its guarantees."""

    def make_link(self) -> SocketIoLink:
        """Shake hands and open the WebSocket."""
        hub = self.listener.id
        if self.lost_at is not None:
            hub = f"{hub};lost={time.monotonic() - self.lost_at:.3f}"
        return SocketIoLink.open(self.options, hub)

    def announce(self, link: SocketIoLink) -> None:
        """Subscribe everybody again."""
        for subscriber in [*self.listener.announced(), _for_replies(self.listener.id)]:
            link.send(self._subscription(subscriber))
        if link.resumes:
            link.send(wire.event_packet(wire.RESUME_NAME, "{}"))

    def transmit(self, link: SocketIoLink, entry: Entry) -> None:
        """Send the event; its number asks the server to confirm it."""
        link.send(wire.event_packet(wire.EVENT_NAME, entry.text, entry.number))

    def goodbye(self, link: SocketIoLink) -> None:
        """End the session, so that a server that resumes expects this hub no more."""
        link.send(f"{wire.DISCONNECT}::")

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell the server, if it can be reached; else it hears with the next connection."""
        self.send_now(lambda link: link.send(self._subscription(subscriber)))

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Tell the server, if it can be reached."""
        packet = _meta_packet(UNSUBSCRIBE, {"subscriber": subscriber.metadata}, self.outbox.number())
        self.send_now(lambda link: link.send(packet))

    def handle(self, link: SocketIoLink, message: str) -> None:
        """Do what a packet asks; one that makes no sense is logged and does no harm."""
        try:
            packet = wire.parse_packet(message)
            if packet.code == wire.DISCONNECT:
                raise LinkBroken("the server ended the session")
            if packet.code == wire.HEARTBEAT:
                self._beat(link)
            elif packet.code == wire.EVENT:
                self._event(link, packet)
            elif packet.code == wire.ACK:
                self._ack(packet)
            elif packet.code == wire.ERROR:
                _logger.error("the event server reports an error: %s", packet.data)
        except EventHubPacketError as error:
            _logger.warning("a packet from the event server was ignored: %s", error)
        if link.unanswered:
            self._acknowledge(link)

    def _beat(self, link: SocketIoLink) -> None:
        with self.sending:
            link.send(f"{wire.HEARTBEAT}::")
        self.fail_unconfirmed()
        if link.dropped and self.listener.has_room():
            raise LinkBroken("there is room again for the events that had to be dropped")

    def _event(self, link: SocketIoLink, packet: wire.Packet) -> None:
        if link.dropped:
            return
        if packet.id:
            link.unanswered.append(packet.id)
        name, arguments = wire.parse_event(packet.data)
        if name != wire.EVENT_NAME or not arguments:
            return
        if not self.listener.received(Event.from_wire(arguments[0])) and packet.id and link.resumes:
            # Nothing is accepted or acknowledged any more, so that the server sends all again, in order.
            link.dropped = True
            del link.unanswered[-1:]

    def _acknowledge(self, link: SocketIoLink) -> None:
        """Answer for the events that arrived; where the server resumes, the last answer stands for all."""
        if link.resumes:
            if len(link.unanswered) < _ANSWER_EVERY and link.has_more():
                return
            del link.unanswered[:-1]
        with self.sending:
            for packet_id in link.unanswered:
                link.send(
                    f"{wire.ACK}:::{packet_id}[]" if packet_id.endswith("+") else f"{wire.ACK}:::{packet_id}"
                )
        link.unanswered.clear()

    def _ack(self, packet: wire.Packet) -> None:
        number, arguments = wire.parse_ack(packet.data)
        answer = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        refused = answer.get("success") is False
        subscription = self.outbox.answered(number)
        if subscription is not None:
            if refused:
                _logger.error("the event server refused %s: %s", subscription, answer.get("message"))
            return
        entry = self.outbox.confirm(number)
        if entry is not None and refused:
            self.fail(entry, f"the server refused it: {answer.get('message')}")

    def _subscription(self, subscriber: Subscriber) -> str:
        data = {"subscriber": subscriber.metadata, "subscription": subscriber.subscription.text}
        return _meta_packet(SUBSCRIBE, data, self.outbox.number(request=repr(subscriber)))


def _meta_packet(topic: str, data: dict[str, Any], number: int) -> str:
    return wire.event_packet(wire.EVENT_NAME, wire.dumps(Event(topic, data=data).to_wire()), number)


def _for_replies(hub_id: str) -> Subscriber:
    """The subscriber that stands for the hub itself, to which replies are targeted."""
    return Subscriber(f"topic={REPLY}", lambda _: None, {"id": hub_id})
