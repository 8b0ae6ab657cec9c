"""Runs in a pool of processes that are started once and used again."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import select
import signal
import threading
from contextlib import suppress
from functools import partial
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from sessionkit import fork
from sessionkit.clock import SYSTEM_CLOCK, Deadline
from sessionkit.registry import current_sessions
from sessionkit_redengine.carry import perform_here, portable
from sessionkit_redengine.errors import TaskCrashed, TaskSetupError
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.executors.relay import Relay
from sessionkit_redengine.runs import Job, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from sessionkit_redengine.executors.base import Done
    from sessionkit_redengine.output import OutputLine

_GRACE = 1.0  # seconds for a process to end when it was asked to


def default_context() -> BaseContext:
    """How processes are started unless the configuration says: by a fork server, or spawned without one.

    Forking a process that has threads, as a scheduler has, can leave locks held for ever in the child.
    """
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


class ProcessExecutor(Executor):
    """Runs jobs in processes; one of them can be ended without the others.

    Each process has a thread here that feeds it, so that starting one, which takes long, holds up nobody.

    Args:
        done: See `Executor`.
        limit: How many processes at most.
        context: How they are started.
        daemon: Whether they end with this process, and may have no children.
    """

    remote = True

    def __init__(
        self, done: Done, limit: int, context: BaseContext | None = None, *, daemon: bool = True
    ) -> None:
        super().__init__(done)
        self.capacity = self._limit = limit
        self._context = context or default_context()
        self._daemon = daemon
        self._jobs: queue.SimpleQueue[tuple[Run, Job, bytes] | None] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._busy = 0
        self._lock = threading.Lock()

    def start(self, run: Run, job: Job) -> None:
        """Hand it to a process that waits, or to a new one."""
        sessions = portable(current_sessions())
        with self._lock:
            self._busy += 1
            if len(self._workers) < min(self._busy, self._limit):
                self._workers.append(_Worker(self, len(self._workers) + 1))
        self._jobs.put((run, job, sessions))

    def end(self, run: Run) -> None:
        """Kill the process that has it."""
        for worker in list(self._workers):
            worker.kill(run)

    def close(self, timeout: float) -> None:
        """Have all processes end; those still busy after `timeout` are killed."""
        with self._lock:
            workers, self._workers = self._workers, []
        for _ in workers:
            self._jobs.put(None)
        deadline = Deadline.after(timeout, SYSTEM_CLOCK)
        for worker in workers:
            worker.join(max(0.0, deadline.remaining()))

    def ended(self, run: Run, outcome: Outcome) -> None:
        """Called by a worker."""
        with self._lock:
            self._busy -= 1
        self.done(run, outcome)


class _Worker:
    """A thread here and its process there."""

    def __init__(self, pool: ProcessExecutor, number: int) -> None:
        self._pool = pool
        self._process: Any = None
        self._connection: Connection | None = None
        self._run: Run | None = None
        self._has_ended: Callable[[], object] = bool
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"redengine-process-{number}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            while (item := self._pool._jobs.get()) is not None:  # noqa: SLF001 - the pool's own worker
                run, job, sessions = item
                with self._lock:
                    self._run = run
                outcome = self._performed(run, job, sessions)
                with self._lock:
                    self._run = None
                self._pool.ended(run, outcome)
                del item, run, job, sessions, outcome
        finally:
            self._drop()

    def _performed(self, run: Run, job: Job, sessions: bytes) -> Outcome:
        try:
            order = bytes(ForkingPickler.dumps((job, sessions)))
        except Exception as error:  # noqa: BLE001 - pickling runs code of all kinds
            return _failed(f"the task cannot be sent to another process: {error!r}", error)
        for _ in range(2):  # a process that had ended while it waited is replaced, once
            try:
                connection = self._ready()
                if run.flag.is_set():
                    return Outcome("terminate")
                connection.send_bytes(order)
                break
            except (OSError, RuntimeError) as error:
                self._drop()
                failure = error
        else:
            return _failed(f"no process could be started: {failure}", failure)
        try:
            outcome = _received(connection, run)
        except (EOFError, OSError):
            return self._after_death(run)
        except Exception as error:  # noqa: BLE001 - a result whose class is not importable here
            return _failed(f"the result cannot be received: {error!r}", error)
        return outcome

    def _after_death(self, run: Run) -> Outcome:
        self._process.join(_GRACE)
        code = self._process.exitcode
        _kill(self._process)
        self._drop()
        if run.flag.is_set():
            return Outcome("terminate")
        text = f"the process that ran it ended with exit code {code}"
        return Outcome("crash", error=TaskCrashed(text), text=text)

    def _ready(self) -> Connection:
        # A process that waits says nothing: if there is something to read, it is that it has ended.
        if self._connection is not None and not self._has_ended():
            return self._connection
        self._drop()
        context = self._pool._context  # noqa: SLF001 - the pool's own worker
        # With "fork", a process made at the same time would inherit the other end and keep it open.
        method = context.get_start_method()
        with _starting:
            here, there = context.Pipe()
            _open_ends.append(here)
            process = context.Process(  # type: ignore[attr-defined]  # every context has it, the stub's base has not
                target=serve,
                args=(there, tuple(_open_ends) if method == "fork" else (), dict(os.environ)),
                name="redengine-worker",
                daemon=self._pool._daemon,  # noqa: SLF001 - the pool's own worker
            )
            process.start()
            there.close()
        with self._lock:
            self._process, self._connection = process, here
        self._has_ended = _readable(here)
        return here

    def kill(self, run: Run) -> None:
        """Kill the process if it has `run`."""
        with self._lock:
            if self._run is run and self._process is not None:
                _kill(self._process)

    def join(self, timeout: float) -> None:
        """Wait for the thread; after `timeout` kill the process, which ends it."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            with self._lock:
                run, process = self._run, self._process
            if run is not None:
                run.flag.set()
            if process is not None:
                _kill(process)
            self._thread.join(_GRACE)

    def _drop(self) -> None:
        with self._lock:
            connection, process = self._connection, self._process
            self._connection = self._process = None
        if connection is not None:
            with _starting:
                _open_ends.remove(connection)
            connection.close()  # which tells the process to end
        if process is not None:
            process.join(_GRACE)
            if process.is_alive():
                _kill(process)
                process.join()
            process.close()


