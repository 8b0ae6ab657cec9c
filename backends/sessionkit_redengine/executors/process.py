"""Runs in a pool of processes that are started once and used again."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import select
import signal
import threading
from collections import deque
from contextlib import suppress
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit import fork
from sessionkit.clock import SYSTEM_CLOCK, Deadline
from sessionkit.registry import current_sessions
from sessionkit_redengine.carry import perform_here, portable
from sessionkit_redengine.errors import TaskCrashed, TaskSetupError
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.executors.relay import Relay
from sessionkit_redengine.runs import Job, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from sessionkit_redengine.executors.base import Done
    from sessionkit_redengine.output import OutputLine

_GRACE = 1.0  # seconds for a process to end when it was asked to
_LIGHT = 4096  # bytes that an order without arguments may have beside its function's name
_END = b""  # the order to end


def default_context() -> BaseContext:
    """How processes are started unless the configuration says: by a fork server, or spawned without one.

    Forking a process that has threads, as a scheduler has, can leave locks held for ever in the child.
    """
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


class _Order(NamedTuple):
    """A job for a process, and the sessions it may open there."""

    run: Run
    job: Job
    sessions: bytes

    @property
    def is_light(self) -> bool:
        """Whether writing it takes no time to speak of: it carries nothing of its own."""
        return not self.job.kwargs and len(self.sessions) < _LIGHT

    def pickled(self) -> bytes:
        """As it is sent.

        Raises:
            Exception: it cannot be.
        """
        return bytes(ForkingPickler.dumps((self.job, self.sessions)))


class ProcessExecutor(Executor):
    """Runs jobs in processes; one of them can be ended without the others.

    Each process has a thread here that starts it, which takes long, and then reads what it says. A light job
    is written to a process that waits by whoever starts it, so that nothing but the process has to wake up.

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
        self.context = context or default_context()
        self.daemon = daemon
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._waiting: deque[_Order] = deque()
        self._closed = False
        self._lock = threading.Lock()

    def start(self, run: Run, job: Job) -> None:
        """Hand it to a process that waits, or to a new one."""
        order = _Order(run, job, portable(current_sessions()))
        with self._lock:
            worker = self._idle.pop() if self._idle else None
            if worker is None and len(self._workers) < self._limit:
                worker = _Worker(self, len(self._workers) + 1)
                self._workers.append(worker)
            if worker is None:
                self._waiting.append(order)
        if worker is not None:
            worker.take(order)

    def end(self, run: Run) -> None:
        """Kill the process that has it."""
        for worker in list(self._workers):
            worker.kill(run)

    def close(self, timeout: float) -> None:
        """Have all processes end; those still busy after `timeout` are killed."""
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, []
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.dismiss()
        deadline = Deadline.after(timeout, SYSTEM_CLOCK)
        for worker in workers:
            worker.join(max(0.0, deadline.remaining()))

    def ended(self, worker: _Worker, run: Run, outcome: Outcome) -> None:
        """Called by a worker that is free."""
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            if following is None and not self._closed:
                self._idle.append(worker)
        if following is not None:
            worker.take(following)
        elif self._closed:
            worker.dismiss()
        self.done(run, outcome)


