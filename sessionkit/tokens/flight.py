"""One renewal and the threads that wait for it; and the pause after one that failed."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from sessionkit.tokens.store import waitable

if TYPE_CHECKING:
    from sessionkit.clock import Deadline
    from sessionkit.tokens.token import Token


class Flight:
    """A renewal under way: one thread performs it, any number wait for how it ends.

    Attributes:
        replacing: The token it is to replace, if there was one.
        logouts: How often the user had logged out when it began; nothing is kept of one from before a logout.
        seen: What the store kept when it was last looked into.
        until: When those who wait may take it for hung (monotonic seconds).
        fetched: Whether its token came from the service, not from the store.
    """

    __slots__ = ("_done", "_error", "_token", "fetched", "logouts", "replacing", "seen", "until")

    def __init__(self, replacing: Token | None, until: float, logouts: int = 0) -> None:
        self.replacing = replacing
        self.logouts = logouts
        self.seen: Token | None = None
        self.until = until
        self.fetched = False
        self._token: Token | None = None
        self._error: Exception | None = None
        self._done = threading.Event()

    def land(self, token: Token | None, error: Exception | None) -> None:
        """Tell everybody who waits how it ended; only the first ending counts."""
        if not self._done.is_set():
            self._token, self._error = token, error
            self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False when it has not come within `seconds`."""
        return self._done.wait(waitable(seconds))

    def result(self) -> Token | None:
        """The token; None when it ended without a token or an error and should be tried again."""
        if self._token is None and self._error is not None:
            raise_copy(self._error)
        return self._token


@dataclass(frozen=True)
class Backoff:
    """The pause after failed renewals, so that a dead token endpoint is not hammered."""

    failures: int = 0
    until: float = float("-inf")
    error: Exception | None = None

    def after(self, error: Exception, now: float) -> Backoff:
        """The pause that follows one more failure: 0.1 s, doubling to 5 s."""
        return Backoff(self.failures + 1, now + min(5.0, 0.1 * 2 ** min(self.failures, 10)), error)

    def sit_out(self, deadline: Deadline, now: float) -> None:
        """Wait for the end of the pause; raise the last error again when `deadline` comes before it."""
        pause = self.until - now
        if pause <= 0:
            return
        if self.error is not None and pause >= deadline.remaining():
            raise_copy(self.error)
        deadline.sleep(pause)


def raise_copy(error: Exception) -> NoReturn:
    """Raise a copy of `error`, caused by it: one object raised in many threads would mix their tracebacks.

    An error that cannot be copied is raised itself.
    """
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001 - whatever an exception class of somebody else's does when copied
        twin = error
    if twin is error or type(twin) is not type(error):
        raise error
    raise twin.with_traceback(None) from error
