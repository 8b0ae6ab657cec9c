"""A history in memory: the latest runs, as many as fit."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from sessionkit_redengine.history.base import History, Query, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit_redengine.history.state import TaskState


class MemoryHistory(History):
    """Keeps the latest `max_runs` runs of its session; forgotten when the process ends.

    Last states and counts are kept by the session itself and do not depend on how many runs fit.
    """

    def __init__(self, max_runs: int = 10_000) -> None:
        self._runs: deque[RunRecord] = deque(maxlen=max_runs)
        self._lock = threading.Lock()

    def states(self, session: str) -> dict[str, TaskState]:  # noqa: ARG002 - it begins empty
        """None: what this process knows, its session has."""
        return {}

    def state(self, session: str, task: str) -> TaskState | None:  # noqa: ARG002 - see `states`
        """None: see `states`."""
        return None

    def claim(self, run: RunRecord, seen: str) -> bool:  # noqa: ARG002 - nobody else is there
        """Keep a run."""
        self._runs.append(run)
        return True

    def finish(self, run: RunRecord) -> None:
        """The record that was kept is the one that was changed."""

    def runs(self, session: str, query: Query) -> Iterator[RunRecord]:  # noqa: ARG002 - it has one
        """See `History`."""
        with self._lock:
            known = list(self._runs)
        wanted = [run for run in known if query.wants(run)]
        yield from wanted if query.limit is None else wanted[max(0, len(wanted) - query.limit) :]

    def series(self, session: str, task: str) -> dict[str, list[float]]:
        """See `History`."""
        found: dict[str, list[float]] = {}
        for run in self.runs(session, Query(task)):
            found.setdefault("run", []).append(run.started)
            if run.ended is not None:
                found.setdefault(run.action, []).append(run.ended)
        return found
