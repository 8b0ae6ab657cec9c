"""A thread that works off what has piled up, soon after it was told that there is something."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GRACE = 5.0  # seconds for the thread to end


class Pump:
    """Calls `work` when woken: at once, then every `pause` seconds at most. Its thread is made when needed.

    Args:
        work: What to call; it may not raise.
        pause: Seconds between two calls, in which more may pile up.
    """

    def __init__(self, work: Callable[[], None], pause: float) -> None:
        self._work = work
        self._pause = pause
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Have `work` called soon; from any thread."""
        if not self._woken.is_set():
            self._woken.set()
            if self._thread is None:
                self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="redengine-output", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._woken.wait()
            self._woken.clear()
            self._work()
            self._closing.wait(self._pause)

    def close(self) -> None:
        """End the thread, and make no other."""
        self._closing.set()
        self._woken.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_GRACE)
