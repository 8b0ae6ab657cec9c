"""Events for asyncio."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionkit.events.errors import EventQueueFull
from sessionkit.events.topics import DISCONNECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from sessionkit.events.event import Event
    from sessionkit.events.hub import EventHub


class EventStream:
    """An asynchronous iterator over a subscription; made by `EventHub.events()`.

    It subscribes when it is made and unsubscribes when it is closed, by `aclose()`, by `async with`,
    or soon after nobody holds it any more.
    """

    def __init__(self, hub: EventHub, subscription: str, limit: int) -> None:
        self._hub = hub
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._overflowed = self._closed = False
        self._identifiers: list[str] = []
        # The hub's threads hold the stream weakly, so that a loop left by `break` unsubscribes.
        feed = _feed(weakref.ref(self))
        self._identifiers = [
            hub.subscribe(subscription, feed),
            hub.subscribe(f"topic={DISCONNECTED}", _end(weakref.ref(self)), priority=2**31),
        ]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._closed:
            raise StopAsyncIteration
        spent = self._overflowed and self._queue.empty()
        event = None if spent else await self._queue.get()  # cancelled here, it leaves the event to the next
        if event is not None:
            return event
        self._queue.put_nowait(None)  # for whoever else waits
        complete = self._closed or not self._overflowed
        self.close()
        if complete:
            raise StopAsyncIteration
        raise EventQueueFull(f"more than {self._limit} events waited for this loop")

    async def aclose(self) -> None:
        """Unsubscribe; an iteration that waits ends."""
        self.close()

    def close(self) -> None:
        """Unsubscribe, and end the iteration; may be called again, and from any thread."""
        identifiers, self._identifiers = self._identifiers, []
        _unsubscribe(self._hub, identifiers)
        if not self._closed:
            self._closed = True
            self.hand_over(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # The collector runs anywhere, even under the locks that unsubscribing takes: leave that to the loop.
        if self._identifiers:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_unsubscribe, self._hub, self._identifiers)

    def _take(self, event: Event | None) -> None:
        if event is None:
            self._queue.put_nowait(None)
        elif self._queue.qsize() >= self._limit:
            self._overflowed = True
        elif not self._overflowed:
            self._queue.put_nowait(event)

    def hand_over(self, event: Event | None) -> None:
        """Give an event to the loop from whichever thread handles it; None ends the iteration."""
        with suppress(RuntimeError):  # the loop is closed, perhaps only just now
            self._loop.call_soon_threadsafe(self._take, event)


def _unsubscribe(hub: EventHub, identifiers: list[str]) -> None:
    for identifier in identifiers:
        if hub.get_subscriber_by_identifier(identifier) is not None:
            hub.unsubscribe(identifier)


def _feed(stream: weakref.ref[EventStream]) -> Callable[[Event], None]:
    def feed(event: Event) -> None:
        found = stream()
        if found is not None:
            found.hand_over(event)

    return feed


def _end(stream: weakref.ref[EventStream]) -> Callable[[Event], None]:
    def end(_: Event) -> None:
        found = stream()
        if found is not None:
            found.hand_over(None)

    return end
