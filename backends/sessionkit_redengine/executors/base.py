"""What the scheduler asks of whatever runs tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.runs import Job, Outcome, Run

    #: Called once for each run, from any thread, when it has ended.
    Done: TypeAlias = "Callable[[Run, Outcome], None]"


class Executor(ABC):
    """Runs jobs. None of these methods waits for a job, so the scheduler never does.

    Args:
        done: Called with each run and its outcome when it has ended.
    """

    #: How many runs at once; None has no limit. Beyond it, due tasks wait for a place.
    capacity: int | None = None
    #: Whether a run's jobs leave this process, so that all in them must be picklable.
    remote = False

    #: Whether anything can be done about a run that takes too long.
    can_end = True

    def __init__(self, done: Done) -> None:
        self.done = done
        #: Runs handed over and not ended; counted by the scheduler.
        self.active = 0

    @abstractmethod
    def start(self, run: Run, job: Job) -> None:
        """Begin a job, or queue it behind others.

        Raises:
            Exception: when it cannot even be queued; the run has failed then.
        """

    def begin_cycle(self) -> None:  # noqa: B027 - most remember nothing
        """The scheduler begins to start what is due: forget what was remembered of its surroundings."""

    def end(self, run: Run) -> None:  # noqa: B027 - the flag is all that most can do
        """Make a run end: at once where that can be forced; elsewhere its flag, set already, asks for it."""

    def close(self, timeout: float) -> None:  # noqa: B027 - most have nothing to drop
        """Drop all workers; those that still run are ended where that can be forced.

        Args:
            timeout: Seconds to wait for those that end by themselves.
        """
