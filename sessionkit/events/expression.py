"""The language of subscriptions and targets.

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | field operator value
    operator   := "=" | "!=" | ">=" | "<=" | ">" | "<"
    field      := letters, digits, "_" and "."; the dots walk into mappings
    value      := letters, digits and -_,./*@+, or anything in single or double quotes

Keywords may be written in any case and spaces left out around operators and parentheses. `parse` reads
an expression in time proportional to its length, whatever it holds (expressions arrive from the
network), and `str()` writes it back:

    >>> parse('topic = shot.* AND not (data.size>10)')
    And(Condition('topic', '=', 'shot.*'), Not(Condition('data.size', '>', '10')))
    >>> str(_)
    'topic=shot.* and not data.size>10'
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from sessionkit.events.errors import ExpressionError

MAX_DEPTH = 100
"""How deep "and" and "or" may alternate. Parentheses that change nothing are free."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) |
        (?P<operator>!=|>=|<=|=|>|<) |
        (?P<quoted>"[^"]*"|'[^']*') |
        (?P<word>[A-Za-z0-9\-_,./*@+]+) |
        (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_FIELD = re.compile(r"[A-Za-z0-9_.]+\Z")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9\-_,./*@+]+\Z")
_OPERATORS = frozenset({"=", "!=", ">=", "<=", ">", "<"})


@dataclass(frozen=True, repr=False)
class Condition:
    """`field operator value`; the value is text, with a trailing "*" any text that begins so."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        if not _FIELD.match(self.field) or self.operator not in _OPERATORS:
            raise ExpressionError("a condition that cannot be written", f"{self.field}{self.operator}")
        return f"{self.field}{self.operator}{_quoted(self.value)}"

    def __repr__(self) -> str:
        return f"Condition({self.field!r}, {self.operator!r}, {self.value!r})"


@dataclass(frozen=True, repr=False)
class Not:
    """Whatever `node` does not match, a missing field included."""

    node: Expression

    def __str__(self) -> str:
        return f"not {_within(self.node, (And, Or))}"

    def __repr__(self) -> str:
        return f"Not({self.node!r})"


@dataclass(frozen=True, repr=False)
class And:
    """What every one of `nodes` matches."""

    nodes: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(_within(node, (And, Or)) for node in self.nodes)

    def __repr__(self) -> str:
        return f"And({', '.join(map(repr, self.nodes))})"


@dataclass(frozen=True, repr=False)
class Or:
    """What any of `nodes` matches."""

    nodes: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(_within(node, (Or,)) for node in self.nodes)

    def __repr__(self) -> str:
        return f"Or({', '.join(map(repr, self.nodes))})"


Expression = Condition | Not | And | Or


def _quoted(value: str) -> str:
    if _PLAIN_VALUE.match(value):
        return value
    for quote in ('"', "'"):
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise ExpressionError("a value with both kinds of quotes cannot be written", value)


def _within(node: Expression, bracketed: tuple[type, ...]) -> str:
    return f"({node})" if isinstance(node, bracketed) else str(node)


def parse(text: str) -> Expression:
    """The expression that `text` says.

    Raises:
        ExpressionError: when it says none; the error names the position.
    """
    return _Parser(text).parse()


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


class _Group:
    """An "and" or "or" under construction; groups of one kind flow into one another.

    The smaller is always poured into the larger, so that no nesting makes this quadratic.
    """

    __slots__ = ("depth", "kind", "nodes")

    def __init__(self, kind: type[And | Or], nodes: deque[_Draft], depth: int) -> None:
        self.kind = kind
        self.nodes = nodes
        self.depth = depth

    @classmethod
    def of(cls, kind: type[And | Or], drafts: list[_Draft]) -> _Draft:
        """One draft out of several, or the only one."""
        if len(drafts) == 1:
            return drafts[0]
        merged = cls(kind, deque(), 1)
        for draft in drafts:
            merged = merged._with(draft)
        return merged

    def _with(self, draft: _Draft) -> _Group:
        if not (isinstance(draft, _Group) and draft.kind is self.kind):
            self.nodes.append(draft)
            self.depth = max(self.depth, _depth(draft) + 1)
            return self
        depth = max(self.depth, draft.depth)
        if len(draft.nodes) > len(self.nodes):
            draft.nodes.extendleft(reversed(self.nodes))
            nodes = draft.nodes
        else:
            self.nodes.extend(draft.nodes)
            nodes = self.nodes
        return _Group(self.kind, nodes, depth)


class _Negation:
    __slots__ = ("depth", "node")

    def __init__(self, node: _Draft) -> None:
        self.node = node
        self.depth = _depth(node) + 1


_Draft = Condition | _Negation | _Group


def _depth(draft: _Draft) -> int:
    return 0 if isinstance(draft, Condition) else draft.depth


def _finished(draft: _Draft) -> Expression:
    """The immutable tree of a draft; recursion is bounded by MAX_DEPTH."""
    if isinstance(draft, Condition):
        return draft
    if isinstance(draft, _Negation):
        return Not(_finished(draft.node))
    return draft.kind(tuple(_finished(node) for node in draft.nodes))


class _Frame:
    """What has been read since an opening parenthesis."""

    __slots__ = ("alternatives", "factors", "negated", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.alternatives: list[_Draft] = []
        self.factors: list[_Draft] = []
        self.negated = False

    def operand(self, draft: _Draft) -> None:
        if self.negated:
            draft = draft.node if isinstance(draft, _Negation) else _Negation(draft)
            self.negated = False
        self.factors.append(draft)

    def alternative(self) -> None:
        self.alternatives.append(_Group.of(And, self.factors))
        self.factors = []

    def close(self) -> _Draft:
        self.alternative()
        return _Group.of(Or, self.alternatives)


class _Parser:
    """Reads left to right with a stack of its own: no input can exhaust Python's."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.frames = [_Frame(0)]

    def parse(self) -> Expression:
        while True:
            self._operand()
            token = self._after_operand()
            if token.kind == "end":
                return _finished(self._closed())

    def _operand(self) -> None:
        """Read up to and including the next condition."""
        while True:
            token = self._next()
            if token.kind == "open":
                self.frames.append(_Frame(token.position))
            elif token.kind == "word" and token.text.lower() == "not" and self._peek().kind != "operator":
                self.frames[-1].negated = not self.frames[-1].negated
            else:
                self.frames[-1].operand(self._condition(token))
                return

    def _condition(self, field: _Token) -> Condition:
        if field.kind != "word" or not _FIELD.match(field.text):
            self._fail("expected a field name", field)
        operator = self._next()
        if operator.kind != "operator":
            self._fail("expected one of = != >= <= > <", operator)
        value = self._next()
        if value.kind == "quoted":
            return Condition(field.text, operator.text, value.text[1:-1])
        if value.kind != "word":
            self._fail("expected a value", value)
        return Condition(field.text, operator.text, value.text)

    def _after_operand(self) -> _Token:
        """Read closing parentheses and the "and" or "or" that follows, or the end."""
        while True:
            token = self._next()
            word = token.text.lower() if token.kind == "word" else ""
            if word == "and":
                return token
            if word == "or":
                self.frames[-1].alternative()
                return token
            if token.kind == "end":
                if len(self.frames) > 1:
                    self._fail(
                        "a parenthesis that is never closed",
                        token._replace(position=self.frames[-1].position),
                    )
                return token
            if token.kind != "close":
                self._fail('expected "and", "or" or the end', token)
            if len(self.frames) == 1:
                self._fail("a closing parenthesis that was never opened", token)
            draft = self._closed()
            self.frames[-1].operand(draft)

    def _closed(self) -> _Draft:
        frame = self.frames.pop()
        draft = frame.close()
        if _depth(draft) > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} levels deep", self.text, frame.position)
        return draft

    def _peek(self) -> _Token:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            return _Token("unknown", "", self._skipped())
        kind = match.lastgroup or ""
        return _Token(kind, match[kind], match.start(kind))

    def _next(self) -> _Token:
        token = self._peek()
        if token.kind == "unknown":
            quote = self.text[token.position] in "\"'"
            self._fail("a quote that is never closed" if quote else "a character that must be quoted", token)
        self.position = token.position + len(token.text)
        return token

    def _skipped(self) -> int:
        """Where the token that cannot be read begins."""
        return len(self.text) - len(self.text[self.position :].lstrip())

    def _fail(self, reason: str, token: _Token) -> NoReturn:
        raise ExpressionError(reason, self.text, token.position)
