"""What runs have said, in a database: a row for each portion."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.history.base import History
from sessionkit_redengine.output import MOST_RUNS, OutputLine, latest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionkit_redengine.history.port import Execute
    from sessionkit_redengine.output import Portion

_TIDY = 16  # runs that say something between two looks for those that are too many


class OutputTable(History):
    """The part of a history in a database that has what runs say."""

    _begun = 0

    @abstractmethod
    def _do(self, work: Callable[[Execute], Any]) -> Any:
        """Do `work` in a transaction."""

    def add_output(self, portions: Sequence[Portion]) -> None:
        """See `History`: all of them in one transaction."""

        def add(execute: Execute) -> None:
            for portion in portions:
                _add(execute, portion)
                if portion.number == 1:
                    if self._begun % _TIDY == 0:
                        _forget_old(execute, portion.session)
                    self._begun += 1

        self._do(add)

    def output(self, run_id: str, after: int = 0) -> tuple[int, list[OutputLine]]:
        """See `History`."""
        rows = self._do(
            lambda execute: execute(
                "SELECT number, body FROM redengine_output "
                "WHERE run_id = :run_id AND number > :after ORDER BY number",
                {"run_id": run_id, "after": after},
            )
        ).rows
        lines = latest(OutputLine(*line) for _, body in rows for line in json.loads(body))
        return (rows[-1][0] if rows else after), lines


def _add(execute: Execute, portion: Portion) -> None:
    """Write a portion, and forget those of its run that no longer fit."""
    row = {**portion._asdict(), "body": json.dumps(portion.lines)}
    wanted = row.pop("first")
    del row["lines"]
    execute(
        "INSERT INTO redengine_output (run_id, number, session, task, started, body) "
        "VALUES (:run_id, :number, :session, :task, :started, :body)",
        row,
    )
    if wanted > 1:
        values = {"run_id": portion.run_id, "wanted": wanted}
        execute("DELETE FROM redengine_output WHERE run_id = :run_id AND number < :wanted", values)


def _forget_old(execute: Execute, session: str) -> None:
    """Forget what the tasks of a session have said but for the latest runs of each."""
    values: dict[str, Any] = {"session": session, "kept": MOST_RUNS - 1}
    crowded = execute(
        "SELECT task FROM redengine_output WHERE session = :session "
        "GROUP BY task HAVING COUNT(DISTINCT started) > :kept",
        values,
    ).rows
    for (task,) in crowded:
        values["task"] = task
        oldest = execute(
            "SELECT DISTINCT started FROM redengine_output WHERE session = :session AND task = :task "
            "ORDER BY started DESC LIMIT 1 OFFSET :kept",
            values,
        ).rows
        values["oldest"] = oldest[0][0]
        execute(
            "DELETE FROM redengine_output WHERE session = :session AND task = :task AND started < :oldest",
            values,
        )
