"""What can go wrong with events, below `EventError`.

EventError
├── ExpressionError             a subscription or target that cannot be read (ValueError)
├── NotUniqueError              a subscriber with this identifier exists already (ValueError)
├── SubscriberNotFound          no subscriber has this identifier (LookupError)
└── EventHubError               the hub or its transport
    ├── EventHubConnectionError     not connected, cannot connect, or connected already (ConnectionError)
    ├── EventHubPacketError         bytes from the other side that make no sense
    ├── EventQueueFull              too many events wait: this one was not accepted
    └── EventNotDelivered           accepted events that never reached the server
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.errors import SessionKitError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXCERPT = 60


class EventError(SessionKitError):
    """The base of everything the event hub raises."""


class ExpressionError(EventError, ValueError):
    """A subscription or target that is not an expression.

    Attributes:
        expression: The text as it was given.
        position: Where in the text, counted in characters from 0.
    """

    def __init__(self, reason: str, expression: str = "", position: int = 0) -> None:
        start = max(0, position - _EXCERPT // 2)
        excerpt = expression[start : start + _EXCERPT]
        super().__init__(f"{reason} at position {position} of the expression, near {excerpt!r}")
        self.expression = expression
        self.position = position


class NotUniqueError(EventError, ValueError):
    """A subscriber with the same identifier exists already in this hub."""


class SubscriberNotFound(EventError, LookupError):
    """No subscriber of this hub has that identifier."""


class EventHubError(EventError):
    """Something is wrong with a hub or with its transport."""


class EventHubConnectionError(EventHubError, ConnectionError):
    """The hub is not connected, cannot connect, or is connected already."""


class EventHubPacketError(EventHubError, ValueError):
    """The other side sent something that makes no sense."""


class EventQueueFull(EventHubError):
    """So many events wait to be sent or handled that this one was not accepted."""


class EventNotDelivered(EventHubError):
    """Events that had been accepted and that the server refused or never confirmed.

    Attributes:
        event_ids: Their identifiers, oldest first.
    """

    def __init__(self, message: str = "", *, hint: str = "", event_ids: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.event_ids = tuple(event_ids)
