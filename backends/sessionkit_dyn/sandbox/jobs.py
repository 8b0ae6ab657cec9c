"""Jobs: calls that take longer than the service lets a client wait, and are asked for again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sessionkit_dyn.sandbox import tables
from sessionkit_dyn.sandbox.envelope import Answer, Message, Refusal, not_found

if TYPE_CHECKING:
    import sqlite3

    from sessionkit_dyn.sandbox.call import Call, Routes

REDIRECT = "redirect"
INCOMPLETE = "incomplete"


@dataclass(slots=True)
class Plan:
    """That some of the next calls shall become jobs (the fault "job").

    Attributes:
        times: How many calls; None is every one.
        method: Only these; None is every method but not a sign-in.
        path: Only paths of this pattern.
        style: "redirect" answers 307 with a Location, "incomplete" answers 200.
        polls: How often it is still not done when asked for.
        seconds: How long it takes at least, by the sandbox's clock.
    """

    times: int | None = 1
    method: str | None = None
    path: str | None = None
    style: str = REDIRECT
    polls: int = 1
    seconds: float = 0.0

    def takes(self, method: str, path: str) -> bool:
        """Whether this call becomes a job; counts it."""
        matches = self.method in {None, method} and (self.path is None or fnmatchcase(path, self.path))
        if not matches or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def routes() -> Routes:
    """Resource -> method -> handler."""
    return {"Job": {"GET": poll}}


def begin(call: Call, job_id: int, answer: Answer, plan: Plan) -> Answer:
    """Keep the answer of a call for later; what is said now is that it is not done yet."""
    kept = answer.public(job_id)
    tables.insert(
        call.db,
        "job",
        job_id=job_id,
        token=call.token,
        style=plan.style,
        polls=plan.polls,
        ready=call.clock.time() + plan.seconds,
        answer=kept,
    )
    return _unfinished(job_id, plan.style)


def _unfinished(job_id: int, style: str) -> Answer:
    redirect = style == REDIRECT
    return Answer(
        None,
        status="incomplete",
        http=307 if redirect else 200,
        location=f"/REST/Job/{job_id}" if redirect else "",
        job_id=job_id,
    )


def poll(call: Call) -> Answer:
    """The answer of a job; asking is a success, also when what it did failed."""
    row = tables.one(
        call.db,
        "SELECT * FROM dyn_job WHERE token = ? AND CAST(job_id AS TEXT) = ?",
        call.token,
        call.part(0),
    )
    if row is None:
        raise not_found("job: No such job")
    if row["polls"] > 0:
        call.db.execute("UPDATE dyn_job SET polls = polls - 1 WHERE job_id = ?", [row["job_id"]])
    if row["polls"] > 0 or call.clock.time() < row["ready"]:
        return _unfinished(row["job_id"], row["style"])
    kept = json.loads(row["answer"])
    msgs = tuple(Message(each["INFO"], each["ERR_CD"], each["SOURCE"]) for each in kept["msgs"])
    return Answer(kept["data"], msgs, kept["status"], 200, job_id=row["job_id"])


def running(call: Call) -> int | None:
    """The session's job that is not done yet, if any."""
    row = tables.one(
        call.db,
        "SELECT job_id FROM dyn_job WHERE token = ? AND (polls > 0 OR ready > ?)",
        call.token,
        call.clock.time(),
    )
    return None if row is None else int(row["job_id"])


def busy(job_id: int) -> Refusal:
    """The refusal of a call while the session's job runs."""
    message = Message("token: This session already has a job running", "OPERATION_FAILED", "API-B")
    return Refusal(Answer({}, (message,), "running", 400, job_id=job_id))


def latest(db: sqlite3.Connection) -> int:
    """The highest job id in the database."""
    row = tables.one(db, "SELECT max(job_id) AS job_id FROM dyn_job")
    return int(row["job_id"] or 0) if row else 0
