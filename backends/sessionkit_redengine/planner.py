"""When each task is due, and what has to happen for that to be worked out anew."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sessionkit_redengine.agenda import FOREVER, Agenda
from sessionkit_redengine.conditions.base import AlwaysFalse, Condition, next_true
from sessionkit_redengine.conditions.session import OnEvent
from sessionkit_redengine.errors import ConditionError, TaskNotFound
from sessionkit_redengine.runs import NO_WISHES, Batch
from sessionkit_redengine.setback import set_back
from sessionkit_redengine.view import POLL, SessionView

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.tasks.base import Task

# A run later than this is reckoned from when it starts, not from when it was due: a scheduler that was held
# up goes on at the usual beat, it does not hurry to catch up.
_LATE = 1.0
_ABSENT = object()


class Planner:
    """Keeps the agenda of one session: a task is put on it once, and again when something changes for it."""

    def __init__(self, session: Session, agenda: Agenda) -> None:
        self._session = session
        self._agenda = agenda
        self._view = SessionView(session)
        self._watchers: dict[Hashable, dict[Task, None]] = {}
        self._batches: dict[Task, deque[Batch]] = {}
        self._retries: dict[Task, float] = {}
        # When they were due, and when to try again: tasks whose start could not be recorded.
        self._postponed: dict[Task, tuple[float, float]] = {}
        self._ending: dict[Task, object] = {}
        self._failing: dict[Task, str] = {}
        self.paused: frozenset[str] = frozenset()
        self.only: frozenset[Task] | None = None
        self.on_hold = False

    def refresh(self) -> None:
        """Begin anew, as the configuration is now."""
        self.reconfigure()
        self._watchers.clear()
        self._retries.clear()
        self._postponed.clear()
        self._agenda.clear()

    def reconfigure(self) -> None:
        """See the time zone and the pauses that the configuration has now."""
        self._view = SessionView(self._session)

    # --- who waits for what ---

    def watch(self, task: Task) -> None:
        """Have a task looked at whenever something changes that its conditions name."""
        for key in task.start_cond.keys() | task.end_cond.keys():
            if key in {("task", None), ("task", task.name)}:
                continue  # a task is looked at after each of its own runs anyway
            self._watchers.setdefault(key, {})[task] = None
            if isinstance(key, tuple) and isinstance(key[1], OnEvent):
                self._session.scheduler.events.listen(key[1])

    def forget(self, task: Task) -> None:
        """Plan a task no more."""
        for watchers in self._watchers.values():
            watchers.pop(task, None)
        self._agenda.drop("task", task)
        self._agenda.drop("end", task)
        for kept in (self._batches, self._retries, self._postponed, self._ending, self._failing):
            kept.pop(task, None)

    def changed(self, key: Hashable) -> None:
        """Look again at the tasks that wait for this."""
        for task in tuple(self._watchers.get(key, ())):
            self.plan(task)
            if task in self._ending:
                self.plan_end(task)

    def watchers(self, key: Hashable) -> Iterable[Task]:
        """The tasks that wait for this."""
        return tuple(self._watchers.get(key, ()))

    def check_names(self) -> None:
        """Report the conditions that wait for a task that does not exist."""
        for task in self._session.tasks:
            for key in task.start_cond.keys() | task.end_cond.keys():
                kind, name = key if isinstance(key, tuple) else ("", None)
                if kind == "task" and name is not None and name not in self._session:
                    self._session.report(f"task {task.name!r} waits for task {name!r}, which does not exist")

    # --- wishes ---

    def request(self, task: Task, batch: Batch) -> None:
        """Have a task run once, whatever its condition says."""
        self._batches.setdefault(task, deque()).append(batch)
        self.plan(task)

    def retry(self, task: Task, at: float) -> None:
        """Have a task run again at `at`, because it failed."""
        self._retries[task] = at

    def inherit_retry(self, task: Task) -> None:
        """Have a task run again, where its record says that it failed, may be retried and was not since.

        All schedulers of a history do so, whoever's run it was: what is owed does not die with one of them.
        """
        state = task.state
        failed = state.latest("fail", "crash")
        if failed is None or not state.fails % (task.retries + 1):
            return
        if all(started < failed for started in state.running.values()):
            self._retries[task] = failed + task.retry_delay

    def overtaken(self, task: Task) -> None:
        """Forget what was owed to a task that another scheduler has run since: its record says what is."""
        self._retries.pop(task, None)
        self._postponed.pop(task, None)

    def forced(self, task: Task) -> bool:
        """Whether somebody wants it to run, whatever its condition says."""
        return task.force_run or bool(self._batches.get(task))

    def take_batch(self, task: Task) -> Batch:
        """What somebody wished for the run that is starting."""
        batches = self._batches.get(task)
        if batches:
            return batches.popleft()
        if task.force_run:
            object.__setattr__(task, "force_run", False)
            return Batch({})
        return NO_WISHES

    def began(self, task: Task, batch: Batch) -> None:
        """A run has begun; one that nobody wished for is the retry, if one was owed."""
        if batch is NO_WISHES:
            self._retries.pop(task, None)

    def give_back(self, task: Task, batch: Batch) -> None:
        """Have a wish that was taken fulfilled later."""
        if batch is not NO_WISHES:
            self._batches.setdefault(task, deque()).appendleft(batch)
            self.plan(task)

    def obey(self, orders: Mapping[str, str]) -> None:
        """Carry out the orders that the history has now, and none that another scheduler has carried out."""
        known: set[str] = set()
        for task, batches in tuple(self._batches.items()):
            kept = [batch for batch in batches if not batch.order or batch.order in orders]
            known.update(batch.order for batch in kept)
            if len(kept) < len(batches):
                self._batches[task] = deque(kept)
                self.plan(task)
        session = self._session
        for order, name in orders.items():
            if name in session and order not in known:
                self.request(session[name], Batch({}, order=order))

    def postpone(self, task: Task, due: float, at: float) -> None:
        """Have a run that was due start later, because now it cannot be recorded."""
        self._postponed[task] = (due, at)
        self._agenda.put(at, "task", task)

    def expected(self, task: Task) -> float:
        """When a task is due next, for those who ask while no scheduler runs."""
        return self._next(task, self._session.clock.time(), None)

    # --- planning ---

    def plan(self, task: Task, since: float | None = None, now: float | None = None) -> None:
        """Put a task on the agenda where it is next due, reckoned from `since` (default: from now)."""
        now = self._session.clock.time() if now is None else now
        self._agenda.put(self._next(task, now, since), "task", task)

    def _next(self, task: Task, now: float, since: float | None) -> float:
        state = task.state
        if state.running and not self.parallel(task):
            # Our own runs tell when they end; another scheduler's have to be asked after.
            return FOREVER if self._session.scheduler.runs_task(task) else now + POLL
        if self.on_hold:
            return FOREVER
        if task in self._postponed:
            return self._postponed[task][1]
        if self.forced(task):
            return now
        if not self._plannable(task):
            return FOREVER
        retry = self._retries.get(task, FOREVER)
        if since is None and task.missed == "all" and state.last_due is not None:
            since = min(state.last_due, now)  # it is later where the clock was set back
        return min(retry, self._true_from(task, task.start_cond, now, since))

    def _plannable(self, task: Task) -> bool:
        if task.disabled or task.on_startup or task.on_shutdown or task.name in self.paused:
            return False
        return self.only is None

    def parallel(self, task: Task) -> bool:
        """Whether a task may run beside itself."""
        return self._session.config.multilaunch if task.multilaunch is None else task.multilaunch

    def _true_from(self, task: Task, condition: Condition, now: float, since: float | None) -> float:
        if type(condition) is AlwaysFalse:
            return FOREVER
        try:
            return next_true(condition, self._view.of(task, now), now if since is None else since)
        except TaskNotFound as error:
            self._failed(task, error)
            return FOREVER  # until it is made
        except Exception as error:  # noqa: BLE001 - a condition may be anybody's code
            self._failed(task, error)
            return now + max(self._view.poll, POLL)

    def _failed(self, task: Task, error: Exception) -> None:
        message = f"a condition of task {task.name!r} failed: {type(error).__name__}: {error}"
        if not self._session.config.silence_cond_check:
            raise ConditionError(message) from error
        if self._failing.get(task) != message:  # told once, not each second
            self._failing[task] = message
            self._session.report(message, error)

    def look(self, task: Task, due: float) -> float | None:
        """Look at a task whose time has come: when its run is due, or None if it is not to run."""
        now = self._session.clock.time()
        state = task.state
        due, _ = self._postponed.pop(task, (due, now))
        if state.running and not self.parallel(task):
            self._session.record.refresh(task)
            self.plan(task)
            return None
        if self._withheld(task):
            self.plan(task)
            return None
        if self.forced(task):
            return now
        if task.on_startup or task.on_shutdown:
            return due  # it has waited for a place
        if self._retries.get(task, FOREVER) <= now:
            return state.last_due if state.last_due is not None else now
        found = self._due(task, due, now)
        if found is None:
            self.plan(task, now, now)
        return found

    def may_start(self, task: Task, seen: str) -> bool:
        """Whether a task that was due may start still, after what has run since its latest run was `seen`."""
        return task._registered and task.state.run_id == seen and not self._withheld(task)  # noqa: SLF001 - as the session's

    def _withheld(self, task: Task) -> bool:
        """Whether a task that is due, or waits for a place, is not to run now."""
        if self.on_hold:
            return not task.on_shutdown
        return (task.disabled or task.name in self.paused) and not self.forced(task)

    def _due(self, task: Task, due: float, now: float) -> float | None:
        done = task.state.last_due
        try:
            if task.missed == "all":
                is_true = self._true(task, now, due)
                if not is_true and done is not None and due <= done:
                    # It is from before it waited, and another scheduler has run the task since.
                    due = self._true_from(task, task.start_cond, now, min(done, now))
                    if due > now:
                        return None
                    is_true = self._true(task, now, due)
                if is_true:
                    self._failing.pop(task, None)
                    return due
            if self._true(task, now, now):
                return now if now - due > _LATE else due
            missed = due < now and self._true(task, now, due)
        except Exception as error:  # noqa: BLE001 - a condition may be anybody's code
            self._failed(task, error)
            return None
        self._failing.pop(task, None)
        if missed:
            self._session.teller.missed(task, due)
        return due if missed and task.missed == "once" else None

    def _true(self, task: Task, now: float, at: float) -> bool:
        value, _ = task.start_cond.state(self._view.of(task, now), at)
        return bool(value)

    def holds(self, task: Task) -> bool:
        """Whether a task would be started now, as `bool(task)` says; a condition that raises is not true."""
        if task.force_run or task.disabled:
            return task.force_run
        now = self._session.clock.time()
        try:
            return self._true(task, now, now)
        except Exception as error:  # noqa: BLE001 - a condition may be anybody's code
            self._failed(task, error)
            return False

    # --- ends ---

    def plan_end(self, task: Task) -> None:
        """Put the end of a task's runs on the agenda, where its end condition says."""
        now = self._session.clock.time()
        self._ending[task] = None
        at = now if task.force_termination else self._true_from(task, task.end_cond, now, None)
        self._agenda.put(at, "end", task)

    def plan_ends(self) -> None:
        """Work out anew when what runs is to end."""
        for task in tuple(self._ending):
            self.plan_end(task)

    def is_to_end(self, task: Task) -> bool:
        """Whether a task's runs are to be ended now; a condition that raises counts as false here too."""
        if task.force_termination:
            return True
        now = self._session.clock.time()
        try:
            value, _ = task.end_cond.state(self._view.of(task, now), now)
        except Exception as error:  # noqa: BLE001 - a condition may be anybody's code
            self._failed(task, error)
            return False
        return bool(value)

    def ended(self, task: Task) -> None:
        """Look at the end condition no more: nothing runs."""
        if self._ending.pop(task, _ABSENT) is None:
            self._agenda.drop("end", task)
        if task.force_termination:
            object.__setattr__(task, "force_termination", False)

    # --- after the scheduler was away ---

    def recover(self, task: Task) -> None:
        """Plan a task at the scheduler's start: retries that are owed, and due times that passed."""
        self.inherit_retry(task)
        self.plan(task, task.state.last_due if task.missed != "skip" else None)

    def clock_set_back(self, seconds: float) -> None:
        """Go on as if the clock had not been set, as far as its dates allow, and work out all anew."""
        now = self._session.clock.time()
        self._retries = {task: at - seconds for task, at in self._retries.items()}
        self._postponed = {task: (due, at - seconds) for task, (due, at) in self._postponed.items()}
        for task in self._session.tasks:
            set_back(task, seconds, now)
        for task in self._session.tasks:
            self.plan(task)
        self.plan_ends()
