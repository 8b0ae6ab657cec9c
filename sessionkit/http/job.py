"""What `many` does: tasks, and how far each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sessionkit.http.message import Response
from sessionkit.http.stream import Stream
from sessionkit.outcome import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.clock import Deadline
    from sessionkit.errors import SessionKitError
    from sessionkit.http.flight import Flight
    from sessionkit.http.limits import ConcurrencyLimit
    from sessionkit.http.message import Call, Request


class Task:
    """One thing of many to be done: a call, and what to do with its answer.

    Attributes:
        call: What to ask; None when `finish` is all there is to do.
    """

    __slots__ = ("call",)

    finish: Callable[[Exchange | SessionKitError | None], Any] | None = None
    """What to do in a thread with what came, if anything; returns the result, and raises nothing."""

    def __init__(self, call: Call | None) -> None:
        self.call = call


class Job:
    """One task, and how far it is."""

    __slots__ = (
        "begun",
        "deadline",
        "done",
        "flight",
        "hops",
        "place",
        "request",
        "result",
        "signed",
        "started",
        "task",
    )

    def __init__(self, task: Task) -> None:
        self.task = task
        self.done = False
        self.result: Any = None
        self.hops = 0
        self.place: ConcurrencyLimit | None = None
        self.flight: Flight
        self.deadline: Deadline
        self.request: Request
        self.signed: Request
        self.started: float
        self.begun: float

    @property
    def call(self) -> Call:
        """The task's, of one that has any."""
        return cast("Call", self.task.call)

    def leave(self, came: object = None) -> None:
        """Give back the place under the session's limit; a stream that came keeps it until it is closed."""
        place, self.place = self.place, None
        if isinstance(came, Response) and came.raw is not None:
            came.place = place
        elif place is not None:
            place.release()


class Errand(NamedTuple):
    """What a thread is to do for a job; `close` what it would read from, if it will not be done."""

    job: Job
    work: Callable[[], Exchange | None]
    close: Callable[[], None] | None = None

    def drop(self) -> None:
        """It will not be done."""
        if self.close is not None:
            self.close()
        self.job.leave()


def close_unread(result: Any) -> None:
    """Close a stream that nobody will read."""
    if isinstance(result, Exchange) and getattr(result.response, "raw", None) is not None:
        Stream(result.response).close()
