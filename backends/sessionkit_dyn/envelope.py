"""The envelope around every answer of Managed DNS, however odd it comes.

{"status": "success", "data": {...}, "job_id": 3994, "msgs": [{"INFO": ..., "ERR_CD": ..., ...}]}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sessionkit import secrets
from sessionkit.http.message import redacted_url
from sessionkit.http.status import SHOWN
from sessionkit_dyn import errors

if TYPE_CHECKING:
    from sessionkit.errors import RequestError
    from sessionkit.http import Call, Response

RATE_LIMIT: Final = "RATE_LIMIT_EXCEEDED"

_REFUSED = re.compile(
    r"login: (Bad or expired credentials|inactivity logout|IP address does not match|"
    r"There was a problem with your credentials)",
    re.IGNORECASE,
)
_BLOCKED = re.compile(r"Operation blocked by current task", re.IGNORECASE)
_TASK = re.compile(r"task_id: *(\d+)")


class Message(NamedTuple):
    """One of an answer's messages.

    Attributes:
        info: The text.
        code: Its ERR_CD, or "".
    """

    info: str
    code: str


def decode(response: Response) -> dict[str, Any] | None:
    """The envelope of an answer; None when it is none.

    An error that comes as a list of one envelope is taken out of it.
    """
    try:
        body = response.json()
    except ValueError:
        return None
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict) or not isinstance(body.get("status"), str):
        return None
    return body


def messages(envelope: dict[str, Any]) -> list[Message]:
    """Its messages, as far as they can be understood."""
    found = envelope.get("msgs")
    rows = found if isinstance(found, list) else []
    return [
        Message(row["INFO"], row["ERR_CD"] if isinstance(row.get("ERR_CD"), str) else "")
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("INFO"), str)
    ]


def job_id(envelope: dict[str, Any] | None) -> int | None:
    """The number of the job, or None."""
    number = envelope.get("job_id") if envelope else None
    if isinstance(number, str) and number.isdecimal():
        return int(number)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def token_refused(said: list[Message], status: int) -> bool:
    """Whether the token, not the call, was refused."""
    return status == 401 or any(_REFUSED.match(message.info) for message in said)


def blocking_task(said: list[Message]) -> int | None:
    """The number of the task that blocks the zone; 0 when it is not named, None when none does."""
    if not any(_BLOCKED.search(message.info) for message in said):
        return None
    numbers = (_TASK.fullmatch(message.info.strip()) for message in said)
    return next((int(number[1]) for number in numbers if number), 0)


def rate_limited(said: list[Message], status: int) -> bool:
    """Whether the account has asked too often."""
    return status == 429 or any(message.code == RATE_LIMIT for message in said)


def details(response: Response, call: Call, envelope: dict[str, Any] | None = None) -> dict[str, Any]:
    """What every `DynectError` of this answer is made with."""
    return {
        "method": call.method,
        "uri": secrets.redact_url(call.uri),
        "url": redacted_url(response.request.url),
        "status": response.status,
        "body": secrets.redact(response.text[:SHOWN]),
        "job_id": job_id(envelope),
    }


def failure(
    response: Response, call: Call, envelope: dict[str, Any], said: list[Message], **more: Any
) -> RequestError:
    """The typed error of an answer whose status is no success."""
    code = next((message.code for message in said if message.code), "")
    if rate_limited(said, response.status):
        code = RATE_LIMIT
    texts = tuple(secrets.redact(message.info) for message in said)
    kind, hint = errors.reason_of(code, response.status)
    doing = errors.BY_METHOD.get(call.method, errors.DynectError)
    if is_login(call) or token_refused(said, response.status):
        doing, kind = errors.DynectAuthError, errors.DynectAuthError
        hint = "check customer, user name and password"
    elif blocking_task(said) is not None:
        hint = "a task of the service holds the zone; see zones.get_tasks(), or give the call more time"
    text = ". ".join(texts) or f"the service answered {envelope.get('status')!r} and said nothing"
    made = {**details(response, call, envelope), **more}
    return errors.both(doing, kind)(text, hint=hint, code=code, messages=texts, **made)


def is_login(call: Call) -> bool:
    """Whether the call signs in."""
    return call.method == "POST" and not call.signed
