"""How items combine: `~` binds tighter than `&`, `&` tighter than `|`, brackets tightest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from sessionkit_redengine.conditions.lexer import Token, tokens
from sessionkit_redengine.errors import ParserError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_DEEPEST = 100


class Grammar(Generic[_T]):
    """A reader of expressions over some kind of items.

    Args:
        item: Makes the meaning of one item; raises `ParserError` with a position inside the item.
        all_of: Combines with `&`.
        any_of: Combines with `|`.
        invert: Makes the opposite, or None where `~` is not in the language.
    """

    def __init__(
        self,
        item: Callable[[Token], _T],
        all_of: Callable[[list[_T]], _T],
        any_of: Callable[[list[_T]], _T],
        invert: Callable[[_T], _T] | None,
    ) -> None:
        self._item = item
        self._all_of = all_of
        self._any_of = any_of
        self._invert = invert

    def parse(self, text: str) -> _T:
        """The meaning of a whole text.

        Raises:
            ParserError: pointing at the first thing that is not in the language.
        """
        return _Reader(text, self).whole()

    def item(self, text: str, token: Token) -> _T:
        """The meaning of one item of `text`."""
        try:
            return self._item(token)
        except ParserError as error:
            message = error.message.split("\n", 1)[0]
            position = token.place_of(error.text, error.position)
            raise ParserError(message, text=text, position=position, hint=error.hint) from None

    def all_of(self, parts: list[_T]) -> _T:
        """One part as it is, several combined."""
        return parts[0] if len(parts) == 1 else self._all_of(parts)

    def any_of(self, parts: list[_T]) -> _T:
        """One part as it is, several combined."""
        return parts[0] if len(parts) == 1 else self._any_of(parts)

    def invert(self, part: _T, text: str, position: int) -> _T:
        """The opposite."""
        if self._invert is None:
            raise ParserError("Time periods have no opposite.", text=text, position=position)
        return self._invert(part)


class _Reader(Generic[_T]):
    """One text being read: a recursive descent, as deep as its brackets."""

    def __init__(self, text: str, grammar: Grammar[_T]) -> None:
        self._text = text
        self._grammar = grammar
        self._tokens = tokens(text)
        self._index = 0
        self._depth = 0

    def whole(self) -> _T:
        result = self._alternatives()
        if self._token.kind != "end":
            raise self._unexpected("Here the expression should end or go on with & or |.")
        return result

    @property
    def _token(self) -> Token:
        return self._tokens[self._index]

    def _take(self, kind: str) -> bool:
        taken = self._token.kind == kind
        self._index += taken
        return taken

    def _alternatives(self) -> _T:
        parts = [self._conjunction()]
        while self._take("|"):
            parts.append(self._conjunction())
        return self._grammar.any_of(parts)

    def _conjunction(self) -> _T:
        parts = [self._operand()]
        while self._take("&"):
            parts.append(self._operand())
        return self._grammar.all_of(parts)

    def _operand(self) -> _T:
        opposites = []
        while self._token.kind == "~":
            opposites.append(self._token.position)
            self._index += 1
        part = self._primary()
        for position in reversed(opposites):
            part = self._grammar.invert(part, self._text, position)
        return part

    def _primary(self) -> _T:
        token = self._token
        self._index += token.kind != "end"
        if token.kind == "item":
            return self._grammar.item(self._text, token)
        if token.kind != "(":
            self._index -= token.kind != "end"
            raise self._unexpected("A condition is missing here.")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ParserError(f"Brackets deeper than {_DEEPEST}.", text=self._text, position=token.position)
        inner = self._alternatives()
        if not self._take(")"):
            raise self._unexpected("A closing bracket is missing here.")
        self._depth -= 1
        return inner

    def _unexpected(self, message: str) -> ParserError:
        return ParserError(message, text=self._text, position=self._token.position)
