"""Many calls at once, by one thread that waits for all their answers.

Fifty threads that call at once spend most of their time in taking turns. Here one thread sends requests on
connections that stand, gathers what arrives, and goes through an answer when it is whole. Whatever may have
to wait for something else is done by a thread of its own in the plain way: making a connection, a second
attempt, a place under the session's limits, a body too large to be gathered.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import socket
import sys
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sessionkit.clock import Deadline
from sessionkit.engine import Tried
from sessionkit.errors import RequestError, SessionKitError
from sessionkit.http.body import Body
from sessionkit.http.crew import Crew
from sessionkit.http.job import Errand, Job, Task, close_unread
from sessionkit.http.message import Response
from sessionkit.http.stream import Stream
from sessionkit.outcome import Done, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from sessionkit.http.engine import HttpEngine
    from sessionkit.http.message import Call, Request

GRACE: Final = 3.0
"""Seconds for which threads that are in the middle of something are waited for in the end."""
AHEAD: Final = 2
"""So many times `at_once` calls are begun before the first of them was taken."""
_LARGEST_BODY: Final = 16384  # what a socket takes at once
# What is quickly done with an answer that is there: more threads would take turns, and get less done.
_QUICK_BACKLOG: Final = 16
# poll rather than epoll: it keeps nothing in the kernel that a forked child would share.
_Selector: type[Any] = getattr(selectors, "PollSelector", selectors.SelectSelector)


def perform_all(
    session: HttpEngine, calls: Iterable[Call], at_once: int, timeout: float | None
) -> Iterator[Exchange | SessionKitError]:
    """See `HttpEngine.perform_all`."""
    return do_all(session, map(Task, calls), at_once, timeout, ahead=AHEAD * at_once)


def do_all(
    session: HttpEngine,
    tasks: Iterable[Task],
    at_once: int,
    timeout: float | None,
    *,
    ahead: float = float("inf"),
) -> Generator[Any, None, None]:
    """Do all tasks; the result of each, in their order, as they come.

    Args:
        session: Who asks.
        tasks: What to do; read in another thread.
        at_once: Under way at the same time, until their `finish` returns.
        timeout: Seconds for each call; None is the session's.
        ahead: How many are begun before the first of them was taken.

    Raises:
        Exception: what reading `tasks` raised, after what was under way; what a call raised that is no
            `SessionKitError`.
    """
    owner = os.getpid()
    results: deque[Any] = deque()
    driver = _Driver(session, tasks, at_once, timeout, ahead)
    thread = threading.Thread(target=driver.run, name="sessionkit-many", daemon=True)
    try:
        thread.start()
        while True:
            while results:
                result = results.popleft()
                if isinstance(result, BaseException) and not isinstance(result, SessionKitError):
                    raise result
                yield result
                if os.getpid() != owner:
                    raise SessionKitError("these calls belong to the parent process", hint="make them anew")
                driver.taken()
            came = driver.results.get()
            if isinstance(came, BaseException):
                raise came
            if not came:
                return
            results.extend(came)
    finally:
        if os.getpid() == owner and not sys.is_finalizing():  # else there is no such thread any more
            driver.stop()
            # The collector of garbage may end a forgotten one in that very thread.
            if thread is not threading.current_thread():
                with contextlib.suppress(RuntimeError):  # Ctrl-C while it began: it ends as soon as it has
                    thread.join(2 * GRACE)  # `tasks` may be in no hurry
            driver.let_go(results)
        driver.close()


class _Driver:
    """The thread that does it, and what others tell it."""

    def __init__(
        self,
        session: HttpEngine,
        tasks: Iterable[Task],
        at_once: int,
        timeout: float | None,
        ahead: float,
    ) -> None:
        # What is there of the results, in order; what `tasks` raised; nothing at the end.
        self.results: queue.SimpleQueue[list[Any] | BaseException] = queue.SimpleQueue()
        self._session = session
        self._transport = session.transport
        self._tasks = iter(tasks)
        self._at_once = at_once
        self._timeout = timeout
        self._ahead = ahead
        # Begun and not delivered, in order; of all, how many were delivered and how many of these taken.
        self._begun: deque[Job] = deque()
        self._delivered = self._taken = 0
        self._open = 0
        self._stopping = self._ended = self._exhausted = self._waits_for_room = False
        self._broken: BaseException | None = None
        self._flying: dict[int, Job] = {}
        self._selector = _Selector()
        self._ears, self._mouth = socket.socketpair()
        self._ears.setblocking(False)
        self._mouth.setblocking(False)
        self._selector.register(self._ears, selectors.EVENT_READ)
        self._landed: deque[Job] = deque()
        self._crew: Crew[Errand] = Crew(at_once, self._do_errand)
        self._quick_crew: Crew[Errand] = Crew(at_once, self._do_errand, backlog=_QUICK_BACKLOG)

    # --- what the consumer's thread calls ---

    def taken(self) -> None:
        """One more result was taken."""
        self._taken += 1
        if self._waits_for_room:
            self._wake()

    def stop(self) -> None:
        """Begin nothing more, and give up what is under way."""
        self._stopping = True
        self._wake()

    def let_go(self, results: Iterable[Any]) -> None:
        """Close what nobody will take: `results`, and those that are still to be taken."""
        with contextlib.suppress(queue.Empty):
            while True:
                came = self.results.get(block=False)
                results = (*results, *([came] if isinstance(came, BaseException) else came))
        for result in results:
            close_unread(result)

    def close(self) -> None:
        """Nobody will call any more."""
        self._mouth.close()
        self._ears.close()

    def __del__(self) -> None:
        # Ctrl-C may come before, or while, anybody saw to it.
        with contextlib.suppress(AttributeError):  # as early as in the constructor
            self.close()

    # --- the thread ---

    def run(self) -> None:
        """Do all tasks."""
        try:
            self._fill()
            while (self._open or not self._exhausted) and not self._stopping:
                self._wait()
                self._deliver()  # before the next are read, which may wait for these
                self._fill()
        except BaseException as error:  # noqa: BLE001 - told to the consumer, who waits
            self._broken = self._broken or error
        finally:
            self._end()

    def _fill(self) -> None:
        """Begin as many tasks as may be."""
        while self._open < self._at_once and not self._exhausted and not self._stopping:
            self._waits_for_room = True  # before the look at what was taken, or its taker would not know
            if len(self._begun) + self._delivered - self._taken >= self._ahead:
                return
            self._waits_for_room = False
            task = self._next()
            if task is None:
                self._exhausted = True
                return
            job = Job(task)
            self._begun.append(job)
            self._open += 1
            if task.call is None and task.finish is not None:
                self._hand_over(job, _nothing)
            elif not self._set_off(job):
                self._hand_over(job, partial(self._session.perform, job.call, timeout=self._timeout))
        self._waits_for_room = False

    def _next(self) -> Task | None:
        try:
            return next(self._tasks, None)
        except BaseException as error:  # noqa: BLE001 - raised where the results are taken
            self._broken = error
            return None

    def _deliver(self) -> None:
        """Hand over the results up to the first that is missing."""
        ready = []
        while self._begun and self._begun[0].done:
            ready.append(self._begun.popleft().result)
        if ready:
            self._delivered += len(ready)
            self.results.put(ready)

    def _wait(self) -> None:
        """Wait for answers, threads, the consumer or a deadline; and see to what came."""
        now = time.monotonic()
        first = min((job.flight.end for job in self._flying.values()), default=None)
        for key, _ in self._selector.select(None if first is None else max(0.0, first - now)):
            job = self._flying.get(key.fd)
            if job is not None:
                self._gather(job)
            else:
                self._hear()
        if first is not None and time.monotonic() >= first:
            self._expire()

    def _end(self) -> None:
        try:
            for job in self._flying.values():
                job.flight.drop()
                job.leave()
            for errand in (*self._crew.end(), *self._quick_crew.end()):
                errand.drop()
            end = time.monotonic() + GRACE
            self._crew.wait(GRACE)
            self._quick_crew.wait(end - time.monotonic())
            self._selector.close()
            self._ended = True
            self._let_go_of_landed()
            for job in self._begun:
                close_unread(job.result)
        finally:
            self.results.put(self._broken or [])

    def _let_go_of_landed(self) -> None:
        with contextlib.suppress(IndexError):  # several threads may do this
            while True:
                close_unread(self._landed.popleft().result)

    # --- one call ---

    def _set_off(self, job: Job) -> bool:
        """Send a call, if nothing has to be waited for; what else there is, a thread finds out."""
        session = self._session
        try:
            session.check_open()
            call = job.call
            if not session.unwatched or isinstance(call.args, Body):
                return False
            job.deadline = session.deadline(self._timeout)
            job.request = session.prepare(call)
            if len(job.request.body or b"") > _LARGEST_BODY:
                return False
            job.started, job.begun = session.clock.time(), session.clock.monotonic()
            job.signed = session.sign(job.request, _NOW)  # a token that must be waited for would hold up all
            if job.signed.hooks:
                return False
            job.place = session.admit(_NOW)
        except Exception:  # noqa: BLE001 - the thread meets the same
            return False
        if not self._fly(job, job.signed):
            job.leave()
            return False
        return True

    def _fly(self, job: Job, request: Request) -> bool:
        """Send a request of a job, if a connection stands."""
        try:
            flight = self._transport.begin(request, job.deadline, idle=self._session.timeout)
        except RequestError as error:
            self._conclude(job, error)
            return True
        if flight is None:
            return False
        job.flight = flight
        self._flying[flight.fileno()] = job
        self._selector.register(flight, selectors.EVENT_READ)
        return True

    def _forget(self, job: Job) -> None:
        self._selector.unregister(job.flight)
        del self._flying[job.flight.fileno()]

    def _gather(self, job: Job, *, late: bool = False) -> bool:
        """Take what of an answer has come; whether it is on its way no more."""
        failure = None
        try:
            if not job.flight.gather(all_of_it=late):
                return False
        except Exception as error:  # noqa: BLE001 - translated
            failure = error
        self._forget(job)
        if failure is not None:
            self._conclude(job, self._transport.give_up(job.flight, failure))
        elif job.flight.there:
            self._take(job)
        else:
            self._read_on(job)
        return True

    def _take(self, job: Job) -> None:
        """Go through an answer that is there."""
        try:
            response = self._transport.finish(job.flight)
            following = self._session.redirect(job.flight.request, response, job.hops)
        except Exception as error:  # noqa: BLE001 - the consumer is told
            self._conclude(job, error)
            return
        if following is None:
            self._conclude(job, response)
            return
        job.hops += 1
        if not self._fly(job, following):
            follow = partial(self._session.follow, following, job.deadline, job.hops)
            self._hand_over(job, partial(self._wait_for, job, follow))

    def _read_on(self, job: Job) -> None:
        """Have a thread wait for the rest of an answer."""
        work = partial(self._wait_for, job, partial(self._rest, job))
        self._crew.give(Errand(job, work, job.flight.drop))

    def _rest(self, job: Job) -> Response:
        response = self._transport.finish(job.flight)
        following = self._session.redirect(job.flight.request, response, job.hops)
        return response if following is None else self._session.follow(following, job.deadline, job.hops + 1)

    def _wait_for(self, job: Job, answer: Callable[[], Response]) -> Exchange:
        """In a thread: get an answer, and go on from there."""
        came: Response | Exception | None = None
        try:
            came = answer()
        except RequestError as error:
            came = error.with_traceback(None)  # which holds this frame, that holds the error
        finally:
            job.leave(came)
        return self._go_on(job, self._tried(job, came))

    def _expire(self) -> None:
        now = time.monotonic()
        for job in [job for job in self._flying.values() if job.flight.end <= now]:
            # Its answer may be there, and only this thread have been late.
            if self._gather(job, late=True):
                continue
            self._forget(job)
            if job.flight.begun and job.call.stream:
                self._read_on(job)  # a stream has time for as long as it flows
            else:
                self._conclude(job, self._transport.give_up(job.flight, TimeoutError("timed out")))

    def _conclude(self, job: Job, came: Response | Exception) -> None:
        """Go on with what came of a call."""
        job.leave(came)
        unread = isinstance(came, Response) and came.raw is not None
        try:
            tried = self._tried(job, came)
        except Exception as error:  # noqa: BLE001 - the consumer is told
            self._hand_over(job, partial(_raise, error))
            return
        if unread or not isinstance(tried.outcome, Done):
            close = Stream(came).close if isinstance(came, Response) and unread else None
            self._crew.give(Errand(job, partial(self._go_on, job, tried), close))
            return
        exchange = self._go_on(job, tried)
        if job.task.finish is None:
            job.result = exchange
            self._land(job)
        else:
            self._quick_crew.give(Errand(job, lambda: exchange))

    def _tried(self, job: Job, came: Response | Exception) -> Tried:
        session = self._session
        if isinstance(came, RequestError):
            outcome = session.recover(came, job.call, job.signed, [])
            return Tried(job.started, job.begun, job.signed, None, outcome)
        if isinstance(came, Exception):
            raise came
        session.received(came, [])
        return Tried(job.started, job.begun, job.signed, came, session.process(came, job.call))

    def _go_on(self, job: Job, tried: Tried) -> Exchange:
        exchange = self._session.carry_out(job.call, job.request, job.deadline, tried)
        exchange.response.attempts = exchange.attempts
        return exchange

    # --- threads ---

    def _hand_over(self, job: Job, work: Callable[[], Exchange | None]) -> None:
        """Have a thread do it, and the rest of the task."""
        self._crew.give(Errand(job, work))

    def _do_errand(self, errand: Errand) -> None:
        job = errand.job
        try:
            job.result = self._result(job, errand.work)
        except BaseException as error:  # noqa: BLE001 - the consumer is told
            job.result = error
        self._landed.append(job)
        self._wake()
        if self._ended:
            self._let_go_of_landed()

    def _result(self, job: Job, work: Callable[[], Exchange | None]) -> Any:
        came: Exchange | SessionKitError | None
        try:
            came = work()
        except SessionKitError as error:
            came = error.with_traceback(None)  # which holds frames, and these the session
        return came if job.task.finish is None else job.task.finish(came)

    def _land(self, job: Job) -> None:
        job.done = True
        self._open -= 1

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake; closed: it has ended
            self._mouth.send(b"\0")

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ears.recv(4096)
        while self._landed:
            self._land(self._landed.popleft())


def _nothing() -> None:
    """What is to be asked for a task without a call."""


def _raise(error: Exception) -> Exchange:
    raise error


_NOW: Final = Deadline.after(0.0)
"""No time to wait."""
