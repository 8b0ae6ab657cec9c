"""How far a transfer is: a snapshot for a callback, or a bar in a terminal."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.clock import Clock
    from sessionkit.transfer.items import State

log = logging.getLogger(__name__)

_INTERVAL = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        files: How many there are; None while that is not known.
        done: How many need nothing more, in whichever way they ended.
        fetched, present, filtered, failed: How many of those ended so; what was uploaded counts as fetched.
        bytes: Bytes that are in place or on their way to be.
        total: Bytes of the files whose size is known so far.
        finished: Whether this is the last report.
    """

    files: int | None = None
    fetched: int = 0
    present: int = 0
    filtered: int = 0
    failed: int = 0
    bytes: int = 0
    total: int = 0
    finished: bool = False

    @property
    def done(self) -> int:
        """How many files need nothing more."""
        return self.fetched + self.present + self.filtered + self.failed


class Meter:
    """Counts for all threads, and tells the callback: of each file that ends, and ten times a second."""

    def __init__(self, callback: Callable[[Progress], None] | None, files: int | None, clock: Clock) -> None:
        self._callback = callback
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: dict[State, int] = {}
        self._bytes = self._total = 0
        self._told = clock.monotonic()

    def expect(self, size: int) -> None:
        """So many bytes more will come, or fewer when negative."""
        if self._callback is None:
            return
        with self._lock:
            self._total += size

    def advance(self, size: int) -> None:
        """So many bytes have come, or turned out to be worth nothing when negative."""
        if self._callback is None:
            return
        with self._lock:
            self._bytes += size
            if self._clock.monotonic() - self._told >= _INTERVAL:
                self._tell(finished=False)

    def end(self, state: State) -> None:
        """One file has come to its end."""
        if self._callback is None:
            return
        with self._lock:
            self._ended[state] = self._ended.get(state, 0) + 1
            self._tell(finished=False)

    def finish(self) -> None:
        """All have."""
        with self._lock:
            self._tell(finished=True)

    def _tell(self, *, finished: bool) -> None:
        if self._callback is None:
            return
        self._told = self._clock.monotonic()
        ended = {name: self._ended.get(name, 0) for name in ("fetched", "present", "filtered", "failed")}
        now = Progress(self._files, **ended, bytes=self._bytes, total=self._total, finished=finished)
        try:
            self._callback(now)
        except Exception:  # a progress display must not cost the files
            log.exception("the progress callback failed and is not called again")
            self._callback = None


def callback_of(
    progress: Callable[[Progress], None] | bool | None, doing: str
) -> Callable[[Progress], None] | None:
    """The callback that `progress` means: itself; for True a bar where somebody watches; else none."""
    if not isinstance(progress, bool):
        return progress
    return terminal_bar(doing) if progress and sys.stderr.isatty() else None


def terminal_bar(doing: str, console: Any = None) -> Callable[[Progress], None] | None:
    """A bar drawn by rich, for those who have it installed.

    Args:
        doing: What stands before the bar.
        console: A `rich.console.Console`; None is stderr.
    """
    try:
        # rich is an extra, and heavy: it loads when somebody looks.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as Bars  # noqa: PLC0415
    except ImportError:
        return None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    bars = Bars(*columns, console=console or Console(stderr=True))
    task = bars.add_task(doing, total=None, note="")
    bars.start()

    def show(now: Progress) -> None:
        # Of a single file the bytes are counted, of more the files.
        done, total = (now.bytes, now.total or None) if now.files == 1 else (now.done, now.files)
        bars.update(task, total=total, completed=done, note=describe(now))
        if now.finished:
            bars.stop()

    return show


def describe(now: Progress) -> str:
    """A line for people: `12 of 40 files, 3.1 MB, 2 present`."""
    files = f"{now.done} of {now.files} files" if now.files is not None else f"{now.done} files"
    parts = ((now.present, "present"), (now.filtered, "filtered"), (now.failed, "failed"))
    named = [f"{count} {name}" for count, name in parts if count]
    return ", ".join([files, f"{now.bytes / 1e6:.1f} MB", *named])
