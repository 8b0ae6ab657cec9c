"""What transports over a network share: a thread that keeps a link up, and a queue that outlives it."""

from __future__ import annotations

import logging
import threading
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sessionkit.events import wire
from sessionkit.events.errors import EventHubConnectionError, EventHubError, EventNotDelivered
from sessionkit.events.transports.outbox import Entry, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit.events.event import Event
    from sessionkit.events.subscriber import Subscriber
    from sessionkit.events.transports.base import Listener, Options

_logger = logging.getLogger("sessionkit.events")

CONFIRM_SECONDS = 60.0
_JOIN_SECONDS = 5.0
_GOODBYE_SECONDS = 1.0


class LinkBroken(EventHubError):
    """The connection ended; never reaches a user."""


class Link(Protocol):
    """One connection.

    Attributes:
        heard: When something arrived last, also on the connection before, on `time.monotonic()`.
    """

    heard: float

    def receive(self) -> Any:
        """What comes next; raises LinkBroken when the connection ends or its other side is dead."""

    def abort(self) -> None:
        """End the connection at once, and wake the thread that receives."""

    def close(self) -> None:
        """Free what it holds."""

    def drop(self) -> None:
        """Free what it holds, in a forked child, without a word on the wire."""


LinkT = TypeVar("LinkT", bound=Link)


class Keeper:
    """What the background thread and the transport share, so that the thread keeps no transport alive."""

    def __init__(self, link: Link) -> None:
        self.stopped = threading.Event()
        self.link = link

    def stop(self) -> None:
        """End the connection and the thread."""
        self.stopped.set()
        self.link.abort()


