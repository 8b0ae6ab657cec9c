"""What a history keeps, and how it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.history.state import ACTIONS, TaskState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sessionkit_redengine.output import OutputLine, Portion


@dataclass(slots=True)
class RunRecord:
    """One run as the history knows it. Instants are seconds since the epoch, UTC.

    Attributes:
        session: The session's name.
        task: The task's name.
        run_id: Unique.
        due: When it was due.
        started: When it was recorded, just before it began.
        ended: When it ended, or None.
        action: "run" while on its way, then how it ended.
        error: The traceback of a failed run, or "".
        owner: The scheduler that started it.
    """

    session: str
    task: str
    run_id: str
    due: float
    started: float
    ended: float | None = None
    action: str = "run"
    error: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line of a task's log: a run that started, or how it ended.

    Attributes:
        task_name: The task.
        action: "run", "success", "fail", "terminate", "inaction" or "crash".
        created: When it was (seconds since the epoch, UTC).
        run_id: The run.
        due: When the run was due.
        start: When it started.
        end: When it ended; None for "run".
        exc_text: The traceback, or "".
    """

    task_name: str
    action: str
    created: float
    run_id: str
    due: float
    start: float
    end: float | None = None
    exc_text: str = ""

    @property
    def runtime(self) -> float | None:
        """Seconds from start to end; None for "run"."""
        return None if self.end is None else self.end - self.start


@dataclass(frozen=True, slots=True)
class Query:
    """Which log records are wanted.

    Attributes:
        task_name: One task, several, or None for all.
        action: One action, several, or None for all.
        since, until: Only runs that started in `[since, until]`.
        limit: At most this many runs, the latest ones.
        run_id: One run.
    """

    task_name: str | Collection[str] | None = None
    action: str | Collection[str] | None = None
    since: float = float("-inf")
    until: float = float("inf")
    limit: int | None = None
    run_id: str | None = None
    tasks: frozenset[str] | None = field(init=False)
    actions: frozenset[str] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", _names(self.task_name))
        object.__setattr__(self, "actions", _names(self.action))
        unknown = (self.actions or frozenset()) - set(ACTIONS)
        if unknown:
            raise ConfigurationError(
                f"There is no action {min(unknown)!r}.", hint=f"the actions are {', '.join(ACTIONS)}"
            )

    def wants(self, run: RunRecord) -> bool:
        """Whether a run can have a record that is wanted."""
        return (
            (self.tasks is None or run.task in self.tasks)
            and self.since <= run.started <= self.until
            and (self.run_id is None or run.run_id == self.run_id)
            and (self.actions is None or "run" in self.actions or run.action in self.actions)
        )

    def lines(self, run: RunRecord) -> Iterator[LogRecord]:
        """The wanted records of a run."""
        wanted = self.actions
        shared = (run.run_id, run.due, run.started)
        if wanted is None or "run" in wanted:
            yield LogRecord(run.task, "run", run.started, *shared)
        if run.ended is not None and (wanted is None or run.action in wanted):
            yield LogRecord(run.task, run.action, run.ended, *shared, run.ended, run.error)


def _names(value: str | Collection[str] | None) -> frozenset[str] | None:
    if value is None:
        return None
    return frozenset((value,)) if isinstance(value, str) else frozenset(value)


class History(ABC):
    """Where a session keeps what its tasks have done.

    All instants are seconds since the epoch. Every method may be called from any thread.
    """

    #: Whether other schedulers may read and write the same history.
    shared = False
    #: Whether it is still there when this process has ended.
    lasting = False

    @abstractmethod
    def states(self, session: str) -> dict[str, TaskState]:
        """The record of every task of a session that has one."""

    @abstractmethod
    def state(self, session: str, task: str) -> TaskState | None:
        """The record of one task, read anew."""

    def changes(self, session: str, since: Any = None) -> tuple[dict[str, TaskState], Any]:  # noqa: ARG002 - it cannot tell
        """The records that may have changed since an earlier look, or all; and what to say next time.

        states, mark = history.changes("studio")
        changed, mark = history.changes("studio", mark)

        Args:
            session: The session.
            since: What the earlier look gave; None for all records.
        """
        return self.states(session), None

    @abstractmethod
    def claim(self, run: RunRecord, seen: str, order: str = "") -> bool:
        """Record that a run starts, unless another scheduler has started the task since.

        Args:
            run: The run.
            seen: The id of the latest run that the caller knows, or "".
            order: The order that the run carries out, which there must be still, and then is no more; or "".

        Returns:
            Whether it was recorded; both happen in one transaction, or neither.
        """

    @abstractmethod
    def finish(self, run: RunRecord) -> None:
        """Record how a run ended."""

    @abstractmethod
    def runs(self, session: str, query: Query) -> Iterator[RunRecord]:
        """The runs that a query wants, oldest first, read as they are asked for."""

    @abstractmethod
    def series(self, session: str, task: str) -> dict[str, list[float]]:
        """The latest instants of each action of a task, for counting."""

    def add_output(self, portions: Sequence[Portion]) -> None:  # noqa: B027 - a history may be of runs alone
        """Keep what runs have said, within the bounds of `sessionkit_redengine.output`."""

    def output(self, run_id: str, after: int = 0) -> tuple[int, list[OutputLine]]:  # noqa: ARG002 - see above
        """What a run has said, oldest first, after a portion; and the number of the latest portion."""
        return after, []

    def recover(self, session: str, now: float) -> list[RunRecord]:  # noqa: ARG002 - memory forgets its dead
        """Find runs whose process is gone, mark them "crash" and return those that nobody else has marked."""
        return []

    def paused(self, session: str) -> frozenset[str]:  # noqa: ARG002 - nobody else can pause them
        """The tasks that somebody has paused."""
        return frozenset()

    def others(self, now: float) -> bool:  # noqa: ARG002 - memory is ours alone
        """Whether other schedulers that are alive use the same history."""
        return False

    def orders(self, session: str) -> dict[str, str]:  # noqa: ARG002 - see `paused`
        """The tasks that somebody wants to run, by order, oldest first; a claim carries one out."""
        return {}

    def drop_order(self, order: str) -> bool:  # noqa: ARG002 - see `paused`
        """Have nobody carry an order out; whether nobody had."""
        return False

    def close(self) -> None:  # noqa: B027 - memory has none
        """Let go of files and connections."""
