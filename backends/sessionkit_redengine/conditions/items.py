"""The items of the condition language, one row each: a pattern and what it means.

In a pattern, `Q` is a quoted text and `W` a window ("between A and B", "before A", "after A", "on A",
"at A", "starting A"). The first row that matches an item as a whole is its meaning.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sessionkit_redengine.conditions import base, session, tasks, time
from sessionkit_redengine.conditions.lexer import QUOTED, Token
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods.base import TimeDelta
from sessionkit_redengine.periods.cron import Cron
from sessionkit_redengine.periods.wall import TIME_OF, WallPeriod

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.conditions.base import Condition

UNITS: Final = {
    "secondly": "second",
    "minutely": "minute",
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
}
_PRESENT: Final = {"today": "day", **{f"this {unit}": unit for unit in TIME_OF}}
_WINDOW = (
    r"(?: (?P<shape>between) (?P<a>.+?) and (?P<b>.+)| (?P<shape1>before|after|on|at|starting) (?P<c>.+))"
)
_PATTERN_PARTS = {
    "Q": QUOTED,
    "W": _WINDOW,
    "UNIT": "|".join(TIME_OF),
    "CYCLE": "|".join(UNITS),
    "PRESENT": "|".join(_PRESENT),
    "ACTION": "|".join(tasks.TASK_ACTIONS),
    "END": "|".join(tasks.DEPENDS),
}


class Found:
    """An item that a row matched: the pattern's groups, and the quoted texts in order."""

    __slots__ = ("groups", "quoted")

    def __init__(self, groups: dict[str, str | None], quoted: tuple[str, ...]) -> None:
        self.groups = groups
        self.quoted = quoted

    def __getitem__(self, name: str) -> Any:
        return self.groups[name]


class Row(NamedTuple):
    """A row of the language: its pattern, its meaning, and an example of it."""

    pattern: re.Pattern[str]
    meaning: Callable[[Found], Condition]
    example: str


def window(unit: str, found: Found) -> WallPeriod:
    """The period of a unit with the window written after it; without one, the whole cycle."""
    period = TIME_OF[unit]
    groups = found.groups
    shape = groups["shape"] or groups["shape1"]
    point = groups["c"]
    if shape is None:
        return _WHOLE[unit]
    if shape == "between":
        return period(groups["a"], groups["b"])
    if shape in {"on", "at"}:
        return period.on(point or "")
    if shape == "starting":
        return period.starting(point or "")
    return period(None, point) if shape == "before" else period(point, None)


# One object for each, so that all tasks that are "daily" share what it remembers of today.
_WHOLE: Final = {unit: period() for unit, period in TIME_OF.items()}


def _has(found: Found) -> Condition:
    kind = tasks.TASK_ACTIONS[found["action"]]
    task = found.quoted[0] if found.quoted else None
    present = found["present"]
    return kind(task, window(_PRESENT[present], found) if present else None)


def _has_past(found: Found) -> Condition:
    kind = tasks.TASK_ACTIONS[found["action"]]
    return kind(found.quoted[0] if found.quoted else None, TimeDelta(found["duration"]))


def _after(found: Found) -> Condition:
    kind = tasks.DEPENDS[found["end"] or "succeeded"]
    parts = [kind(name) for name in found.quoted]
    return base.any_of(parts) if found["any"] else base.every_of(parts)


def _cycles(found: Found) -> Condition:
    sign = {"more": ">", "less": "<", None: "=="}[found["sign"]]
    return session.SchedulerCycles(comparison=(sign, int(found["count"])))


def _useless_past(found: Found) -> Condition:
    raise ParserError(
        "A stretch that slides along with the present says nothing by itself.",
        hint=f'write for example "has succeeded past {found["duration"]}"',
    )


def _time_of(found: Found) -> Condition:
    return time.IsPeriod(window(found["unit"], found))


def _cycle(found: Found) -> Condition:
    return time.TaskExecutable(window(UNITS[found["cycle"]], found))