class ReconnectingTransport(ABC, Generic[LinkT]):
    """A connection that is made again whenever it is lost.

    Accepted events stay in an outbox until they are confirmed; `publish` sends from the caller's thread,
    one background thread receives and reconnects. When nobody holds the transport any more, the thread ends
    with the next thing it hears: a finaliser would run wherever the collector happens to, under any lock.
    """

    def __init__(self, options: Options, listener: Listener) -> None:
        self.options = options
        self.listener = listener
        self.outbox = Outbox(options.queue_limit)
        self.sending = threading.Lock()
        self.lost_at: float | None = None
        self._link: LinkT | None = None
        self._ready = False
        self._keeper: Keeper | None = None
        self._thread: threading.Thread | None = None

    # What differs

    @abstractmethod
    def make_link(self) -> LinkT:
        """A new connection; raises EventHubConnectionError when there is none to be had."""

    @abstractmethod
    def announce(self, link: LinkT) -> None:
        """Say on a new connection what the other side must know; `sending` is held.

        Raises LinkBroken.
        """

    @abstractmethod
    def transmit(self, link: LinkT, entry: Entry) -> None:
        """Send an event; `sending` is held. Raises LinkBroken."""

    @abstractmethod
    def handle(self, link: LinkT, message: Any) -> None:
        """Do what a received message asks. Raises LinkBroken."""

    def goodbye(self, link: LinkT) -> None:
        """Say that this client will not return; `sending` is held. May raise LinkBroken."""

    def check(self, subscriber: Subscriber) -> None:
        """Raise EventHubPacketError for metadata that JSON cannot carry."""
        wire.dumps(subscriber.metadata)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell the other side, where it has to know."""

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Tell the other side, where it has to know."""

    # What the hub asks

    @property
    def connected(self) -> bool:
        """Whether the other side can be reached at this moment, as far as can be known."""
        return self._ready

    @property
    def active(self) -> bool:
        """Whether it is connected or trying to be."""
        return self._thread is not None and self._thread.is_alive()

    def open(self) -> None:
        """Connect, send what waits, and keep the connection up from now on.

        Raises:
            EventHubConnectionError: when that fails.
        """
        self._stop()
        link = self.make_link()
        keeper = self._keeper = Keeper(link)
        thread = threading.Thread(
            target=_keep_up,
            args=(weakref.ref(self), keeper, link),
            name="sessionkit-events-link",
            daemon=True,
        )
        try:
            self.start(link, keeper)
            thread.start()
        except LinkBroken as error:
            self.lost(link)
            raise EventHubConnectionError(f"the connection was lost at once: {error.message}") from error
        except BaseException:
            self.lost(link)  # an interrupt: without its thread it is no connection
            raise
        self._thread = thread

    def close(self, timeout: float, *, keep: bool = False) -> None:
        """Wait for confirmations, disconnect, and report what is still unconfirmed unless it is kept."""
        if self._ready:
            self.outbox.wait_until_empty(timeout)
        self._stop(goodbye=not keep)
        if not keep:
            self.lost_at = None
            self._abandon("the hub was disconnected before it was confirmed")

    def publish(self, event: Event, on_error: Callable[..., Any] | None = None) -> None:
        """Accept the event and, while connected, send it.

        Raises:
            EventQueueFull: when too many events wait for confirmation.
            EventHubPacketError: when JSON cannot carry it.
            EventHubConnectionError: when the hub ends meanwhile.
        """
        number = self.outbox.add(wire.dumps(event.to_wire()), event, on_error)
        # What is given up is looked for after `accepts` became false: this is found then, or here.
        if not self.listener.accepts and self.outbox.confirm(number) is not None:
            raise EventHubConnectionError("this hub was disconnected")
        self._pump()

    def flush(self, timeout: float) -> bool:
        """Whether everything has been confirmed within `timeout` seconds."""
        return self.outbox.wait_until_settled(timeout)

    def after_fork_in_child(self) -> None:
        """Forget the parent's connection and queue; its socket is closed here without a word."""
        if self._keeper is not None:
            self._keeper.link.drop()
        self.outbox = Outbox(self.options.queue_limit)
        self.sending = threading.Lock()
        self._link = self._keeper = self._thread = self.lost_at = None
        self._ready = False

    # What the background thread asks

    def start(self, link: LinkT, keeper: Keeper) -> None:
        """Use a new connection from now on, and send what waits.

        Raises:
            LinkBroken: when it is lost meanwhile, or no longer wanted.
        """
        with self.sending:
            if keeper.stopped.is_set():
                raise LinkBroken("the hub was disconnected meanwhile")
            self.outbox.start_over()
            self.announce(link)
            self.outbox.announced()
            self.outbox.rewind()
            if self.lost_at is not None:
                link.heard = self.lost_at  # before it answers, the other side may not know of the return
            self._link = link
            self._ready = True
            self.lost_at = None
        self.listener.is_up()
        self._pump()

    def lost(self, link: LinkT) -> None:
        """That connection is gone."""
        with self.sending:
            if self._link is link:
                self._link = None
                self._unusable()
                self.lost_at = link.heard
        link.close()

    def gave_up(self, reason: str) -> None:
        """No further attempt is made: every event that waits is an error now."""
        self._abandon(reason)
        self.listener.is_down(reason)

    # Sending

    def send_now(self, send: Callable[[LinkT], None]) -> None:
        """Call `send` with the connection, if there is one; a loss is the background thread's business."""
        with self.sending:
            if self._ready and self._link is not None:
                self._guarded(send, self._link)

    def fail(self, entry: Entry, reason: str) -> None:
        """Tell the publisher of `entry` that it was not delivered."""
        event_id = entry.event["id"]
        error = EventNotDelivered(f"the event {event_id} was not delivered: {reason}", event_ids=[event_id])
        self.listener.undelivered(entry.event, error, entry.on_error)

    def fail_unconfirmed(self) -> None:
        """Give up events for whose confirmation there is no more hope."""
        for entry in self.outbox.expired(self.options.clock.monotonic() - CONFIRM_SECONDS):
            self.fail(entry, f"it was not confirmed within {CONFIRM_SECONDS:g} s")

    def _pump(self) -> None:
        """Send what waits, in order; whoever publishes meanwhile helps."""
        while self._ready:
            with self.sending:
                if not self._ready or self._link is None:
                    return
                entry = self.outbox.take(self.options.clock.monotonic())
                if entry is None:
                    return
                try:
                    self.transmit(self._link, entry)
                except LinkBroken:
                    self._unusable()
                except BaseException:
                    # An interrupt: the event went out in part or not at all, so begin again.
                    self._unusable()
                    self._link.abort()
                    raise

    def _guarded(self, send: Callable[[LinkT], None], link: LinkT) -> None:
        try:
            send(link)
        except LinkBroken:
            self._unusable()

    def _unusable(self) -> None:
        """Send nothing, and let nobody believe that everything is settled, until there is another link."""
        self._ready = False
        self.outbox.start_over()

    def _abandon(self, reason: str) -> None:
        self.listener.is_ending()
        for entry in self.outbox.abandon():
            self.fail(entry, reason)

    def _stop(self, *, goodbye: bool = False) -> None:
        keeper, thread = self._keeper, self._thread
        self._keeper = self._thread = None
        if keeper is None:
            return
        # Somebody may be stuck in sending to a dead server, and would hold up the end.
        if goodbye and self.sending.acquire(timeout=_GOODBYE_SECONDS):
            if self._ready and self._link is not None:
                self._guarded(self.goodbye, self._link)
            self.sending.release()
        keeper.stop()
        with self.sending:
            if self._link is not None:
                self.lost_at = self._link.heard
            self._link = None
            self._ready = False
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)


