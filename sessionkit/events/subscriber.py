"""A subscriber: who is called, for which events, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sessionkit.events.event import Event, new_id
from sessionkit.events.subscription import Subscription

Callback = Callable[[Event], Any]


class Subscriber:
    """A callback and the subscription it serves.

    Args:
        subscription: An expression, or a `Subscription`.
        callback: Called with each event; what it returns, unless None, is sent as a reply.
        metadata: What targets are matched against; gets an `id` if it has none. Copied.
        priority: Lower numbers are called sooner.
    """

    __slots__ = ("callback", "metadata", "priority", "subscription")

    def __init__(
        self,
        subscription: str | Subscription,
        callback: Callback,
        metadata: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> None:
        if isinstance(subscription, str):
            subscription = Subscription(subscription)
        self.subscription = subscription
        self.callback = callback
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.metadata.setdefault("id", new_id())
        self.priority = priority

    @property
    def id(self) -> str:
        """The identifier in the metadata."""
        return str(self.metadata["id"])

    def interested_in(self, event: Mapping[str, Any]) -> bool:
        """Whether the subscription includes `event`; its target is not looked at."""
        return self.subscription.includes(event)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.subscription.text!r} priority={self.priority}>"
