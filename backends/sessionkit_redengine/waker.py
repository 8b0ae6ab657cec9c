"""How the scheduler sleeps: until a time has passed or somebody wakes it."""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionkit.clock import Clock

#: Seconds that the scheduler sleeps at most: the clock may be set, or the machine put to sleep, meanwhile.
LONGEST_NAP = 10.0
# With a clock that a test turns, real seconds to wait for runs in other threads before looking again.
_GLANCE = 0.02


class Waker:
    """Sleeps on a lock that `wake` opens, which costs less than an event and misses no call."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def wake(self) -> None:
        """End the sleep, or the next one before it begins; from any thread."""
        if not self._lock.locked():
            return
        try:
            self._lock.release()
        except RuntimeError:  # somebody else was quicker
            return

    def sleep(self, seconds: float) -> None:
        """Wait that long, at most `LONGEST_NAP`, or until woken."""
        self._lock.acquire(timeout=min(seconds, LONGEST_NAP))


class TurnedWaker(Waker):
    """For a clock that a test turns: sleeping moves it, once nothing runs and if something is to come."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.busy = False

    def sleep(self, seconds: float) -> None:
        """Move the clock by so much; while something runs, or nothing is ever due, wait to be woken."""
        if self.busy or seconds == float("inf"):
            super().sleep(_GLANCE)
        else:
            self._clock.sleep(seconds)
