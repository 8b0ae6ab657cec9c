"""A subscription: an expression and what it says of events."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sessionkit.events.event import Event
from sessionkit.events.expression import parse
from sessionkit.events.predicate import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_KEPT = 1_000


class Subscription:
    """Which events somebody wants, in the language of `sessionkit.events.expression`.

    >>> Subscription("topic=shot.* and data.user=ann").includes(Event("shot.new", data={"user": "ann"}))
    True

    Raises:
        ExpressionError: when the text is no expression.
    """

    __slots__ = ("expression", "predicate", "text")

    def __init__(self, subscription: str) -> None:
        self.text = subscription
        self.expression = parse(subscription)
        self.predicate = compiled(self.expression)

    def includes(self, event: Mapping[str, Any]) -> bool:
        """Whether `event` (or any mapping) is one of those."""
        return self.predicate(event.fields if isinstance(event, Event) else event)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text!r}>"


@lru_cache(maxsize=256)
def _remembered(text: str) -> Subscription:
    return Subscription(text)


def subscription_of(text: str) -> Subscription:
    """The subscription of `text`, read once for texts that come again and again, as targets do.

    Raises:
        ExpressionError: when the text is no expression.
    """
    return _remembered(text) if len(text) <= _LONGEST_KEPT else Subscription(text)
