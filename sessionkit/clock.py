"""Time as a value that can be handed in: a `Clock` to read and wait on, a `Deadline` to end by.

Everything here that waits takes a clock, so that a test moves time instead of sleeping through it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from sessionkit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from typing_extensions import Self


class Clock(Protocol):
    """What a part needs to know of time; `sessionkit.testing.ManualClock` is one that tests turn."""

    def time(self) -> float:
        """Seconds since the epoch, UTC. May jump: use it only for instants that others must understand."""

    def monotonic(self) -> float:
        """Seconds on a scale that never goes back. Use it for durations and deadlines."""

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    time = staticmethod(time.time)  # last: it hides the module


SYSTEM_CLOCK: Clock = SystemClock()


class Deadline:
    """The moment by which a call as a whole must have ended.

    >>> deadline = Deadline.after(30)
    >>> deadline.remaining() <= 30
    True
    """

    __slots__ = ("_clock", "at", "seconds")

    def __init__(self, at: float, seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.at = at
        self.seconds = seconds
        self._clock = clock

    @classmethod
    def after(cls, seconds: float, clock: Clock = SYSTEM_CLOCK) -> Self:
        """The deadline `seconds` from now; `float("inf")` never comes."""
        return cls(clock.monotonic() + seconds, seconds, clock)

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - self._clock.monotonic()

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0

    def check(self, doing: str) -> float:
        """Return the seconds left.

        Raises:
            DeadlineExceeded: when none are, naming what was being done.
        """
        left = self.remaining()
        if left <= 0:
            raise DeadlineExceeded(f"{doing} did not end within {self.seconds:g} s")
        return left

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, or for as long as is left, whichever is shorter."""
        self._clock.sleep(max(0.0, min(seconds, self.remaining())))
