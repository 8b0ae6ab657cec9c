"""Conditions on the session itself: its scheduler, its parameters, its environment, and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_redengine.conditions.base import FOREVER, Condition, Truth, View
from sessionkit_redengine.conditions.tasks import Countable
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods.durations import lasting, spelled

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import timedelta

    from typing_extensions import Self

_MISSING = object()


class SchedulerCycles(Countable):
    """On how many cycles the scheduler has done since it started: `SchedulerCycles() >= 4`.

    The scheduler does a cycle whenever there is something to do. While somebody counts, it does one each
    `cycle_sleep` seconds (or each second) as well.
    """

    __slots__ = ()

    def __init__(self, *, comparison: tuple[str, float] = (">", 0)) -> None:
        self.comparison = comparison

    def state(self, view: View, at: float) -> Truth:
        """By the count; what it will be later is not known."""
        if at > view.now:
            return (None, FOREVER)
        return (self.holds(view.cycles), at + view.poll)

    def _compared(self, sign: str, number: float) -> Self:
        return type(self)(comparison=(sign, number))

    def _key(self) -> tuple[Any, ...]:
        return (self.comparison,)


class SchedulerStarted(Condition):
    """True when the scheduler started less than a time ago; `~SchedulerStarted("1 hour")`: has run longer."""

    __slots__ = ("past",)

    def __init__(self, past: float | timedelta | str) -> None:
        self.past = lasting(past)

    def state(self, view: View, at: float) -> Truth:
        """True until that time has passed since the start."""
        if view.started is None:
            return (False, FOREVER)
        over = view.started + self.past
        return (True, over) if at < over else (False, FOREVER)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SchedulerStarted) and other.past == self.past

    def __hash__(self) -> int:
        return hash((SchedulerStarted, self.past))

    def __repr__(self) -> str:
        return f"SchedulerStarted({spelled(self.past)!r})"


class ParamExists(Condition):
    """True when the session has these parameters, with these values: `ParamExists("x", mode="test")`.

    Text equals the text of a value, so that `param 'port' is '80'` finds the number 80.
    """

    __slots__ = ("names", "values")

    def __init__(self, *names: str, **values: Any) -> None:
        self.names = names
        self.values = tuple(values.items())

    def state(self, view: View, at: float) -> Truth:  # noqa: ARG002 - the condition's interface
        """By the parameters as they are."""
        here = view.parameters
        named = all(name in here for name in self.names)
        return (named and all(_same(here.get(name, _MISSING), value) for name, value in self.values), FOREVER)

    def keys(self) -> frozenset[Hashable]:
        """The parameters looked at."""
        return frozenset(("param", name) for name in (*self.names, *dict(self.values)))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (other.names, other.values) == (self.names, self.values)

    def __hash__(self) -> int:
        return hash((ParamExists, self.names, tuple(name for name, _ in self.values)))

    def __repr__(self) -> str:
        shown = [*map(repr, self.names), *(f"{name}={value!r}" for name, value in self.values)]
        return f"{type(self).__name__}({', '.join(shown)})"


class IsEnv(ParamExists):
    """True when the session's parameter `env` is this one: `IsEnv("prod")`."""

    __slots__ = ()

    def __init__(self, env: str) -> None:
        super().__init__(env=env)

    def __repr__(self) -> str:
        return f"IsEnv({self.values[0][1]!r})"


def _same(found: object, wanted: object) -> bool:
    return found is not _MISSING and bool(
        found == wanted or (isinstance(wanted, str) and str(found) == wanted)
    )


class OnEvent(Condition):
    """True while there are events that the task has not run for: each event that matches is one run.

    >>> OnEvent("topic=ftrack.update and data.entities.entityType=task")
    OnEvent('topic=ftrack.update and data.entities.entityType=task')

    The run finds its event through the argument `Event()`. Where other conditions hold the task back, its
    events wait (at most a thousand; the oldest are dropped first).

    Args:
        expression: A subscription, in the language of `sessionkit.events`.
        source: The `__metakey__` of the sessions whose hubs are listened to; None is the scheduler's own hub.

    Raises:
        ParserError: for an expression that is not in that language.
    """

    __slots__ = ("expression", "source")

    def __init__(self, expression: str, source: str | None = None) -> None:
        from sessionkit.events import EventError, Subscription  # noqa: PLC0415 - schedules without events

        try:
            Subscription(expression)
        except EventError as error:
            raise ParserError(error.message or str(error), text=expression, hint=error.hint) from None
        self.expression = expression
        self.source = source

    def state(self, view: View, at: float) -> Truth:  # noqa: ARG002 - the condition's interface
        """By the events that wait."""
        return (view.pending(self) > 0, FOREVER)

    def keys(self) -> frozenset[Hashable]:
        """Itself: the scheduler subscribes for it."""
        return frozenset((("event", self),))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnEvent) and (other.expression, other.source) == (
            self.expression,
            self.source,
        )

    def __hash__(self) -> int:
        return hash((OnEvent, self.expression, self.source))

    def __repr__(self) -> str:
        return f"OnEvent({self.expression!r}{f', {self.source!r}' if self.source else ''})"


class FuncCond(Condition):
    """A condition that asks a function: `FuncCond(disk_has_room, args=("/srv",))`.

    A function cannot tell when its answer changes. It is asked when the other conditions beside it hold,
    each `cycle_sleep` seconds (or each second), and whenever something happens in the session.

    Args:
        func: What to call. Defaults that are argument objects (`Arg`, `Task()`...) are resolved.
        args: Positional arguments.
        kwargs: Named arguments.
    """

    __slots__ = ("args", "func", "kwargs")

    def __init__(self, func: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> None:
        if not callable(func):
            raise ParserError(f"{func!r} cannot be called, and a condition has to be.")
        self.func = func
        self.args = args
        self.kwargs = tuple(sorted((kwargs or {}).items()))

    @property
    def asks(self) -> bool:
        """It does."""
        return True

    def state(self, view: View, at: float) -> Truth:
        """What it says now; what it will say later is not known."""
        if at > view.now:
            return (None, FOREVER)
        return (view.call(self), at + view.poll)

    def __call__(self, *args: Any, **kwargs: Any) -> FuncCond:
        """The same condition with these arguments."""
        return FuncCond(self.func, args, kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FuncCond) and (other.func, other.args, other.kwargs) == (
            self.func,
            self.args,
            self.kwargs,
        )

    def __hash__(self) -> int:
        return hash((FuncCond, self.func))

    def __repr__(self) -> str:
        return f"FuncCond({getattr(self.func, '__name__', self.func)})"


class TaskReturned(Condition):
    """True while a task's latest run returned something true, and not longer ago than `active` seconds."""

    __slots__ = ("active", "task")

    def __init__(self, task: str, active: float = FOREVER) -> None:
        self.task = task
        self.active = active

    def state(self, view: View, at: float) -> Truth:
        """By the return value and the end of its run."""
        ended = view.state(self.task).last.get("success")
        if ended is None or not view.returned(self.task):
            return (False, FOREVER)
        over = ended + self.active
        return (True, over) if at < over else (False, FOREVER)

    def keys(self) -> frozenset[Hashable]:
        """The task's runs."""
        return frozenset((("task", self.task),))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskReturned) and (other.task, other.active) == (self.task, self.active)

    def __hash__(self) -> int:
        return hash((TaskReturned, self.task, self.active))

    def __repr__(self) -> str:
        return f"TaskReturned({self.task!r})"