def _keep_up(reference: weakref.ref[ReconnectingTransport[Any]], keeper: Keeper, first: Link) -> None:
    """The background thread: receive, and reconnect whenever the connection is lost."""
    link: Link | None = first
    reason = ""
    delays: Iterator[float] = iter(())
    while link is not None:
        heard = link.heard
        reason = _receive(reference, link)
        transport = reference()
        if transport is None or keeper.stopped.is_set():
            link.close()
            return
        _logger.info("the connection to the event server was lost: %s", reason)
        transport.lost(link)
        if link is first or link.heard != heard:  # one on which nothing was heard was an attempt that failed
            delays = iter(list(transport.options.backoff.delays()))
        del transport
        link = _reconnected(reference, keeper, delays)
    transport = reference()
    if transport is not None and not keeper.stopped.is_set():
        transport.gave_up(f"the event server could not be reached again: {reason}")


def _receive(reference: weakref.ref[ReconnectingTransport[Any]], link: Link) -> str:
    """Handle messages until the connection is lost; why it was."""
    while True:
        try:
            message = link.receive()
            transport = reference()
            if transport is None:
                return "nobody uses it any more"
            transport.handle(link, message)
        except LinkBroken as error:
            return error.message
        except Exception:
            # A hub that says it is connected must not be deaf: whatever went wrong, connect again.
            _logger.exception("handling a message of the event server failed")
            return "an unexpected error"
        finally:
            transport = None


def _reconnected(
    reference: weakref.ref[ReconnectingTransport[Any]], keeper: Keeper, delays: Iterator[float]
) -> Link | None:
    """A new connection, announced and in use; None when there is none to be had or nobody wants it."""
    for delay in delays:
        if keeper.stopped.wait(delay):
            return None
        transport = reference()
        if transport is None:
            return None
        try:
            link = _attempt(transport, keeper)
        except (EventHubConnectionError, LinkBroken) as error:
            _logger.info("reconnecting to the event server failed: %s", error.message)
        except Exception:
            _logger.exception("reconnecting to the event server failed unexpectedly")
        else:
            return link
        finally:
            del transport
    return None


def _attempt(transport: ReconnectingTransport[Any], keeper: Keeper) -> Link:
    link: Link = transport.make_link()
    keeper.link = link
    try:
        transport.start(link, keeper)
    except BaseException:
        transport.lost(link)
        raise
    return link
