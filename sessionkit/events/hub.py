"""`EventHub`: publish, subscribe, wait."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from sessionkit import fork, secrets
from sessionkit.clock import SYSTEM_CLOCK, Clock
from sessionkit.errors import ConfigurationError
from sessionkit.events.errors import EventHubConnectionError, EventHubError, EventNotDelivered
from sessionkit.events.event import Event
from sessionkit.events.expression import Condition
from sessionkit.events.identity import complete, server_details
from sessionkit.events.inbox import InboxClosed
from sessionkit.events.reception import Reception
from sessionkit.events.stream import EventStream
from sessionkit.events.subscriber import Callback, Subscriber
from sessionkit.events.topics import REPLY
from sessionkit.events.transports import transport_for
from sessionkit.events.transports.base import Backoff, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self


class EventHub:
    """Publishes events and calls those who subscribed to them.

    Usage:
        hub = EventHub("https://studio.example", "jenkins", api_key)
        hub.connect()
        hub.subscribe("topic=shot.published and data.project=hero", on_shot)
        hub.publish(Event("shot.published", data={"project": "hero"}))
        hub.wait()

    Handlers run in whoever calls `wait()`: yourself, the thread of `run_in_thread()`, or, for
    asyncio, `async for event in hub.events("topic=shot.*")`. A handler that raises is logged and
    stops nobody; what it returns, unless None, goes back to the publisher as a reply.

    A lost connection is made again by itself, with all subscriptions; what is published meanwhile
    waits in a bounded queue. What that guarantees depends on the transport, see `sessionkit.events`.

    Args:
        server_url: None for this process, `http(s)://` for a Socket.IO 0.9 server, `redis://` for Redis.
        api_user: Who signs in; also written into each event's source.
        api_key: The user's key. It travels in one header of the handshake only, never in a URL.
        headers: More headers for the handshake.
        cookies: Cookies for the handshake.
        clock: For the expiry of replies.
        queue_limit: How many events may wait, to be confirmed by the server or to be handled here.
        reply_lifetime: Seconds for which a published event's `on_reply` may be called.
        backoff: How a lost connection is made again.
        verify: Which certificate authorities to trust, as for `HttpEngine`.
        cert: A client certificate, as for `HttpEngine`.
        proxies: Through which proxy, as for `HttpEngine`.
        max_message_size: Bytes of one message from a Socket.IO server; a longer one ends the connection,
            which is then made again.

    Attributes:
        id: This hub's identifier, in the source of its events.
        enabled: Whether anybody subscribed. `if hub.enabled: hub.emit(...)` costs next to nothing without.

    Raises:
        ConfigurationError: when no transport knows the URL.
    """

    def __init__(
        self,
        server_url: str | None = None,
        api_user: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        queue_limit: int = 50_000,
        reply_lifetime: float = 600.0,
        backoff: Backoff | None = None,
        verify: bool | str | Path = True,
        cert: str | Path | tuple[str | Path, str | Path] | None = None,
        proxies: Mapping[str, str] | str | bool | None = None,
        max_message_size: int = 16 * 2**20,
    ) -> None:
        options = Options(
            server_url or "",
            api_user,
            api_key,
            dict(headers or {}),
            dict(cookies or {}),
            queue_limit,
            backoff or Backoff(),
            clock,
            verify,
            cert,
            proxies,
            max_message_size,
        )
        if api_key:
            secrets.register(api_key, self)
        self.server = server_details(options.server_url)
        self.enabled = False
        self._api_user = api_user
        self._reception = Reception(queue_limit, reply_lifetime, clock, self.publish_reply)
        self._transport = transport_for(options, self._reception)
        self._initialised = False
        # Connecting and disconnecting wait for the network; nothing else waits for them.
        self._ways = threading.RLock()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        fork.aware(self)

    # Connection

    @property
    def id(self) -> str:
        """This hub's identifier; a forked child's hub has another."""
        return self._reception.id

    @property
    def secure(self) -> bool:
        """Whether the connection is, or would be, encrypted."""
        return self.server.scheme in {"https", "rediss"}

    @property
    def connected(self) -> bool:
        """Whether events go out and come in at this moment."""
        return self._transport.connected

    def init_connection(self) -> None:
        """Accept events before `connect()`: they wait and go out once it succeeds."""
        self._initialised = True
        self._reception.open()

    def connect(self) -> None:
        """Connect to the server, announce all subscribers and send what waits.

        Raises:
            EventHubConnectionError: when connected already, or when it fails.
        """
        with self._ways:
            if self.connected:
                raise EventHubConnectionError("this hub is connected already")
            self._transport.open()
            self.init_connection()

    def disconnect(self, unsubscribe: bool = True, reconnect: bool = False, *, timeout: float = 4.0) -> None:
        """Send what waits, for at most `timeout` seconds, and end the connection.

        Args:
            unsubscribe: Also remove all subscribers.
            reconnect: Go on accepting events, to be sent after the next `connect()`.
            timeout: Seconds.

        Raises:
            EventHubConnectionError: when there is no connection, nor an attempt to make it again.
        """
        with self._ways:
            if not self._transport.active:
                raise EventHubConnectionError("this hub is not connected")
            if unsubscribe:
                for subscriber in self._reception.announced():
                    self.unsubscribe(subscriber.id)
            self._transport.close(timeout, keep=reconnect)
            if not reconnect:
                self._initialised = False
                self._reception.is_down("disconnected")

    def close(self) -> None:
        """Disconnect if there is a connection, or an attempt to make it again; else do nothing."""
        with self._ways:
            if self._transport.active:
                self.disconnect()

    def reconnect(self, attempts: int = 10, delay: float = 5) -> None:
        """Connect again, dropping the connection that is there; all subscribers are announced again.

        Args:
            attempts: How often to try.
            delay: Seconds between attempts.

        Raises:
            EventHubConnectionError: when every attempt failed.
        """
        if attempts < 1 or delay < 0:
            raise ConfigurationError("reconnect() needs an attempt at least, and no negative delay")
        with self._ways:
            if self._transport.active:
                self.disconnect(unsubscribe=False, reconnect=True, timeout=0.0)
        for left in reversed(range(attempts)):
            try:
                self.connect()
            except EventHubConnectionError as error:
                if not left:
                    raise EventHubConnectionError(
                        f"{attempts} attempts to reconnect failed, the last because: {error.message}"
                    ) from error
                time.sleep(delay)
            else:
                return

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until the server has confirmed every subscription, and every event that was published.

        Raises:
            EventNotDelivered: when it has not within `timeout` seconds.
        """
        if not self._transport.flush(timeout):
            raise EventNotDelivered(f"not all events were confirmed within {timeout:g} s")

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Subscribers

    def subscribe(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> str:
        """Have `callback(event)` called for the events that `subscription` describes.

        Args:
            subscription: Such as "topic=shot.* and data.project=hero"; see `sessionkit.events.expression`.
            callback: What it returns, unless None, is sent to the publisher as a reply.
            subscriber: Metadata that targets are matched against; its `id` is made up if it has none.
            priority: Lower numbers are called sooner; equal ones in the order of subscription.

        Returns:
            The subscriber's identifier.

        Raises:
            ExpressionError: when the subscription cannot be read.
            NotUniqueError: when the identifier is taken.
            EventHubPacketError: when the metadata cannot be sent to the server.
        """
        added = Subscriber(subscription, callback, subscriber, priority)
        with self._lock:
            self._transport.check(added)
            self._reception.add(added)
            self.enabled = True
        self._transport.subscribe(added)
        return added.id

    def unsubscribe(self, subscriber_identifier: str) -> None:
        """Call that subscriber no more; the server hears of it if it can be reached.

        Raises:
            SubscriberNotFound: when there is none.
        """
        with self._lock:
            removed = self._reception.remove(subscriber_identifier)
            self.enabled = bool(self._reception.subscribers)
        self._transport.unsubscribe(removed)

    @contextmanager
    def subscription(
        self,
        subscription: str,
        callback: Callback,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> Iterator[str]:
        """Subscribe for the length of a `with` block, which gets the identifier; as `subscribe`."""
        identifier = self.subscribe(subscription, callback, subscriber, priority)
        try:
            yield identifier
        finally:
            if self.get_subscriber_by_identifier(identifier) is not None:
                self.unsubscribe(identifier)

    def get_subscriber_by_identifier(self, identifier: str) -> Subscriber | None:
        """The subscriber with that identifier, or None."""
        return self._reception.subscribers.get(identifier)

    # Publishing

    def publish(
        self,
        event: Event,
        synchronous: bool = False,
        on_reply: Callback | None = None,
        on_error: Literal["raise", "ignore"] | Callable[[EventHubError], Any] = "raise",
    ) -> list[Any] | None:
        """Publish an event.

        Args:
            event: Its source is completed. Published a second time, it gets a new identifier.
            synchronous: Call the handlers of this hub now, and tell nobody else. Needs no connection.
            on_reply: Called with each reply event, for `reply_lifetime` seconds. Not when synchronous.
            on_error: "raise", "ignore", or a function called with the error. The function also hears when
                an event that was accepted is refused by the server or never confirmed, from `wait()`.

        Returns:
            What the handlers returned, when synchronous; else None.

        Raises:
            EventHubConnectionError: when never connected, or the connection was given up.
            EventQueueFull: when too many events wait already.
        """
        complete(event, self.id, self._api_user)
        if synchronous:
            return self._reception.dispatch(event, replying=False)
        if on_error not in {"raise", "ignore"} and not callable(on_error):
            raise ConfigurationError('on_error is "raise", "ignore" or a function')
        try:
            self._accept(event, on_reply, on_error if callable(on_error) else None)
        except EventHubError as error:
            if on_error == "raise":
                raise
            if callable(on_error):
                on_error(error)
        return None

    def publish_reply(
        self, source_event: Mapping[str, Any], data: Any, source: Mapping[str, Any] | None = None
    ) -> None:
        """Answer an event: its publisher's `on_reply` is called with the reply.

        Args:
            source_event: What is answered.
            data: The answer.
            source: Who answers; the hub completes it.

        Raises:
            EventHubError: as `publish`.
        """
        asking = source_event["source"].get("id")
        if not isinstance(asking, str):
            return
        target = str(Condition("id", "=", asking))
        self.publish(
            Event(REPLY, data=data, source=source, target=target, in_reply_to_event=source_event["id"])
        )

    def emit(self, topic: str, data: Any = None) -> None:
        """Tell the subscribers of this hub, now, and nobody else: for what happens many times a second.

        Write `if hub.enabled: hub.emit(...)`, so that it costs next to nothing when nobody listens.
        """
        if self.enabled and self._reception.listens(topic):
            event = Event(topic, data=data)
            complete(event, self.id, self._api_user)
            self._reception.dispatch(event, replying=False)

    def _accept(self, event: Event, on_reply: Callback | None, on_error: Callable[..., Any] | None) -> None:
        if not self._reception.accepts:
            raise EventHubConnectionError(
                "this hub is not connected",
                hint="call connect(), or init_connection() to queue events before",
            )
        event.mark_published()
        if on_reply is not None:
            self._reception.replies.expect(event["id"], on_reply)
        try:
            self._transport.publish(event, on_error)
        except EventHubError:
            self._reception.replies.forget(event["id"])
            raise

    # Waiting

    def wait(self, duration: float | None = None) -> None:
        """Handle events as they arrive, until the hub is disconnected or `duration` seconds have passed.

        Raises:
            EventHubConnectionError: when never connected.
        """
        if not self._initialised:
            raise EventHubConnectionError("this hub is not connected", hint="call connect() before wait()")
        ends = None if duration is None else time.monotonic() + duration
        inbox = self._reception.inbox
        while True:
            try:
                task = inbox.take(ends)
            except InboxClosed:
                return
            if task is None:
                return
            task()
            if ends is not None and time.monotonic() >= ends:
                return

    def run_in_thread(self) -> threading.Thread:
        """Have a background thread wait until the hub is disconnected; the thread, which may be joined.

        Raises:
            EventHubConnectionError: when never connected.
        """
        with self._lock:
            if not self._initialised:
                raise EventHubConnectionError("this hub is not connected", hint="call connect() first")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self.wait, name="sessionkit-events-wait", daemon=True)
                self._thread.start()
            return self._thread

    def events(self, subscription: str, *, limit: int = 10_000) -> EventStream:
        """The events that `subscription` describes, from now on, for asyncio.

        Usage:
            async for event in hub.events("topic=shot.*"):
                print(event["data"])

        It ends when the hub is disconnected. Starts a waiting thread if there is none yet.

        Args:
            subscription: As for `subscribe`.
            limit: How many events may wait; more raise `EventQueueFull` from the loop.
        """
        stream = EventStream(self, subscription, limit)
        if self._initialised:
            self.run_in_thread()
        return stream

    # Processes

    def after_fork_in_child(self) -> None:
        """Keep the subscribers; the connection, the queue and the identifier are the parent's."""
        self._ways = threading.RLock()
        self._lock = threading.RLock()
        self._thread = None
        self._initialised = False
        self._reception.after_fork_in_child()  # first: the transport's place may be under its identifier
        self._transport.after_fork_in_child()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an EventHub cannot be pickled: it owns a connection and a key; make one in each process"
        )

    def __repr__(self) -> str:
        where = self.server.hostname or self.server.scheme or "this process"
        state = "connected" if self.connected else "not connected"
        return f"<{type(self).__name__} {where}, {state}, {len(self._reception.subscribers)} subscribers>"
