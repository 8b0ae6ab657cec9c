"""What a session knows of its tasks' runs: remembered, and read anew where others write the history too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit_redengine.setback import from_the_future, set_back

if TYPE_CHECKING:
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.history import TaskState
    from sessionkit_redengine.tasks.base import Task


class Record:
    """The tasks' records of one session; each is an attribute of its task, so that looking costs nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

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
        """Read the record of a task from the history, where others may have written."""
        history = self._session.history
        found = history.state(self._session.name, task.name) if history.lasting else None
        if found is not None:
            task.state.adopt(found)

    def refresh_all(self) -> None:
        """Read the records of all tasks anew; what has changed is planned anew."""
        session = self._session
        for name, state in session.history.states(session.name).items():
            if name not in session:
                continue
            task = session[name]
            if (task.state.run_id, task.state.recorded) == (state.run_id, state.last):
                continue
            task.state.adopt(state)
            if session.scheduler.started is not None:
                session.scheduler.planner.changed(("task", name))
                session.scheduler.planner.plan(task)

    def catch_up(self) -> None:
        """When the scheduler starts: mark the runs that died with their process, and read what others did."""
        session = self._session
        for run in session.history.recover(session.name, session.clock.time()):
            session.report(f"task {run.task!r} was running when its process ended: marked as crashed")
        self.refresh_all()
        now = session.clock.time()
        ahead = from_the_future(session.tasks, now)
        for task in session.tasks if ahead else ():
            set_back(task, ahead, now)
        session.scheduler.planner.paused = session.history.paused(session.name)
