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
        places: Where each character of the shape is in the text.
    """

    kind: str
    position: int
    raw: str = ""
    shape: str = ""
    values: tuple[str, ...] = ()
    places: tuple[int, ...] = ()

    def place_of(self, operand: str, index: int) -> int:
        """Where in the text the character at `index` of an operand is; the item's begin for what is none."""
        if operand in self.values:
            quotes = [place for place, sign in zip(self.places, self.shape, strict=False) if sign == QUOTED]
            return quotes[self.values.index(operand)] + 1 + index
        found = re.search(rf"(?<!\S){re.escape(operand)}(?!\S)", self.shape) if operand else None
        if found is None:
            return self.position
        return self.places[min(found.start() + index, len(self.shape) - 1)]


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
    pieces: list[tuple[str, str, int]] = []  # as it is written, its character in the shape, its place
    values: list[str] = []
    position = start
    while position < len(text) and text[position] not in OPERATORS:
        character = text[position]
        written, place = character, position
        position += 1
        if character in "'\"" and (place == start or text[place - 1].isspace() or text[place - 1] == ","):
            quote = _QUOTE.match(text, place)
            if quote is None:
                raise ParserError("This quote is never closed.", text=text, position=place)
            inner = quote[1] if quote[1] is not None else quote[2]
            values.append(inner.replace(character * 2, character))
            written, character, position = quote[0], QUOTED, quote.end()
        elif character == QUOTED:
            raise ParserError("A control character is not in the language.", text=text, position=place)
        elif character.isspace():
            if pieces[-1][1] == " ":
                continue
            written = character = " "
        pieces.append((written, character, place))
    raw = "".join(piece[0] for piece in pieces).strip()
    shape = "".join(piece[1] for piece in pieces).strip()
    return Token("item", start, raw, shape, tuple(values), tuple(piece[2] for piece in pieces)), position
