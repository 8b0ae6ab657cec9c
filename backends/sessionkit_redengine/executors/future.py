"""Runs in any `concurrent.futures.Executor`: the standard library's pools, Dask, and whatever else is one."""

from __future__ import annotations

import concurrent.futures
import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sessionkit_redengine.carry import Passage
from sessionkit_redengine.errors import TaskCrashed, TaskSetupError
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.runs import Job, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.executors.base import Done

# What pickling raises, in either direction.
_UNPORTABLE: Final = (pickle.PickleError, TypeError, AttributeError, ImportError)


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
        future = self._pool.submit(Passage(job, run))
        run.handle = future
        future.add_done_callback(partial(self._ended, run))

    def end(self, run: Run) -> None:
        """Cancel it, as far as its executor can."""
        if run.handle is not None:
            run.handle.cancel()

    def _ended(self, run: Run, future: concurrent.futures.Future[Any]) -> None:
        outcome = _outcome(future)
        run.hear(outcome.lines)
        self.done(run, outcome)


def _outcome(future: concurrent.futures.Future[Any]) -> Outcome:
    if future.cancelled():
        return Outcome("terminate")
    error = future.exception()
    if error is None:
        outcome: Outcome = Outcome(*future.result())
        return outcome
    if isinstance(error, _UNPORTABLE):
        text = f"the task or its result cannot be sent between processes: {error!r}"
        return Outcome("fail", error=TaskSetupError(text), text=text)
    text = f"the executor lost the run: {type(error).__name__}: {error}"
    return Outcome("crash", error=TaskCrashed(text), text=text)


class DaskExecutor(concurrent.futures.Executor):
    """An executor of a Dask cluster, made by `dask(...)`. Shutting it down lets go of the cluster.

    Args:
        client: A `distributed.Client`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        # Not pure: Dask may not take the result of one run for that of another.
        self._pool: concurrent.futures.Executor = client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Have a worker of the cluster call `fn`."""
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, after what runs has ended unless told otherwise; one made for this ends."""
        self._pool.shutdown(wait and not cancel_futures)
        self._client.close()


def dask(address: str | None = None, **options: Any) -> DaskExecutor:
    """An executor of a Dask cluster, the way past one machine.

    with dask("tcp://scheduler:8786") as cluster:
        app = RedEngine(execution=cluster)

    The workers need `sessionkit_redengine` and the tasks' functions to be importable. A run that is to end
    is taken back; if a worker had begun it, what it does there goes on unheard. When a worker is lost, Dask
    gives its runs to another one.

    Args:
        address: The cluster's scheduler; None starts a cluster on this machine.
        options: For `distributed.Client`.

    Needs `sessionkit[dask]`.
    """
    from distributed import Client  # noqa: PLC0415 - half a second that only its users spend

    client: Any = Client
    return DaskExecutor(client(address, **options))
