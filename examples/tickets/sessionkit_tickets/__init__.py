"""A backend whose service wants a login, and a logout when one has done.

with Tickets("ann", "password") as tickets:
    tickets.open("the printer is on fire")
"""

from __future__ import annotations

import os
from typing import Any

from sessionkit import CredentialLogin, HttpEngine, Secret


class Tickets(HttpEngine):
    """A session with the ticket service.

    Args:
        user: Who; $TICKETS_USER when not given.
        password: Their password; $TICKETS_PASSWORD when not given.
        base_url: Where the service is; $TICKETS_URL when not given.
        options: See `HttpEngine`.
    """

    __metakey__ = "tickets"
    base_url = "https://tickets.test/api"

    def __init__(
        self,
        user: str | None = None,
        password: str | None = None,
        base_url: str | None = None,
        **options: Any,
    ) -> None:
        user = user or os.environ.get("TICKETS_USER", "")
        login = {"user": user, "password": Secret(password or os.environ.get("TICKETS_PASSWORD", ""))}
        auth = CredentialLogin(
            "/session",
            login,
            token="session.token",
            header="X-Session",
            scheme="",
            logout=("DELETE", "/session"),
        )
        super().__init__(base_url or os.environ.get("TICKETS_URL"), auth=auth, principal=user, **options)

    def open(self, title: str) -> int:
        """Open a ticket; returns its number."""
        return int(self.post("/tickets", {"title": title}, field="number", kind=int))

    def all(self) -> Any:
        """Every ticket: mappings with `number`, `title` and `by`."""
        return self.get("/tickets", kind=list)