class _Worker:
    """A thread here and its process there."""

    def __init__(self, pool: ProcessExecutor, number: int) -> None:
        self._pool = pool
        self._process: Any = None
        self._connection: Connection | None = None
        self._run: Run | None = None
        # Orders for which there is no process yet; None ends the thread.
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # held while something large is written, which may take its time
        self._thread = threading.Thread(target=self._work, name=f"redengine-process-{number}", daemon=True)
        self._thread.start()

    # --- what others call ---

    def take(self, order: _Order) -> None:
        """Have an order carried out; the worker is free."""
        with self._lock:
            ready = self._connection is not None
            if ready:
                self._run = order.run
        if not ready:
            self._orders.put(order)
        elif order.is_light:
            self._write(order)
        else:
            threading.Thread(target=self._write, args=(order,), daemon=True).start()

    def kill(self, run: Run) -> None:
        """Kill the process if it has `run`."""
        with self._lock:
            if self._run is run and self._process is not None:
                _kill(self._process)

    def dismiss(self) -> None:
        """Have process and thread end; the worker is free."""
        self._orders.put(None)
        with self._lock, suppress(OSError):
            if self._connection is not None:
                self._connection.send_bytes(_END)

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

    # --- the thread ---

    def _work(self) -> None:
        try:
            while (order := self._orders.get()) is not None:
                self._begin(order)
                del order
                while self._connection is not None:
                    self._read()
        finally:
            self._drop()

    def _begin(self, order: _Order) -> None:
        """Start a process, and give it its first order."""
        with self._lock:
            self._run = order.run
        try:
            self._start()
        except (OSError, RuntimeError) as error:
            self._drop()
            self._end(order.run, _failed(f"no process could be started: {error}", error))
            return
        self._write(order, fresh=True)

    def _start(self) -> None:
        # With "fork", a process made at the same time would inherit the other end and keep it open.
        context = self._pool.context
        method = context.get_start_method()
        with _starting:
            here, there = context.Pipe()
            _open_ends.append(here)
            process = context.Process(  # type: ignore[attr-defined]  # every context has it, the stub's base has not
                target=serve,
                args=(there, tuple(_open_ends) if method == "fork" else (), dict(os.environ)),
                name="redengine-worker",
                daemon=self._pool.daemon,
            )
            process.start()
            there.close()
        with self._lock:
            self._process, self._connection = process, here

    def _write(self, order: _Order, *, fresh: bool = False) -> None:
        """Write an order to the process; for one that has ended, unless it is `fresh`, another is started."""
        run = order.run
        try:
            pickled = order.pickled()
        except Exception as error:  # noqa: BLE001 - pickling runs code of all kinds
            self._end(run, _failed(f"the task cannot be sent to another process: {error!r}", error))
            return
        if run.flag.is_set():
            self._end(run, Outcome("terminate"))
            return
        try:
            with self._writing:
                if self._connection is None:
                    raise BrokenPipeError
                self._connection.send_bytes(pickled)
        except OSError:
            with self._lock:
                lost = self._run is run  # else the reader has noticed, and told that the run has crashed
                lost = lost and not fresh
                if lost:
                    self._run = None
            if lost:
                self._orders.put(order)

    def _read(self) -> None:
        """Take in one thing that the process says."""
        assert self._connection is not None
        try:
            said = self._connection.recv_bytes()
        except (EOFError, OSError):
            self._bury()
            return
        run = self._run
        if run is None:  # a process that has no order has nothing to say: who knows what it is
            _kill(self._process)
            return
        try:
            received: Outcome | list[OutputLine] = pickle.loads(said)  # noqa: S301 - from our own child
        except Exception as error:  # noqa: BLE001 - a result whose class is not importable here
            received = _failed(f"the result cannot be received: {error!r}", error)
        if isinstance(received, list):
            run.hear(received)
        else:
            self._end(run, received)

    def _end(self, run: Run, outcome: Outcome) -> None:
        with self._lock:
            self._run = None
        self._pool.ended(self, run, outcome)

    def _bury(self) -> None:
        """The process has ended."""
        with self._lock:  # taken at once, or who is writing to it would think the run is still to be made
            run, self._run = self._run, None
            process = self._process
        if run is None:
            self._drop()
            return
        process.join(_GRACE)
        code = process.exitcode
        _kill(process)
        self._drop()
        text = f"the process that ran it ended with exit code {code}"
        crashed = Outcome("crash", error=TaskCrashed(text), text=text)
        self._end(run, Outcome("terminate") if run.flag.is_set() else crashed)

    def _drop(self) -> None:
        with self._writing, self._lock:
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
            if order == _END:
                break
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
