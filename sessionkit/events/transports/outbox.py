"""Accepted events, until the other side has confirmed them."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit.events.errors import EventQueueFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit.events.event import Event


_ANNOUNCEMENT = 0


@dataclass(slots=True)
class Entry:
    """One accepted event.

    Attributes:
        number: Its place in the order of this publisher; the same however often it is sent.
        text: The event as JSON.
        event: The event, to name it in errors.
        on_error: The publisher's wish to hear of a failure.
        sent_at: When it was last sent, on the hub's clock; None while it has not been.
    """

    number: int
    text: str
    event: Event
    on_error: Callable[..., Any] | None
    sent_at: float | None = None


class Outbox:
    """A bounded queue in which events stay, in order, until they are confirmed.

    After `rewind()`, everything that is not confirmed is taken again, in the same order: receivers know
    a repeated event by its identifier.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._unsent: deque[Entry] = deque()
        self._requests: dict[int, str] = {}
        self._number = 0

    def number(self, request: str = "") -> int:
        """The next number, for a packet that is not kept here; one with a name is waited for by `flush`."""
        with self._changed:
            self._number += 1
            if request:
                self._requests[self._number] = request
            return self._number

    def answered(self, number: int) -> str | None:
        """The name of the request that was answered; None when it was none."""
        with self._changed:
            request = self._requests.pop(number, None)
            self._changed.notify_all()
            return request

    def start_over(self) -> None:
        """The connection is gone, and its requests with it: nothing is settled before `announced()`."""
        with self._changed:
            self._requests = {_ANNOUNCEMENT: "everything"}

    def announced(self) -> None:
        """All requests have been made again, on another connection."""
        self.answered(_ANNOUNCEMENT)

    def add(self, text: str, event: Event, on_error: Callable[..., Any] | None) -> int:
        """Accept an event; its number.

        Raises:
            EventQueueFull: when too many wait already.
        """
        with self._changed:
            if len(self._entries) >= self._limit:
                raise EventQueueFull(
                    f"{self._limit} events wait for the server to confirm them",
                    hint="publish more slowly, or give the hub a larger queue_limit",
                )
            self._number += 1
            entry = self._entries[self._number] = Entry(self._number, text, event, on_error)
            self._unsent.append(entry)
            return entry.number

    def take(self, now: float) -> Entry | None:
        """The next event to send, in order; it stays here until it is confirmed."""
        with self._changed:
            if not self._unsent:
                return None
            entry = self._unsent.popleft()
            entry.sent_at = now
            return entry

    def rewind(self) -> None:
        """Take all that is not confirmed again."""
        with self._changed:
            self._unsent = deque(self._entries.values())

    def confirm(self, number: int) -> Entry | None:
        """Let go of an event; None when it is not here."""
        with self._changed:
            entry = self._entries.pop(number, None)
            if not self._entries:
                self._changed.notify_all()
            return entry

    def expired(self, before: float) -> list[Entry]:
        """Let go of the events that were sent before that moment."""
        with self._changed:
            expired = list(self._sent_before(before))
            for entry in expired:
                del self._entries[entry.number]
            if not self._entries:
                self._changed.notify_all()
            return expired

    def _sent_before(self, moment: float) -> Iterator[Entry]:
        unsent = self._unsent[0].number if self._unsent else self._number + 1
        for entry in self._entries.values():
            if entry.number >= unsent or entry.sent_at is None or entry.sent_at >= moment:
                return
            yield entry

    def abandon(self) -> list[Entry]:
        """Let go of everything."""
        with self._changed:
            left = list(self._entries.values())
            self._entries.clear()
            self._unsent.clear()
            self._requests.clear()
            self._changed.notify_all()
            return left

    def wait_until_empty(self, timeout: float) -> bool:
        """Whether every event has been confirmed within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._entries, timeout)

    def wait_until_settled(self, timeout: float) -> bool:
        """Whether every event and every request has been answered within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._entries or self._requests), timeout)

    def __len__(self) -> int:
        return len(self._entries)
