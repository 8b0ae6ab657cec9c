"""What the sandbox received: a bounded log of requests, oldest first."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

#: Bytes of a request's body that are kept; the rest is counted, not stored.
BODY_LIMIT = 65_536


@dataclass(slots=True)
class Received:
    """One request as it came off the wire.

    Attributes:
        number: Counts from 1 since the sandbox started.
        at: When it came, seconds since the epoch by the sandbox's clock.
        service: The service whose route took it, or "" when none did.
        method: "GET", "POST", ...
        path: Decoded path, without the query.
        query: The raw query string.
        headers: Lower-case names; of a repeated header the last value.
        body: The first `BODY_LIMIT` bytes.
        size: Bytes of the whole body, as far as it was read.
        status: The status answered; None while nothing is (silence, a reset).
        faults: Kinds of the faults that were done to it.
        error: The traceback when the service's own code failed, else "".
    """

    number: int
    at: float
    service: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""
    size: int = 0
    status: int | None = None
    faults: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body decoded as JSON; None when it is empty or no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def add(self, chunk: bytes) -> None:
        """Keep a piece of the body."""
        self.size += len(chunk)
        if len(self.body) < BODY_LIMIT:
            self.body += chunk[: BODY_LIMIT - len(self.body)]

    def public(self) -> dict[str, Any]:
        """The form of `GET /_sandbox/requests`."""
        return {
            "number": self.number,
            "at": self.at,
            "service": self.service,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.text,
            "size": self.size,
            "status": self.status,
            "faults": self.faults,
            "error": self.error,
        }


class Journal:
    """The last `limit` requests.

    >>> journal = Journal(limit=2)
    >>> journal.find(path="/REST/Session/*")
    []
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._entries: deque[Received] = deque(maxlen=limit)
        self._count = 0

    def open(
        self, at: float, service: str, method: str, path: str, query: str, headers: dict[str, str]
    ) -> Received:
        """Begin an entry; the exchange fills in its body and status as they become known."""
        self._count += 1
        entry = Received(self._count, at, service, method, path, query, headers)
        self._entries.append(entry)
        return entry

    def find(self, service: str | None = None, path: str | None = None) -> list[Received]:
        """Entries of a service and of a path pattern (`*` and `?` as in a shell), oldest first."""
        return [
            entry
            for entry in self._entries
            if (service is None or entry.service == service)
            and (path is None or fnmatchcase(entry.path, path))
        ]

    def clear(self) -> None:
        """Forget what was received; numbers go on counting."""
        self._entries.clear()