_TABLE: Final[tuple[tuple[str, Callable[[Found], Condition], str], ...]] = (
    (r"(?:run )?(?P<cycle>CYCLE)W?", _cycle, "daily between 10:00 and 12:00"),
    (r"every (?P<duration>.+)", lambda found: time.Every(found["duration"]), "every 10 minutes"),
    (r"cron (?P<cron>.+)", lambda found: time.TaskExecutable(Cron(found["cron"])), "cron 0 6 * * Mon-Fri"),
    (r"time of (?P<unit>UNIT)W", _time_of, "time of day after 18:00"),
    (r"after task Q(?: (?P<end>END))?(?P<any>)", _after, "after task 'fetch' succeeded"),
    (r"after (?P<any>any )?tasks Q(?:, ?Q)*(?: (?P<end>END))?", _after, "after any tasks 'a', 'b' failed"),
    (
        r"(?:while )?task Q is running",
        lambda found: tasks.TaskRunning(found.quoted[0]),
        "while task 'fetch' is running",
    ),
    (
        r"(?:task Q )?has (?P<action>ACTION) (?:in )?past (?P<duration>.+)",
        _has_past,
        "has failed past 2 hours",
    ),
    (
        r"(?:task Q )?has (?P<action>ACTION)(?: (?P<present>PRESENT)W?)?",
        _has,
        "task 'fetch' has succeeded today before 12:00",
    ),
    (
        r"scheduler has (?:(?P<sign>more|less) than )?(?P<count>\d{1,15}) cycles",
        _cycles,
        "scheduler has more than 3 cycles",
    ),
    (
        r"scheduler has run over (?P<duration>.+)",
        lambda found: ~session.SchedulerStarted(found["duration"]),
        "scheduler has run over 10 minutes",
    ),
    (
        r"scheduler started (?P<duration>.+) ago",
        lambda found: session.SchedulerStarted(found["duration"]),
        "scheduler started 10 minutes ago",
    ),
    (r"env Q", lambda found: session.IsEnv(found.quoted[0]), "env 'prod'"),
    (r"param Q exists", lambda found: session.ParamExists(found.quoted[0]), "param 'mode' exists"),
    (
        r"param Q is Q",
        lambda found: session.ParamExists(**{found.quoted[0]: found.quoted[1]}),
        "param 'mode' is 'test'",
    ),
    (
        r"on event Q(?: from Q)?",
        lambda found: session.OnEvent(*found.quoted),
        "on event 'topic=ftrack.update' from 'review'",
    ),
    (r"true|always true|always", lambda _: base.AlwaysTrue(), "always true"),
    (r"false|always false|never", lambda _: base.AlwaysFalse(), "always false"),
    (r"past (?P<duration>.+)", _useless_past, "has failed past 1 hour"),
)


def _compiled(pattern: str) -> re.Pattern[str]:
    names = "|".join(_PATTERN_PARTS)
    filled = re.sub(rf"\b({names})\b", lambda name: _PATTERN_PARTS[name[0]], pattern)
    return re.compile(filled)


@cache
def rows() -> tuple[Row, ...]:
    """All rows, their patterns compiled when the first text is parsed."""
    return tuple(Row(_compiled(pattern), meaning, example) for pattern, meaning, example in _TABLE)


def meaning(token: Token) -> Condition:
    """The condition that an item means.

    Raises:
        ParserError: when no row matches, or an operand makes no sense.
    """
    for row in rows():
        found = row.pattern.fullmatch(token.shape)
        if found:
            return row.meaning(Found(_groups(found), token.values))
    raise ParserError(
        "There is no such condition.", text=token.raw, hint=f'for example "{nearest(token.shape)}"'
    )


def _groups(found: re.Match[str]) -> dict[str, str | None]:
    groups = found.groupdict()
    operands = [
        value for name, value in groups.items() if name in {"a", "b", "c", "duration", "cron"} and value
    ]
    if any(QUOTED in operand for operand in operands):
        raise ParserError("Here is a quoted text in the place of a time.", hint="leave the quotes out")
    return groups


def nearest(shape: str) -> str:
    """The example of the row that begins most like an item: what its writer may have meant."""
    words = set(shape.split())
    return max(rows(), key=lambda row: len(words & set(row.example.split()))).example
