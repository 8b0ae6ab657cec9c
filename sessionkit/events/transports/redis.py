"""Events through a Redis stream, between any number of machines (`pip install sessionkit[redis]`).

    EventHub("redis://cache.studio.example:6379/0?stream=studio:events", "jenkins", password)

Parameters in the URL's query:

| name | meaning (default) |
|---|---|
| stream | the stream's key (sessionkit:events); hubs that share it hear each other |
| maxlen | about how many events the stream keeps (100000) |
| group | a name under which Redis remembers what was handled; see below |
| consumer | this process's name within the group (the hub's identifier) |

What is guaranteed for an event that `publish` accepted: it is sent again after every reconnection until
Redis has stored it, in order; a hub drops what it has seen. A hub that was disconnected, or slow, reads on
where it stopped, so it misses only what the stream has dropped meanwhile (then an error is logged), or what
Redis itself forgot. A Redis that crashes, or whose replica takes over, may forget its last seconds (how many,
its settings decide): a hub that is there when it returns stores what it had stored in the last five again,
as far as its `queue_limit` reaches. A Redis that refuses to store counts as one that cannot be reached.

Without a group, every hub gets every event from its own `connect()` on. With a group, Redis keeps the place:
a process that is started again gets what was published while it was away, the members of a group share the
events among them, and an event whose handler's process died, or lost Redis, is given to another member after
a minute; one that only takes long is not. What nobody subscribed to in the member that gets it counts as
handled: subscribe before `connect()`. A consumer that has nothing to finish is removed after a day's absence.
So a handler may see an event again, also when the publisher lost Redis while it was being stored: handle it
twice with the same effect. What the stream drops before any member has read it is missed by the group, and
not told: let `maxlen` be large enough.

An event with a target, such as a reply, is not shared: it is also stored in the stream `<stream>:direct`,
which every member reads for itself, so that it reaches whom it is for, whichever member the group gave it to.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sessionkit.errors import ConfigurationError
from sessionkit.events import wire
from sessionkit.events.errors import EventHubConnectionError, EventHubPacketError
from sessionkit.events.event import Event
from sessionkit.events.transports.places import (
    BLOCK_SECONDS,
    FORGETFUL_SECONDS,
    Batch,
    GroupPlace,
    Place,
    Stored,
    number,
)
from sessionkit.events.transports.reconnecting import LinkBroken, ReconnectingTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit.events.transports.base import Listener, Options
    from sessionkit.events.transports.outbox import Entry

_logger = logging.getLogger("sessionkit.events")

_PATIENCE_SECONDS = 5.0
_FULL_SECONDS = 0.05
_UNBLOCK_SECONDS = 0.005


class Sent(NamedTuple):
    """An event that Redis has said to have stored, at a moment of `time.monotonic()`."""

    at: float
    id: str
    text: str
    direct: bool


class Settings:
    """The parts of the URL that are ours."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        self.stream = query.pop("stream", "sessionkit:events")
        self.direct = f"{self.stream}:direct"
        self.group = query.pop("group", None)
        self.consumer = query.pop("consumer", None)
        try:
            self.maxlen = int(query.pop("maxlen", "100000"))
        except ValueError as error:
            raise ConfigurationError("maxlen in the event hub's URL is a number of events") from error
        if query:
            raise ConfigurationError(
                f"the event hub's URL has no parameter {next(iter(query))!r}",
                hint="its parameters are stream, maxlen, group and consumer",
            )
        self.url = urlunsplit(parts._replace(query=""))


