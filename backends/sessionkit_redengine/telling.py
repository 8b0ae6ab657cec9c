"""What the session tells the world: the standard library's loggers, and events on its hub."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.history.base import RunRecord
    from sessionkit_redengine.runs import Outcome, Run
    from sessionkit_redengine.tasks.base import Task

_LEVELS: Final = {"fail": logging.ERROR, "crash": logging.ERROR, "terminate": logging.WARNING}
_KEPT_PROBLEMS = 100


class Teller:
    """Tells of one session's runs and problems. Nothing that listens can stop the scheduler.

    Attributes:
        problems: The latest problems, as text.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.problems: deque[str] = deque(maxlen=_KEPT_PROBLEMS)

    def started(self, run: Run) -> None:
        """A run has started."""
        task = run.task
        if self._logger(task).isEnabledFor(logging.INFO):
            self._log(task, "run", {"start": run.started, "end": None, "runtime": None, "run_id": run.id})
        if self.listening:
            self.event("redengine.task.started", task=task.name, run=run.id, due=run.due)

    def finished(self, task: Task, record: RunRecord, outcome: Outcome) -> None:
        """A run has ended."""
        if self._logger(task).isEnabledFor(_LEVELS.get(outcome.action, logging.INFO)):
            ended = record.ended or record.started
            details = {"start": record.started, "end": ended, "runtime": ended - record.started}
            self._log(task, outcome.action, {**details, "run_id": record.run_id}, outcome.text)
        if self.listening:
            told = {"run": record.run_id, "action": outcome.action, "due": record.due}
            self.event("redengine.task.finished", task=task.name, **told)

    def missed(self, task: Task, due: float) -> None:
        """A due time passed without a run."""
        self.event("redengine.task.missed", task=task.name, due=due)
        self._say(logging.INFO, f"task {task.name!r} missed a due time")

    def problem(self, message: str, error: BaseException | None = None) -> None:
        """Something went wrong beside the tasks."""
        self.problems.append(message)
        self._say(logging.WARNING, message, error)
        self.event("redengine.problem", message=message)

    def _say(self, level: int, message: str, error: BaseException | None = None) -> None:
        try:
            self._session.scheduler_logger.log(level, "%s", message, exc_info=error)
        except Exception as failure:  # noqa: BLE001 - a handler or filter may be anybody's code
            self.problems.append(f"the log of the scheduler cannot be written: {failure}")

    def event(self, topic: str, **data: Any) -> None:
        """Emit an event, if anybody has subscribed to the session's hub."""
        self._session._announce(topic, name=self._session.name, **data)  # noqa: SLF001 - the session's own part

    @property
    def listening(self) -> bool:
        """Whether anybody has subscribed to the session's hub."""
        hub = self._session._hub  # noqa: SLF001 - looking must not make one
        return hub is not None and hub.enabled

    def _logger(self, task: Task) -> logging.Logger:
        return logging.getLogger(task.logger_name) if task.logger_name else self._session.task_logger

    def _log(self, task: Task, action: str, details: dict[str, Any], text: str = "") -> None:
        try:
            message = task.fmt_log_message.format(task=task.name, action=action, **details)
            self._logger(task).log(
                _LEVELS.get(action, logging.INFO),
                "%s",
                f"{message}\n{text}" if text else message,
                extra={"task_name": task.name, "action": action, **details},
            )
        except Exception as error:  # noqa: BLE001 - a handler, filter or format may be anybody's
            self.problems.append(f"the log of task {task.name!r} cannot be written: {error}")
