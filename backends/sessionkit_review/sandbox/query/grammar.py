"""The query language.

    [select <projection>, ...  from] <Type> [where <criteria>] [group by <path>, ...]
        [order by <path> [asc|desc|ascending|descending], ...] [offset <n>] [limit <n>]

    projection := path | count|sum|avg|min|max ( path )
    path       := name["[" Type "]"] { "." name["[" Type "]"] }
    criteria   := criteria and|or criteria | not criteria | ( criteria )
                | path has|any ( [criteria] )
                | path operator value | path in|not_in ( value, ... | select ... )
    value      := "text" | 'text' | word                (none, true and false have their meaning unquoted)

Keywords may be written in any case. The parser reads each token once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from sessionkit_review.sandbox.query.lexer import ParseError, Token, tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

T = TypeVar("T")

MAX_DEPTH = 64
"""Parentheses within parentheses; deeper ones are refused."""

AGGREGATES = frozenset({"count", "sum", "avg", "min", "max"})

OPERATORS = {
    "=": "=",
    "is": "=",
    "!=": "!=",
    "is_not": "!=",
    ">": ">",
    "after": ">",
    "greater_than": ">",
    "<": "<",
    "before": "<",
    "less_than": "<",
    ">=": ">=",
    "<=": "<=",
    "in": "in",
    "not_in": "not in",
    "like": "like",
    "not_like": "not like",
}
_DIRECTIONS = {"asc": False, "ascending": False, "desc": True, "descending": True}


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path; `cast` narrows the entities found there to one type ("" does not)."""

    name: str
    cast: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A dotted path from an entity to an attribute."""

    steps: tuple[Step, ...]
    position: int

    def __str__(self) -> str:
        return ".".join(f"{step.name}[{step.cast}]" if step.cast else step.name for step in self.steps)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`function(path)` among the projections."""

    function: str
    path: Path


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; `quoted` ones are always text."""

    text: str
    quoted: bool
    position: int

    @property
    def is_none(self) -> bool:
        """Whether this is the unquoted word for no value."""
        return not self.quoted and self.text.lower() in {"none", "null"}


@dataclass(frozen=True, slots=True)
class Compare:
    """`path operator values`; several values, or a query, only for "in" and "not in"."""

    path: Path
    operator: str
    values: tuple[Literal, ...]
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """`path has (criteria)` or `path any (criteria)`."""

    path: Path
    quantifier: str
    criteria: Criteria | None


@dataclass(frozen=True, slots=True)
class Combined:
    """Criteria joined by "and" or "or"."""

    operator: str
    parts: tuple[Criteria, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a criterion."""

    criteria: Criteria


