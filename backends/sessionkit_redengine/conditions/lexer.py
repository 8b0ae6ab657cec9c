"""Condition text into tokens: operators, brackets and items.

Quotes protect everything between them, so that a task may be called 'a & b (c)'. A quote inside quotes of
its own kind is doubled. Quotes are recognised where a word begins; the apostrophe of "it's monday" is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sessionkit_redengine.errors import ParserError

OPERATORS = "&|~()"
#: Stands for a quoted text in an item's shape.
QUOTED = "\x01"
_QUOTE = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_MAX_LENGTH = 100_000


class Token(NamedTuple):
    """A piece of condition text.

    Attributes:
        kind: One of `&|~()`, or "item", or "end".
        position: Where it begins in the text.
        raw: An item's text, spaces between words reduced to one.
        shape: The same with `QUOTED` in the place of each quoted text.
        values: The quoted texts, in order.
    """

    kind: str
    position: int
    raw: str = ""
    shape: str = ""
    values: tuple[str, ...] = ()


def tokens(text: str) -> list[Token]:
    """All tokens of a text, "end" last.

    Raises:
        ParserError: for a quote that is not closed, and for a text longer than 100,000 characters.
    """
    if len(text) > _MAX_LENGTH:
        raise ParserError(f"A condition of {len(text):,} characters is too long.")
    found: list[Token] = []
    position = 0
    while position < len(text):
        if text[position] in OPERATORS:
            found.append(Token(text[position], position))
            position += 1
        elif text[position].isspace():
            position += 1
        else:
            item, position = _item(text, position)
            found.append(item)
    return [*found, Token("end", len(text))]


def _item(text: str, start: int) -> tuple[Token, int]:
    raw: list[str] = []
    shape: list[str] = []
    values: list[str] = []
    position = start
    while position < len(text) and text[position] not in OPERATORS:
        character = text[position]
        begins_word = position == start or text[position - 1].isspace() or text[position - 1] == ","
        if character in "'\"" and begins_word:
            quote = _QUOTE.match(text, position)
            if quote is None:
                raise ParserError("This quote is never closed.", text=text, position=position)
            inner = quote[1] if quote[1] is not None else quote[2]
            values.append(inner.replace(character * 2, character))
            raw.append(quote[0])
            shape.append(QUOTED)
            position = quote.end()
        elif character.isspace():
            if raw[-1] != " ":
                raw.append(" ")
                shape.append(" ")
            position += 1
        else:
            raw.append(character)
            shape.append(character)
            position += 1
    return Token("item", start, "".join(raw).strip(), "".join(shape).strip(), tuple(values)), position
