"""Who waits for an answer to which event, and until when."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionkit.clock import Clock
    from sessionkit.events.subscriber import Callback

_MOST = 10_000


class Replies:
    """Reply callbacks by the identifier of the event they belong to.

    Any number of answers may come, so a callback stays until `lifetime` seconds after its event was
    published. Above 10,000 the oldest go first.
    """

    def __init__(self, lifetime: float, clock: Clock) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, tuple[float, Callback]] = OrderedDict()

    def expect(self, event_id: str, callback: Callback) -> None:
        """Call `callback` with each answer to the event."""
        now = self._clock.monotonic()
        with self._lock:
            self._forget_expired(now)
            self._waiting[event_id] = (now + self.lifetime, callback)
            while len(self._waiting) > _MOST:
                self._waiting.popitem(last=False)

    def forget(self, event_id: str) -> None:
        """Expect no answers to the event any more."""
        with self._lock:
            self._waiting.pop(event_id, None)

    def callback_for(self, event_id: str | None) -> Callback | None:
        """Who waits for an answer to that event, if anybody still does."""
        with self._lock:
            self._forget_expired(self._clock.monotonic())
            found = self._waiting.get(event_id) if isinstance(event_id, str) else None
        return found[1] if found is not None else None

    def __len__(self) -> int:
        return len(self._waiting)

    def _forget_expired(self, now: float) -> None:
        while self._waiting:
            expires, _ = next(iter(self._waiting.values()))
            if expires > now:
                return
            self._waiting.popitem(last=False)
