"""Runs in any `concurrent.futures.Executor`: the standard library's pools, Dask, and whatever else is one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.errors import TaskCrashed
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.runs import Job, Outcome, Run
from sessionkit_redengine.worker import perform

if TYPE_CHECKING:
    import concurrent.futures

    from sessionkit_redengine.executors.base import Done


class FutureExecutor(Executor):
    """Hands jobs to an executor that the user made, and that the user closes.

    One that runs them elsewhere (`ProcessPoolExecutor`, Dask) needs `sessionkit_redengine` and the task's
    function to be importable there. A run can be ended as far as its executor can cancel it.
    """

    remote = True

    def __init__(self, done: Done, pool: concurrent.futures.Executor) -> None:
        super().__init__(done)
        self._pool = pool

    def start(self, run: Run, job: Job) -> None:
        """Submit it."""
        future = self._pool.submit(perform, job)
        run.handle = future
        future.add_done_callback(partial(self._ended, run))

    def end(self, run: Run) -> None:
        """Cancel it, if it has not begun."""
        if run.handle is not None:
            run.handle.cancel()

    def _ended(self, run: Run, future: concurrent.futures.Future[Any]) -> None:
        self.done(run, _outcome(future))


def _outcome(future: concurrent.futures.Future[Any]) -> Outcome:
    if future.cancelled():
        return Outcome("terminate")
    error = future.exception()
    if error is None:
        outcome: Outcome = Outcome(*future.result())
        return outcome
    text = f"the executor lost the run: {type(error).__name__}: {error}"
    return Outcome("crash", error=TaskCrashed(text), text=text)


def dask(address: str | None = None, **options: Any) -> concurrent.futures.Executor:
    """An executor of a Dask cluster: `FuncTask(render, execution=dask("tcp://scheduler:8786"))`.

    Args:
        address: The cluster's scheduler; None starts a cluster on this machine.
        options: For `distributed.Client`.

    Close it with `executor.shutdown()`. Needs `sessionkit[dask]`.
    """
    from distributed import Client  # noqa: PLC0415 - half a second that only its users spend

    client: Any = Client
    executor: concurrent.futures.Executor = client(address, **options).get_executor()
    return executor
