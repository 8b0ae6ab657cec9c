"""System tasks: what the service does on its own account, and what may block a zone meanwhile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.sandbox import tables
from sessionkit_dyn.sandbox.call import plain_name
from sessionkit_dyn.sandbox.envelope import Answer, Refusal, done, not_found, refuse

if TYPE_CHECKING:
    from sessionkit_dyn.sandbox.call import Call, Routes

_OPEN = ("ready", "running", "waiting")


def routes() -> Routes:
    """Resource -> method -> handler."""
    return {"Task": {"GET": get, "DELETE": cancel}}


def create(call: Call, zone: str, name: str, *, status: str) -> int:
    """A task of the call's customer; returns its id."""
    return _insert(call, zone, name, status, blocking="N", refusals=None)


def _insert(call: Call, zone: str, name: str, status: str, *, blocking: str, refusals: int | None) -> int:
    now = int(call.clock.time())
    return tables.insert(
        call.db,
        "task",
        customer=call.customer,
        zone_name=zone,
        name=name,
        status=status,
        blocking=blocking,
        refusals=refusals,
        created_ts=now,
        modified_ts=now,
        args=[{"name": "zone_name", "value": zone}],
    )


def block(call: Call, zone: str, name: str, refusals: int | None) -> int:
    """Let a task block a zone until it has refused `refusals` changes (None: until it is cancelled)."""
    return _insert(call, zone, name, "running", blocking="Y", refusals=refusals)


def check_unblocked(call: Call, zone: str) -> None:
    """Count a change that meets a blocking task.

    Raises:
        Refusal: "zone: Operation blocked by current task", with the task's name and id.
    """
    row = tables.one(
        call.db,
        "SELECT * FROM dyn_task WHERE customer = ? AND zone_name = ?"
        " AND blocking = 'Y' AND status = 'running'",
        call.customer,
        zone,
    )
    if row is None:
        return
    if row["refusals"] is not None:
        left = row["refusals"] - 1
        call.db.execute(
            "UPDATE dyn_task SET refusals = ?, status = ?, modified_ts = ? WHERE task_id = ?",
            [left, "running" if left > 0 else "complete", int(call.clock.time()), row["task_id"]],
        )
    raise blocked(row)


def blocked(row: dict[str, Any]) -> Refusal:
    """The refusal of a change while a task runs."""
    return refuse(
        "ILLEGAL_OPERATION",
        "zone: Operation blocked by current task",
        f"task_name: {row['name']}",
        f"task_id: {row['task_id']}",
    )


def get(call: Call) -> Answer:
    """One task, or the account's tasks, filtered by name, zone_name and status (done, notdone)."""
    if call.part(0):
        return done(_public(_find(call)), "get: Here is your task")
    found = tables.rows(call.db, "SELECT * FROM dyn_task WHERE customer = ? ORDER BY task_id", call.customer)
    return done([_public(row) for row in found if _wanted(call, row)], "get: Here are your tasks")


def _wanted(call: Call, row: dict[str, Any]) -> bool:
    name, zone, status = (call.args.get(key) for key in ("name", "zone_name", "status"))
    state = "notdone" if row["status"] in _OPEN else "done"
    return (
        (not name or row["name"] == name)
        and (not zone or row["zone_name"] == plain_name(zone))
        and (not status or status in {state, row["status"]})
    )


def cancel(call: Call) -> Answer:
    """Cancel a task that is not done."""
    row = _find(call)
    if row["status"] not in _OPEN:
        raise refuse("ILLEGAL_OPERATION", "cancel: Task is not running")
    call.db.execute("UPDATE dyn_task SET status = 'canceled' WHERE task_id = ?", [row["task_id"]])
    return done(_public({**row, "status": "canceled"}), "cancel: Task canceled")


def _find(call: Call) -> dict[str, Any]:
    wanted = call.part(0)
    row = tables.one(
        call.db, "SELECT * FROM dyn_task WHERE customer = ? AND task_id = ?", call.customer, wanted
    )
    if row is None:
        raise not_found("task_id: No such task")
    return row


def _public(row: dict[str, Any]) -> dict[str, Any]:
    finished = row["status"] not in _OPEN
    return {
        "task_id": str(row["task_id"]),
        "name": row["name"],
        "customer_name": row["customer"],
        "zone_name": row["zone_name"],
        "status": row["status"],
        "step_count": "1" if finished else "0",
        "total_steps": "1",
        "blocking": row["blocking"],
        "message": "",
        "debug": "",
        "created_ts": str(row["created_ts"]),
        "modified_ts": str(row["modified_ts"]),
        "args": json.loads(row["args"]),
    }
