"""A rate limit that all threads and processes of a machine keep together."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from sessionkit import fork
from sessionkit.errors import CallTimeout, ConfigurationError

if TYPE_CHECKING:
    from sessionkit.clock import Deadline

_MOMENT = struct.Struct("<d")
_BURST = 0.1
_HORIZON = 3600.0
# The lock is held for microseconds. Who waits longer than this waits for a process that was stopped, and
# keeps the rate alone for a while.
_PATIENCE = 1.0
_ALONE = 60.0


class Pace:
    """At most `rate` requests a second for everybody who names the same account.

    The moment at which the next request may leave lies in a small file; who wants to send takes it and
    moves it on. A tenth of a second's worth may leave at once. Where the file cannot be written or locked,
    each process keeps the rate for itself.

    Args:
        rate: Requests a second.
        account: Whose limit it is.

    Raises:
        ConfigurationError: a rate that is not above zero.
    """

    def __init__(self, rate: float, account: str) -> None:
        if not 0 < rate < float("inf"):
            raise ConfigurationError(f"rate_limit is {rate}", hint="requests a second, above zero")
        self._interval = 1.0 / rate
        name = hashlib.sha256(account.encode()).hexdigest()[:16]
        owner = os.getuid() if hasattr(os, "getuid") else "user"
        self._path = Path(tempfile.gettempdir()) / f"sessionkit-helios-{owner}" / f"{name}.pace"
        self._own = 0.0
        self._alone_until = 0.0
        fork.aware(self).after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Locks of a parent's threads are of no use to its child."""
        self._lock = threading.Lock()
        self._file_lock = filelock.FileLock(f"{self._path}.lock", thread_local=False, fallback_to_soft=False)

    def wait(self, deadline: Deadline) -> None:
        """Wait for this request's turn.

        Raises:
            CallTimeout: when that would be after `deadline`.
        """
        left = deadline.remaining()
        with self._lock:
            delay = self._take(left)
        if delay > left:
            raise CallTimeout(
                f"the rate limit leaves no room for this call within {deadline.seconds:g} s",
                hint="raise rate_limit= or timeout=",
                sent=False,
            )
        if delay > 0:
            deadline.sleep(delay)

    def _take(self, longest: float) -> float:
        """Seconds until this request may leave; its place is taken unless that is longer than `longest`."""
        try:
            delay, following = self._take_together(longest)
        except filelock.Timeout:
            self._alone_until = time.monotonic() + _ALONE
            delay, following = self._next(self._own)
        except OSError:
            delay, following = self._next(self._own)
        if delay <= longest:
            self._own = following
        return delay

    def _take_together(self, longest: float) -> tuple[float, float]:
        """As `_next`, by the file.

        Raises:
            OSError: it cannot be used.
        """
        if time.monotonic() < self._alone_until:
            raise BlockingIOError
        _make_private(self._path.parent)
        with self._file_lock.acquire(timeout=_PATIENCE):
            delay, following = self._next(self._read())
            if delay <= longest:
                self._path.write_bytes(_MOMENT.pack(following))
        return delay, following

    def _next(self, planned: float) -> tuple[float, float]:
        # All processes of a machine share this clock. A moment far ahead is from before it was started anew.
        now = time.monotonic()
        begin = max(now - _BURST, planned if planned < now + _HORIZON + self._interval else 0.0)
        return max(0.0, begin - now), begin + self._interval

    def _read(self) -> float:
        try:
            (planned,) = _MOMENT.unpack(self._path.read_bytes())
        except (OSError, struct.error):
            return 0.0
        return float(planned) if planned == planned else 0.0  # noqa: PLR0124 - not a number is not itself


def _make_private(folder: Path) -> None:
    """Make the folder, or see that it is this user's: another's could hold links to any file of ours.

    Raises:
        OSError: it is not, or cannot be made.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise PermissionError(f"{folder} is not a folder of this user's")
