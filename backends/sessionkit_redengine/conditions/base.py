"""What a condition is: a statement that is true or false at an instant, and says until when that holds.

The scheduler never polls. It asks a condition for its truth now and for the first instant at which time
alone may change it; whatever else may change it (a task's end, a parameter, an event) is named by `keys`,
and has the scheduler ask again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from sessionkit_redengine.periods.zones import LAST_INSTANT

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from datetime import tzinfo
    from typing import TypeAlias

    from sessionkit_redengine.history.state import TaskState
    from sessionkit_redengine.parameters import Parameters
    from sessionkit_redengine.periods.base import Period

FOREVER = float("inf")
# A conjunction that can never be true is walked this far; then the scheduler sleeps until there and walks on.
_STEPS = 400

#: A truth value (None: not known before that instant has come) and the first later instant it may change.
Truth: TypeAlias = "tuple[bool | None, float]"


class View(Protocol):
    """The world as a condition sees it: this instant, this task, this session."""

    @property
    def now(self) -> float:
        """The present instant, seconds since the epoch."""

    @property
    def zone(self) -> tzinfo:
        """Where the wall clock hangs."""

    @property
    def poll(self) -> float:
        """Seconds between two looks at something that does not tell when it changes."""

    @property
    def parameters(self) -> Parameters:
        """The session's parameters."""

    @property
    def cycles(self) -> int:
        """How many cycles the scheduler has done since it started."""

    @property
    def started(self) -> float | None:
        """When the scheduler started, or None."""

    def state(self, name: str | None) -> TaskState:
        """The record of a task; None is the task whose condition this is.

        Raises:
            TaskNotFound: when the session has no such task.
        """

    def counts(self, name: str | None) -> TaskState:
        """The same, with its history of instants filled in."""

    def period(self, name: str | None) -> Period | None:
        """The period in which a task runs once ("daily": a day), if it has one."""

    def returned(self, name: str) -> object:
        """What a task's latest run returned, or None."""

    def pending(self, condition: Condition) -> int:
        """How many events this task has not run for yet."""

    def call(self, condition: Condition) -> bool:
        """What the function of a `FuncCond` says."""


class Condition(ABC):
    """A statement about time, tasks, parameters or events; immutable, combined with `&`, `|` and `~`.

    A new kind of condition says its `state`, and in `keys` what else than time can change it.
    """

    __slots__ = ()

    @property
    def asks(self) -> bool:
        """Whether finding out costs something: such a condition is left for last."""
        return False

    @abstractmethod
    def state(self, view: View, at: float) -> Truth:
        """The truth at the instant `at`, nothing but time having passed until then, and how long it holds."""

    def keys(self) -> frozenset[Hashable]:
        """What else than time can change it: `("task", name)`, `("param", name)`, `("event", condition)`."""
        return frozenset()

    def __and__(self, other: Condition) -> Condition:
        return every_of((self, other))

    def __or__(self, other: Condition) -> Condition:
        return any_of((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


def next_true(condition: Condition, view: View, since: float) -> float:
    """The first instant from `since` on at which a condition is, or may be, true; infinity if never.

    Exact as long as nothing but time passes. When it may be true only (a function has to be asked), the
    instant is when to look.
    """
    at = since
    for _ in range(_STEPS):
        value, until = condition.state(view, at)
        if value is not False:
            return at
        if not until > at:  # a condition of somebody's own that does not tell: look again, do not spin
            return at + view.poll
        if until > LAST_INSTANT:
            return FOREVER
        at = until
    return at


class AlwaysTrue(Condition):
    """True at all times."""

    __slots__ = ()

    def state(self, view: View, at: float) -> Truth:  # noqa: ARG002 - the condition's interface
        """True, for ever."""
        return (True, FOREVER)

    def __invert__(self) -> Condition:
        return AlwaysFalse()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class AlwaysFalse(AlwaysTrue):
    """False at all times: the start condition of a task that runs only when told to."""

    __slots__ = ()

    def state(self, view: View, at: float) -> Truth:  # noqa: ARG002 - the condition's interface
        """False, for ever."""
        return (False, FOREVER)

    def __invert__(self) -> Condition:
        return AlwaysTrue()


class Not(Condition):
    """True when another condition is false."""

    __slots__ = ("condition",)

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    @property
    def asks(self) -> bool:
        """As the other condition."""
        return self.condition.asks

    def state(self, view: View, at: float) -> Truth:
        """The opposite, for as long."""
        value, until = self.condition.state(view, at)
        return (None if value is None else not value, until)

    def keys(self) -> frozenset[Hashable]:
        """Those of the other condition."""
        return self.condition.keys()

    def __invert__(self) -> Condition:
        return self.condition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Not) and other.condition == self.condition

    def __hash__(self) -> int:
        return hash((Not, self.condition))

    def __repr__(self) -> str:
        return f"~{self.condition!r}"


class _Combined(Condition):
    __slots__ = ("_asking", "_keys", "_telling", "conditions")

    def __init__(self, *conditions: Condition) -> None:
        self.conditions = conditions
        self._telling = tuple(condition for condition in conditions if not condition.asks)
        self._asking = tuple(condition for condition in conditions if condition.asks)
        self._keys = frozenset().union(*(condition.keys() for condition in conditions))

    @property
    def asks(self) -> bool:
        """Whether one of its conditions does."""
        return bool(self._asking)

    def keys(self) -> frozenset[Hashable]:
        """Those of all its conditions."""
        return self._keys

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.conditions == self.conditions

    def __hash__(self) -> int:
        return hash((type(self), self.conditions))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.conditions))})"

    def _state(self, view: View, at: float, *, decisive: bool) -> Truth:
        """The truth of a combination that one `decisive` part decides.

        Then it holds until the last of those that decide may change, which is what makes walking quick.
        """
        least, certain = FOREVER, True
        for parts in (self._telling, self._asking):
            decided = 0.0
            for part in parts:
                value, until = part.state(view, at)
                if value is decisive:
                    decided = max(decided, until)
                certain = certain and value is not None
                least = min(least, until)
            if decided:
                return (decisive, decided)
        return (not decisive if certain else None, least)


class All(_Combined):
    """True when all its conditions are; functions are asked only when all else is true."""

    __slots__ = ()

    def state(self, view: View, at: float) -> Truth:
        """False as long as one of them is."""
        return self._state(view, at, decisive=False)


class Any(_Combined):
    """True when one of its conditions is; functions are asked only when nothing else is true."""

    __slots__ = ()

    def state(self, view: View, at: float) -> Truth:
        """True as long as one of them is."""
        return self._state(view, at, decisive=True)


def every_of(conditions: Iterable[Condition]) -> Condition:
    """All of these, flat: `(a & b) & c` is `All(a, b, c)`."""
    return _flat(All, conditions)


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Any of these, flat."""
    return _flat(Any, conditions)


def _flat(kind: type[_Combined], conditions: Iterable[Condition]) -> Condition:
    parts: list[Condition] = []
    for condition in conditions:
        parts += condition.conditions if isinstance(condition, kind) else (condition,)
    return parts[0] if len(parts) == 1 else kind(*parts)
