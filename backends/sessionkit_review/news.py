"""What changed while an answer was on its way: the answer may be older, and is not believed about that."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit_review.symbols import CREATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessionkit_review.core import ReviewCore
    from sessionkit_review.entity import Entity

# An answer that was on its way for longer than so many changes is believed about nothing.
_REMEMBERED = 10_000


class Asked(NamedTuple):
    """The moment at which the server was asked.

    Attributes:
        number: Of the latest news.
        epoch: The cache's.
    """

    number: int
    epoch: Any


class Changed(NamedTuple):
    """An entity that has changed.

    Attributes:
        names: The types that it may be of.
        key: Its primary key.
        removed: Whether it is gone.
        parent: Which other entity's collections are different now, or "".
    """

    names: tuple[str, ...]
    key: Sequence[str]
    removed: bool = False
    parent: str = ""


class News:
    """The latest changes that one session heard of or made, numbered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[tuple[int, Changed | None]] = deque(maxlen=_REMEMBERED)
        self.number = 0

    def add(self, changed: Changed | None) -> None:
        """Something has changed; None: anything may have."""
        with self._lock:
            self.number += 1
            self._items.append((self.number, changed))

    def since(self, number: int) -> list[Changed] | None:
        """What has changed since then; None where that may be anything."""
        if number == self.number:
            return []
        with self._lock:
            later = [changed for at, changed in self._items if at > number]
            if None in later or len(later) < self.number - number:
                return None
        return [changed for changed in later if changed is not None]


def take_in(session: ReviewCore, changed: Changed) -> None:
    """Have a session believe nothing that it knew of an entity, but for what was changed here."""
    store = session.entity_store
    if store is not None:
        store.drop((name, changed.key) for name in changed.names)
    for entity in filter(None, (session.entities.get(name, changed.key) for name in changed.names)):
        if changed.removed and session.unit.state(entity) is not CREATED:  # it may be made anew meanwhile
            session.entities.discard(entity)
        else:
            session.unit.expire(entity)
    if changed.parent:
        parents = session.entities.find(changed.parent)
        session.drop_copies(parents)
        for parent in parents:
            session.unit.expire_collections(parent)


def doubt_all(session: ReviewCore) -> None:
    """Have a session believe nothing that it knew."""
    if session.entity_store is not None:
        session.entity_store.clear()
    for entity in session.entities:
        session.unit.expire(entity)


def catch_up(session: ReviewCore, asked: Asked) -> None:
    """Take in what has changed since the server was asked for what has just been decoded."""
    changes = session.news.since(asked.number)
    if changes is None:
        doubt_all(session)
        return
    for changed in changes:
        take_in(session, changed)


def is_old(session: ReviewCore, asked: Asked, entities: Iterable[Entity]) -> bool:
    """Whether one of these may have changed since the server was asked."""
    changes = session.news.since(asked.number)
    if changes is None:
        return True
    keys = {tuple(changed.key) for changed in changes}
    return bool(keys) and any(tuple(entity.primary_key) in keys for entity in entities)
