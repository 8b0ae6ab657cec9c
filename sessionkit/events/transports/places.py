"""Where a hub is in a Redis stream."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

if TYPE_CHECKING:
    from sessionkit.events.event import Event
    from sessionkit.events.transports.redis import Settings

_logger = logging.getLogger("sessionkit.events")

BLOCK_SECONDS = 2.0
# Redis writes its log up to two seconds late, syncs it once a second by default, and replicas lag behind.
FORGETFUL_SECONDS = 5.0
_BATCH = 500
_MANY = 100_000
_MARKS = 12
_ABANDONED_SECONDS = 60.0
_GONE_SECONDS = 86_400.0


class Stored(NamedTuple):
    """An entry of a stream."""

    stream: str
    id: str
    fields: dict[str, str]


Batch = list[Stored]


class Place:
    """Where this hub is in a stream; kept here, so that it survives a reconnection."""

    def __init__(self, settings: Settings, stream: str) -> None:
        self.settings = settings
        self.stream = stream
        self.last = ""
        # The latest entry, and earlier ones so far apart that Redis will hardly forget more than one.
        self._marks: deque[Stored] = deque(maxlen=_MARKS)

    def begin(self, client: Any) -> None:
        """Find the place at first, and later whether it is still one in this stream."""
        if self.last:
            self._return(client)
            return
        newest = self._down_from(client, "+")
        for stored in newest:
            self._marks.extend([*self._down_from(client, _earlier(stored.id)), stored])
        self.last = newest[0].id if newest else "0-0"

    def read(self, client: Any, block: int | None = int(BLOCK_SECONDS * 1000)) -> Batch:
        """The entries after the place; waits for some for so many milliseconds."""
        with client.pipeline(transaction=True) as pipeline:  # between the questions, nothing is dropped
            pipeline.xrange(self.stream, count=1)
            pipeline.xrevrange(self.stream, count=1)
            pipeline.xlen(self.stream)
            pipeline.xread({self.stream: self.last}, count=_BATCH)
            oldest, newest, length, answer = pipeline.execute()
        if _number_of(newest) < number(self.last):
            self._return(client)
        elif _number_of(oldest) > number(self.last) and (
            self.last != "0-0" or length >= self.settings.maxlen
        ):
            _logger.error(
                "the stream %s has dropped events, maybe before this hub had read them", self.stream
            )
        if not answer and block is not None:
            # Only to wait: what comes is read as above, and may be dropped until then.
            client.xread({self.stream: self.last}, count=1, block=block)
        return _entries(answer)

    def keep(self, client: Any) -> None:
        """Say now and then that what was read is still in this hub's hands."""

    def passed(self, stored: Stored) -> None:
        """The entry is in the hub's queue."""
        self.last = stored.id
        if len(self._marks) > 1 and number(self._marks[-2].id) > number(_earlier(stored.id)):
            self._marks.pop()
        self._marks.append(stored)

    def done(self, client: Any, stored: Stored) -> None:
        """The entry has been handled."""

    def elsewhere(self, stored: Stored, event: Event) -> bool:  # noqa: ARG002 - others read in two places
        """Whether the event is read again, from where it belongs."""
        return False

    def _return(self, client: Any) -> None:
        """Go on from the last known entry that Redis has not forgotten: what is new comes after it."""
        with client.pipeline(transaction=True) as pipeline:
            pipeline.xrange(self.stream, count=1)
            for mark in self._marks:
                pipeline.xrange(self.stream, mark.id, mark.id)
            oldest, *found = pipeline.execute()
        if self.last == "0-0" or _number_of(oldest) > number(self.last):
            return  # whatever comes next comes after
        while self._marks:
            mark = self._marks[-1]
            if found.pop() == [(mark.id, mark.fields)]:
                self.last = mark.id
                return
            self._marks.pop()
        _logger.error("the stream %s was lost or exchanged, and is read from its beginning", self.stream)
        self.last = "0-0"

    def _down_from(self, client: Any, newest: str) -> Batch:
        return _entries([(self.stream, client.xrevrange(self.stream, newest, count=1))])


