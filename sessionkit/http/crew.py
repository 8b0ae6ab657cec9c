"""Threads for what may have to wait."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

GRACE: Final = 3.0
"""Seconds for which threads that are in the middle of something are waited for in the end."""


class Crew(Generic[T]):
    """Threads that take what is given to them, made as they are needed.

    Daemons, so that Ctrl-C ends a program though one of them still waits for a silent server.

    Args:
        most: Threads at most.
        do: What they do with each; raises nothing.
        backlog: So many may wait for each thread that there is before there is another.
    """

    def __init__(self, most: int, do: Callable[[T], None], *, backlog: int = 0) -> None:
        self._most = most
        self._do = do
        self._backlog = backlog
        self._given: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def give(self, item: T) -> None:
        """Have it done. To be called by one thread."""
        self._given.put(item)
        if self._idle.acquire(blocking=False) or len(self._threads) >= self._most:
            return
        if not self._threads or self._given.qsize() > self._backlog * len(self._threads):
            name = f"sessionkit-many-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> list[T]:
        """Begin nothing more, and wait a while for what was begun; returns what was not."""
        left: list[T] = []
        with contextlib.suppress(queue.Empty):
            while (item := self._given.get(block=False)) is not None:
                left.append(item)
        for _ in self._threads:
            self._given.put(None)
        end = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return left

    def _run(self) -> None:
        while (item := self._given.get()) is not None:
            self._do(item)
            self._idle.release()
