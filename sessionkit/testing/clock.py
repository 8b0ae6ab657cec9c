"""A clock that a test turns by hand."""

from __future__ import annotations

import threading


class ManualClock:
    """A clock that stands still until it is told otherwise.

    >>> clock = ManualClock()
    >>> clock.sleep(90)        # returns at once: time has moved
    >>> clock.monotonic()
    90.0

    `advance(seconds)` moves both scales; `jump(seconds)` moves only the wall clock, as an administrator
    or a daylight-saving mistake would. Safe to share between threads.
    """

    def __init__(self, now: float = 1_767_225_600.0) -> None:
        self._now = now
        self._monotonic = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def time(self) -> float:
        """Seconds since the epoch, UTC; starts at 2026-01-01."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds`, and keep them in `slept`."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both scales."""
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock only."""
        with self._lock:
            self._now += seconds