class GroupPlace(Place):
    """A place that Redis remembers, under the group's name; and one of its own for what is not shared."""

    def __init__(self, settings: Settings, consumer: str) -> None:
        super().__init__(settings, settings.stream)
        self._direct = Place(settings, settings.direct)
        self._beginning = Place(settings, settings.stream)
        self._consumer = settings.consumer or consumer
        # After which entry to look for what this consumer was given and did not finish; None: nowhere.
        self._unfinished: str | None = "0-0"
        self._kept_at = time.monotonic()
        self._claimed, self._claimed_at = "0-0", time.monotonic()
        self._began = ""

    def begin(self, client: Any) -> None:
        """Make the group unless it is there; one made at first begins with what is published from now on.

        One that Redis has forgotten when this hub returns begins where this hub began.
        """
        self._direct.begin(client)
        self._beginning.begin(client)
        self._began = self._began or self._beginning.last
        try:
            client.xgroup_create(self.stream, self.settings.group, id=self._beginning.last, mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._unfinished = "0-0"
        self._remove_who_is_gone(client)

    def read(self, client: Any, block: int | None = int(BLOCK_SECONDS * 1000)) -> Batch:
        """First what this consumer was given and did not finish, then what was abandoned or is new."""
        self.keep(client)
        if self._unfinished is not None:
            batch = self._read(client, self._unfinished)
            self._unfinished = batch[-1].id if batch else None
            if batch:
                return batch
        newest = self._down_from(client, "+")
        # All at once, or on a busy stream nobody would ever come to read what has a target.
        batch = [*self._abandoned(client), *self._read(client, ">"), *self._direct.read(client, None)]
        if not batch:
            # Redis waits for one kind of reading at a time: for anything new, to be read as it should be.
            places = {self.stream: newest[0].id if newest else "0-0", self._direct.stream: self._direct.last}
            client.xread(places, count=1, block=block)
        return batch

    def keep(self, client: Any) -> None:
        """As `Place`: slow is not dead, and must not be taken for it by other members."""
        now = time.monotonic()
        if now - self._kept_at < _ABANDONED_SECONDS / 4:
            return
        self._kept_at = now
        group = self.settings.group
        mine = client.xpending_range(self.stream, group, "-", "+", _MANY, consumername=self._consumer)
        if mine:
            ids = [each["message_id"] for each in mine]
            client.xclaim(self.stream, group, self._consumer, 0, ids, justid=True)

    def passed(self, stored: Stored) -> None:
        """The entry is in the hub's queue."""
        if stored.stream == self._direct.stream:
            self._direct.passed(stored)

    def done(self, client: Any, stored: Stored) -> None:
        """Tell Redis, where it asked."""
        if stored.stream == self.stream:
            client.xack(self.stream, self.settings.group, stored.id)

    def elsewhere(self, stored: Stored, event: Event) -> bool:
        """Whether it has a target, and came after this hub began to read those for itself."""
        return (
            stored.stream == self.stream and bool(event["target"]) and number(stored.id) > number(self._began)
        )

    def _read(self, client: Any, after: str) -> Batch:
        return _entries(
            client.xreadgroup(self.settings.group, self._consumer, {self.stream: after}, count=_BATCH)
        )

    def _abandoned(self, client: Any) -> Batch:
        now = time.monotonic()
        if now - self._claimed_at < _ABANDONED_SECONDS:
            return []
        self._claimed, entries, *_ = client.xautoclaim(
            self.stream,
            self.settings.group,
            self._consumer,
            min_idle_time=int(_ABANDONED_SECONDS * 1000),
            start_id=self._claimed,
            count=_BATCH,
        )
        if self._claimed == "0-0":
            self._claimed_at = now
        if not all(entry_id for entry_id, _ in entries):
            # What the stream has dropped has no name here: it has among all that this consumer was given.
            self._unfinished = "0-0"
        return [Stored(self.stream, entry_id, fields) for entry_id, fields in entries if fields]

    def _remove_who_is_gone(self, client: Any) -> None:
        """Every process whose consumer has no name leaves one behind."""
        group = self.settings.group
        for each in client.xinfo_consumers(self.stream, group):
            if not each["pending"] and each["idle"] > _GONE_SECONDS * 1000:
                client.xgroup_delconsumer(self.stream, group, each["name"])


def _entries(answer: Any) -> Batch:
    """What was read; an entry that the stream has dropped since it was given out has no fields."""
    return [Stored(stream, entry[0], entry[1] or {}) for stream, entries in answer or [] for entry in entries]


def number(entry_id: str) -> tuple[int, int]:
    """An identifier, to be compared: milliseconds since 1970 on Redis' clock, and a number among them."""
    milliseconds, _, serial = entry_id.partition("-")
    return int(milliseconds), int(serial or 0)


def _number_of(entries: list[tuple[str, Any]]) -> tuple[int, int]:
    return number(entries[0][0]) if entries else (0, 0)


def _earlier(entry_id: str) -> str:
    """The identifier that an entry would have that is so much older that Redis has not forgotten it."""
    return f"{max(number(entry_id)[0] - int(FORGETFUL_SECONDS * 1000), 0)}-0"
