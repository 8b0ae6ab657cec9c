"""The Red Engine backend: a session that runs tasks when their conditions are true.

    from sessionkit_redengine import session, FuncTask

    @FuncTask(start_cond="daily between 10:00 and 12:00 & after task 'fetch'", execution="thread")
    def report(): ...

    session.start()

There is always a default session; `Session(...)` is another one, separate in every way. `RedEngine` is the
same with decorators. Names are imported when first used, so that a worker process imports what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.default import DefaultSession

if TYPE_CHECKING:
    from sessionkit_redengine.app import Grouper, RedEngine
    from sessionkit_redengine.config import Config
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.errors import (
        ConditionError,
        HistoryError,
        ParserError,
        SchedulerExit,
        SchedulerRestart,
        TaskExists,
        TaskFailed,
        TaskInactionException,
        TaskNotFound,
        TaskSetupError,
        TaskTerminationException,
    )
    from sessionkit_redengine.executors import dask
    from sessionkit_redengine.history import History, LogRecord, MemoryHistory
    from sessionkit_redengine.parameters import Parameters
    from sessionkit_redengine.tasks import CodeTask, CommandTask, FuncTask, Restart, ShutDown, Task

_HOMES = {
    "app": ("Grouper", "RedEngine"),
    "config": ("Config",),
    "errors": (
        *("ConditionError", "HistoryError", "ParserError", "SchedulerExit", "SchedulerRestart", "TaskExists"),
        *(
            "TaskFailed",
            "TaskInactionException",
            "TaskNotFound",
            "TaskSetupError",
            "TaskTerminationException",
        ),
    ),
    "executors": ("dask",),
    "history": ("History", "LogRecord", "MemoryHistory"),
    "parameters": ("Parameters",),
    "engine": ("Session",),
    "tasks": ("CodeTask", "CommandTask", "FuncTask", "Restart", "ShutDown", "Task"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

#: Stands for the default session, also after another one was made the default by `set_as_default()`.
session: Any = DefaultSession()

__all__ = [
    "CodeTask",
    "CommandTask",
    "ConditionError",
    "Config",
    "FuncTask",
    "Grouper",
    "History",
    "HistoryError",
    "LogRecord",
    "MemoryHistory",
    "Parameters",
    "ParserError",
    "RedEngine",
    "Restart",
    "SchedulerExit",
    "SchedulerRestart",
    "Session",
    "ShutDown",
    "Task",
    "TaskExists",
    "TaskFailed",
    "TaskInactionException",
    "TaskNotFound",
    "TaskSetupError",
    "TaskTerminationException",
    "dask",
    "session",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
