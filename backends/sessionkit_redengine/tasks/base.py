"""What all tasks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit.errors import ConfigurationError
from sessionkit_redengine import default
from sessionkit_redengine.conditions.base import AlwaysFalse, Condition
from sessionkit_redengine.hooks import around
from sessionkit_redengine.parameters import Parameters
from sessionkit_redengine.tasks.fields import ALIASES, READERS, SCHEDULING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.history.state import TaskState
    from sessionkit_redengine.periods.base import Period
    from sessionkit_redengine.runs import Run

_NEVER = AlwaysFalse()


class Task(ABC):
    """Something that a session runs when its start condition is true.

    A new kind of task says what a run does, in `execute`:

        class Beep(Task):
            def execute(self, times=1):
                print("beep " * times)

        Beep(name="beep", start_cond="every 10 minutes")

    It may also say what follows: `process_success(output)`, `process_failure(error)` and
    `process_finish(action)` are called after `execute`, where the task runs.

    Args:
        session: Whose task this is; None is the default session.
        name: Unique in the session; a kind of task may make one up.
        fields: Any of the attributes below that can be set.

    Attributes:
        start_cond: When to run; text is parsed. Without one the task runs when told to.
        end_cond: When to end a run that is on its way.
        execution: "main", "thread", "process", "async" or a `concurrent.futures.Executor`; None is the
            session's.
        priority: Of tasks due at once, those with a higher one start first, then those made first.
        disabled: Whether the start condition is ignored; set again to go on.
        force_run: Set to run once, whatever the condition says.
        force_termination: Set to end the runs on their way.
        timeout: Seconds (or a duration) after which a run is ended; "never"; None is the session's.
        parameters: What the task is given, besides and before the session's parameters.
        on_startup, on_shutdown: Whether to run when the scheduler starts or ends, and only then.
        permanent: Whether a run may last for ever: no timeout, and not waited for when the scheduler ends.
        daemon: Whether its process is a daemon; None is the session's `tasks_as_daemon`.
        multilaunch: Whether it may run beside itself; None is the session's.
        retries: How often a failed run is tried again before the next due time.
        retry_delay: Seconds (or a duration) before a retry.
        missed: What to do about due times that passed while the scheduler was down, asleep or busy: "skip"
            them, run "once" for them, or "all" of them, each with its own due time.
        description, logger_name, fmt_log_message: For people and logs.

    Raises:
        ConfigurationError: for a field that does not exist, and a value that it cannot have.
        TaskExists: when there is a task of this name, as `task_pre_exist` says.
    """

    session: Session
    name: str
    description: str | None = None
    logger_name: str | None = None
    execution: Any = None
    priority: float = 0
    disabled: bool = False
    force_run: bool = False
    force_termination: bool = False
    timeout: float | None = None
    start_cond: Condition = _NEVER
    end_cond: Condition = _NEVER
    on_startup: bool = False
    on_shutdown: bool = False
    daemon: bool | None = None
    permanent: bool = False
    multilaunch: bool | None = None
    retries: int = 0
    retry_delay: float = 0.0
    missed: str = "skip"
    fmt_log_message: str = "Task '{task}' status: '{action}'"

    #: Fields that a kind of task adds, by name.
    more_fields: ClassVar[frozenset[str]] = frozenset()

    # What the session and its scheduler keep here.
    order: int = -1
    state: TaskState
    _registered = False
    _parameters: Parameters | None = None
    _generation = 0

    def __init__(self, *, session: Session | None = None, name: str | None = None, **fields: Any) -> None:
        home = default.actual(session)
        object.__setattr__(self, "session", home)
        if home.hooks.task_init:
            with around(home.hooks.task_init, self):
                self._settle(name, fields)
        else:
            self._settle(name, fields)

    def _settle(self, name: str | None, fields: dict[str, Any]) -> None:
        for field, value in fields.items():
            setattr(self, field, value)
        if name is not None and (not isinstance(name, str) or not name):
            raise ConfigurationError(f"A task's name is text, not {name!r}.")
        if name is None and self._is_ready():
            name = f"{id(self)}" if self.session.config.use_instance_naming else self.get_default_name()
        if name is not None:
            object.__setattr__(self, "name", name)
        if self._is_ready():
            self.session.add_task(self)

    def _is_ready(self) -> bool:
        """Whether the task is complete; a decorator's task is only once it has a function."""
        return True

    def __setattr__(self, field: str, value: Any) -> None:
        field = ALIASES.get(field, field)
        read = READERS.get(field)
        if read is not None:
            value = self._read(field, read, value)
            if field == "parameters":
                field = "_parameters"
        elif field not in _INTERNAL and field not in self.more_fields:
            raise ConfigurationError(
                f"A {type(self).__name__} has no field {field!r}.",
                hint=f"its fields are {', '.join(sorted([*READERS, *self.more_fields]))}",
            )
        object.__setattr__(self, field, value)
        if self._registered and field in SCHEDULING:
            self.session.touch(self)

    def _read(self, field: str, read: Callable[[Task, Any], Any], value: Any) -> Any:
        try:
            return read(self, value)
        except ConfigurationError as error:
            if not error.message.startswith("A task's "):
                error.message = f"A task's {field}: {error.message}"
            raise

    @abstractmethod
    def execute(self, **parameters: Any) -> Any:
        """Do the work of one run and return its result."""

    def get_default_name(self) -> str:
        """The name of a task that was given none."""
        raise ConfigurationError(f"A {type(self).__name__} needs a name.", hint='give it one with name="..."')

    def job_call(self) -> Callable[..., Any]:
        """What a worker calls; picklable for tasks that run in other processes."""
        return Body(self)

    def job_parameters(self, run: Run) -> dict[str, Any]:
        """The parameters of a run, argument objects not resolved yet: the task's own, then the run's."""
        own = self._parameters
        return {**(own.to_dict() if own else {}), **run.parameters}

    def process_success(self, output: Any) -> None:  # noqa: B027 - nothing, unless a kind of task says
        """Called with what `execute` returned; what it raises makes the run fail."""

    def process_failure(self, error: BaseException) -> None:  # noqa: B027 - nothing, unless a kind of task says
        """Called with what `execute` raised."""

    def process_finish(self, action: str) -> None:  # noqa: B027 - nothing, unless a kind of task says
        """Called last, with "success" or "fail"."""

    # --- what the task has done ---

    @property
    def parameters(self) -> Parameters:
        """What the task is given; argument objects among them stay what they are."""
        if self._parameters is None:
            object.__setattr__(self, "_parameters", Parameters())
        assert self._parameters is not None
        return self._parameters

    @parameters.setter
    def parameters(self, value: Any) -> None:
        raise NotImplementedError(
            value
        )  # __setattr__ comes first; this tells type checkers that it can be set

    @property
    def status(self) -> str | None:
        """How the latest run stands: "run", "success", "fail", "terminate", "inaction", "crash", or None."""
        return self.get_status()

    def get_status(self) -> str | None:
        """The same, read from the history when `force_status_from_logs` is set."""
        return self.session.record.of(self).status

    def _moment(self, *actions: str) -> datetime | None:
        instant = self.session.record.of(self).latest(*actions)
        return None if instant is None else datetime.fromtimestamp(instant, self.session.zone)

    @property
    def last_run(self) -> datetime | None:
        """When the latest run started, in the session's time zone."""
        return self._moment("run")

    @property
    def last_success(self) -> datetime | None:
        """When the task last succeeded."""
        return self._moment("success")

    @property
    def last_fail(self) -> datetime | None:
        """When it last failed."""
        return self._moment("fail")

    @property
    def last_terminate(self) -> datetime | None:
        """When a run was last terminated."""
        return self._moment("terminate")

    @property
    def last_inaction(self) -> datetime | None:
        """When it last found nothing to do."""
        return self._moment("inaction")

    @property
    def last_crash(self) -> datetime | None:
        """When a run's end with its process was found."""
        return self._moment("crash")

    @property
    def is_running(self) -> bool:
        """Whether a run is on its way."""
        return bool(self.session.record.of(self).running)

    def is_alive(self) -> bool:
        """The same: whether a run is on its way."""
        return self.is_running

    @property
    def next_due(self) -> datetime | None:
        """When the task will next be looked at to be run; None if only something else can make that known."""
        return self.session.next_due(self)

    @property
    def period(self) -> Period | None:
        """The period in which the task runs once, from its start condition, or None."""
        return self.session.period_of(self)

    # --- what can be done with it ---

    def run(self, **parameters: Any) -> Future[Any]:
        """Have the task run once, soon, with these parameters, whatever its start condition says.

        Returns:
            A future of what the run returns; it raises `TaskFailed` when the run does not succeed.
        """
        return self.session.request_run(self, parameters)

    def terminate(self) -> None:
        """Have all its runs ended."""
        self.force_termination = True

    def delete(self) -> None:
        """Take the task out of its session."""
        self.session.remove_task(self)

    def to_dict(self) -> dict[str, Any]:
        """The fields that can be set, and the name."""
        return {"name": self.name, **{field: getattr(self, field) for field in self._fields()}}

    def _fields(self) -> Iterable[str]:
        return sorted([*READERS, *self.more_fields])

    def __bool__(self) -> bool:
        """Whether the task would be started now: `force_run` wins over `disabled` wins over `start_cond`."""
        if self.force_run or self.disabled:
            return self.force_run
        return self.session.check(self.start_cond, self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'name', '(unnamed)')!r}>"

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: not the session, nor conditions."""
        return {field: value for field, value in vars(self).items() if field in self._kept_in_worker()}

    def _kept_in_worker(self) -> frozenset[str]:
        return self.more_fields | {"name", "description"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for field, value in state.items():
            object.__setattr__(self, field, value)


_INTERNAL = frozenset(
    ("session", "name", "order", "state", "_registered", "_parameters", "_generation", "_description")
)


class Body:
    """A task's `execute` with what follows it; picklable when the task's class is."""

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, **parameters: Any) -> Any:
        """Run it."""
        action = "fail"
        try:
            output = self.task.execute(**parameters)
            self.task.process_success(output)
            action = "success"
        except Exception as error:
            self.task.process_failure(error)
            raise
        finally:
            self.task.process_finish(action)
        return output
