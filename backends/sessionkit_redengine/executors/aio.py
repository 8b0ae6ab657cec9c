"""Runs as tasks of an event loop: the one that serves the session, or one in a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from sessionkit.registry import current_sessions
from sessionkit_redengine.capture import SPEAKER
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.hooks import around
from sessionkit_redengine.runs import Job, Outcome, Run
from sessionkit_redengine.worker import called, ended_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit import SessionEngine
    from sessionkit_redengine.executors.base import Done


_GRACE = 1.0  # seconds for a loop to end whose tasks were cancelled


class AsyncExecutor(Executor):
    """Runs jobs on an event loop.

    Args:
        done: See `Executor`.
        loop: The loop; None makes one in a thread when the first job comes.
    """

    def __init__(self, done: Done, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(done)
        self._loop = loop
        self._own = loop is None
        self._thread: threading.Thread | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sessions: tuple[SessionEngine, ...] | None = None
        self._starting: deque[tuple[Run, Job, Sequence[SessionEngine]]] = deque()

    def begin_cycle(self) -> None:
        """Other sessions may be current now."""
        self._sessions = None

    def start(self, run: Run, job: Job) -> None:
        """Make a task of it."""
        loop = self._running_loop()
        if self._sessions is None:
            self._sessions = tuple(current_sessions())
        siblings = [session.sibling() for session in self._sessions] if self._own else self._sessions
        self._starting.append((run, job, siblings))
        # One call into the loop for all that start together: each is a write to a pipe.
        if len(self._starting) == 1:
            loop.call_soon_threadsafe(self._begin)

    def end(self, run: Run) -> None:
        """Cancel its task."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel, run)

    def close(self, timeout: float) -> None:
        """Cancel what is on its way and end the loop, if it is our own."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._finish)
        self._thread.join(max(timeout, _GRACE))
        self._thread = self._loop = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), daemon=True)
            self._thread.start()
        return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _begin(self) -> None:
        assert self._loop is not None
        while self._starting:
            # Taken off only now: whoever adds to a queue that is not empty relies on this loop to go on.
            run, job, sessions = self._starting[0]
            self._tasks[run.id] = self._loop.create_task(self._run(run, job, sessions))
            self._starting.popleft()

    async def _run(self, run: Run, job: Job, sessions: Sequence[SessionEngine]) -> None:
        outcome = Outcome("terminate")
        SPEAKER.set(run)  # in the context of this coroutine alone
        try:
            outcome = await (_perform_with(job, sessions) if sessions else perform_async(job))
        finally:
            self._tasks.pop(run.id, None)
            self.done(run, outcome)
            for session in sessions if self._own else ():
                session.close()

    def _cancel(self, run: Run) -> None:
        task = self._tasks.get(run.id)
        if task is not None:
            task.cancel()

    def _finish(self) -> None:
        loop = self._loop or asyncio.get_running_loop()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        asyncio.gather(*tasks, return_exceptions=True).add_done_callback(lambda _: loop.stop())


async def _perform_with(job: Job, sessions: Sequence[SessionEngine]) -> Outcome:
    with ExitStack() as stack:
        for session in sessions:
            stack.enter_context(session.activate())
        return await perform_async(job)


async def perform_async(job: Job) -> Outcome:
    """Run a job to its end on this loop: what it returns is awaited if that is possible."""
    try:
        with around(job.hooks, job.task) if job.hooks else nullcontext():
            value = called(job)
            if inspect.isawaitable(value):
                value = await value
    except asyncio.CancelledError:
        return Outcome("terminate")
    except Exception as error:  # noqa: BLE001 - it is reported
        return ended_by(error)
    return Outcome("success", value)
