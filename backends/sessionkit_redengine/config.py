"""The configuration of a session: what it does about errors, where tasks run, how long they may."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.conditions.language import parse_condition
from sessionkit_redengine.periods.durations import seconds
from sessionkit_redengine.periods.zones import zone_of
from sessionkit_redengine.tasks.fields import choice, count, execution, flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from sessionkit_redengine.conditions.base import Condition


def _positive(value: Any) -> int:
    if count(value) == 0:
        raise ConfigurationError("0 is too few.", hint="use a whole number from 1 up")
    return int(value)


def _pause(value: Any) -> float | None:
    return None if value is None or value == 0 else seconds(value)


def _text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigurationError(f"{value!r} is no text.")


def _session_execution(value: Any) -> Any:
    return execution("process" if value is None else value)


def _shut_condition(value: Any) -> Condition | None:
    return None if value is None else parse_condition(value)


def _callable(value: Any) -> Any:
    if value is None or callable(value):
        return value
    raise ConfigurationError(f"{value!r} cannot be called.")


def _start_method(value: Any) -> str | None:
    return None if value is None else choice(value, ("spawn", "fork", "forkserver"))


#: Every option: its default and how a value is read.
OPTIONS: Final[dict[str, tuple[Any, Callable[[Any], Any]]]] = {
    "cycle_sleep": (None, _pause),
    "execution": ("process", _session_execution),
    "force_status_from_logs": (False, flag),
    "func_run_id": (None, _callable),
    "instant_shutdown": (False, flag),
    "keep_output": (True, flag),
    "max_process_count": (os.cpu_count() or 1, _positive),
    "max_thread_count": (100, _positive),
    "multilaunch": (False, flag),
    "param_materialize": ("post", lambda value: choice(value, ("pre", "post"))),
    "process_start": (None, _start_method),
    "restarting": ("replace", lambda value: choice(value, ("replace", "relaunch", "fresh", "recall"))),
    "scheduler_logger_basename": ("sessionkit_redengine.scheduler", _text),
    "shut_cond": (None, _shut_condition),
    "shutdown_timeout": (float("inf"), seconds),
    "silence_cond_check": (True, flag),
    "silence_task_logging": (True, flag),
    "silence_task_prerun": (True, flag),
    "task_logger_basename": ("sessionkit_redengine.task", _text),
    "task_pre_exist": ("raise", lambda value: choice(value, ("raise", "replace", "ignore", "rename"))),
    "task_priority": (0, lambda value: value if isinstance(value, (int, float)) else count(value)),
    "tasks_as_daemon": (True, flag),
    "timeout": (1800.0, seconds),
    "timezone": (None, lambda value: value if value is None else zone_of(value)),
    "use_instance_naming": (False, flag),
}
_ALIASES: Final = {"task_execution": "execution"}


class Config:
    """The options of a session. Each can be given to the session and set later; unknown ones are errors.

    Attributes:
        task_pre_exist: What to do about a new task whose name exists: "raise" an error, "replace" the earlier
            task, "ignore" the new one, or "rename" it ("name - 1").
        use_instance_naming: Name a task that was given no name by its `id()`.
        silence_task_prerun: Whether a run that fails before its task begins is only recorded as failed and
            reported (default), or also ends the scheduler with a `TaskSetupError`.
        silence_cond_check: Whether a condition that raises counts as false and is reported (default), or ends
            the scheduler with a `ConditionError`.
        silence_task_logging: Whether a history that cannot be written is reported and tried again (default),
            or ends the scheduler with a `HistoryError`. A run that cannot be recorded is not started.
        force_status_from_logs: Read what tasks have done from the history at each look, for a history that
            others write too, instead of remembering it.
        cycle_sleep: Seconds to wait after each cycle, and between two looks at conditions that do not tell
            when they change. None waits for nothing but what is due, and looks at those each second.
        execution: Where tasks run that do not say: "process", "thread", "main", "async" or an executor.
            Also known as `task_execution`.
        task_priority: The priority of tasks that do not say.
        keep_output: Whether what tasks print and log, and programs write, is heard and kept in the history.
        max_process_count, max_thread_count: How many runs of that kind at once.
        process_start: "spawn", "fork" or "forkserver"; None is a fork server where there is one.
        tasks_as_daemon: Whether processes are daemons.
        timeout: Seconds (or a duration) that a run may take unless its task says; "never".
        multilaunch: Whether tasks may run beside themselves unless they say.
        shut_cond: When to end the scheduler.
        instant_shutdown: Whether to end what runs, instead of waiting for it, when the scheduler ends.
        shutdown_timeout: Seconds to wait then, before what still runs is ended.
        restarting: How to start again: "replace" this process, "relaunch" it as another, also in a "fresh"
            session of the terminal, or "recall" the scheduler here.
        param_materialize: Where a `FuncArg` is called: "post", where the task runs; "pre", in the scheduler.
        func_run_id: Makes a run's id from the task and the run's parameters; None is a random one.
        timezone: A name or a tzinfo; None is this machine's.
        task_logger_basename, scheduler_logger_basename: Names of the standard library's loggers.

    Raises:
        ConfigurationError: for an option that does not exist, and a value that it cannot have.
    """

    cycle_sleep: float | None
    execution: Any
    force_status_from_logs: bool
    func_run_id: Any
    instant_shutdown: bool
    keep_output: bool
    max_process_count: int
    max_thread_count: int
    multilaunch: bool
    param_materialize: str
    process_start: str | None
    restarting: str
    scheduler_logger_basename: str
    shut_cond: Condition | None
    shutdown_timeout: float
    silence_cond_check: bool
    silence_task_logging: bool
    silence_task_prerun: bool
    task_logger_basename: str
    task_pre_exist: str
    task_priority: float
    tasks_as_daemon: bool
    timeout: float
    timezone: tzinfo | None
    use_instance_naming: bool

    _listeners: tuple[Callable[[str], None], ...] = ()

    def __init__(self, **options: Any) -> None:
        for name, (default, _) in OPTIONS.items():
            object.__setattr__(self, name, default)
        for name, value in options.items():
            setattr(self, name, value)

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Have `callback(option)` called after each change."""
        object.__setattr__(self, "_listeners", (*self._listeners, callback))

    def __setattr__(self, name: str, value: Any) -> None:
        name = _ALIASES.get(name, name)
        if name not in OPTIONS:
            raise ConfigurationError(
                f"There is no configuration option {name!r}.", hint=f"the options are {', '.join(OPTIONS)}"
            )
        try:
            value = OPTIONS[name][1](value)
        except ConfigurationError as error:
            error.message = f"The option {name}: {error.message}"
            raise
        object.__setattr__(self, name, value)
        for callback in self._listeners:
            callback(name)

    def to_dict(self) -> dict[str, Any]:
        """All options as they are."""
        return {name: getattr(self, name) for name in OPTIONS}

    def __repr__(self) -> str:
        changed = {name: value for name, value in self.to_dict().items() if value != OPTIONS[name][0]}
        return f"Config({', '.join(f'{name}={value!r}' for name, value in changed.items())})"
