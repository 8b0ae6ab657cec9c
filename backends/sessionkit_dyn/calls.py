"""What is asked of Managed DNS: paths, and the arguments every method carries as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

from sessionkit.http import Call, Request
from sessionkit_dyn.errors import DynectInvalidArgumentError

METHODS: Final = ("GET", "POST", "PUT", "DELETE")
JOB: Final = "/REST/Job/"

_JOB = re.compile(r"(?:/REST)?/Job/(\d+)/?")
_SAFE: Final = "/%?&=:@!$'()*+,;~"


@dataclass
class DynectCall(Call):
    """A call that may forbid waiting.

    Attributes:
        final: Take "not now" (a rate limit, a zone held by a task, a running job) for the answer.
    """

    final: bool = False

    __hash__ = None


class DynectRequest(Request):
    """A request, and what was so when it was sent.

    Attributes:
        accepted: How many changes of this login the service had accepted by then; see `Changeset`.
        after: The request that this one asks the end of: one that became a job, or whose answer was lost.
    """

    __slots__ = ("accepted", "after")

    def __init__(self, *args: Any, after: Request | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.accepted = 0
        self.after = after

    def copy(self) -> DynectRequest:
        """The same request without a signature."""
        return DynectRequest(
            self.method,
            self.url,
            self.headers.copy(),
            self.body,
            stream=self.stream,
            signed=self.signed,
            after=self.after,
        )

    @property
    def answered(self) -> Request:
        """The request that its answer is the answer of: for a poll, what became the job."""
        return self.after if self.after is not None and is_poll(self.url) else self


def call_of(call: Call | str, method: str, args: Any, final: bool) -> Call:
    """The call that `execute` was given in either form.

    Raises:
        DynectInvalidArgumentError: for a method the service does not have, or arguments that are no mapping.
    """
    if isinstance(call, Call):
        return call
    name = method.upper()
    if name not in METHODS:
        raise DynectInvalidArgumentError("method", method, METHODS)
    if args is not None and not isinstance(args, Mapping):
        raise DynectInvalidArgumentError("args", type(args).__name__, problem="must be a mapping or None")
    return DynectCall(name, call, None if args is None else dict(args), final=final)


@lru_cache(maxsize=1024)
def rest_path(uri: str) -> str:
    """The path of a URI as users write it.

    >>> rest_path("Zone/example.test")
    '/REST/Zone/example.test'
    """
    path = uri if uri.startswith("/") else f"/{uri}"
    if path != "/REST" and not path.startswith("/REST/"):
        path = f"/REST{path}"
    return quote(path, safe=_SAFE)


def path(*parts: object) -> str:
    """The path of a resource, each part encoded: names of nodes may hold anything.

    >>> path("ARecord", "example.test", "*.example.test")
    '/REST/ARecord/example.test/*.example.test/'
    """
    return "/REST/" + "".join(f"{quote(str(part), safe='*@~')}/" for part in parts)


def job_number(location: str) -> int | None:
    """The job that a Location header, path or URL, points to; None when it is no job."""
    match = _JOB.fullmatch(urlsplit(location).path)
    return int(match[1]) if match else None


def is_poll(url: str) -> bool:
    """Whether a request asks for a job."""
    return JOB in url


def may_be_repeated(call: Call) -> bool:
    """Whether asking twice does no more than asking once, beyond what the method says: reports, sign-in."""
    resource = call.uri.removeprefix("/REST").strip("/").partition("/")[0]
    return call.method == "POST" and (resource == "Session" or resource.endswith("Report"))
