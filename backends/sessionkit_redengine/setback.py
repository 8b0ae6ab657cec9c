"""What it means that the clock was set back: elapsed time goes on, and no date happens twice.

A clock is set back by a little when somebody corrects it, or by years when a machine without a battery finds
its time server. As cron has it, up to three hours are a correction within the day: what belongs to a date or
a time of day has been done and is not done again. More than that is another time altogether, by which
everything goes on at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit_redengine.conditions.time import TaskExecutable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit_redengine.conditions.base import Condition
    from sessionkit_redengine.tasks.base import Task

#: Seconds; set back by more than this, the clock shows another time, not a corrected one.
CORRECTION = 10_800.0
#: Seconds by which the clocks of machines that share a history may differ.
SKEW = 60.0


def set_back(task: Task, seconds: float, now: float) -> None:
    """Turn a task's record back with the clock, which shows `now` and showed `seconds` more before.

    What happened is as long ago as it was. What was due is turned back by whole cycles, so that an hourly
    task goes on about an hour after its latest run; where the cycle is a day or longer, the window that is
    done stays done, and after another time altogether the present one counts as it.
    """
    state = task.state
    state.shift(-seconds)
    if state.last_due is None:
        return
    cycle = cycle_of(task.start_cond)
    if cycle < float("inf"):
        state.last_due -= seconds // cycle * cycle if cycle else seconds
    elif seconds > CORRECTION:
        state.last_due = min(state.last_due, now)


def cycle_of(condition: Condition) -> float:
    """Seconds in the longest cycle in which a condition is true once: infinity for dates, 0 for none."""
    if isinstance(condition, TaskExecutable):
        return condition.period.cycle
    parts = getattr(condition, "conditions", None) or getattr(condition, "condition", None)
    return max(map(cycle_of, parts if isinstance(parts, tuple) else (parts,)), default=0.0) if parts else 0.0


def from_the_future(tasks: Iterable[Task], now: float) -> float:
    """Seconds by which the clock was set back while no scheduler ran: 0 unless something is still to come."""
    newest = max((instant for task in tasks for instant in task.state.last.values()), default=now)
    return newest - now if newest - now > SKEW else 0.0
