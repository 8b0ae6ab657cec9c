"""One run of a task: the call of this session, the request it becomes, and the outcome that comes back."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from sessionkit_redengine.executors.base import Executor
    from sessionkit_redengine.output import OutputLine, RunOutput
    from sessionkit_redengine.tasks.base import Task


class Flag:
    """A `threading.Event`, made when somebody waits on it: most runs are never told to end.

    Pickled, it is a new one that nobody sets: a run in another process is ended from outside.
    """

    __slots__ = ("_calls", "_event", "_set")

    def __init__(self) -> None:
        self._set = False
        self._event: threading.Event | None = None
        self._calls: tuple[Callable[[], None], ...] = ()

    def set(self) -> None:
        """Tell the run to end."""
        self._set = True
        if self._event is not None:
            self._event.set()
        for call in self._calls:
            call()

    def is_set(self) -> bool:
        """Whether it was told to."""
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds to be told; whether it was."""
        if self._event is None:
            self._event = threading.Event()
        if self._set:
            self._event.set()
        return self._event.wait(timeout)

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """Have `call` called if the run is told to end inside the block; at once if it was before."""
        self._calls = (call,)
        try:
            if self._set:
                call()
            yield
        finally:
            self._calls = ()

    def __reduce__(self) -> tuple[type[Flag], tuple[()]]:
        return Flag, ()


class Batch(NamedTuple):
    """A wish for one run: with which parameters, who waits for what it returns, and the order it is from."""

    parameters: Mapping[str, Any]
    future: Future[Any] | None = None
    order: str = ""


NO_WISHES = Batch({})


class Run:
    """One run.

    Attributes:
        id: Unique in the history.
        task: What runs.
        due: When it was due (seconds since the epoch); before `started` when it is late.
        started: When it was recorded and handed over.
        parameters: What was given to `task.run(...)`, besides the task's own parameters.
        event: The event that started it, or None.
        flag: Set when it is to end.
        ending: Why it was told to end, or "".
        executor: What it was handed to.
        future: Who waits for what it returns, or None.
        said: What it says, or None while it has said nothing.
    """

    __slots__ = (
        *("due", "ending", "event", "executor", "flag", "future", "handle", "id"),
        *("parameters", "said", "started", "task"),
    )

    def __init__(self, run_id: str, task: Task, due: float, batch: Batch = NO_WISHES) -> None:
        self.id = run_id
        self.task = task
        self.due = due
        self.started = due
        self.parameters = batch.parameters
        self.future = batch.future
        self.event: Mapping[str, Any] | None = None
        self.flag = Flag()
        self.ending = ""
        self.executor: Executor | None = None
        self.handle: Any = None
        self.said: RunOutput | None = None

    @property
    def output(self) -> RunOutput | None:
        """What hears what it says; None if its session keeps no output."""
        return self.said or self.task.session.scheduler.output.of(self)

    def hear(self, lines: Sequence[OutputLine]) -> None:
        """Take in what it said in another process."""
        self.task.session.scheduler.output.receive(self, lines)

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.task.name!r}>"


class Job(NamedTuple):
    """What a worker needs to run a task: picklable when the function and its arguments are.

    Attributes:
        call: What to call.
        kwargs: With what; a `LateCall` among them is made first.
        late: Whether there are any.
        hooks: The session's `task_execute` hooks, which run around the call.
        task: What hooks are given: the task, or in another process its name.
    """

    call: Callable[..., Any]
    kwargs: dict[str, Any]
    late: bool = False
    hooks: tuple[Callable[..., Any], ...] = ()
    task: Any = None


class RemoteError(Exception):
    """What a task raised in another process, as text: the exception itself may not survive the way."""


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        action: One of the history's actions, "run" excluded.
        value: What the task returned.
        error: What it raised, or None; across processes only its text.
        text: The traceback, or "".
        control: "restart" or "exit" when the task asked the scheduler for it, else "".
        lines: What it said where nobody could be told at once.
    """

    action: str
    value: Any = None
    error: BaseException | None = None
    text: str = ""
    control: str = ""
    lines: Sequence[OutputLine] = ()

    @property
    def reason(self) -> str:
        """Why it did not succeed, in one line; "" where nobody said."""
        said = str(self.error).partition("\n")[0] if self.error is not None else ""
        if self.error is None or isinstance(self.error, RemoteError):
            return said
        return f"{type(self.error).__name__}: {said}"
