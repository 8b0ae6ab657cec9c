"""Where events wait for somebody to handle them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

Task = Callable[[], None]


class InboxClosed(Exception):
    """Nothing is left and nothing will come: a waiter may go home. Never reaches a user."""


class Inbox:
    """A bounded queue of things to do, filled by transports and emptied by whoever waits.

    Args:
        limit: How many tasks may wait.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._tasks: deque[Task] = deque()
        self._changed = threading.Condition()
        self._open = False

    def open(self) -> None:
        """Let waiters wait."""
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Send waiters home once everything that is here has been taken."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def put(self, task: Task, *, force: bool = False) -> bool:
        """Add a task; returns False, and adds nothing, when the inbox is full and `force` is not set."""
        with self._changed:
            if len(self._tasks) >= self.limit and not force:
                return False
            self._tasks.append(task)
            self._changed.notify()
            return True

    def take(self, ends: float | None) -> Task | None:
        """The oldest task; None when none has come by `ends` (seconds of `time.monotonic()`).

        Raises:
            InboxClosed: when the inbox is closed and empty.
        """
        with self._changed:
            while not self._tasks:
                if not self._open:
                    raise InboxClosed
                left = None if ends is None else ends - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            return self._tasks.popleft()

    def __len__(self) -> int:
        return len(self._tasks)
