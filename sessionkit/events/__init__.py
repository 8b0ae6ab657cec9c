"""Events: tell others what happened, and hear what they tell.

    hub = EventHub()                                  # this process; a URL reaches further
    hub.connect()
    hub.subscribe("topic=shot.* and data.project=hero", lambda event: print(event["data"]))
    hub.publish(Event("shot.published", data={"project": "hero"}))
    hub.wait(1)

The hub's URL chooses its transport:

| URL | transport | an event that `publish` accepted |
|---|---|---|
| none | this process | is in every interested hub's queue when `publish` returns |
| `http(s)://` | Socket.IO 0.9 | see `sessionkit.events.transports.socketio` |
| `redis://` | Redis streams | see `sessionkit.events.transports.redis` |
"""

from __future__ import annotations

from sessionkit.events.errors import (
    EventError,
    EventHubConnectionError,
    EventHubError,
    EventHubPacketError,
    EventNotDelivered,
    EventQueueFull,
    ExpressionError,
    NotUniqueError,
    SubscriberNotFound,
)
from sessionkit.events.event import Event
from sessionkit.events.hub import EventHub
from sessionkit.events.identity import ServerDetails
from sessionkit.events.stream import EventStream
from sessionkit.events.subscriber import Subscriber
from sessionkit.events.subscription import Subscription
from sessionkit.events.transports.base import Backoff
from sessionkit.events.wire import SocketIoSession

__all__ = [
    "Backoff",
    "Event",
    "EventError",
    "EventHub",
    "EventHubConnectionError",
    "EventHubError",
    "EventHubPacketError",
    "EventNotDelivered",
    "EventQueueFull",
    "EventStream",
    "ExpressionError",
    "NotUniqueError",
    "ServerDetails",
    "SocketIoSession",
    "Subscriber",
    "SubscriberNotFound",
    "Subscription",
]
