"""What a hub asks of its transport, and what a transport may tell its hub."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sessionkit.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sessionkit.events.errors import EventHubError
    from sessionkit.events.event import Event
    from sessionkit.events.subscriber import Subscriber


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts to connect again.

    >>> Backoff(initial=0.1, maximum=5.0, attempts=100)

    Waits double from `initial` to `maximum` seconds; each is shortened at random by up to a half, so that
    a thousand clients do not return at the same moment. After `attempts` the transport gives up.
    """

    initial: float = 0.1
    maximum: float = 5.0
    attempts: int = 100

    def delays(self) -> Iterator[float]:
        """The waits, in seconds."""
        delay = self.initial
        for _ in range(self.attempts):
            yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
            delay = min(delay * 2, self.maximum)


@dataclass(frozen=True)
class Options:
    """What a transport needs to know; `repr` shows no credentials."""

    server_url: str = ""
    api_user: str | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    queue_limit: int = 50_000
    backoff: Backoff = Backoff()
    clock: Clock = SYSTEM_CLOCK
    verify: bool | str | Path = True
    cert: str | Path | tuple[str | Path, str | Path] | None = None
    proxies: Mapping[str, str] | str | bool | None = None
    max_message_size: int = 16 * 2**20


class Listener(Protocol):
    """The hub, as its transport sees it. All of this may be called from any thread and returns at once."""

    id: str
    accepts: bool

    def received(self, event: Event, done: Callable[[], None] | None = None) -> bool:
        """An event arrived; `done` is called after it was handled. False: no room, it was dropped."""

    def has_room(self) -> bool:
        """Whether `received` would accept an event."""

    def wants(self, event: Event) -> bool:
        """Whether a subscriber here would be called for `event`."""

    def announced(self) -> Sequence[Subscriber]:
        """The subscribers that the other side should know, in order."""

    def is_up(self) -> None:
        """The connection was made, or made again."""

    def is_ending(self) -> None:
        """What waits to be sent is about to be given up: nothing may be accepted any more."""

    def is_down(self, reason: str) -> None:
        """The connection is gone, and no attempt is made to return."""

    def undelivered(self, event: Event, error: EventHubError, on_error: Callable[..., Any] | None) -> None:
        """An accepted event was refused or could not be confirmed."""


class Transport(Protocol):
    """One way for events to travel.

    A transport may be opened and closed many times. It keeps what it accepted while it is not open.
    """

    @property
    def connected(self) -> bool:
        """Whether events go out and come in at this moment."""

    @property
    def active(self) -> bool:
        """Whether it is connected, or trying to be again."""

    def open(self) -> None:
        """Connect.

        Raises:
            EventHubConnectionError: when that fails.
        """

    def close(self, timeout: float, *, keep: bool = False) -> None:
        """Deliver what was accepted, for at most `timeout` seconds, and end the connection.

        What is left then is kept for the next `open`, or reported to its publishers.
        """

    def publish(self, event: Event, on_error: Callable[..., Any] | None = None) -> None:
        """Accept an event: it is delivered, if need be later, or its publisher hears of it.

        Raises:
            EventQueueFull: when it is not accepted.
        """

    def flush(self, timeout: float) -> bool:
        """Wait for the confirmation of all events and subscriptions; False after `timeout` seconds."""

    def check(self, subscriber: Subscriber) -> None:
        """Raise EventHubPacketError for metadata that cannot be sent."""

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell the other side of a new subscriber, if it is connected."""

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Tell the other side of a subscriber that left, if it is connected."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's connection and queue without a word on the wire."""