def _received(connection: Connection, run: Run) -> Outcome:
    """The outcome of a run, and on the way to it what the run says."""
    while True:
        received: Outcome | list[OutputLine] = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own child
        if not isinstance(received, list):
            return received
        run.hear(received)


def _readable(connection: Connection) -> Callable[[], object]:
    """What says whether there is something to read; made once, it takes a tenth of `Connection.poll`."""
    if not hasattr(select, "poll"):
        return connection.poll
    polled = select.poll()
    polled.register(connection.fileno(), select.POLLIN)
    return partial(polled.poll, 0)


# Our ends of all pipes of this process, for children made by "fork" to close: an open copy would keep a
# worker from seeing that its parent is gone.
_open_ends: list[Connection] = []
_starting = threading.Lock()


class _Forgetful:
    def after_fork_in_child(self) -> None:
        """The lock may be held by a thread that this child does not have."""
        global _starting  # noqa: PLW0603 - a new lock for a new process
        _starting = threading.Lock()


_forgetful = fork.aware(_Forgetful())


def _failed(message: str, error: BaseException) -> Outcome:
    return Outcome("fail", error=TaskSetupError(message), text=f"{message}\n{type(error).__name__}: {error}")


def _kill(process: Any) -> None:
    """Kill a process, be it dead already, with all that its task has started: it leads a group of its own."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # it may not have come so far as to have a group


# --- in the other process ---


def serve(connection: Connection, inherited: Sequence[Connection], environment: Mapping[str, str]) -> None:
    """Run jobs as they come, until the parent goes.

    A thread waits for that, so that it is seen in the middle of a job as well: the job dies with the parent,
    and the history can say so.
    """
    for other in inherited:
        other.close()
    if hasattr(os, "setsid"):
        os.setsid()  # a group, so that what a task starts ends with it; Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # with "fork" it would be the scheduler's
    # A fork server's children have the environment of when it started.
    os.environ.clear()
    os.environ.update(environment)
    busy = threading.Event()
    relay = Relay(connection)
    threading.Thread(target=_watch, args=(connection, busy), daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            order = connection.recv_bytes()
            busy.set()
            relay.begin()
            answer = _answer(order)
            busy.clear()
            relay.answer(answer)
    os._exit(0)  # whatever a task has left in threads


def _watch(connection: Connection, busy: threading.Event) -> None:
    """Wait for the parent's end."""
    if hasattr(select, "poll"):
        ended = select.poll()
        ended.register(connection.fileno(), 0)  # nothing but its being closed at the other end
        ended.poll()
    else:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
    if busy.is_set() and hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with what the task has started
    os._exit(0)


def _answer(order: bytes) -> bytes:
    try:
        outcome = perform_here(*pickle.loads(order))  # noqa: S301 - from our own parent
    except BaseException as error:  # noqa: BLE001 - it is reported
        outcome = _failed(f"the task cannot be received: {error!r}", error)
    try:
        return pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001 - pickling runs code of all kinds
        return pickle.dumps(_failed(f"the task's result cannot be sent back: {error!r}", error))
