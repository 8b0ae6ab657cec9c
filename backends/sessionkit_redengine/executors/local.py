"""Runs in the scheduler's own thread, and in threads beside it."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionkit.clock import SYSTEM_CLOCK, Deadline
from sessionkit.registry import current_sessions, forget_thread
from sessionkit.threads import propagate
from sessionkit_redengine.capture import SPEAKER
from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.worker import ended_by, perform

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
        before = SPEAKER.set(run)
        outcome = perform(job)
        SPEAKER.reset(before)
        self.done(run, outcome)


class ThreadExecutor(Executor):
    """Runs jobs in threads that are made when needed, used again, and see the scheduler's current sessions.

    A thread that takes a job wakes the next one if there are more. So jobs that take time run side by side,
    and one thread does many that take none, without a change of threads for each.

    Args:
        done: See `Executor`.
        limit: How many threads at most.
    """

    def __init__(self, done: Done, limit: int) -> None:
        super().__init__(done)
        self.capacity = self._limit = limit
        self._jobs: deque[Item] = deque()
        self._threads: list[threading.Thread] = []
        self._asleep: list[threading.Lock] = []
        self._waking = False
        self._closed = False
        self._lock = threading.Lock()
        self._work_here: Callable[[Job], Outcome] | None = None

    def begin_cycle(self) -> None:
        """Other sessions may be current now."""
        self._work_here = None

    def start(self, run: Run, job: Job) -> None:
        """Queue it for the threads, of which one at least is awake then."""
        work = self._work_here
        if work is None:
            # Sessions are looked up here, in the scheduler's thread; workers get siblings of them.
            work = self._work_here = propagate(perform) if current_sessions() else perform
        self._jobs.append((run, job, work))
        if not self._waking:
            self._wake()

    def _wake(self) -> None:
        """Wake the thread that fell asleep last, or make one; it looks for jobs before it sleeps again."""
        try:
            bed = self._asleep.pop()
        except IndexError:
            self._add_thread()
        else:
            self._waking = True  # before the thread can say that it is awake
            bed.release()

    def _add_thread(self) -> None:
        with self._lock:
            if self._closed or len(self._threads) >= self._limit:
                return  # all are at work, and look for jobs when they have done theirs
            name = f"redengine-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            self._waking = True
        try:
            thread.start()
        except RuntimeError:  # the system has no more of them: others will do the job, if there are any
            self._waking = False
            self._threads.remove(thread)
            if not self._threads:
                self._jobs.clear()
                raise

    def _work(self) -> None:
        bed = threading.Lock()
        bed.acquire()
        while True:
            self._waking = False
            while self._jobs:
                self._next()
            if self._closed:
                return
            self._asleep.append(bed)
            if (self._jobs or self._closed) and self._got_up(bed):
                continue
            bed.acquire()

    def _got_up(self, bed: threading.Lock) -> bool:
        """Whether this thread is awake by itself; if not, somebody is about to wake it."""
        try:
            self._asleep.remove(bed)
        except ValueError:
            return False
        return True

    def _next(self) -> None:
        try:
            run, job, work = self._jobs.popleft()
        except IndexError:  # another thread was quicker
            return
        if self._jobs and not self._waking:
            self._wake()
        try:
            SPEAKER.set(run)
            outcome = work(job)
        except Exception as error:  # noqa: BLE001 - a session that has no sibling any more: a backend may raise anything
            outcome = ended_by(error)
        SPEAKER.set(None)
        forget_thread()
        self.done(run, outcome)

    def close(self, timeout: float) -> None:
        """Let the threads go; those that are still busy after `timeout` go when their job ends."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        while self._asleep:
            with suppress(IndexError):  # one of them got up by itself
                self._asleep.pop().release()
        deadline = Deadline.after(timeout, SYSTEM_CLOCK)
        for thread in threads:
            thread.join(max(0.0, deadline.remaining()))
