"""What happens to an event once it is here: queued, handled in order, answered."""

from __future__ import annotations

import logging
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit.events.dispatch import Index
from sessionkit.events.errors import NotUniqueError, SubscriberNotFound
from sessionkit.events.event import Event, new_id
from sessionkit.events.inbox import Inbox
from sessionkit.events.replies import Replies
from sessionkit.events.topics import CONNECTED, DISCONNECTED, REPLY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionkit.clock import Clock
    from sessionkit.events.errors import EventHubError
    from sessionkit.events.subscriber import Subscriber

_logger = logging.getLogger("sessionkit.events")

_REMEMBERED = 50_000


class _Seen:
    """The identifiers of the latest events, to know one that comes twice."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def add(self, event_id: str) -> None:
        self._ids[event_id] = None
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)


class Reception:
    """The subscribers of one hub, and everything that reaches them.

    It is the `Listener` of the hub's transport.

    Args:
        reply: Called with an event and what a handler answered to it, and the handler's metadata.

    Attributes:
        accepts: Whether events may be published.
    """

    def __init__(
        self,
        limit: int,
        reply_lifetime: float,
        clock: Clock,
        reply: Callable[[Event, Any, dict[str, Any]], object],
    ) -> None:
        self.id = new_id()
        self.inbox = Inbox(limit)
        self.replies = Replies(reply_lifetime, clock)
        self.subscribers: dict[str, Subscriber] = {}
        self.accepts = False
        self._clock = clock
        self._reply = reply
        self._index = Index()
        self._seen = _Seen()

    def add(self, subscriber: Subscriber) -> None:
        """Let `subscriber` be called from now on.

        Raises:
            NotUniqueError: when its identifier is taken.
        """
        if self.subscribers.setdefault(subscriber.id, subscriber) is not subscriber:
            raise NotUniqueError(f"a subscriber {subscriber.id!r} exists already")
        self._index.add(subscriber)

    def remove(self, identifier: str) -> Subscriber:
        """Call that subscriber no more, and return it.

        Raises:
            SubscriberNotFound: when there is none.
        """
        subscriber = self.subscribers.pop(identifier, None)
        if subscriber is None:
            raise SubscriberNotFound(f"no subscriber {identifier!r}")
        self._index.remove(subscriber)
        return subscriber

    def dispatch(self, event: Event, *, replying: bool) -> list[Any]:
        """Call the handlers of `event` here and now, and return what they returned."""
        results = []
        for entry in self._index.matching(event.fields):
            if not entry.active:
                continue
            try:
                result = entry.callback(event)
                results.append(result)
                if replying and result is not None:
                    self._reply(event, result, entry.metadata)
            except Exception:
                _logger.exception(
                    "subscriber %s failed on an event of topic %s", entry.subscriber, event["topic"]
                )
            if event.stopped:
                break
        return results

    def listens(self, topic: str) -> bool:
        """Whether an event of this topic could reach anybody."""
        return self._index.listens(topic)

    def announced(self) -> Sequence[Subscriber]:
        """The subscribers, in the order they came."""
        return list(self.subscribers.values())

    def wants(self, event: Event) -> bool:
        """Whether a subscriber, or somebody who waits for a reply, would be called for `event`."""
        return self._expected(event) is not None or bool(self._index.matching(event.fields))

    def has_room(self) -> bool:
        """Whether another event may be queued."""
        return len(self.inbox) < self.inbox.limit

    def received(self, event: Event, done: Callable[[], None] | None = None) -> bool:
        """Queue an event that arrived; one that was here before is dropped without a word."""
        if event["id"] in self._seen:
            if done is not None:
                self.inbox.put(done, force=True)  # behind the event itself, which may still wait here
            return True
        if not self.inbox.put(partial(self._handle, event, done)):
            _logger.error(
                "the event %s of topic %s was dropped: %d events wait to be handled",
                event["id"],
                event["topic"],
                self.inbox.limit,
            )
            return False
        self._seen.add(event["id"])
        return True

    def open(self) -> None:
        """Let events be published, and waiters wait."""
        self.accepts = True
        self.inbox.open()

    def is_up(self) -> None:
        """Queue the event that says so."""
        self._announce(CONNECTED, {})

    def is_ending(self) -> None:
        """Let no event be published any more, so that none is accepted behind those that are given up."""
        self.accepts = False

    def is_down(self, reason: str) -> None:
        """Queue the event that says so, and send everybody who waits home after it."""
        self.accepts = False
        self._announce(DISCONNECTED, {"reason": reason})
        self.inbox.close()

    def undelivered(self, event: Event, error: EventHubError, on_error: Callable[..., Any] | None) -> None:
        """Log it, and queue the call of the publisher's own `on_error`."""
        _logger.error("the event %s of topic %s was not delivered: %s", event["id"], event["topic"], error)
        if on_error is not None:
            self.inbox.put(partial(_call, on_error, error), force=True)

    def after_fork_in_child(self) -> None:
        """Be another hub with the same subscribers, and an empty queue."""
        self.id = new_id()
        self.accepts = False
        self.inbox = Inbox(self.inbox.limit)
        self.replies = Replies(self.replies.lifetime, self._clock)
        self._seen = _Seen()
        self._index = Index()
        for subscriber in self.announced():
            self._index.add(subscriber)

    def _announce(self, topic: str, data: dict[str, Any]) -> None:
        self.inbox.put(partial(self._handle, Event(topic, data=data), None), force=True)

    def _expected(self, event: Event) -> Callable[[Event], Any] | None:
        if event["topic"] != REPLY:
            return None
        return self.replies.callback_for(event.get("in_reply_to_event"))

    def _handle(self, event: Event, done: Callable[[], None] | None) -> None:
        expecting = self._expected(event)
        if expecting is not None:
            _call(expecting, event)
        # A reply to a reply would go back and forth for ever.
        self.dispatch(event, replying=event["topic"] != REPLY)
        if done is not None:
            done()


def _call(callback: Callable[[Any], Any], argument: Any) -> None:
    try:
        callback(argument)
    except Exception:
        _logger.exception("%r failed", callback)
