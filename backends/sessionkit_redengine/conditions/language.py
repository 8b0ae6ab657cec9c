"""Text into conditions and periods."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from sessionkit_redengine.conditions import base
from sessionkit_redengine.conditions.grammar import Grammar
from sessionkit_redengine.conditions.items import meaning
from sessionkit_redengine.conditions.time import Every, IsPeriod
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods.base import AllPeriods, Always, AnyPeriod, Period, TimeDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionkit_redengine.conditions.base import Condition
    from sessionkit_redengine.conditions.lexer import Token

#: Conditions that a session's users added: text or pattern -> what makes the condition of the match.
Parsers: TypeAlias = "Mapping[str | re.Pattern[str], Condition | Callable[..., Condition]]"


def parse_condition(text: str | Condition, parsers: Parsers | None = None) -> Condition:
    """The condition that a text means; a condition is returned as it is.

    >>> parse_condition("daily after 10:00 & ~time of week on Sun")
    All(TaskExecutable(TimeOfDay('10:00', None)), ~IsPeriod(TimeOfWeek.on('Sun')))

    Args:
        text: The text.
        parsers: More items, which come before those of the language.

    Raises:
        ParserError: pointing at what is not in the language.
    """
    if isinstance(text, base.Condition):
        return text
    if not isinstance(text, str):
        raise ParserError(f"A condition is text or a condition object, not {type(text).__name__}.")
    return _with(parsers).parse(text) if parsers else _standard(text)


@lru_cache(maxsize=8_192)
def _standard(text: str) -> Condition:
    return _CONDITIONS.parse(text)


_CONDITIONS: Grammar[Condition] = Grammar(meaning, base.every_of, base.any_of, lambda condition: ~condition)


def _with(parsers: Parsers) -> Grammar[Condition]:
    def item(token: Token) -> Condition:
        for syntax, make in parsers.items():
            found = syntax.fullmatch(token.raw) if isinstance(syntax, re.Pattern) else syntax == token.raw
            if not found:
                continue
            if isinstance(make, base.Condition) and (found is True or not callable(make)):
                return make
            return make() if found is True else make(*_unnamed(found), **found.groupdict())
        return meaning(token)

    return Grammar(item, base.every_of, base.any_of, lambda condition: ~condition)


def _unnamed(found: re.Match[str]) -> tuple[str, ...]:
    return () if found.re.groupindex else found.groups()


@lru_cache(maxsize=1_024)
def parse_time(text: str) -> Period:
    """The period that a text means.

    >>> parse_time("time of day after 10:00 & time of week on Mon | always")

    Raises:
        ParserError: pointing at what is not in the language.
    """
    return _PERIODS.parse(text)


def _period(token: Token) -> Period:
    if token.raw.startswith("past "):
        return TimeDelta(token.raw.removeprefix("past "))
    condition = meaning(token)
    if isinstance(condition, IsPeriod):
        return condition.period
    if isinstance(condition, Every):
        return TimeDelta(condition.interval)
    if type(condition) is base.AlwaysTrue:
        return Always()
    if isinstance(condition, base.AlwaysFalse):
        return AnyPeriod(())
    raise ParserError("This is a condition, but no time.", text=token.raw)


_PERIODS: Grammar[Period] = Grammar(
    _period, lambda parts: AllPeriods(tuple(parts)), lambda parts: AnyPeriod(tuple(parts)), None
)
