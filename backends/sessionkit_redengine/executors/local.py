"""Runs in the scheduler's own thread, and in threads beside it."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from sessionkit.clock import SYSTEM_CLOCK, Deadline
from sessionkit.registry import current_sessions, forget_thread
from sessionkit.threads import propagate
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.worker import perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.executors.base import Done
    from sessionkit_redengine.runs import Job, Outcome, Run

    Item = tuple[Run, Job, Callable[[Job], Outcome]]


class MainExecutor(Executor):
    """Runs a job where it is started: in the scheduler, which does nothing else meanwhile."""

    can_end = False

    def start(self, run: Run, job: Job) -> None:
        """Run it to its end."""
        self.done(run, perform(job))


class ThreadExecutor(Executor):
    """Runs jobs in threads that are made when needed, used again, and see the scheduler's current sessions.

    Args:
        done: See `Executor`.
        limit: How many threads at most.
    """

    def __init__(self, done: Done, limit: int) -> None:
        super().__init__(done)
        self.capacity = limit
        self._jobs: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._lock = threading.Lock()
        self._work_here: Callable[[Job], Outcome] | None = None

    def begin_cycle(self) -> None:
        """Other sessions may be current now."""
        self._work_here = None

    def start(self, run: Run, job: Job) -> None:
        """Hand it to a thread that waits, or to a new one."""
        work = self._work_here
        if work is None:
            # Sessions are looked up here, in the scheduler's thread; workers get siblings of them.
            work = self._work_here = propagate(perform) if current_sessions() else perform
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads):
                self._add_thread()
        self._jobs.put((run, job, work))

    def _add_thread(self) -> None:
        name = f"redengine-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            run, job, work = item
            outcome = work(job)
            forget_thread()
            with self._lock:
                self._busy -= 1
            self.done(run, outcome)
            # A worker that waits for its next job holds nothing of the last one.
            del item, run, job, work, outcome

    def close(self, timeout: float) -> None:
        """Let the threads go; those that are still busy after `timeout` go when their job ends."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        deadline = Deadline.after(timeout, SYSTEM_CLOCK)
        for thread in threads:
            thread.join(max(0.0, deadline.remaining()))
