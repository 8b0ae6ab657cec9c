"""Who gets which event: the event server's memory, without its sockets.

Clients that asked to *resume* are known by their hub's identifier, and acknowledge what they get; one
acknowledgement stands for all events before it. For them the bus keeps what they have not acknowledged,
for `grace` seconds also while they are away, and tells an event's publisher "received" only when all of
them have it, or "refused" when one stays away. When a client returns that this bus has never seen, the bus
is the successor of one that lost its memory: for `grace` seconds it then confirms nothing finally, because
another client may still be on its way back, and what it receives is kept for those.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from sessionkit.events import wire
from sessionkit.events.dispatch import Index
from sessionkit.events.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.clock import Clock
    from sessionkit.events.event import Event

Send = Callable[[str], None]
Answer = Callable[[bool, str], None]

_RECOVERY = object()


class Receipt:
    """What an event's publisher waits for: that everybody in `waiting` has it."""

    __slots__ = ("_answer", "_outcome", "waiting")

    def __init__(self, answer: Answer) -> None:
        self._answer: Answer | None = answer
        self._outcome: tuple[bool, str] | None = None
        self.waiting: set[object] = set()

    def again(self, answer: Answer) -> None:
        """The publisher asks again, on another connection."""
        self._answer = answer
        self.settle()

    def got_by(self, who: object) -> None:
        """One of those has it, or will never."""
        self.waiting.discard(who)
        self.settle()

    def refuse(self, reason: str) -> None:
        """Tell the publisher that somebody does not get it."""
        self._outcome = (False, reason)
        self.settle()

    def settle(self) -> None:
        """Answer, if there is an answer by now."""
        if self._outcome is None and not self.waiting:
            self._outcome = (True, "")
        if self._outcome is not None and self._answer is not None:
            answer, self._answer = self._answer, None
            answer(*self._outcome)


@dataclass(eq=False)
class Peer:
    """One client: where its packets go, and what it has not acknowledged.

    Attributes:
        key: The hub's identifier where it resumes, else the connection's.
        resumes: Whether it acknowledges, and may come back.
        send: Writes to its connection; None while it has none.
        live: Whether events go out as they come: not before a resuming client has announced everything.
        lost_at: Since when it had been away when this bus saw it first, on the bus's clock; None for a
            newcomer, and once it has what it missed.
        pending: What it has not acknowledged, by packet number.
    """

    key: str
    resumes: bool
    send: Send | None = None
    live: bool = True
    lost_at: float | None = None
    left_at: float | None = None
    pending: OrderedDict[int, tuple[str, Receipt]] = field(default_factory=OrderedDict)
    interests: dict[str, Interest] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)

    def transmit(self, packet: str) -> None:
        """Send now, if events may go out."""
        if self.send is not None and self.live:
            self.send(packet)


class Interest(Subscriber):
    """A client's subscription, as announced."""

    __slots__ = ("path", "peer")

    def __init__(self, peer: Peer, subscription: str, metadata: dict[str, Any], path: str) -> None:
        super().__init__(subscription, _nothing, metadata)
        self.peer = peer
        self.path = path


def _nothing(_: Event) -> None:
    """The callback of a subscriber that lives elsewhere."""


@dataclass(frozen=True)
class _Logged:
    at: float
    event: Event
    text: str
    receipt: Receipt


