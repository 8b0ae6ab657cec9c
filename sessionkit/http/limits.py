"""How much a session asks for at once."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from sessionkit import fork
from sessionkit.checks import count
from sessionkit.errors import CallTimeout

if TYPE_CHECKING:
    from sessionkit.clock import Deadline

# Seconds that are not worth waiting for: Python 3.10 waits without end where a timeout is over by the time
# that it looks at the clock again.
_MOMENT = 0.001


class ConcurrencyLimit:
    """So many requests at once, whoever sends them."""

    def __init__(self, size: int) -> None:
        self._size = count("max_concurrency", size)
        fork.aware(self).after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """A child has none of its parent's requests under way."""
        # A queue of places instead of a semaphore: it waits in C, a tenth of the cost at fifty threads.
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(self._size):
            self._places.put(None)

    def acquire(self, deadline: Deadline) -> None:
        """Take a place; give it back with `release`.

        Raises:
            CallTimeout: when none becomes free by `deadline`.
        """
        left = min(deadline.remaining(), threading.TIMEOUT_MAX)
        try:
            if left > _MOMENT:
                self._places.get(timeout=left)
            else:
                self._places.get_nowait()
        except queue.Empty:
            raise CallTimeout(
                f"no place among {self._size} concurrent requests became free within {deadline.seconds:g} s",
                hint="raise max_concurrency= or timeout=",
                sent=False,
            ) from None

    def release(self) -> None:
        """Give a place back."""
        self._places.put(None)
