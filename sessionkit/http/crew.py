"""Threads for what may have to wait."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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
        self._lock = threading.Lock()
        self._open = 0  # given and not done

    def give(self, item: T) -> None:
        """Have it done. To be called by one thread."""
        self._given.put(item)
        with self._lock:
            self._open += 1
            missing = self._open > (1 + self._backlog) * len(self._threads)
        if missing and len(self._threads) < self._most:
            self._recruit()

    def end(self) -> list[T]:
        """Begin nothing more; returns what was not begun."""
        left: list[T] = []
        with contextlib.suppress(queue.Empty):
            while (item := self._given.get(block=False)) is not None:
                left.append(item)
        for _ in self._threads:
            self._given.put(None)
        del self._do  # whose owner holds this crew: a circle that only the collector of garbage would end
        return left

    def wait(self, seconds: float) -> None:
        """After `end`: wait until what was begun is done, for a while."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _recruit(self) -> None:
        name = f"sessionkit-many-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._run, args=(self._do,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _run(self, do: Callable[[T], None]) -> None:
        while (item := self._given.get()) is not None:
            do(item)
            with self._lock:
                self._open -= 1
