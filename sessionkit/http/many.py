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
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sessionkit.clock import Deadline
from sessionkit.engine import Tried
from sessionkit.errors import RequestError, SessionKitError
from sessionkit.http.body import Body
from sessionkit.http.crew import Crew
from sessionkit.http.stream import Stream
from sessionkit.outcome import Done, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from sessionkit.http.engine import HttpEngine
    from sessionkit.http.flight import Flight
    from sessionkit.http.limits import ConcurrencyLimit
    from sessionkit.http.message import Call, Request, Response

AHEAD: Final = 2
"""So many times `at_once` calls are begun before the first of them was taken."""
_LARGEST_BODY: Final = 16384  # what a socket takes at once
# What is quickly done with an answer that is there: more threads would take turns, and get less done.
_QUICK_BACKLOG: Final = 16
# poll rather than epoll: it keeps nothing in the kernel that a forked child would share.
_Selector: type[Any] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Task:
    """One thing of many to be done: a call, and what to do with its answer.

    Attributes:
        call: What to ask; None when `finish` is all there is to do.
    """

    __slots__ = ("call",)

    finish: Callable[[Exchange | SessionKitError | None], Any] | None = None
    """What to do in a thread with what came, if anything; returns the result, and raises nothing."""

    def __init__(self, call: Call | None) -> None:
        self.call = call


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
    driver = _Driver(session, tasks, at_once, timeout, ahead)
    thread = threading.Thread(target=driver.run, name="sessionkit-many", daemon=True)
    thread.start()
    owner = os.getpid()
    try:
        while results := driver.results.get():
            if isinstance(results, BaseException):
                raise results
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, SessionKitError):
                    raise result
                yield result
                driver.taken()
                if os.getpid() != owner:
                    raise SessionKitError("these calls belong to the parent process", hint="make them anew")
    finally:
        driver.stop()
        if thread is not threading.current_thread():  # where the collector of garbage ends a forgotten one
            thread.join()
        driver.close()


class _Job:
    """One task, and how far it is."""

    __slots__ = (
        "begun",
        "deadline",
        "done",
        "flight",
        "hops",
        "place",
        "request",
        "result",
        "signed",
        "started",
        "task",
    )

    def __init__(self, task: Task) -> None:
        self.task = task
        self.done = False
        self.result: Any = None
        self.hops = 0
        self.place: ConcurrencyLimit | None = None
        self.flight: Flight
        self.deadline: Deadline
        self.request: Request
        self.signed: Request
        self.started: float
        self.begun: float

    @property
    def call(self) -> Call:
        """The task's."""
        assert self.task.call is not None
        return self.task.call

    def leave(self) -> None:
        """Give back the place under the session's limit."""
        place, self.place = self.place, None
        if place is not None:
            place.release()


