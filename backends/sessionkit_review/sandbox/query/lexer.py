"""Words of the query language, each with its position; one pass, linear in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sessionkit_review.sandbox.errors import ApiError

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<symbol>!=|>=|<=|[=<>(),\[\]])
      | (?P<word>[^\s"'=<>!(),\[\]]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"""\\(['"\\])""")


class ParseError(ApiError):
    """A query that cannot be understood; `position` is where, counted from 0."""

    def __init__(self, message: str, expression: str, position: int) -> None:
        near = expression[position : position + 20]
        where = f"at {near!r} (character {position})" if near else "at the end"
        super().__init__("ParseError", f"{message} {where} of the query.")
        self.position = position


@dataclass(frozen=True, slots=True)
class Token:
    """A word, symbol or quoted string; `text` is without quotes and escapes."""

    kind: str
    text: str
    position: int

    @property
    def keyword(self) -> str:
        """The text by which keywords are compared: lower case, and "" for quoted strings."""
        return "" if self.kind == "string" else self.text.lower()


def tokens(expression: str) -> list[Token]:
    """The tokens of `expression`, ended by one of kind "end".

    Raises:
        ParseError: at a quotation mark without its partner or a character of no meaning.
    """
    found: list[Token] = []
    position, length = 0, len(expression.rstrip())
    while position < length:
        match = _TOKEN.match(expression, position)
        if match is None:
            start = position + len(expression[position:]) - len(expression[position:].lstrip())
            what = "A quotation mark is not closed" if expression[start] in "\"'" else "Unexpected character"
            raise ParseError(what, expression, start)
        kind = str(match.lastgroup)
        text = match[kind]
        if kind == "string":
            text = _ESCAPE.sub(r"\1", text[1:-1])
        found.append(Token(kind, text, match.start(match.lastgroup or 0)))
        position = match.end()
    found.append(Token("end", "", len(expression)))
    return found
