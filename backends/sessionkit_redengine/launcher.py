"""How a run begins and ends: claimed in the history, handed to an executor, its outcome recorded and told."""

from __future__ import annotations

import random
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.conditions.base import AlwaysFalse
from sessionkit_redengine.errors import HistoryError, TaskFailed, TaskSetupError
from sessionkit_redengine.executors import Executors
from sessionkit_redengine.history.base import RunRecord
from sessionkit_redengine.periods.durations import NEVER
from sessionkit_redengine.runs import Outcome, Run
from sessionkit_redengine.view import POLL
from sessionkit_redengine.worker import ended_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from sessionkit_redengine.agenda import Agenda
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.executors.base import Executor
    from sessionkit_redengine.planner import Planner
    from sessionkit_redengine.runs import Batch
    from sessionkit_redengine.tasks.base import Task


class Launcher:
    """Starts the runs of one scheduler and records how they end. Used by the scheduler's thread only.

    Args:
        session: The scheduler's session.
        agenda: Where timeouts are put.
        planner: Told when a task's record has changed.
        done: Called with a run and its outcome, from any thread, when it has ended.

    Attributes:
        runs: The runs on their way, by task and id.
        unwritten: The records of runs whose end could not be recorded yet.
    """

    def __init__(
        self, session: Session, agenda: Agenda, planner: Planner, done: Callable[[Run, Outcome], None]
    ) -> None:
        self._session = session
        self._agenda = agenda
        self._planner = planner
        self._records: dict[str, RunRecord] = {}
        self._queued: dict[Executor, OrderedDict[Task, float]] = {}
        self.unwritten: deque[RunRecord] = deque()
        self._unable = False
        self.runs: dict[Task, dict[str, Run]] = {}
        self.executors = Executors(session.config, done)

    @property
    def alive(self) -> list[Run]:
        """The runs on their way, oldest first."""
        return [run for runs in self.runs.values() for run in runs.values()]

    def runs_task(self, task: Task) -> bool:
        """Whether one of the runs that a task's record has on their way is ours."""
        return not self._records.keys().isdisjoint(task.state.running)

    # --- beginning ---

    def start(self, task: Task, due: float, seen: str, execution: Any = None) -> None:
        """Begin a run, unless another scheduler has; where there is no place, when there is one.

        Args:
            task: What to run.
            due: When the run was due.
            seen: The latest run that was known when that was worked out.
            execution: Where to run it, instead of where the task says.
        """
        executor = self.executors.of(task, execution)
        if executor.capacity is not None and executor.active >= executor.capacity:
            self._queued.setdefault(executor, OrderedDict()).setdefault(task, due)
            return
        batch = self._planner.take_batch(task)
        run = Run(self._run_id(task, batch.parameters), task, due, batch)
        if not self._claimed(run, seen, batch):
            return
        run.event = self._session.scheduler.events.take(task)
        run.executor = executor
        self.runs.setdefault(task, {})[run.id] = run
        self._planner.began(task, batch)
        self._began(run, executor)
        executor.active += 1
        try:
            executor.start(run, self._session.prepare(run))
        except Exception as error:
            failed = ended_by(error)
            self.finish(run, failed, self._session.clock.time())
            if not self._session.config.silence_task_prerun:
                raise TaskSetupError(f"task {task.name!r} could not be started: {error}") from error

    def _run_id(self, task: Task, parameters: Mapping[str, Any]) -> str:
        make = self._session.config.func_run_id
        if make is None:
            return new_id()
        try:
            return str(make(task, parameters))
        except Exception as error:  # noqa: BLE001 - it may be anybody's code
            self._session.report(f"func_run_id failed for task {task.name!r}: {error}", error)
            return new_id()

    def _claimed(self, run: Run, seen: str, batch: Batch) -> bool:
        task, session = run.task, self._session
        run.started = session.clock.time()
        record = RunRecord(session.name, task.name, run.id, run.due, run.started)
        try:
            claimed = session.history.claim(record, seen, batch.order)
        except HistoryError as error:
            if not session.config.silence_task_logging:
                raise
            self._complain(f"task {task.name!r} was not started, because that cannot be recorded: {error}")
            self._planner.postpone(task, run.due, run.started + POLL)
            self._planner.give_back(task, batch)
            return False
        self._unable = False
        if claimed:
            self._records[run.id] = record
            return True
        # Another scheduler was first: what it did decides when the task is due next.
        session.record.refresh(task)
        self._planner.plan(task)
        if batch.order:
            session.scheduler.others.look_again()  # that may be what it did
        else:
            self._planner.give_back(task, batch)
        return False

    def _began(self, run: Run, executor: Executor) -> None:
        task, planner = run.task, self._planner
        task.state.start(run.id, run.started, run.due)
        if executor.can_end and not task.permanent:
            timeout = self._session.config.timeout if task.timeout is None else task.timeout
            if timeout != NEVER:
                self._agenda.put(run.started + timeout, "timeout", run)
        if type(task.end_cond) is not AlwaysFalse:
            planner.plan_end(task)
        planner.changed(("task", task.name))
        if planner.parallel(task):
            planner.plan(task)
        self._session.teller.started(run)

    # --- ending ---

    def end(self, run: Run, why: str) -> None:
        """Have a run end."""
        if not run.ending:
            run.ending = why
            run.flag.set()
            if run.executor is not None:
                run.executor.end(run)

    def finish(self, run: Run, outcome: Outcome, ended: float) -> None:
        """Record how a run ended, and let follow what follows."""
        task, state = run.task, run.task.state
        runs = self.runs[task]
        del runs[run.id]
        self._agenda.drop("timeout", run)
        if not runs:
            del self.runs[task]
            self._planner.ended(task)
        record = self._records.pop(run.id)
        record.ended, record.action, record.error = ended, outcome.action, outcome.text
        state.finish(run.id, outcome.action, ended)
        if run.said is not None:
            self._session.scheduler.output.finish(run, run.said)
        self._write(record)
        if outcome.action == "success":
            self._session.returns[task] = outcome.value
        elif outcome.action in {"fail", "crash"} and state.fails % (task.retries + 1):
            self._planner.retry(task, ended + task.retry_delay)
        self._planner.changed(("task", task.name))
        if task.name in self._session:  # it may have been removed meanwhile, or another one be in its place
            self._planner.plan(self._session[task.name])
        if runs and type(task.end_cond) is not AlwaysFalse:
            self._planner.plan_end(task)
        self._session.teller.finished(task, record, outcome)
        if run.future is not None:
            _settle(run.future, task, outcome)
        self._next_in_queue(run)

    def _next_in_queue(self, run: Run) -> None:
        executor = run.executor
        if executor is None:
            return
        executor.active -= 1
        queue = self._queued.get(executor)
        while queue and executor.capacity is not None and executor.active < executor.capacity:
            task, due = queue.popitem(last=False)
            found = self._planner.look(task, due)  # it may not be to run any more
            if found is not None:
                self.start(task, found, task.state.run_id)

    # --- a history that cannot be written ---

    def _write(self, record: RunRecord) -> None:
        self.unwritten.append(record)
        self.write()

    def write(self) -> None:
        """Write the ends that could not be written before; what still cannot be waits on."""
        while self.unwritten:
            try:
                self._session.history.finish(self.unwritten[0])
            except HistoryError as error:
                if not self._session.config.silence_task_logging:
                    raise
                self._complain(f"ends of runs are not recorded yet: {error}")
                return
            self._unable = False
            self.unwritten.popleft()

    def _complain(self, message: str) -> None:
        """Report that the history cannot be written: once, until it can."""
        if not self._unable:
            self._unable = True
            self._session.report(message)

    def forget(self, task: Task) -> None:
        """Start nothing that waits for a place."""
        for queue in self._queued.values():
            queue.pop(task, None)

    def close(self, timeout: float) -> None:
        """Drop all workers."""
        self._queued.clear()
        self.executors.close(timeout)


def _settle(future: Future[Any], task: Task, outcome: Outcome) -> None:
    """Give what a run returned, or why it returned nothing, to who waits for it."""
    if not future.set_running_or_notify_cancel():
        return
    if outcome.action == "success":
        future.set_result(outcome.value)
        return
    reason = f": {outcome.reason}" if outcome.reason else ""
    message = f"task {task.name!r} ended with {outcome.action!r}{reason}"
    future.set_exception(TaskFailed(message, action=outcome.action, text=outcome.text))


def new_id() -> str:
    """An identifier for a run: in the order of their making, so that runs of one instant keep theirs."""
    # Unique is enough, it is no secret; `random` is reseeded after a fork, and `uuid4` costs five times more.
    return f"{time.time_ns():016x}{random.getrandbits(64):016x}"
