"""Conditions: when a task runs.

Three ways to write one, which give the same objects:

    "daily between 10:00 and 12:00 & after task 'fetch'"                           # the language
    daily.between("10:00", "12:00") & after_success("fetch")                       # builders
    TaskExecutable(TimeOfDay("10:00", "12:00")) & DependSuccess("fetch")           # objects
"""

from sessionkit_redengine.conditions.base import All, AlwaysFalse, AlwaysTrue, Any, Condition, Not
from sessionkit_redengine.conditions.language import parse_condition, parse_time
from sessionkit_redengine.conditions.session import (
    FuncCond,
    IsEnv,
    OnEvent,
    ParamExists,
    SchedulerCycles,
    SchedulerStarted,
    TaskReturned,
)
from sessionkit_redengine.conditions.tasks import (
    DependFailure,
    DependFinish,
    DependSuccess,
    DependTerminate,
    Retry,
    TaskFailed,
    TaskFinished,
    TaskInacted,
    TaskRunning,
    TaskStarted,
    TaskSucceeded,
    TaskTerminated,
)
from sessionkit_redengine.conditions.time import Every, IsPeriod, TaskExecutable

__all__ = [
    "All",
    "AlwaysFalse",
    "AlwaysTrue",
    "Any",
    "Condition",
    "DependFailure",
    "DependFinish",
    "DependSuccess",
    "DependTerminate",
    "Every",
    "FuncCond",
    "IsEnv",
    "IsPeriod",
    "Not",
    "OnEvent",
    "ParamExists",
    "Retry",
    "SchedulerCycles",
    "SchedulerStarted",
    "TaskExecutable",
    "TaskFailed",
    "TaskFinished",
    "TaskInacted",
    "TaskReturned",
    "TaskRunning",
    "TaskStarted",
    "TaskSucceeded",
    "TaskTerminated",
    "parse_condition",
    "parse_time",
]
