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
        self._heard: dict[str, int] = {}
        self._known = {run.run_id: run.action for run in self._runs()}
        for run_id, action in self._known.items():
            if action == "run":
                self._heard[run_id], _ = history.output(run_id)

    def news(self) -> list[News]:
        """What has happened since the last call, in order."""
        found: list[News] = []
        known: dict[str, str] = {}
        for run in self._runs():
            known[run.run_id] = run.action
            is_new = self._known.get(run.run_id) != run.action
            if is_new and run.ended is None:
                found.append(News(run.started, run))
            if is_new or run.ended is None:
                found.extend(News(line.created, run, line) for line in self._said(run))
            if is_new and run.ended is not None:
                found.append(News(run.ended, run))
        self._known = known
        return sorted(found, key=_created)

    def _runs(self) -> Iterator[RunRecord]:
        seen = set()
        for run in self._history.runs(self._session, Query(self._names, limit=_MOST)):
            seen.add(run.run_id)
            yield run
        for run_id in self._heard.keys() - seen:
            yield from self._history.runs(self._session, Query(run_id=run_id))

    def _said(self, run: RunRecord) -> list[OutputLine]:
        """What a run has said since; its end is written after all that it said."""
        last, lines = self._history.output(run.run_id, self._heard.get(run.run_id, 0))
        if run.ended is None:
            self._heard[run.run_id] = last
        else:
            self._heard.pop(run.run_id, None)
        return lines


def _created(news: News) -> float:
    return news.created
