"""What has happened since one last looked: runs that started and ended, and what they said meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sessionkit_redengine.history import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sessionkit_redengine.history import History, RunRecord
    from sessionkit_redengine.output import OutputLine

_MOST = 200  # runs looked at at once, the latest, besides those that are known to be on their way


class News(NamedTuple):
    """One thing that has happened: a run's start or end, or with `line` what it said."""

    created: float
    run: RunRecord
    line: OutputLine | None = None


class Follower:
    """Looks at a history again and again; what was there before it was made is no news.

    Args:
        history: The history.
        session: The session's name.
        names: The tasks that matter; none is all.
    """

    def __init__(self, history: History, session: str, names: Collection[str] = ()) -> None:
        self._history = history
        self._session = session
        self._names = tuple(names) or None
        self._known: dict[str, str] = {}
        self._heard: dict[str, int] = {}
        for run in self._runs():
            self._known[run.run_id] = run.action
            if run.ended is None:
                self._heard[run.run_id], _ = history.output(run.run_id)

    def news(self) -> list[News]:
        """What has happened since the last call, in order."""
        found: list[News] = []
        for run in self._runs():
            before = self._known.get(run.run_id)
            if before is None:
                found.append(News(run.started, run._replace_end() if False else run))
        return found

    def _runs(self) -> Iterator[RunRecord]:
        yield from self._history.runs(self._session, Query(self._names, limit=_MOST))
