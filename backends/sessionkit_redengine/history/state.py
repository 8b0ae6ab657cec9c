"""What is known of one task's runs, ready to be read: the last of each kind, the live ones, and counts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

#: How a run can stand. "run" is on its way; "inaction" found nothing to do; "crash" died with its process.
ACTIONS: Final = ("run", "success", "fail", "terminate", "inaction", "crash")
_FINISHES: Final = ("success", "fail", "terminate", "inaction", "crash")
# Counting conditions ("has failed more than 3 times today") look back at most this many runs per kind.
_KEPT = 1_024


class TaskState:
    """The record of one task, all of it O(1) to read.

    Attributes:
        status: The newest of `ACTIONS`, or None before the first run.
        last: The instant (seconds, UTC) of the latest of each action; for "run" when it started.
        last_due: When the latest run was due; later runs are reckoned from it, so nothing drifts.
        anchor: The same for elapsed time.
        fails: Failed and crashed runs since the last that was neither.
        running: Start instants of the runs on their way, by run id.
        run_id: The latest run's id, or "".
    """

    __slots__ = (
        *("_recorded", "_series", "anchor", "fails", "last", "last_due"),
        *("run_id", "running", "status"),
    )

    def __init__(self) -> None:
        self.status: str | None = None
        self.last: dict[str, float] = {}
        self.last_due: float | None = None
        self.anchor: float | None = None
        self.fails = 0
        self.running: dict[str, float] = {}
        self.run_id = ""
        self._recorded: dict[str, float] | None = None
        self._series: dict[str, list[float]] | None = None

    def start(self, run_id: str, started: float, due: float) -> None:
        """Note that a run began."""
        self.status = "run"
        self.run_id = run_id
        self._put("run", started)
        self.last_due = self.anchor = due
        self.running[run_id] = started

    def finish(self, run_id: str, action: str, ended: float) -> None:
        """Note how a run ended."""
        self.running.pop(run_id, None)
        self.status = "run" if self.running else action
        self._put(action, ended)
        self.fails = self.fails + 1 if action in {"fail", "crash"} else 0

    def adopt(self, other: TaskState) -> None:
        """Become what another record says, which was read later."""
        for name in ("status", "last", "last_due", "anchor", "fails", "running", "run_id"):
            setattr(self, name, getattr(other, name))
        self._series = self._recorded = None

    def shift(self, seconds: float) -> None:
        """Move all that happened by so much, because the clock was set; not what was due, which is a date."""
        self._recorded = dict(self.recorded)
        for instants in (self.last, self.running):
            instants.update({key: instant + seconds for key, instant in instants.items()})
        if self.anchor is not None:
            self.anchor += seconds
        if self._series is not None:
            self._series = {key: [at + seconds for at in series] for key, series in self._series.items()}

    @property
    def recorded(self) -> dict[str, float]:
        """`last` as the history has it, where the clock was set since."""
        return self.last if self._recorded is None else self._recorded

    def latest(self, *actions: str) -> float | None:
        """The newest instant of any of these actions, or None."""
        instants = [self.last[action] for action in actions if action in self.last]
        return max(instants) if instants else None

    @property
    def last_finish(self) -> float | None:
        """When the latest run ended, however it did."""
        return self.latest(*_FINISHES)

    def times(self, action: str, since: float, until: float) -> list[float]:
        """The instants of an action in `[since, until]`, oldest first."""
        series = self._counted().get(action, [])
        return series[bisect_left(series, since) : bisect_right(series, until)]

    @property
    def counting(self) -> bool:
        """Whether instants are being kept for counting; the history fills them in when they begin to be."""
        return self._series is not None

    def count_from(self, series: dict[str, list[float]]) -> None:
        """Begin to keep instants, with those that the history knows."""
        self._series = {action: sorted(instants)[-_KEPT:] for action, instants in series.items()}

    def _counted(self) -> dict[str, list[float]]:
        if self._series is None:
            self.count_from({action: [instant] for action, instant in self.last.items()})
        assert self._series is not None
        return self._series

    def _put(self, action: str, at: float) -> None:
        self.last[action] = at
        if self._recorded is not None:
            self._recorded[action] = at
        if self._series is None:
            return
        series = self._series.setdefault(action, [])
        if series and at < series[-1]:
            series.insert(bisect_right(series, at), at)  # the clock was set back
        else:
            series.append(at)
        if len(series) > 2 * _KEPT:
            del series[:_KEPT]
