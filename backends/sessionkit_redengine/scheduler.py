"""The scheduler: does what is due, sleeps until something is, and ends in good order."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit_redengine.agenda import FOREVER, Agenda
from sessionkit_redengine.conditions.base import AlwaysFalse, next_true
from sessionkit_redengine.ending import KILL_GRACE, Ending, abandon
from sessionkit_redengine.errors import ConditionError
from sessionkit_redengine.events import Events
from sessionkit_redengine.hooks import around
from sessionkit_redengine.launcher import Launcher
from sessionkit_redengine.others import Others
from sessionkit_redengine.output_writer import OutputWriter
from sessionkit_redengine.planner import Planner
from sessionkit_redengine.runs import NO_WISHES, Batch, Outcome
from sessionkit_redengine.signals import heeding_sigterm
from sessionkit_redengine.view import POLL, SessionView
from sessionkit_redengine.waker import TurnedWaker, Waker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sessionkit_redengine.conditions.session import OnEvent
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.runs import Run
    from sessionkit_redengine.tasks.base import Task

_JUMP = 0.5  # seconds by which the wall clock must be set to be noticed


class Scheduler:
    """The scheduler of a session. It is used through the session.

    Everything happens in the thread that runs it; `post` is how others have something done there.

    Attributes:
        cycles: How many cycles it has done since it started.
        started: When it started (seconds since the epoch), or None.
        is_alive: Whether it runs.
        wish: What somebody wants of it: "exit", "restart" or "".
        forced_end: Whether what runs is to be ended as well.
        is_ending: Whether it does no more than end.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.agenda = Agenda()
        self.planner = Planner(session, self.agenda)
        self.launcher = Launcher(session, self.agenda, self.planner, self._done)
        self.events = Events(session, self._heard)
        self.others = Others(session)
        self.output = OutputWriter(session)
        self.cycles = 0
        self.started: float | None = None
        self.is_alive = False
        self.wish = ""
        self.forced_end = False
        self.is_ending = False
        self._inbox: deque[Callable[[], None]] = deque()
        self._waker: Any = Waker() if session.clock is SYSTEM_CLOCK else TurnedWaker(session.clock)
        self._offset = 0.0
        self._execution: Any = None

    # --- for everybody ---

    def post(self, work: Callable[[], None]) -> None:
        """Have something done in the scheduler's thread, soon; before it starts, when it does."""
        self._inbox.append(work)
        self._waker.wake()

    def touch(self, task: Task) -> None:
        """Have a task looked at again, because one of its fields has changed."""
        if self.is_alive:
            self.post(partial(self._look_again, task))

    def forget(self, task: Task) -> None:
        """Have a task that was removed run no more."""
        if self.is_alive:
            self.post(partial(self._forget, task))
        else:
            self._forget(task)

    def _forget(self, task: Task) -> None:
        self.planner.forget(task)
        self.launcher.forget(task)
        self.events.forget(task)

    def shut_down(self, *, force: bool = False) -> None:
        """Have the scheduler end; `force`, or asking twice, also ends what runs."""
        self.forced_end = force or self.wish == "exit"
        self.wish = "exit"
        self._waker.wake()

    def restart(self) -> None:
        """Have the scheduler start again."""
        self.wish = "restart"
        self._waker.wake()

    @property
    def idle(self) -> bool:
        """Whether nothing has been posted."""
        return not self._inbox

    @property
    def on_hold(self) -> bool:
        """Whether nothing new is started; set it to hold the scheduler, and to let it go on."""
        return self.planner.on_hold

    @on_hold.setter
    def on_hold(self, value: bool) -> None:
        self.planner.on_hold = value
        self.post(self._plan_all)

    def runs_task(self, task: Task) -> bool:
        """Whether this scheduler, not another one, has a run of the task on its way."""
        return self.launcher.runs_task(task)

    # --- the loop ---

    def run(
        self,
        only: Iterable[Task] | None = None,
        *,
        execution: Any = None,
        obey: bool = False,
        batch: Batch = NO_WISHES,
    ) -> None:
        """Run until told to end.

        Args:
            only: Run these once each and end when they have.
            execution: Where, instead of where they say.
            obey: Whether only those whose start condition is true now.
            batch: With which parameters, and who waits.
        """
        with self._living(only, execution=execution, obey=obey, batch=batch):
            try:
                for pause in self._work():
                    self._nap(pause)
            except KeyboardInterrupt:
                if self.is_ending:
                    raise
                for pause in self._end(forced=True):
                    self._nap(pause)
                raise

    async def serve(self) -> None:
        """The same as a coroutine: async tasks run on this event loop, and so does the scheduler."""
        import asyncio  # noqa: PLC0415 - whoever calls this has it

        from sessionkit_redengine.serving import LoopWaker  # noqa: PLC0415 - see above

        own = self._waker
        loop = self.launcher.executors.loop = asyncio.get_running_loop()
        self._waker = waker = LoopWaker(loop)
        try:
            with self._living(None):
                try:
                    for pause in self._work():
                        await waker.sleep(pause)
                except (asyncio.CancelledError, KeyboardInterrupt):
                    if self.is_ending:
                        raise
                    for pause in self._end(forced=True):
                        await waker.sleep(pause)
                    raise
        finally:
            self._waker = own
            self.launcher.executors.loop = None

    def _work(self) -> Iterator[float]:
        """The scheduler's life; yields how long to sleep, again and again."""
        while not self._is_over():
            self.cycle()
            if not self._inbox and not self._is_over():
                yield self.pause()
        yield from self._end()

    def _end(self, *, forced: bool = False) -> Iterator[float]:
        self.forced_end = forced or self.forced_end
        ending = Ending(self)
        while ending.goes_on():
            yield ending.pause()
            ending.cycle()
        self.wish = ending.goal

    def _nap(self, pause: float) -> None:
        waker = self._waker
        if isinstance(waker, TurnedWaker):
            waker.busy = bool(self.launcher.runs)
        if pause > 0:
            waker.sleep(pause)

    def pause(self) -> float:
        """Seconds until there is something to do."""
        if self._inbox or self.wish:
            return 0.0
        now = self.session.clock.time()
        at = min(self.agenda.next(), self.events.next_try)
        if self.is_alive and self.session.config.shut_cond is not None:
            at = min(at, self._next_shut(now))
        if self.launcher.unwritten:
            at = min(at, now + POLL)
        return max(0.0, at - now, self.session.config.cycle_sleep or 0.0)

    def cycle(self) -> None:
        """Do all that is due now."""
        hooks = self.session.hooks.scheduler_cycle
        if hooks:
            with around(hooks, self):
                self._cycle()
        else:
            self._cycle()

    def _cycle(self) -> None:
        self.read_inbox()
        self._check_clock()
        self.others.look(self.session.clock.time())
        if self.launcher.unwritten:
            self.launcher.write()
        now = self.session.clock.time()
        if self.events.next_try <= now:
            self.events.try_again(now)
        if self.agenda.next() <= now:
            self._do_due(now)
            self.read_inbox()
            self._check_clock()
        self.cycles += 1

    def _do_due(self, now: float) -> None:
        ready: list[tuple[float, int, Task, float, str]] = []
        for entry in self.agenda.due(now):
            if entry.kind == "timeout":
                self.launcher.end(entry.subject, "timeout")
            elif entry.kind == "end":
                self.end_if_told(entry.subject)
            else:
                due = self.planner.look(entry.subject, entry.at)
                if due is not None:
                    task = entry.subject
                    ready.append((-task.priority, task.order, task, due, task.state.run_id))
        ready.sort(key=_urgency)
        self.launcher.executors.begin_cycle()
        for _, _, task, due, seen in ready:
            if not self.wish and self.planner.may_start(task, seen):
                self.launcher.start(task, due, seen, self._execution)
                self.read_inbox()  # what ran here has ended, and comes first in the log

    def end_if_told(self, task: Task) -> None:
        """End a task's runs, if its end condition or somebody says so."""
        if not self.planner.is_to_end(task):
            self.planner.plan_end(task)
            return
        for run in tuple(self.launcher.runs.get(task, {}).values()):
            self.launcher.end(run, "end condition")

    def read_inbox(self) -> None:
        """Do what was posted."""
        inbox = self._inbox
        while inbox:
            inbox.popleft()()

    def _check_clock(self) -> None:
        offset = self._clock_offset()
        ahead = offset - self._offset
        self._offset = offset
        if abs(ahead) < _JUMP:
            return
        # A timeout is time that a run has had; it has none while the machine sleeps.
        self.agenda.shift("timeout", ahead)
        # Forward is time that has passed, be it in the machine's sleep: what is due then is due now.
        if ahead < 0:
            if self.started is not None:
                self.started += ahead
            self.events.clock_set_back()
            self.planner.clock_set_back(-ahead)

    def _clock_offset(self) -> float:
        clock = self.session.clock
        return clock.time() - clock.monotonic()

    # --- what others tell ---

    def _done(self, run: Run, outcome: Outcome) -> None:
        self.post(partial(self._finish, run, outcome, self.session.clock.time(), self._clock_offset()))

    def _finish(self, run: Run, outcome: Outcome, ended: float, offset: float) -> None:
        if run.id not in self.launcher.runs.get(run.task, ()):
            return  # it was given up when the scheduler ended
        self._check_clock()
        if offset > self._offset + _JUMP:
            ended += self._offset - offset  # it ended before the clock was set back
        self.launcher.finish(run, outcome, ended)
        self.others.tell()
        if outcome.control == "interrupt":
            raise KeyboardInterrupt
        if outcome.control:
            self.wish = outcome.control

    def _heard(self, condition: OnEvent, event: Mapping[str, Any]) -> None:
        self.post(partial(self._arrived, condition, event))

    def _arrived(self, condition: OnEvent, event: Mapping[str, Any]) -> None:
        key = ("event", condition)
        for task in self.planner.watchers(key):
            self.events.add(task, condition, event)
        self.planner.changed(key)

    def _look_again(self, task: Task) -> None:
        if not task._registered:  # noqa: SLF001 - it may have been removed meanwhile
            return
        self.planner.watch(task)
        self.planner.plan(task)
        self.planner.changed(("task", task.name))  # who waited for it while there was none
        if task in self.launcher.runs:
            self.planner.plan_end(task)

    def reconfigure(self) -> None:
        """Work all out anew, because the configuration has changed."""
        self.planner.reconfigure()
        self._plan_all()

    def _plan_all(self) -> None:
        for task in self.session.tasks:
            self.planner.plan(task)
        self.planner.plan_ends()

    # --- beginning and end ---

    @contextmanager
    def _living(
        self,
        only: Iterable[Task] | None,
        *,
        execution: Any = None,
        obey: bool = False,
        batch: Batch = NO_WISHES,
    ) -> Iterator[None]:
        session = self.session
        self.is_alive = True
        self.wish = ""
        self.forced_end = self.is_ending = False
        self._execution = execution
        self.output.open()
        try:
            with heeding_sigterm(self, ask=only is None):
                self._start_up(only, obey=obey, batch=batch)
                yield
        except BaseException:
            abandon(self)
            raise
        finally:
            self.is_alive = False
            self.planner.only = None
            self.events.close()
            self.others.close()
            self.launcher.close(0.0 if self.forced_end else KILL_GRACE)
            self.output.close()
            session.tell("redengine.scheduler.stopped")
            if session.closed:
                session.history.close()

    def _start_up(self, only: Iterable[Task] | None, *, obey: bool, batch: Batch) -> None:
        session = self.session
        clock = session.clock
        self._offset = self._clock_offset()
        self.cycles = 0
        self.started = clock.time()
        self.planner.refresh()
        session.record.catch_up()
        self.planner.check_names()
        self.others.open()
        session.tell("redengine.scheduler.started")
        for task in session.tasks:
            self.planner.watch(task)
        chosen = None if only is None else frozenset(only)
        self.planner.only = None if obey else chosen
        with around(session.hooks.scheduler_startup, self):
            self.start_marked("on_startup")
        for task in sorted(chosen, key=_by_order) if chosen is not None else session.tasks:
            if chosen is None:
                self.planner.recover(task)
            elif not obey or self.planner.holds(task):
                self.planner.request(task, batch)
        if chosen is not None:
            self.planner.only = chosen

    def start_marked(self, mark: str) -> None:
        """Start the tasks that run when the scheduler starts ("on_startup") or ends ("on_shutdown")."""
        now = self.session.clock.time()
        for task in sorted(self.session.tasks, key=_by_urgency):
            if getattr(task, mark) and not task.disabled:
                always = type(task.start_cond) is AlwaysFalse
                if always or self.planner.holds(task):
                    self.launcher.start(task, now, task.state.run_id)
        self.read_inbox()

    def _is_over(self) -> bool:
        if self.wish:
            return True
        if self.planner.only is not None and not self.launcher.runs:
            return self.agenda.next() == FOREVER and not self._inbox
        condition = self.session.config.shut_cond
        return condition is not None and self._shut(condition)

    def _shut(self, condition: Any) -> bool:
        try:
            return self.session.check(condition, None)
        except Exception as error:
            if not self.session.config.silence_cond_check:
                raise ConditionError(f"the shut condition failed: {error}") from error
            message = f"the shut condition failed: {error}"
            if message not in self.session.problems:  # told once, not each second
                self.session.report(message, error)
            return False

    def _next_shut(self, now: float) -> float:
        condition = self.session.config.shut_cond
        try:
            return next_true(condition, SessionView(self.session), now) if condition else FOREVER
        except Exception:  # noqa: BLE001 - reported where it is looked at
            return now + POLL

    def after_fork_in_child(self) -> None:
        """The child schedules nothing, and has none of the threads."""
        self.__init__(self.session)  # type: ignore[misc]  # everything in it is the parent's


def _urgency(ready: tuple[float, int, Task, float, str]) -> tuple[float, int]:
    return ready[:2]


def _by_urgency(task: Task) -> tuple[float, int]:
    return (-task.priority, task.order)


def _by_order(task: Task) -> int:
    return task.order
