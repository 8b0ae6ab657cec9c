"""What a session knows of its tasks' runs: remembered, and read anew where others write the history too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_redengine.errors import HistoryError
from sessionkit_redengine.history.state import TaskState
from sessionkit_redengine.setback import from_the_future, set_back

if TYPE_CHECKING:
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.taskbook import TaskBook
    from sessionkit_redengine.tasks.base import Task


class Record:
    """The tasks' records of one session; each is an attribute of its task, so that looking costs nothing."""

    def __init__(self, session: Session, book: TaskBook) -> None:
        self._session = session
        self._book = book
        self._mark: Any = None  # of the latest look at the history; None to look at all of it

    def of(self, task: Task) -> TaskState:
        """The record of a task; read from the history when `force_status_from_logs` is set."""
        if self._session.config.force_status_from_logs:
            self.refresh(task)
        return task.state

    def counts(self, task: Task) -> TaskState:
        """The record of a task with the instants of its history, for counting."""
        state = self.of(task)
        if not state.counting:
            state.count_from(self._session.history.series(self._session.name, task.name))
        return state

    def refresh(self, task: Task) -> None:
        """Read the record of a task from the history, where others may have written.

        While the history cannot be read, what is known is what was.
        """
        session = self._session
        if not session.history.lasting:
            return
        try:
            found = session.history.state(session.name, task.name)
        except HistoryError as error:
            if not session.config.silence_task_logging:
                raise
            session.report(f"what task {task.name!r} has done cannot be read: {error}")
            return
        self._adopt(task, found or TaskState())  # somebody may have emptied the history

    def _adopt(self, task: Task, found: TaskState) -> None:
        scheduler = self._session.scheduler
        for run in scheduler.launcher.unwritten:
            if run.run_id in found.running:
                found.finish(run.run_id, run.action, run.ended or run.started)
        overtaken = task.state.run_id != found.run_id
        task.state.adopt(found)
        if overtaken:
            scheduler.planner.overtaken(task)
            scheduler.launcher.forget(task)  # it waited for a place, with a due time from before
        scheduler.planner.inherit_retry(task)

    def _read(self, since: Any) -> None:
        """Read what has changed since an earlier look, or all; what is new here is planned anew."""
        session = self._session
        states, mark = session.history.changes(session.name, since)
        for name, state in states.items():
            task = self._book.remember(name, state)
            if task is None or _versions(task.state) == _versions(state):
                continue
            self._adopt(task, state)
            if session.scheduler.started is not None:
                session.scheduler.planner.changed(("task", name))
                session.scheduler.planner.plan(task)
        self._mark = mark

    def take_over(self) -> None:
        """While the scheduler runs: read what others did, and mark what one of them left when it died."""
        session = self._session
        since, self._mark = self._mark, None  # should this end half way, all is read next time
        lost = self._mark_crashed()
        self._read(since)
        for name in lost:
            if name in session:
                session.scheduler.planner.recover(session[name])

    def _mark_crashed(self) -> list[str]:
        session = self._session
        lost = [run.task for run in session.history.recover(session.name, session.clock.time())]
        for name in lost:
            session.report(f"task {name!r} was running when its process ended: marked as crashed")
        return lost

    def catch_up(self) -> None:
        """When the scheduler starts: mark the runs that died with their process, and read what others did."""
        session = self._session
        self._mark_crashed()
        self._read(None)
        now = session.clock.time()
        ahead = from_the_future(session.tasks, now)
        for task in session.tasks if ahead else ():
            set_back(task, ahead, now)
        session.scheduler.planner.paused = session.history.paused(session.name)


def _versions(state: TaskState) -> tuple[object, ...]:
    """What differs where a record has changed: two runs may well end at the same instant."""
    return state.run_id, state.recorded, state.fails, state.running.keys()