class _Errand(NamedTuple):
    """What a thread is to do for a job; `response` is one whose body it will read."""

    job: _Job
    work: Callable[[], Exchange | None]
    response: Response | None = None

    def drop(self) -> None:
        """It will not be done."""
        if self.response is not None:
            Stream(self.response).close()


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
        self._begun: deque[_Job] = deque()
        self._delivered = self._taken = 0
        self._open = 0
        self._stopping = self._exhausted = self._waits_for_room = False
        self._broken: BaseException | None = None
        self._flying: dict[int, _Job] = {}
        self._selector = _Selector()
        self._ears, self._mouth = socket.socketpair()
        self._ears.setblocking(False)
        self._selector.register(self._ears, selectors.EVENT_READ)
        self._landed: deque[_Job] = deque()
        self._crew: Crew[_Errand] = Crew(at_once, self._do_errand)
        self._quick_crew: Crew[_Errand] = Crew(at_once, self._do_errand, backlog=_QUICK_BACKLOG)

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

    def close(self) -> None:
        """Nobody will call any more."""
        self._mouth.close()

    # --- the thread ---

    def run(self) -> None:
        """Do all tasks."""
        try:
            self._fill()
            while (self._open or not self._exhausted) and not self._stopping:
                self._wait()
                self._deliver()
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
            job = _Job(task)
            self._begun.append(job)
            self._open += 1
            if task.call is None:
                self._hand_over(job, _nothing)
            elif not self._set_off(job):
                self._hand_over(job, partial(self._session.perform, task.call, timeout=self._timeout))
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
            self._fill()
        if first is not None and time.monotonic() >= first:
            self._expire()

    def _end(self) -> None:
        for job in list(self._flying.values()):
            self._forget(job)
            job.flight.drop()
            job.leave()
        for errand in (*self._crew.end(), *self._quick_crew.end()):
            errand.drop()
        self._selector.close()
        self._ears.close()
        self.results.put(self._broken or [])

    # --- one call ---

    def _set_off(self, job: _Job) -> bool:
        """Send a call, if nothing has to be waited for; what else there is, a thread finds out."""
        session, call = self._session, job.call
        if session.closed or not session.unwatched or isinstance(call.args, Body):
            return False
        try:
            job.deadline = session.deadline(self._timeout)
            job.request = session.prepare(call)
            if len(job.request.body or b"") > _LARGEST_BODY:
                return False
            job.started, job.begun = session.clock.time(), session.clock.monotonic()
            job.signed = session.sign(job.request, job.deadline)
            if job.signed.hooks:
                return False
            job.place = session.admit(_NOW)
        except Exception:  # noqa: BLE001 - the thread meets the same
            return False
        if not self._fly(job, job.signed):
            job.leave()
            return False
        return True

    def _fly(self, job: _Job, request: Request) -> bool:
        """Send a request of a job, if a connection stands."""
        try:
            flight = self._transport.begin(request, job.deadline, idle=self._session.timeout)
        except RequestError as error:
            self._fail(job, error)
            return True
        if flight is None:
            return False
        job.flight = flight
        self._flying[flight.fileno()] = job
        self._selector.register(flight, selectors.EVENT_READ)
        return True

    def _forget(self, job: _Job) -> None:
        self._selector.unregister(job.flight)
        del self._flying[job.flight.fileno()]

    def _gather(self, job: _Job) -> None:
        """Something of an answer has come."""
        flight = job.flight
        try:
            if not flight.gather():
                return
        except OSError as error:
            self._forget(job)
            self._fail(job, self._transport.give_up(flight, error))
            return
        self._take(job)

    def _take(self, job: _Job) -> None:
        """Go through an answer."""
        flight = job.flight
        self._forget(job)
        try:
            response = self._transport.finish(flight)
            following = self._session.redirect(flight.request, response, job.hops)
        except RequestError as error:
            self._fail(job, error)
            return
        if following is None:
            self._answered(job, response)
            return
        job.hops += 1
        if not self._fly(job, following):
            self._hand_over(job, partial(self._elsewhere, job, following))

    def _expire(self) -> None:
        now = time.monotonic()
        for job in [job for job in self._flying.values() if job.flight.end <= now]:
            if job.flight.begun and job.call.stream:
                self._take(job)  # a stream has time for as long as it flows
                continue
            self._forget(job)
            self._fail(job, self._transport.give_up(job.flight, TimeoutError("timed out")))

    def _answered(self, job: _Job, response: Response) -> None:
        if response.raw is not None:
            response.place, job.place = job.place, None
        job.leave()
        tried = self._tried(job, response)
        if not isinstance(tried.outcome, Done):
            self._hand_over(job, partial(self._go_on, job, tried))
            return
        exchange = self._go_on(job, tried)
        if job.task.finish is None:
            job.result = exchange
            self._land(job)
        elif response.raw is None:
            self._quick_crew.give(_Errand(job, lambda: exchange))
        else:
            self._crew.give(_Errand(job, lambda: exchange, response))

    def _fail(self, job: _Job, error: SessionKitError) -> None:
        job.leave()
        tried = self._tried(job, error)
        self._hand_over(job, partial(self._go_on, job, tried))

    def _tried(self, job: _Job, came: Response | SessionKitError) -> Tried:
        session = self._session
        if isinstance(came, SessionKitError):
            assert isinstance(came, RequestError)
            outcome = session.recover(came, job.call, job.signed, [])
            return Tried(job.started, job.begun, job.signed, None, outcome)
        session.received(came, [])
        return Tried(job.started, job.begun, job.signed, came, session.process(came, job.call))

    def _go_on(self, job: _Job, tried: Tried) -> Exchange:
        return self._session.carry_out(job.call, job.request, job.deadline, tried)

    def _elsewhere(self, job: _Job, request: Request) -> Exchange:
        """Follow a redirect to where no connection stood."""
        try:
            came: Response | RequestError = self._session.follow(request, job.deadline, job.hops)
        except RequestError as error:
            came = error
        finally:
            job.leave()
        return self._go_on(job, self._tried(job, came))

    # --- threads ---

    def _hand_over(self, job: _Job, work: Callable[[], Exchange | None]) -> None:
        """Have a thread do it, and the rest of the task."""
        self._crew.give(_Errand(job, work))

    def _do_errand(self, errand: _Errand) -> None:
        job = errand.job
        try:
            came: Any = errand.work()
        except Exception as error:  # noqa: BLE001 - the consumer is told
            came = error
        if job.task.finish is None or not isinstance(came, (Exchange, SessionKitError, type(None))):
            job.result = came
        else:
            job.result = job.task.finish(came)
        self._landed.append(job)
        self._wake()

    def _land(self, job: _Job) -> None:
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


_NOW: Final = Deadline.after(0.0)
"""No time to wait."""
