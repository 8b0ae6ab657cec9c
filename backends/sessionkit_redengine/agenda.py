"""The agenda: what the scheduler has to look at, and when. A heap, so that only what is due costs."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREVER = float("inf")
_TIDY = 1_024
_new = tuple.__new__


class Entry(NamedTuple):
    """Something to look at.

    Attributes:
        at: When (seconds since the epoch).
        number: Keeps entries of one instant in the order in which they were made.
        kind: "task", "timeout" or "end".
        subject: The task or run.
    """

    at: float
    number: int
    kind: str
    subject: Any


class Agenda:
    """At most one entry of each kind for each subject; a later one replaces an earlier one."""

    __slots__ = ("_current", "_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._current: dict[tuple[str, int], Entry] = {}
        self._number = 0

    def put(self, at: float, kind: str, subject: Any) -> None:
        """Look at `subject` at `at`, and not when it was to be looked at before; infinity is never."""
        key = (kind, id(subject))
        if at == FOREVER:
            self._current.pop(key, None)
            return
        self._number += 1
        # `Entry(...)` takes three times as long.
        entry = self._current[key] = _new(Entry, (at, self._number, kind, subject))
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._current) + _TIDY:
            # Entries that were replaced stay in the heap until their time comes, or until they are too many.
            self._heap = list(self._current.values())
            heapq.heapify(self._heap)

    def drop(self, kind: str, subject: Any) -> None:
        """Look at it no more."""
        self._current.pop((kind, id(subject)), None)

    def shift(self, kind: str, seconds: float) -> None:
        """Look at all entries of a kind so much later, because the clock was set."""
        for entry in [entry for entry in self._current.values() if entry.kind == kind]:
            self.put(entry.at + seconds, kind, entry.subject)

    def when(self, kind: str, subject: Any) -> float | None:
        """When it is to be looked at, or None."""
        entry = self._current.get((kind, id(subject)))
        return None if entry is None else entry.at

    def next(self) -> float:
        """When there is something to look at; infinity if never."""
        heap = self._heap
        while heap:
            entry = heap[0]
            if self._current.get((entry.kind, id(entry.subject))) is entry:
                return entry.at
            heapq.heappop(heap)
        return FOREVER

    def due(self, now: float) -> Iterator[Entry]:
        """Take what is to be looked at by `now`, in order. What is put meanwhile waits for the next time."""
        newest = self._number
        while self.next() <= now and self._heap[0].number <= newest:
            entry = heapq.heappop(self._heap)
            del self._current[entry.kind, id(entry.subject)]
            yield entry

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._current.clear()

    def __len__(self) -> int:
        return len(self._current)
