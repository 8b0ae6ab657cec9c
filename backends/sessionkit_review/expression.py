"""Query expressions as text: safe quoting, and what a text asks for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError
from sessionkit_review.entity import Entity
from sessionkit_review.errors import InvalidArgument
from sessionkit_review.identity import as_tuple
from sessionkit_review.values import UTC, is_date, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionkit_review.entity import Key

_PIECE = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<bracket>[()])"""
    r"""|(?<![\w.])(?P<word>offset|limit)\s+(?P<number>\d{1,9})(?![\w.])""",
    re.IGNORECASE | re.DOTALL,
)
_SELECT = re.compile(r"\s*select\s", re.IGNORECASE)
_TYPE = re.compile(r"\s*(\w+)\s*(.*)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\[\w+\])?(\.[A-Za-z_]\w*(\[\w+\])?)*")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query asks for.

    Attributes:
        text: The expression, without offset and limit.
        offset: How many results to leave out at the beginning.
        limit: How many there may be, or None.
    """

    text: str
    offset: int = 0
    limit: int | None = None

    def page(self, offset: int, limit: int) -> str:
        """The expression of some of the results."""
        return f"{self.text} offset {offset} limit {limit}"


def read(expression: str, projections: Mapping[str, Sequence[str]] | Any) -> Asked:
    """What `expression` asks for; quoted text in it is never touched.

    >>> read('select name from Task where name is "limit 5" limit 2', {}).limit
    2

    Args:
        expression: "Task where ...", or "select ... from Task where ...".
        projections: Gives what is selected of an entity type when nothing is said.
    """
    if not isinstance(expression, str):
        raise InvalidArgument(f"a query is a text, not a {type(expression).__name__}")
    found: dict[str, int | None] = {"offset": 0, "limit": None}
    kept, depth, end = [], 0, 0
    for piece in _PIECE.finditer(expression):
        depth += {"(": 1, ")": -1}.get(piece["bracket"] or "", 0)
        if piece["word"] and depth == 0:
            found[piece["word"].lower()] = int(piece["number"])
            kept.append(expression[end : piece.start()])
            end = piece.end()
    kept.append(expression[end:])
    return Asked(_selecting("".join(kept).strip(), projections), found["offset"] or 0, found["limit"])


def _selecting(text: str, projections: Mapping[str, Sequence[str]] | Any) -> str:
    if _SELECT.match(text):
        return text
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"this is no query: {text[:60]!r}", hint='such as "Task where name is x"')
    name, rest = match.groups()
    return f"select {', '.join(projections[name])} from {name} {rest}".rstrip()


def quoted(text: str) -> str:
    """`text` as a value that can only ever be a value: quotation marks and backslashes in it are escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(value: Any) -> str:
    """A value as an expression has it.

    Raises:
        ConfigurationError: for what cannot be compared with.
    """
    value = plain(value)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return int.__repr__(value)  # of an enumeration the number, not its name
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigurationError(f"a query cannot compare with {value}")
        return float.__repr__(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, datetime):
        # The server compares in UTC, and in whole seconds.
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return quoted(aware.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat())
    if isinstance(value, date) or is_date(value):
        return quoted(value.isoformat())
    raise ConfigurationError(f"a query cannot compare with a {type(value).__name__}")


def criterion(names: Sequence[str], keys: Sequence[Key]) -> str:
    """The condition that an entity's primary key is one of `keys`.

    >>> criterion(["id"], ["a", "b"])
    'id in ("a", "b")'
    """
    if len(names) > 1:
        each = [
            " and ".join(f"{n} is {quoted(v)}" for n, v in zip(names, as_tuple(k), strict=True)) for k in keys
        ]
        return " or ".join(f"({text})" for text in each)
    values = [quoted(as_tuple(key)[0]) for key in keys]
    return f"{names[0]} is {values[0]}" if len(values) == 1 else f"{names[0]} in ({', '.join(values)})"


_OPERATORS: Final = {
    "is": "is",
    "not": "is_not",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "like",
    "not_like": "not_like",
    "in": "in",
    "not_in": "not_in",
}


def condition(argument: str, value: Any) -> str:
    """The condition that a keyword argument of `Select.where` means.

    >>> condition("status__name__in", ["Done", "Approved"])
    'status.name in ("Done", "Approved")'
    """
    path, operator = checked_path(argument.replace("__", ".")), "is"
    head, _, last = path.rpartition(".")
    if head and last in _OPERATORS:
        path, operator = head, last
    if operator in {"in", "not_in"} or isinstance(value, (list, tuple, set, frozenset)):
        return _among(path, _OPERATORS["not_in" if operator in {"not", "not_in"} else "in"], value)
    if isinstance(value, Entity):
        return " and ".join(
            f"{path}.{name} {_OPERATORS[operator]} {quoted(key)}"
            for name, key in zip(value.primary_key_attributes, value.primary_key, strict=True)
        )
    value = plain(value)
    if operator in {"lt", "gte"} and isinstance(value, datetime) and value.microsecond:
        # What is kept in whole seconds is before half past one exactly if it is before two.
        value += timedelta(seconds=1)
    return f"{path} {_OPERATORS[operator]} {literal(value)}"


def _among(path: str, operator: str, values: Any) -> str:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise ConfigurationError(f"{path} {operator} takes several values, not a {type(values).__name__}")
    listed = list(values)
    if listed and all(isinstance(value, Entity) for value in listed):
        path, listed = (
            f"{path}.{listed[0].primary_key_attributes[0]}",
            [each.primary_key[0] for each in listed],
        )
    if not listed:
        # Nothing is among no values; the language has no empty list, and an empty text is a value.
        both = "and" if operator == "in" else "or"
        return f"({path} is None {both} {path} is_not None)"
    texts = ", ".join(literal(value) for value in listed)
    return f"{path} {operator} ({texts})"


def checked_path(path: str) -> str:
    """`path`, if it is nothing but attribute names joined by dots.

    Raises:
        ConfigurationError: when it is not.
    """
    if not _NAME.fullmatch(path):
        raise ConfigurationError(f"{path!r} is no path of attributes", hint="such as status.name")
    return path
