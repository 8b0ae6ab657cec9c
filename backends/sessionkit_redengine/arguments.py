"""Arguments that stand for a value until a run needs it.

    FuncTask(report, parameters={"rows": Return("fetch"), "key": Private(api_key)})

    def report(rows=Return("fetch"), level=EnvArg("LEVEL") >> "info"): ...

Given as a parameter or as a function's default, they are read anew at each run. `a >> b` is `b` where `a`
has no value.
"""

from __future__ import annotations

import inspect
import os
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit_redengine.conditions.reference import task_name
from sessionkit_redengine.errors import TaskSetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.engine import Session as RedSession
    from sessionkit_redengine.runs import Run
    from sessionkit_redengine.tasks.base import Task as AnyTask

_MISSING: Any = object()


class Context(NamedTuple):
    """Where an argument is being resolved; without a run in hooks and conditions, without a task in hooks."""

    session: RedSession
    task: AnyTask | None = None
    run: Run | None = None


class BaseArgument(ABC):
    """A value to be had at each run. A new kind says how, in `get_value`."""

    @abstractmethod
    def get_value(self, context: Context) -> Any:
        """The value for this run.

        Raises:
            TaskSetupError: when there is none; the run fails before it begins.
        """

    def __rshift__(self, other: Any) -> BaseArgument:
        return _Fallback(self, other)

    def __repr__(self) -> str:
        shown = ", ".join(f"{value!r}" for value in vars(self).values() if value is not _MISSING)
        return f"{type(self).__name__}({shown})"


def resolve(value: Any, context: Context) -> Any:
    """What a value stands for: an argument's value, anything else as it is."""
    return value.get_value(context) if isinstance(value, BaseArgument) else value


class _Fallback(BaseArgument):
    def __init__(self, first: BaseArgument, second: Any) -> None:
        self.first = first
        self.second = second

    def get_value(self, context: Context) -> Any:
        try:
            value = self.first.get_value(context)
        except TaskSetupError:
            return resolve(self.second, context)
        return resolve(self.second, context) if value is None else value


class SimpleArg(BaseArgument):
    """A value, as it is."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get_value(self, context: Context) -> Any:  # noqa: ARG002 - the argument's interface
        """The value."""
        return self.value


class Private(SimpleArg):
    """A value that only tasks see: it appears in no repr and no log."""

    def __repr__(self) -> str:
        return "Private(*****)"


class Arg(BaseArgument):
    """A parameter of the session: `Arg("env")`."""

    def __init__(self, key: str, default: Any = _MISSING) -> None:
        self.key = key
        self.default = default

    def get_value(self, context: Context) -> Any:
        """The parameter as it is at this run."""
        if self.key in context.session.parameters:
            return resolve(context.session.parameters[self.key], context)
        return _or_default(self.default, f"the session has no parameter {self.key!r}")


class EnvArg(BaseArgument):
    """An environment variable: `EnvArg("HOME")`."""

    def __init__(self, var: str, default: Any = _MISSING) -> None:
        self.var = var
        self.default = default

    def get_value(self, context: Context) -> Any:  # noqa: ARG002 - the argument's interface
        """The variable as it is at this run."""
        value = os.environ.get(self.var)
        return (
            _or_default(self.default, f"there is no environment variable {self.var}")
            if value is None
            else value
        )


class CliArg(BaseArgument):
    """What follows a name on the command line: `CliArg("--level")`."""

    def __init__(self, param: str, default: Any = _MISSING) -> None:
        self.param = param
        self.default = default

    def get_value(self, context: Context) -> Any:  # noqa: ARG002 - the argument's interface
        """The word after the name, or after its `=`."""
        for position, word in enumerate(sys.argv):
            if word == self.param and position + 1 < len(sys.argv):
                return sys.argv[position + 1]
            if word.startswith(f"{self.param}="):
                return word.partition("=")[2]
        return _or_default(self.default, f"the command line has no {self.param}")


class Return(BaseArgument):
    """What another task returned the last time it ran: `Return("fetch")`.

    Args:
        task_name: The task, its name or its function.
        default: The value while it has not returned anything.
    """

    def __init__(self, task_name: Any, default: Any = None) -> None:
        self.task_name = _name(task_name)
        self.default = default

    def get_value(self, context: Context) -> Any:
        """The value as it is at this run."""
        returns = context.session.returns
        task = context.session.get_task(self.task_name)
        return returns[task] if task in returns else resolve(self.default, context)


def _name(task: Any) -> str:
    name = task_name(task)
    assert name is not None
    return name


class FuncArg(BaseArgument):
    """What a function returns at each run: `FuncArg(connect, host="db")`.

    It is called where the task runs (`param_materialize="post"`), or in the scheduler ("pre"). A function
    with an argument `task` or `session` is always called in the scheduler, which has them.
    """

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs

    def get_value(self, context: Context) -> Any:
        """The function's result, or a call to be made where the task runs."""
        call = LateCall(
            self.func,
            tuple(resolve(value, context) for value in self.args),
            {name: resolve(value, context) for name, value in self.kwargs.items()},
        )
        wanted = _parameter_names(self.func)
        given = {"task": context.task, "session": context.session}
        injected = {
            name: value for name, value in given.items() if name in wanted and name not in self.kwargs
        }
        if injected or context.session.config.param_materialize == "pre" or context.run is None:
            return call.func(*call.args, **call.kwargs, **injected)
        return call