class RedisLink:
    """Two connections: one that waits for events, one that stores them."""

    def __init__(self, options: Options, settings: Settings, place: Place) -> None:
        self._settings = settings
        self._place = place
        self.heard = time.monotonic()
        self._aborted = self._reading = False
        self._closed = False
        self._ending = threading.Lock()
        self._clients: list[Any] = []
        self._greeted: set[Any] = set()
        try:
            self._reader = self._client(options)
            self._writer = self._client(options)
            self._reader_id = self._reader.client_id()
            self._writer.ping()
            place.begin(self._writer)
        except redis.RedisError as error:
            self.close()
            raise EventHubConnectionError(f"Redis cannot be reached: {_reason(error)}") from error

    def _client(self, options: Options) -> Any:
        credentials = {"username": options.api_user, "password": options.api_key}
        given = urlsplit(self._settings.url)
        pool = redis.BlockingConnectionPool.from_url(
            self._settings.url,
            **({} if given.password or not options.api_key else credentials),
            max_connections=1,
            timeout=_PATIENCE_SECONDS,
            decode_responses=True,
            protocol=2,
            encoding_errors="replace",
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=BLOCK_SECONDS + _PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._greet,
        )
        client = redis.Redis(connection_pool=pool)
        self._clients.append(client)
        return client

    def _greet(self, connection: Any) -> None:
        """Begin a connection; not again, as redis-py would without a word: it may be another Redis now."""
        if connection in self._greeted and not self._closed:
            raise redis.ConnectionError("the connection was lost")
        self._greeted.add(connection)
        connection.on_connect()

    def receive(self) -> Batch:
        """The next entries; none when nothing came for a while."""
        self._reading = True
        try:
            batch = self._place.read(self._reader) if not self._aborted else []
        except (redis.RedisError, OSError, ValueError, AttributeError) as error:
            raise LinkBroken(f"reading from Redis failed: {_reason(error)}") from error
        finally:
            self._reading = False
        if self._aborted:
            raise LinkBroken("the hub was disconnected")
        self.heard = time.monotonic()
        return batch

    def store(self, text: str, *, direct: bool) -> Sent:
        """Add an event to the stream; one that is `direct`, at the same moment, to the other one as well."""
        settings = self._settings
        try:
            with self._writer.pipeline(transaction=direct) as pipeline:
                for stream in (settings.stream, settings.direct)[: 1 + direct]:
                    pipeline.xadd(stream, {"event": text}, maxlen=settings.maxlen, approximate=True)
                entry_id, *_ = pipeline.execute()
        except (redis.RedisError, OSError, AttributeError) as error:
            self.abort()
            raise LinkBroken(f"writing to Redis failed: {_reason(error)}") from error
        return Sent(time.monotonic(), entry_id, text, direct)

    def knows(self, sent: Sequence[Sent]) -> list[bool]:
        """For each, whether the stream has it, or dropped it because it was full."""
        try:
            with self._writer.pipeline(transaction=True) as pipeline:
                pipeline.xlen(self._settings.stream)
                pipeline.xrange(self._settings.stream, count=1)
                for each in sent:
                    pipeline.xrange(self._settings.stream, each.id, each.id)
                length, oldest, *found = pipeline.execute()
        except (redis.RedisError, OSError, AttributeError) as error:
            raise LinkBroken(f"reading from Redis failed: {_reason(error)}") from error
        first = number(oldest[0][0]) if length >= self._settings.maxlen and oldest else (0, 0)
        return [
            # Another Redis may have given the same identifier to another event.
            entries == [(each.id, {"event": each.text})] or number(each.id) < first
            for each, entries in zip(sent, found, strict=True)
        ]

    def keep(self) -> None:
        """Say now and then that what was received is still to be handled."""
        try:
            self._place.keep(self._reader)
        except (redis.RedisError, OSError, ValueError, AttributeError) as error:
            raise LinkBroken(f"reading from Redis failed: {_reason(error)}") from error

    def handled(self, stored: Stored) -> None:
        """Say that an event has been handled; if that fails, it comes again, on another connection."""
        try:
            self._place.done(self._writer, stored)
        except (redis.RedisError, OSError, AttributeError) as error:
            _logger.info("an event was handled and Redis could not be told: %s", _reason(error))
            if not self._closed:
                self.abort()
        finally:
            if self._closed:
                self._writer.connection_pool.disconnect()

    def abort(self) -> None:
        """Wake the thread that reads: by Redis if it still answers, else by cutting its socket."""
        self._aborted = True
        end = time.monotonic() + _PATIENCE_SECONDS
        with self._ending:
            try:
                # Who reads may be about to wait, and not be waiting yet.
                while self._reading and not self._writer.client_unblock(self._reader_id):
                    if time.monotonic() > end:
                        raise TimeoutError
                    time.sleep(_UNBLOCK_SECONDS)
            except (redis.RedisError, OSError, ValueError, AttributeError):
                self._reader.connection_pool.disconnect()

    def close(self) -> None:
        """Close both connections."""
        with self._ending:  # the reader, once woken, must not close what wakes it
            self._closed = True
            for client in self._clients:
                client.connection_pool.disconnect()

    def drop(self) -> None:
        """Nothing: redis-py notices the fork and leaves its parent's sockets alone."""


