"""What SIGTERM means to a scheduler: end in good order."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit_redengine.scheduler import Scheduler


@contextmanager
def heeding_sigterm(scheduler: Scheduler, *, ask: bool) -> Iterator[None]:
    """Inside, the first SIGTERM asks the scheduler to end, and the second is like Ctrl-C.

    Only where that is ours to decide: in the main thread, and where the program has no handler of its own.

    Args:
        scheduler: The scheduler.
        ask: False has the first be like Ctrl-C too: for a program that does not end when the scheduler has.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def handler(*_: Any) -> None:
        if not ask or scheduler.wish == "exit" or scheduler.is_ending:
            raise KeyboardInterrupt
        scheduler.shut_down()

    signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is handler:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
