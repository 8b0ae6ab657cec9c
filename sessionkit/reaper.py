"""Sessions that nobody holds any more are signed out here, away from the thread that dropped them.

A thread that ends drops its sessions inside the interpreter's own clean-up, where nothing may block.
`adopt` takes such a session back to life for one last `close()` in a background thread, which ends when
it has been idle for a second.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import logging
import os
import queue
import sys
import time
from typing import TYPE_CHECKING, Final, Protocol

from sessionkit import fork

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 1.0
EXIT_SECONDS: Final = 5.0


class Closable(Protocol):
    """What the reaper closes."""

    def close(self) -> None:
        """End it; must have a deadline of its own."""


class Reaper:
    """A queue of forgotten sessions and, while there are any, the thread that closes them."""

    def __init__(self) -> None:
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """A child has none of the threads, and closes nothing of its parent's."""
        self._process = os.getpid()
        self._forgotten: queue.SimpleQueue[Closable] = queue.SimpleQueue()
        # A bare lock taken without waiting: `adopt` may run inside the garbage collector, anywhere.
        self._running = _thread.allocate_lock()

    def adopt(self, session: Closable) -> None:
        """Close `session` soon; never blocks, callable from a finaliser."""
        # A child drops what its parent's other threads had before it starts anew; it is theirs to sign out.
        if sys.is_finalizing() or self._process != os.getpid():
            return
        self._forgotten.put(session)
        if self._running.acquire(blocking=False):
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                # No thread to be had, now or (at exit) ever: the next one, or `_drain`, closes it.
                self._running.release()

    def _run(self) -> None:
        forgotten, running = self._forgotten, self._running  # a child that is forked in here gets others
        while True:
            try:
                _close(forgotten.get(timeout=IDLE_SECONDS))
            except queue.Empty:
                running.release()
                if forgotten.empty() or not running.acquire(blocking=False):
                    return
            except BaseException:
                # Nobody is told by raising it, and without this thread all the others would stay signed in.
                log.debug("a forgotten session did not close cleanly", exc_info=True)


def _close(session: Closable) -> None:
    try:
        session.close()
    except Exception:
        log.debug("a forgotten session did not close cleanly", exc_info=True)


def close_all(sessions: Iterable[Closable], seconds: float = EXIT_SECONDS) -> None:
    """Close `sessions` one after the other, and begin no more once `seconds` have passed."""
    end = time.monotonic() + seconds
    for session in sessions:
        if time.monotonic() >= end:
            return
        _close(session)


class _Marker:
    """What `_drain` puts behind everything else in the queue."""

    def __init__(self) -> None:
        self._reached = _thread.allocate_lock()
        self._reached.acquire()

    def close(self) -> None:
        """All before this one has been closed."""
        self._reached.release()

    def wait(self, seconds: float) -> None:
        """Wait for that, but no longer."""
        self._reached.acquire(timeout=seconds)


reaper = fork.aware(Reaper())
adopt = reaper.adopt


@atexit.register
def _drain() -> None:
    """See to the rest: what the thread is closing is waited for, what it has not come to is closed here."""
    waiting, running = reaper._forgotten, reaper._running  # noqa: SLF001 - this module's own
    if running.acquire(blocking=False):
        running.release()
    else:
        marker = _Marker()
        waiting.put(marker)
        marker.wait(EXIT_SECONDS)
    left: list[Closable] = []
    with contextlib.suppress(queue.Empty):
        while True:
            left.append(waiting.get_nowait())
    close_all(left)
