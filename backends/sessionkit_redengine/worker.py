"""What happens where a task runs: in this thread, another one, another process, another machine.

This module and `carry` are all that a worker imports, so they stay small.
"""

from __future__ import annotations

import inspect
import traceback
from typing import Any

from sessionkit_redengine.arguments import LateCall
from sessionkit_redengine.errors import (
    SchedulerExit,
    SchedulerRestart,
    TaskInactionException,
    TaskTerminationException,
)
from sessionkit_redengine.hooks import around
from sessionkit_redengine.runs import Job, Outcome

_ENDS: tuple[tuple[type[BaseException], str, str], ...] = (
    (TaskInactionException, "inaction", ""),
    (TaskTerminationException, "terminate", ""),
    (KeyboardInterrupt, "terminate", "interrupt"),
    (SchedulerRestart, "success", "restart"),
    (SchedulerExit, "success", "exit"),
)


def perform(job: Job) -> Outcome:
    """Run a job to its end and say how it ended; whatever the task raises is in the outcome."""
    try:
        if job.hooks:
            with around(job.hooks, job.task):
                value = called(job)
        else:
            value = called(job)
        if inspect.iscoroutine(value):
            # An async function in a thread or process gets a loop of its own for this run. Imported
            # here: asyncio is a third of what a worker would import otherwise.
            import asyncio  # noqa: PLC0415

            value = asyncio.run(value)
    except BaseException as error:  # noqa: BLE001 - it is reported, and a worker outlives its tasks
        return ended_by(error)
    return Outcome("success", value)


def called(job: Job) -> Any:
    """What the task's function returns."""
    if not job.late:
        return job.call(**job.kwargs)
    kwargs = {
        name: value.value() if isinstance(value, LateCall) else value for name, value in job.kwargs.items()
    }
    return job.call(**kwargs)


def ended_by(error: BaseException) -> Outcome:
    """The outcome of a run that raised."""
    for kind, action, control in _ENDS:
        if isinstance(error, kind):
            return Outcome(action, error=None if control else error, control=control)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Outcome("fail", error=error, text=text)