Criteria: TypeAlias = "Compare | Exists | Combined | Not"


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query."""

    entity_type: Token
    projections: tuple[Path | Aggregate, ...] = ()
    criteria: Criteria | None = None
    group: tuple[Path, ...] = ()
    order: tuple[tuple[Path, bool], ...] = ()
    offset: int = 0
    limit: int | None = None

    @property
    def is_aggregate(self) -> bool:
        """Whether the answer has rows of its own instead of entities."""
        return bool(self.group) or any(isinstance(item, Aggregate) for item in self.projections)


def parse(expression: str) -> Query:
    """The query that `expression` says.

    Raises:
        ParseError: with the position of what is wrong.
    """
    parser = _Parser(expression)
    query = parser.query()
    if parser.token.kind != "end":
        hint = " (use is_not, not_in or not_like)" if parser.token.keyword == "not" else ""
        parser.fail(f"Unexpected {parser.token.text!r}{hint}")
    return query


class _Parser:
    """Recursive descent over the tokens, one token of look-ahead."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._tokens = tokens(expression)
        self._index = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._index]

    def fail(self, message: str) -> NoReturn:
        raise ParseError(message, self.expression, self.token.position)

    def take(self) -> Token:
        token = self.token
        self._index += token.kind != "end"
        return token

    def accept(self, *keywords: str) -> bool:
        """Take the next tokens if they are these."""
        ahead = self._tokens[self._index : self._index + len(keywords)]
        if [token.keyword for token in ahead] != list(keywords):
            return False
        self._index += len(keywords)
        return True

    def expect(self, keyword: str) -> None:
        if not self.accept(keyword):
            self.fail(f"Expected {keyword!r}")

    def word(self, what: str) -> Token:
        if self.token.kind != "word":
            self.fail(f"Expected {what}")
        return self.take()

    def query(self) -> Query:
        projections: tuple[Path | Aggregate, ...] = ()
        if self.accept("select"):
            projections = tuple(self._listed(self._projection))
            self.expect("from")
        entity_type = self.word("an entity type")
        criteria = self._criteria() if self.accept("where") else None
        group = tuple(self._listed(self._path)) if self.accept("group", "by") else ()
        order = tuple(self._listed(self._ordering)) if self.accept("order", "by") else ()
        group = group or (tuple(self._listed(self._path)) if self.accept("group", "by") else ())
        bounds: dict[str, int | None] = {"offset": None, "limit": None}
        while self.token.keyword in bounds:
            keyword = self.take().keyword
            bounds[keyword] = self._count()
        return Query(entity_type, projections, criteria, group, order, bounds["offset"] or 0, bounds["limit"])

    def _listed(self, item: Callable[[], T]) -> list[T]:
        found = [item()]
        while self.accept(","):
            found.append(item())
        return found

    def _count(self) -> int:
        if not (self.token.kind == "word" and self.token.text.isdecimal() and len(self.token.text) <= 15):
            self.fail("Expected a number")
        return int(self.take().text)

    def _projection(self) -> Path | Aggregate:
        follows = self._tokens[min(self._index + 1, len(self._tokens) - 1)]
        if self.token.keyword in AGGREGATES and follows.text == "(" and follows.kind == "symbol":
            function = self.take().keyword
            self.take()
            path = self._path()
            self.expect(")")
            return Aggregate(function, path)
        return self._path()

    def _ordering(self) -> tuple[Path, bool]:
        path = self._path()
        if self.token.keyword in _DIRECTIONS:
            return path, _DIRECTIONS[self.take().keyword]
        return path, False

    def _path(self) -> Path:
        first = self.word("an attribute")
        steps = self._steps(first)
        while self.accept("["):
            cast = self.word("an entity type").text
            self.expect("]")
            steps[-1] = Step(steps[-1].name, cast)
            if self.token.kind == "word" and self.token.text.startswith("."):
                rest = self.take()
                steps += self._steps(Token("word", rest.text[1:], rest.position + 1))
        return Path(tuple(steps), first.position)

    def _steps(self, word: Token) -> list[Step]:
        names = word.text.split(".")
        if not all(names):
            raise ParseError("A name is missing between dots", self.expression, word.position)
        return [Step(name) for name in names]

    def _criteria(self) -> Criteria:
        return self._joined("or", lambda: self._joined("and", self._negated))

    def _joined(self, operator: str, part: Callable[[], Criteria]) -> Criteria:
        parts = [part()]
        while self.accept(operator):
            parts.append(part())
        flat = [
            inner
            for item in parts
            for inner in (item.parts if isinstance(item, Combined) and item.operator == operator else (item,))
        ]
        return flat[0] if len(flat) == 1 else Combined(operator, tuple(flat))

    def _negated(self) -> Criteria:
        negative = False
        while self.accept("not"):
            negative = not negative
        criteria = self._nested() if self.accept("(") else self._criterion()
        return Not(criteria) if negative else criteria

    def _nested(self) -> Criteria:
        self._deeper()
        criteria = self._criteria()
        self.expect(")")
        self._depth -= 1
        return criteria

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"More than {MAX_DEPTH} parentheses within one another")

    def _criterion(self) -> Criteria:
        path = self._path()
        if self.token.keyword in {"has", "any"}:
            quantifier = self.take().keyword
            self.expect("(")
            criteria = None if self.accept(")") else self._nested()
            return Exists(path, quantifier, criteria)
        if self.token.keyword not in OPERATORS:
            self.fail(f"Expected an operator after {str(path)!r}")
        operator = OPERATORS[self.take().keyword]
        if operator in {"in", "not in"}:
            return self._membership(path, operator)
        return Compare(path, operator, (self._value(),))

    def _membership(self, path: Path, operator: str) -> Compare:
        self.expect("(")
        if self.token.keyword == "select":
            self._deeper()
            query = self.query()
            self.expect(")")
            self._depth -= 1
            return Compare(path, operator, (), query)
        if self.accept(")"):
            return Compare(path, operator, ())
        values = tuple(self._listed(self._value))
        self.expect(")")
        return Compare(path, operator, values)

    def _value(self) -> Literal:
        token = self.token
        if token.kind not in {"word", "string"}:
            self.fail("Expected a value")
        self.take()
        return Literal(token.text, token.kind == "string", token.position)
