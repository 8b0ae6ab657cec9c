"""The records of tasks in a database, and which of them have changed since somebody looked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.history.state import TaskState

if TYPE_CHECKING:
    from sessionkit_redengine.history.port import Execute

    #: The latest change that a look has seen: its number, and whose record it was.
    Mark = tuple[int, str]

_ALL = "session = :session"
_ONE = "session = :session AND task = :task"
_CHANGED = (
    "session = :session AND task IN "
    "(SELECT task FROM redengine_tasks WHERE session = :session AND changed >= :number)"
)


def number_change(execute: Execute, values: dict[str, Any]) -> None:
    """Give the change of a task's record the session's next number; last in its transaction.

    The number is locked until the transaction has ended. So changes become visible in the order of their
    numbers, and who has seen one has seen all before it.
    """
    counted = execute("UPDATE redengine_changes SET number = number + 1 WHERE session = :session", values)
    if not counted.changed:
        # One that is new even where somebody has emptied the history.
        first = {"session": values["session"], "number": time.time_ns()}
        execute("INSERT INTO redengine_changes (session, number) VALUES (:session, :number)", first)
    execute(
        "UPDATE redengine_tasks SET changed = "
        "(SELECT number FROM redengine_changes WHERE session = :session) "
        "WHERE session = :session AND task = :task",
        values,
    )


def put_last(execute: Execute, values: dict[str, Any], action: str, instant: float) -> None:
    """Note when a task last did something."""
    row = {**values, "action": action, "instant": instant}
    changed = execute(
        "UPDATE redengine_last SET instant = :instant "
        "WHERE session = :session AND task = :task AND action = :action",
        row,
    ).changed
    if not changed:
        execute(
            "INSERT INTO redengine_last (session, task, action, instant) "
            "VALUES (:session, :task, :action, :instant)",
            row,
        )


def read(execute: Execute, session: str, task: str) -> TaskState | None:
    """The record of one task."""
    return _read(execute, _ONE, {"session": session, "task": task})[0].get(task)


def read_changes(
    execute: Execute, session: str, since: Mark | None
) -> tuple[dict[str, TaskState], Mark | None]:
    """The records that have changed since an earlier look, or all; and what this look has seen."""
    if since is not None:
        number, task = since
        found = _read(execute, _CHANGED, {"session": session, "number": number})
        if task in found[0]:
            return found
        # What was seen has never been: the history was emptied, or an older one put in its place.
    return _read(execute, _ALL, {"session": session})


def _read(execute: Execute, where: str, values: dict[str, Any]) -> tuple[dict[str, TaskState], Mark | None]:
    # What changes between two statements is numbered later than what the first has read, and is read again.
    tasks = execute(f"SELECT task, run_id, due, fails, changed FROM redengine_tasks WHERE {where}", values)  # noqa: S608 - constant text
    last = execute(f"SELECT task, action, instant FROM redengine_last WHERE {where}", values)  # noqa: S608 - constant text
    # Those of all tasks: they are few, and to find one task's its runs of all times would be gone through.
    live = execute(
        "SELECT task, run_id, started FROM redengine_runs WHERE action = 'run' AND session = :session", values
    )
    found: dict[str, TaskState] = {}
    for task, run_id, due, fails, _ in tasks.rows:
        if run_id:
            state = found[task] = TaskState()
            state.run_id, state.fails = run_id, fails
            state.last_due = state.anchor = due
    for task, action, instant in last.rows:
        if task in found:
            found[task].last[action] = instant
    for task, run_id, started in live.rows:
        if task in found:
            found[task].running[run_id] = started
    for state in found.values():
        state.status = "run" if state.running else _latest_end(state)
    return found, max(((changed, task) for task, run_id, _, _, changed in tasks.rows if run_id), default=None)


def _latest_end(state: TaskState) -> str | None:
    ends = {action: instant for action, instant in state.last.items() if action != "run"}
    return max(ends, key=ends.__getitem__, default=None)