def _parameter_names(func: Callable[..., Any]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(func).parameters)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return frozenset()


class LateCall(NamedTuple):
    """A call that the worker makes before the task's own."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def value(self) -> Any:
        """Make the call."""
        return self.func(*self.args, **self.kwargs)


def argument(**defaults: Any) -> Callable[[Callable[..., Any]], FuncArg]:
    """Make an argument of a function: `@argument()` above `def database(): ...`."""

    def decorate(func: Callable[..., Any]) -> FuncArg:
        return FuncArg(func, **defaults)

    return decorate


class Session(BaseArgument):
    """The session; in another process there is none, and the run fails."""

    def get_value(self, context: Context) -> Any:
        """The session that runs the task."""
        return context.session


class Task(BaseArgument):
    """A task: the one that runs, or the one named."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def get_value(self, context: Context) -> Any:
        """The task object."""
        return context.session.get_task(self.name) if self.name else context.task


class Config(BaseArgument):
    """The session's configuration."""

    def get_value(self, context: Context) -> Any:
        """The configuration object."""
        return context.session.config


class TaskLogger(BaseArgument):
    """The logger of the tasks' records."""

    def get_value(self, context: Context) -> Any:
        """The standard library's logger."""
        return context.session.task_logger


class SchedulerLogger(BaseArgument):
    """The logger of the scheduler."""

    def get_value(self, context: Context) -> Any:
        """The standard library's logger."""
        return context.session.scheduler_logger


class TerminationFlag(BaseArgument):
    """Like a `threading.Event`: set when the run is to end. See it, and raise `TaskTerminationException`."""

    def get_value(self, context: Context) -> Any:
        """This run's event; in another process, where runs are ended from outside, one that is never set."""
        return _run(context).flag


class Event(BaseArgument):
    """The event that started this run (a mapping), or None when it was something else."""

    def get_value(self, context: Context) -> Any:
        """The oldest event that the task had not run for."""
        return _run(context).event


class Due(BaseArgument):
    """When this run was due, in seconds since the epoch: in the past when it makes up for a missed one."""

    def get_value(self, context: Context) -> Any:
        """The instant."""
        return _run(context).due


def _run(context: Context) -> Run:
    if context.run is None:
        raise TaskSetupError("this argument has a value in a run only")
    return context.run


def _or_default(default: Any, message: str) -> Any:
    if default is _MISSING:
        raise TaskSetupError(message, hint="give the argument a default, or a fallback with >>")
    return default
