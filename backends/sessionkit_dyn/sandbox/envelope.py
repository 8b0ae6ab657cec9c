"""How the service words what it says: the envelope of every answer, and the refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One line of `msgs`.

    Attributes:
        info: "login: Login successful".
        code: The service's error code, or None for a remark.
        source: "BLL", "API-A", "API-B" or "DYN": the layer that speaks.
    """

    info: str
    code: str | None = None
    source: str = "BLL"

    def public(self) -> dict[str, str | None]:
        """The form on the wire."""
        level = "INFO" if self.code is None else "ERROR"
        return {"INFO": self.info, "SOURCE": self.source, "ERR_CD": self.code, "LVL": level}


@dataclass(slots=True)
class Answer:
    """What a handler says, before it gets its job id.

    Attributes:
        data: The `data` of the envelope.
        msgs: Its messages.
        status: "success", "failure", "incomplete" or "running".
        http: The HTTP status.
        location: Where to ask again, for 307.
        job_id: The job this is the answer of; None gives it one of its own.
    """

    data: Any = field(default_factory=dict)
    msgs: tuple[Message, ...] = ()
    status: str = "success"
    http: int = 200
    location: str = ""
    job_id: int | None = None

    def public(self, job_id: int) -> dict[str, Any]:
        """The envelope on the wire; a job that is not done has no `msgs`."""
        envelope = {"status": self.status, "data": self.data, "job_id": job_id}
        if self.status != "incomplete":
            envelope["msgs"] = [message.public() for message in self.msgs]
        return envelope


class Refusal(Exception):
    """The service says no; what was begun is undone.

    >>> raise refuse("NOT_FOUND", "zone: No such zone", source="API-B", http=404)
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.msgs[0].info)
        self.answer = answer


def done(data: Any, *remarks: str, source: str = "BLL") -> Answer:
    """Success, with remarks."""
    return Answer({} if data is None else data, tuple(Message(remark, source=source) for remark in remarks))


def refuse(
    code: str, info: str, *remarks: str, source: str = "BLL", http: int = 400, status: str = "failure"
) -> Refusal:
    """A refusal: one error, then remarks."""
    msgs = (Message(info, code, source), *(Message(remark) for remark in remarks))
    return Refusal(Answer({}, msgs, status, http))


def not_found(info: str, *remarks: str, source: str = "BLL") -> Refusal:
    """What was asked for does not exist."""
    return refuse("NOT_FOUND", info, *remarks, source=source, http=404)


def missing(name: str) -> Refusal:
    """A required argument was not given."""
    return refuse("MISSING_DATA", f"{name}: required field missing", source="API-A")


def invalid(name: str, problem: str, *remarks: str) -> Refusal:
    """An argument has a value that cannot be."""
    return refuse("INVALID_DATA", f"{name}: {problem}", *remarks, source="DYN")