class EventBus:
    """Routes events between peers. Used from one thread.

    Args:
        clock: The server's time.
        grace: Seconds for which a client that vanished is expected back.
        backlog: How many events may wait for one client, and how many are remembered.
    """

    def __init__(self, clock: Clock, grace: float, backlog: int) -> None:
        self.grace = grace
        self._clock = clock
        self._backlog = backlog
        self._started = clock.monotonic()
        self._recovering = False
        self._peers: dict[str, Peer] = {}
        self._index = Index()
        self._log: deque[_Logged] = deque()
        self._receipts: dict[str, Receipt] = {}
        self._numbers = count(1)

    def join(self, key: str, send: Send, *, resumes: bool, lost: float | None) -> Peer:
        """A client has connected; it may be one that was here, or away for `lost` seconds."""
        now = self._clock.monotonic()
        peer = self._peers.get(key)
        if peer is None:
            peer = self._peers[key] = Peer(key, resumes)
            if lost is not None:
                peer.lost_at = now - lost
                self._recovering = self._recovering or now < self._started + self.grace
        peer.send, peer.left_at = send, None
        peer.live = not peer.resumes
        peer.announced.clear()
        return peer

    def resume(self, peer: Peer) -> None:
        """The client has announced its subscriptions: send what it missed, and from now on what comes."""
        for gone in set(peer.interests) - peer.announced:
            self.unsubscribe(peer, gone)
        peer.live = True
        if peer.lost_at is not None:
            self._replay(peer)
            away = self._clock.monotonic() - peer.lost_at
            if away > self.grace:
                peer.transmit(f"{wire.ERROR}:::away for {away:.0f} s, events may have been missed")
            peer.lost_at = None
        for number, (text, _) in peer.pending.items():
            peer.transmit(wire.event_packet(wire.EVENT_NAME, text, number))

    def vanish(self, peer: Peer, send: Send) -> None:
        """The client's connection is gone; `send` tells which, since another may have replaced it."""
        if peer.send != send:
            return
        peer.send, peer.left_at = None, self._clock.monotonic()
        if not peer.resumes:
            self.leave(peer)

    def leave(self, peer: Peer, *, missing: bool = False) -> None:
        """The client will not come back: by its own wish, or because it is missing for too long.

        What a missing client was still to get is an error for its publishers.
        """
        if self._peers.get(peer.key) is peer:
            del self._peers[peer.key]
        for identifier in list(peer.interests):
            self.unsubscribe(peer, identifier)
        pending, peer.pending = peer.pending, OrderedDict()
        for _, receipt in pending.values():
            if missing:
                receipt.refuse(f"the hub {peer.key} vanished before it had it")
            receipt.got_by(peer)

    def subscribe(self, peer: Peer, subscription: str, metadata: dict[str, Any], path: str) -> None:
        """Let the peer have the events of a subscription.

        Raises:
            ExpressionError: when it cannot be read.
        """
        interest = Interest(peer, subscription, metadata, path)
        self.unsubscribe(peer, interest.id)
        peer.interests[interest.id] = interest
        peer.announced.add(interest.id)
        self._index.add(interest)

    def unsubscribe(self, peer: Peer, identifier: str) -> None:
        """End a subscription, if there is one."""
        interest = peer.interests.pop(identifier, None)
        if interest is not None:
            self._index.remove(interest)

    def receive(self, publisher: Peer | None, event: Event, answer: Answer) -> None:
        """Route an event; `answer(success, message)` is called now or once it has arrived everywhere."""
        resumes = publisher is not None and publisher.resumes
        known = self._receipts.get(event["id"]) if resumes else None
        if known is not None:
            known.again(answer)
            return
        if self._recovering and len(self._log) >= self._backlog:
            answer(False, "the server is recovering and cannot keep more events")
            return
        event["sent"] = wire.timestamp(self._clock.time())
        text = wire.dumps(event.to_wire())
        receipt = Receipt(answer)
        if self._recovering:
            receipt.waiting.add(_RECOVERY)
        self._remember(_Logged(self._clock.monotonic(), event, text, receipt))
        for peer, path in self._recipients(event):
            self._deliver(peer, path, text, receipt)
        if not resumes:
            receipt.waiting.clear()
        receipt.settle()

    def acknowledged(self, peer: Peer, number: int) -> None:
        """The client has that event, and all that were sent to it before."""
        while peer.pending and next(iter(peer.pending)) <= number:
            _, (_, receipt) = peer.pending.popitem(last=False)
            receipt.got_by(peer)

    def tick(self) -> None:
        """Give up those who stayed away too long, and end the recovery once its time is over."""
        now = self._clock.monotonic()
        for peer in list(self._peers.values()):
            if peer.left_at is not None and now - peer.left_at > self.grace:
                self.leave(peer, missing=True)
        if self._recovering and now >= self._started + self.grace:
            self._recovering = False
            for logged in list(self._log):
                logged.receipt.got_by(_RECOVERY)
        self._forget(now)

    @property
    def idle(self) -> bool:
        """Whether there is nobody and nothing to look after."""
        return not (self._peers or self._log)

    def _recipients(self, event: Event) -> Iterator[tuple[Peer, str]]:
        seen = set()
        for entry in self._index.matching(event.fields):
            interest = entry.subscriber
            if isinstance(interest, Interest) and id(interest.peer) not in seen:
                seen.add(id(interest.peer))
                yield interest.peer, interest.path

    def _deliver(self, peer: Peer, path: str, text: str, receipt: Receipt) -> None:
        if not peer.resumes:
            peer.transmit(wire.event_packet(wire.EVENT_NAME, text, path=path))
        elif len(peer.pending) >= self._backlog:
            receipt.refuse(f"{self._backlog} events wait for the hub {peer.key} already")
        else:
            number = next(self._numbers)
            peer.pending[number] = (text, receipt)
            receipt.waiting.add(peer)
            peer.transmit(wire.event_packet(wire.EVENT_NAME, text, number, path=path))

    def _replay(self, peer: Peer) -> None:
        """Let a client that this bus has not seen before have all that is remembered; it knows what it has.

        When it was lost is no measure: it may have read late what its former server had sent in time.
        """
        missed = [
            (logged.text, logged.receipt)
            for logged in self._log
            if any(recipient is peer for recipient, _ in self._recipients(logged.event))
        ]
        # What came while it announced itself is in the log too, after what it missed, unless it is older.
        known = {receipt for _, receipt in missed}
        older = [(text, receipt) for text, receipt in peer.pending.values() if receipt not in known]
        peer.pending = OrderedDict(zip(self._numbers, older + missed, strict=False))
        for _, receipt in missed:
            receipt.waiting.add(peer)

    def _remember(self, logged: _Logged) -> None:
        self._log.append(logged)
        self._receipts[logged.event["id"]] = logged.receipt
        while len(self._log) > self._backlog:
            self._forget_oldest()

    def _forget(self, now: float) -> None:
        while self._log and self._log[0].at < now - 2 * self.grace:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._log.popleft()
        if self._receipts.get(oldest.event["id"]) is oldest.receipt:
            del self._receipts[oldest.event["id"]]
