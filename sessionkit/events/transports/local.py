"""Events inside this process: every connected hub without a URL hears every other."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from sessionkit.events.errors import EventQueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.events.event import Event
    from sessionkit.events.subscriber import Subscriber
    from sessionkit.events.transports.base import Listener, Options


class _Bus:
    """The connected hubs of this process, none of them kept alive."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.transports: weakref.WeakSet[LocalTransport] = weakref.WeakSet()


_bus = _Bus()


class LocalTransport:
    """Hands events to the hubs of this process that want them.

    An event reaches each hub's queue before `publish` returns, in one order for all. A hub that wants
    an event and has no room for it is an error its publisher sees; the other hubs get it.
    """

    def __init__(self, options: Options, listener: Listener) -> None:
        self._listener = listener
        self._limit = options.queue_limit
        self._early: deque[tuple[Event, Callable[..., Any] | None]] = deque()
        self._open = False

    @property
    def connected(self) -> bool:
        """Whether the hub takes part."""
        return self._open

    @property
    def active(self) -> bool:
        """The same: nothing can be lost here."""
        return self._open

    def open(self) -> None:
        """Take part, and hand out what was published before."""
        with _bus.lock:
            _bus.transports.add(self)
        self._open = True
        while self._early:
            event, on_error = self._early.popleft()
            try:
                self.publish(event)
            except EventQueueFull as error:
                self._listener.undelivered(event, error, on_error)
        self._listener.is_up()

    def close(self, timeout: float, *, keep: bool = False) -> None:  # noqa: ARG002 - nothing waits here
        """Leave."""
        with _bus.lock:
            _bus.transports.discard(self)
        self._open = False

    def publish(self, event: Event, on_error: Callable[..., Any] | None = None) -> None:
        """Put the event in the queue of every hub that wants it.

        Raises:
            EventQueueFull: when a hub had no room for it, or, before `open`, this one.
        """
        if not self._open:
            if len(self._early) >= self._limit:
                raise EventQueueFull(f"{self._limit} events wait for this hub to connect")
            self._early.append((event, on_error))
            return
        with _bus.lock:
            wanting = [to for to in _bus.transports if to._listener.wants(event)]  # noqa: SLF001 - own class
            full = [to for to in wanting if not to._listener.received(event.copy())]  # noqa: SLF001 - own class
        if full:
            raise EventQueueFull(
                f"{len(full)} of {len(wanting)} hubs have no room for this event",
                hint="call wait() or run_in_thread() on every hub that subscribes",
            )

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - nothing to wait for
        """True: what was published has arrived."""
        return not self._early

    def check(self, subscriber: Subscriber) -> None:
        """Anything goes: nothing is sent."""

    def subscribe(self, subscriber: Subscriber) -> None:
        """Nothing to tell: the hub itself is asked."""

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Nothing to tell: the hub itself is asked."""

    def after_fork_in_child(self) -> None:
        """Leave the parent's bus."""
        _bus.lock = threading.Lock()
        _bus.transports = weakref.WeakSet()
        self._early = deque()
        self._open = False
