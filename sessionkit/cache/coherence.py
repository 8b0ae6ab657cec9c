"""Cached copies that go when an event says that the thing has changed."""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sessionkit.errors import CacheError
from sessionkit.events.errors import SubscriberNotFound
from sessionkit.events.topics import CONNECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Self

_log = logging.getLogger(__name__)

Changed: TypeAlias = "str | bytes | re.Pattern[str]"


class HubLike(Protocol):
    """What announces changes: `sessionkit.events.EventHub`, or anything with these."""

    def subscribe(self, subscription: str, callback: Callable[[Any], Any]) -> str:
        """Call `callback` with each event that `subscription` describes; return who to unsubscribe."""

    def unsubscribe(self, subscriber_identifier: str) -> Any:
        """End that."""


class Droppable(Protocol):
    """What holds copies: a `Cache`, a `ScopedCache`, a `ResponseCache`."""

    def advance(self) -> None:
        """Refuse, from now on, the copies of what was asked for before."""

    def remove(self, key: Any) -> Any:
        """Drop one copy; KeyError, or nothing, when there is none."""

    def clear(self, pattern: re.Pattern[str] | None = None) -> None:
        """Drop the copies in whose key `pattern` is found; without one, all."""


class Coherence:
    """Keeps `cache` in agreement with what `hub` announces, in every process that has one of these.

    Args:
        hub: Where changes are announced.
        cache: What holds copies.
        mapping: Tells which copies an event concerns: keys (text or bytes), and compiled regular
            expressions for any number of them.
        subscription: Which events to listen to.
        gap: Which events mean that others may have been missed: all copies go then. By default, that the
            hub's connection was made, anew or for the first time. None: there are no such events.

    >>> def changed(event):
    ...     return [f"Task:{entity['id']}" for entity in event["data"]["entities"]]
    >>> with Coherence(hub, cache, changed, subscription="topic=studio.update"):          # doctest: +SKIP
    ...     hub.wait()

    Handlers run in whichever thread waits for the hub's events. When `mapping` fails, the event may
    concern anything, and all copies go. Every event that concerns a copy begins another epoch of `cache`:
    what was asked for before it, and comes after it by `set_within`, is not kept.
    """

    def __init__(
        self,
        hub: HubLike,
        cache: Droppable,
        mapping: Callable[[Any], Iterable[Changed]],
        *,
        subscription: str = "topic=*",
        gap: str | None = f"topic={CONNECTED}",
    ) -> None:
        self._hub = hub
        self._cache = cache
        self._mapping = mapping
        self._subscribers = [hub.subscribe(subscription, self._on_change)]
        if gap is not None:
            self._subscribers.append(hub.subscribe(gap, self._on_gap))

    def close(self) -> None:
        """Listen no longer. Closing twice is harmless."""
        while self._subscribers:
            with contextlib.suppress(SubscriberNotFound):  # disconnecting the hub may have ended it already
                self._hub.unsubscribe(self._subscribers.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # Both return None: an event hub publishes what a handler returns as its reply.

    def _on_change(self, event: Any) -> None:
        try:
            changed = list(self._mapping(event))
        except Exception:  # noqa: BLE001 -- the mapping is a backend's, the event came from the network
            _log.exception("What an event changed could not be told: all cached copies are dropped.")
            self._on_gap(event)
            return
        if changed:
            self._drop(changed)

    def _on_gap(self, _event: Any) -> None:
        self._drop([None])

    def _drop(self, items: Iterable[Changed | None]) -> None:
        with _warned():  # first of all: nothing that is on its way comes after its like was dropped
            self._cache.advance()
        for item in items:
            with _warned(), contextlib.suppress(KeyError):
                if item is None or isinstance(item, re.Pattern):
                    self._cache.clear(item)
                else:
                    self._cache.remove(item)


@contextlib.contextmanager
def _warned() -> Iterator[None]:
    try:
        yield
    except CacheError as error:
        _log.warning("A cached copy could not be dropped: %s", error)
