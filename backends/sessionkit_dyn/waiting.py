"""Why and how long a call waits: for its job, for a task that holds the zone, for the account's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sessionkit.outcome import Again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit.errors import RequestError
    from sessionkit.outcome import Attempt

#: Seconds of the first wait, and of any wait at most, by what is waited for.
PACE: Final[dict[str, tuple[float, float]]] = {
    "job": (1.0, 5.0),
    "busy": (1.0, 5.0),
    "task": (1.0, 10.0),
    "limit": (5.0, 15.0),
}
_GROWTH: Final = 1.6


class Progress(NamedTuple):
    """What a call is waiting for.

    Attributes:
        what: "job" (the call became a job), "busy" (another job of this session runs), "task" (a task of
            the service holds the zone), "limit" (the account has asked too often).
        call: "POST /REST/Zone/example.test/".
        number: The job's or task's number, where it is known.
        elapsed: Seconds the call has taken so far.
        delay: Seconds until it asks again.
    """

    what: str
    call: str
    number: int | None
    elapsed: float
    delay: float


class Waiting(Again):
    """Ask again, and say what is being waited for."""

    __slots__ = ("elapsed", "number", "what")

    def __init__(
        self,
        what: str,
        attempts: Sequence[Attempt],
        error: RequestError,
        *,
        number: int | None = None,
        request: Any = None,
        delay: float | None = None,
    ) -> None:
        pause = pace(what, attempts) if delay is None else delay
        super().__init__(request, delay=pause, reason=f"{what} {number or ''}".strip(), error=error)
        self.what = what
        self.number = number
        self.elapsed = sum(attempt.elapsed + attempt.waited for attempt in attempts)


def pace(what: str, attempts: Sequence[Attempt]) -> float:
    """Seconds until the next question: more each time, up to a limit."""
    first, longest = PACE[what]
    last = attempts[-1].waited if attempts else 0.0
    return min(longest, max(first, last * _GROWTH))
