"""A history in memory: the latest runs, as many as fit."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from sessionkit_redengine.history.base import History, Query, RunRecord
from sessionkit_redengine.output import MOST_RUNS, latest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionkit_redengine.history.state import TaskState
    from sessionkit_redengine.output import OutputLine, Portion


class MemoryHistory(History):
    """Keeps the latest `max_runs` runs of its session; forgotten when the process ends.

    Last states and counts are kept by the session itself and do not depend on how many runs fit.
    """

    def __init__(self, max_runs: int = 10_000) -> None:
        self._max_runs = max_runs
        self._runs: deque[RunRecord] = deque()
        # The same by task: what a log is asked for most.
        self._by_task: dict[str, deque[RunRecord]] = {}
        self._said: dict[str, dict[str, list[tuple[int, OutputLine]]]] = {}
        self._lock = threading.Lock()

    def states(self, session: str) -> dict[str, TaskState]:  # noqa: ARG002 - it begins empty
        """None: what this process knows, its session has."""
        return {}

    def state(self, session: str, task: str) -> TaskState | None:  # noqa: ARG002 - see `states`
        """None: see `states`."""
        return None

    def claim(self, run: RunRecord, seen: str, order: str = "") -> bool:  # noqa: ARG002 - nobody else is there
        """Keep a run, and forget the oldest where there are too many."""
        with self._lock:
            self._runs.append(run)
            self._by_task.setdefault(run.task, deque()).append(run)
            if len(self._runs) > self._max_runs:
                oldest = self._runs.popleft()
                theirs = self._by_task[oldest.task]
                theirs.popleft()
                if not theirs:
                    del self._by_task[oldest.task]
        return True

    def finish(self, run: RunRecord) -> None:
        """The record that was kept is the one that was changed."""

    def runs(self, session: str, query: Query) -> Iterator[RunRecord]:  # noqa: ARG002 - it has one
        """See `History`: the latest ones of a task cost no more when there are many."""
        with self._lock:
            tasks = query.tasks
            one = tasks is not None and len(tasks) == 1
            known = self._by_task.get(min(tasks), ()) if tasks and one else self._runs
            wanted = list(islice((run for run in reversed(known) if query.wants(run)), query.limit))
        return reversed(wanted)

    def add_output(self, portions: Sequence[Portion]) -> None:
        """See `History`."""
        with self._lock:
            for portion in portions:
                runs = self._said.setdefault(portion.task, {})
                known = [entry for entry in runs.get(portion.run_id, ()) if entry[0] >= portion.first]
                runs[portion.run_id] = [*known, *((portion.number, line) for line in portion.lines)]
                while len(runs) > MOST_RUNS:
                    del runs[next(iter(runs))]

    def output(self, run_id: str, after: int = 0) -> tuple[int, list[OutputLine]]:
        """See `History`."""
        with self._lock:
            known = next((runs[run_id] for runs in self._said.values() if run_id in runs), [])
        found = [entry for entry in known if entry[0] > after]
        return (found[-1][0] if found else after), latest(line for _, line in found)

    def series(self, session: str, task: str) -> dict[str, list[float]]:
        """See `History`."""
        found: dict[str, list[float]] = {}
        for run in self.runs(session, Query(task)):
            found.setdefault("run", []).append(run.started)
            if run.ended is not None:
                found.setdefault(run.action, []).append(run.ended)
        return found
