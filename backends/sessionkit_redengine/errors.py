"""What can go wrong in the Red Engine session, and what a task raises to say how its run ended."""

from __future__ import annotations

from sessionkit.errors import ConfigurationError, SessionKitError


class ParserError(ConfigurationError):
    """A condition, time period, duration or cron expression that is not in the language.

    Attributes:
        text: The whole text that was read.
        position: Index of the first character that makes no sense; the message points at it.
    """

    def __init__(self, message: str, *, text: str = "", position: int = 0, hint: str = "") -> None:
        line = " ".join(text.split("\n"))
        pointer = f"\n  {line}\n  {' ' * position}^" if text else ""
        super().__init__(f"{message}{pointer}", hint=hint)
        self.text = text
        self.position = position


class TaskNotFound(SessionKitError, KeyError):
    """No task of this name is in the session."""

    __str__ = SessionKitError.__str__


class TaskExists(ConfigurationError):
    """A task of this name is in the session already, and `task_pre_exist` is "raise"."""


class TaskSetupError(SessionKitError):
    """A run failed before its task's body began: an argument, a hook, pickling or the executor."""


class TaskFailed(SessionKitError):
    """A run that somebody waited for did not succeed.

    Attributes:
        action: How it ended: "fail", "crash", "terminate" or "inaction".
        text: The traceback, or "".
    """

    def __init__(self, message: str, *, action: str = "fail", text: str = "") -> None:
        super().__init__(message)
        self.action = action
        self.text = text


class ConditionError(SessionKitError):
    """A condition raised when it was looked at."""


class HistoryError(SessionKitError):
    """The history cannot be read or written."""


class TaskCrashed(SessionKitError):
    """The process that ran a task ended before the task did."""


class TaskInactionException(Exception):
    """Raise in a task: nothing was to be done. The run counts as "inaction", neither success nor failure."""


class TaskTerminationException(Exception):
    """Raise in a task that has seen its termination flag. The run counts as "terminate"."""


class SchedulerRestart(Exception):
    """Raise in a task: the run succeeds, and the scheduler starts again."""


class SchedulerExit(Exception):
    """Raise in a task: the run succeeds, and the scheduler ends."""
