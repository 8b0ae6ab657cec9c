"""The fields of a task that can be set, and how each value is read. One row each."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.conditions.base import AlwaysFalse, AlwaysTrue, Condition
from sessionkit_redengine.parameters import Parameters
from sessionkit_redengine.periods.durations import seconds

if TYPE_CHECKING:
    from sessionkit_redengine.tasks.base import Task

#: Where a task may run, besides any `concurrent.futures.Executor`.
EXECUTIONS: Final = ("main", "thread", "process", "async")
#: What to do about runs that could not be made in time.
MISSED: Final = ("skip", "once", "all")

Reader: TypeAlias = "Callable[[Task, Any], Any]"


def execution(value: Any) -> Any:
    """One of `EXECUTIONS`, an executor, or None (as the session's configuration says)."""
    if value is None or value in EXECUTIONS or isinstance(value, concurrent.futures.Executor):
        return value
    raise ConfigurationError(
        f"There is no execution {value!r}.",
        hint=f"use one of {', '.join(EXECUTIONS)} or a concurrent.futures.Executor",
    )


def _condition(task: Task, value: Any) -> Condition:
    if isinstance(value, bool):
        return AlwaysTrue() if value else AlwaysFalse()
    return task.session.parse_condition(value)


def _flag(_: Task, value: Any) -> bool:
    return flag(value)


def flag(value: Any) -> bool:
    """True or False and nothing else."""
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"{value!r} is neither True nor False.")


def _count(_: Task, value: Any) -> int:
    return count(value)


def count(value: Any) -> int:
    """A whole number from zero up."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(f"{value!r} is no count.", hint="use a whole number from 0 up")


def _number(_: Task, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ConfigurationError(f"{value!r} is no number.")


def _text(_: Task, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(f"{value!r} is no text.")


def _choice(*choices: str) -> Reader:
    def read(_: Task, value: Any) -> str:
        return choice(value, choices)

    return read


def choice(value: Any, choices: tuple[str, ...]) -> str:
    """One of some words."""
    if value in choices:
        return str(value)
    raise ConfigurationError(f"{value!r} is not possible here.", hint=f"use one of {', '.join(choices)}")


def _timeout(_: Task, value: Any) -> float | None:
    return None if value is None else seconds(value)


def _delay(_: Task, value: Any) -> float:
    return 0.0 if value == 0 else seconds(value)


def _parameters(_: Task, value: Any) -> Parameters:
    if value is None or isinstance(value, Mapping):
        return Parameters(dict(value or {}))
    raise ConfigurationError(f"Parameters are a mapping, not {type(value).__name__}.")


def _optional(read: Reader) -> Reader:
    return lambda task, value: None if value is None else read(task, value)


READERS: Final[dict[str, Reader]] = {
    "daemon": _optional(_flag),
    "description": _text,
    "disabled": _flag,
    "end_cond": _condition,
    "execution": lambda _, value: execution(value),
    "fmt_log_message": _text,
    "force_run": _flag,
    "force_termination": _flag,
    "logger_name": _text,
    "missed": _choice(*MISSED),
    "multilaunch": _optional(_flag),
    "on_shutdown": _flag,
    "on_startup": _flag,
    "parameters": _parameters,
    "permanent": _flag,
    "priority": _number,
    "retries": _count,
    "retry_delay": _delay,
    "start_cond": _condition,
    "timeout": _timeout,
}
#: Fields after whose change the scheduler has to look at the task again.
SCHEDULING: Final = frozenset(
    (
        "disabled",
        "end_cond",
        "force_run",
        "force_termination",
        "multilaunch",
        "on_shutdown",
        "on_startup",
        "start_cond",
        "missed",
        "retries",
    )
)
#: Red Engine 2's names of fields.
ALIASES: Final = {"permanent_task": "permanent"}