class RedisTransport(ReconnectingTransport[RedisLink]):
    """A hub on a Redis stream; see the module's text for its guarantees."""

    def __init__(self, options: Options, listener: Listener) -> None:
        super().__init__(options, listener)
        self._settings = Settings(options.server_url)
        self._begin()

    def _begin(self) -> None:
        self._place = self._new_place()
        # What Redis may have stored in its memory only.
        self._unsure: deque[Sent] = deque(maxlen=self.options.queue_limit)

    def _new_place(self) -> Place:
        if self._settings.group is None:
            return Place(self._settings, self._settings.stream)
        return GroupPlace(self._settings, self.listener.id)

    def close(self, timeout: float, *, keep: bool = False) -> None:
        """As for every transport; a place that Redis does not remember is forgotten unless it is kept."""
        super().close(timeout, keep=keep)
        if not keep:
            self._begin()

    def after_fork_in_child(self) -> None:
        """As for every transport; the child begins at a place of its own."""
        super().after_fork_in_child()
        self._begin()

    def make_link(self) -> RedisLink:
        """Connect twice."""
        return RedisLink(self.options, self._settings, self._place)

    def announce(self, link: RedisLink) -> None:
        """Store again what was stored shortly before the connection was lost, and Redis has forgotten."""
        unsure = self._unsure
        self._drop_unsure(before=(self.lost_at or link.heard) - FORGETFUL_SECONDS)
        # What is forgotten is what came last: while one is there, so is, or was, what came before it.
        if not unsure or link.knows([unsure[-1]])[0]:
            return
        known = link.knows(unsure)
        first = max((place for place, there in enumerate(known, 1) if there), default=0)
        _logger.warning(
            "Redis has forgotten %d events that it had stored, and is told them again", len(unsure) - first
        )
        for place in range(first, len(unsure)):
            unsure[place] = link.store(unsure[place].text, direct=unsure[place].direct)

    def transmit(self, link: RedisLink, entry: Entry) -> None:
        """Store the event; that is its confirmation."""
        sent = link.store(entry.text, direct=bool(entry.event["target"]))
        self._drop_unsure(before=sent.at - FORGETFUL_SECONDS)
        self._unsure.append(sent)
        self.outbox.confirm(entry.number)

    def _drop_unsure(self, *, before: float) -> None:
        while self._unsure and self._unsure[0].at < before:
            self._unsure.popleft()

    def handle(self, link: RedisLink, message: Batch) -> None:
        """Queue the events that somebody here wants."""
        for stored in message:
            self._queue(link, stored)
            self._place.passed(stored)

    def _queue(self, link: RedisLink, stored: Stored) -> None:
        def done() -> None:
            link.handled(stored)

        try:
            event = Event.from_wire(wire.parse_json(stored.fields.get("event", "")))
        except EventHubPacketError as error:
            _logger.warning("an entry of the stream was ignored: %s", error)
            done()
            return
        event["sent"] = _sent(stored.id)
        if self._place.elsewhere(stored, event) or not self.listener.wants(event):
            done()
            return
        while not self.listener.has_room():
            if not self.connected:
                raise LinkBroken("the hub was disconnected while its queue was full")
            link.keep()
            time.sleep(_FULL_SECONDS)
        self.listener.received(event, done)


def _sent(entry_id: str) -> str:
    """When Redis stored an entry, from its identifier."""
    return wire.timestamp(number(entry_id)[0] / 1000)


def _reason(error: BaseException) -> str:
    """The kind of an error: its text may hold the URL's password."""
    return type(error).__name__
