"""Where runs happen: the scheduler's thread, threads, processes, an event loop, any executor of the user."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.executors.future import FutureExecutor, dask
from sessionkit_redengine.executors.local import MainExecutor, ThreadExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.config import Config
    from sessionkit_redengine.executors.base import Done
    from sessionkit_redengine.tasks.base import Task

__all__ = ["Executor", "Executors", "dask"]


class Executors:
    """The executors of one scheduler, made when first needed and used for all its runs.

    Args:
        config: The session's configuration.
        done: Called with each run that has ended.
    """

    def __init__(self, config: Config, done: Done) -> None:
        self._config = config
        self._done = done
        self._made: dict[Any, Executor] = {}
        self.loop: Any = None

    def of(self, task: Task, execution: Any = None) -> Executor:
        """The executor that runs a task: the given one, else the task's, else the session's."""
        kind: Any = execution or task.execution or self._config.execution
        if kind == "process":
            daemon = self._config.tasks_as_daemon if task.daemon is None else task.daemon
            kind = ("process", daemon)
        executor = self._made.get(kind)
        if executor is None:
            executor = self._made[kind] = self._make(kind)
        return executor

    def _make(self, kind: Any) -> Executor:
        if isinstance(kind, concurrent.futures.Executor):
            return FutureExecutor(self._done, kind)
        if isinstance(kind, tuple):
            return self._processes(daemon=kind[1])
        makers: dict[str, Callable[[], Executor]] = {
            "main": lambda: MainExecutor(self._done),
            "thread": lambda: ThreadExecutor(self._done, self._config.max_thread_count),
            "async": self._loop,
        }
        return makers[kind]()

    def _processes(self, *, daemon: bool) -> Executor:
        import multiprocessing  # noqa: PLC0415 - see above

        from sessionkit_redengine.executors.process import (  # noqa: PLC0415 - 15 ms that only its users spend
            ProcessExecutor,
        )

        method = self._config.process_start
        context = multiprocessing.get_context(method) if method else None
        return ProcessExecutor(self._done, self._config.max_process_count, context, daemon=daemon)

    def _loop(self) -> Executor:
        from sessionkit_redengine.executors.aio import AsyncExecutor  # noqa: PLC0415 - asyncio is not cheap

        return AsyncExecutor(self._done, self.loop)

    def begin_cycle(self) -> None:
        """See `Executor`."""
        for executor in self._made.values():
            executor.begin_cycle()

    def close(self, timeout: float) -> None:
        """Drop all workers; executors that the user made stay open."""
        made, self._made = self._made, {}
        for executor in made.values():
            executor.close(timeout)
