"""Expressions as functions: what an event must be like to match.

Comparing never raises, whatever the event holds:

| the event's value | `=` and `!=` | `<` `<=` `>` `>=` |
|---|---|---|
| text | as text; `=abc*` is "begins with abc" | as text, so ISO dates compare in time |
| a number | as numbers, when the expression's value is one | as numbers |
| true, false | with the words true and false | never match |
| null, lists, mappings | never equal | never match |
| missing | neither matches | never match |
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from sessionkit.events.expression import And, Condition, Expression, Not

Predicate = Callable[[Mapping[str, Any]], bool]
Getter = Callable[[Mapping[str, Any]], Any]

MISSING = object()
"""What a getter returns when the field is not there."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_EXACT_DIGITS = 300
_ORDERINGS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def number(text: str) -> float | None:
    """The number that `text` spells, or None. Linear in any text: long integers become floats."""
    if not _NUMBER.match(text):
        return None
    if len(text) <= _EXACT_DIGITS and text.lstrip("+-").isdigit():
        return int(text)
    return float(text)


def getter(field: str) -> Getter:
    """A function that walks into an event along the dots of `field`, to its value or `MISSING`."""
    first, *rest = field.split(".")
    if not rest:
        return lambda event: event.get(first, MISSING)

    def walk(event: Mapping[str, Any]) -> Any:
        value = event.get(first, MISSING)
        for key in rest:
            if type(value) is not dict and not isinstance(value, Mapping):
                return MISSING
            value = value.get(key, MISSING)
        return value

    return walk


def compiled(node: Expression) -> Predicate:
    """`node` as a function of an event's fields."""
    if isinstance(node, Condition):
        return _condition(node)
    if isinstance(node, Not):
        inner = compiled(node.node)
        return lambda event: not inner(event)
    parts = [compiled(part) for part in node.nodes]
    return _all(parts) if isinstance(node, And) else _any(parts)


def _all(parts: list[Predicate]) -> Predicate:
    def matches(event: Mapping[str, Any]) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs more than the comparisons it makes
            if not part(event):
                return False
        return True

    return matches


def _any(parts: list[Predicate]) -> Predicate:
    def matches(event: Mapping[str, Any]) -> bool:
        for part in parts:  # noqa: SIM110 - see _all
            if part(event):
                return True
        return False

    return matches


def _condition(condition: Condition) -> Predicate:
    get = getter(condition.field)
    if condition.operator in _ORDERINGS:
        holds = _ordering(condition.operator, condition.value)
        return lambda event: holds(get(event))
    equal = _equality(condition.value)
    if condition.operator == "=":
        return lambda event: equal(get(event))

    def differs(event: Mapping[str, Any]) -> bool:
        value = get(event)
        return value is not MISSING and not equal(value)

    return differs


def _equality(text: str) -> Callable[[Any], bool]:
    if text.endswith("*"):
        prefix = text[:-1]
        return lambda value: isinstance(value, str) and value.startswith(prefix)
    wanted = number(text)
    word = text.lower()

    def equal(value: Any) -> bool:
        if isinstance(value, str):
            return value == text
        if isinstance(value, bool):
            return word == ("true" if value else "false")
        return wanted is not None and isinstance(value, (int, float)) and value == wanted

    return equal


def _ordering(symbol: str, text: str) -> Callable[[Any], bool]:
    compare = _ORDERINGS[symbol]
    wanted = number(text)

    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return bool(compare(value, text))
        if wanted is None or isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return bool(compare(value, wanted))

    return holds
