"""The ticket service's double, on SQLite, with sessions of its own."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit.sandbox import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request


class TicketsService(Service):
    """Answers for the ticket service."""

    name = "tickets"

    def setup(self) -> None:
        """Make the tables."""
        self.sessions: dict[str, str] = {}
        self.host.db.executescript(
            "CREATE TABLE IF NOT EXISTS tickets_user (name TEXT PRIMARY KEY, password TEXT);"
            "CREATE TABLE IF NOT EXISTS tickets_ticket (number INTEGER PRIMARY KEY, title TEXT, by TEXT);"
        )

    def demo(self) -> Mapping[str, Any]:
        """One user and one ticket."""
        return {"users": {"ann": "tickets-demo-password"}, "tickets": [{"title": "welcome", "by": "ann"}]}

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:
        """Store `users` (names and passwords) and `tickets`."""
        db = self.host.db
        with db:
            if replace:
                db.executescript("DELETE FROM tickets_user; DELETE FROM tickets_ticket;")
            db.executemany("REPLACE INTO tickets_user VALUES (?, ?)", data.get("users", {}).items())
            rows = [(ticket["title"], ticket["by"]) for ticket in data.get("tickets", [])]
            db.executemany("INSERT INTO tickets_ticket (title, by) VALUES (?, ?)", rows)

    def env(self) -> Mapping[str, str]:
        """Where the service is, and a user of it."""
        user, password = self.host.db.execute("SELECT name, password FROM tickets_user").fetchone()
        return {
            "TICKETS_URL": f"{self.host.url}/tickets/api",
            "TICKETS_USER": user,
            "TICKETS_PASSWORD": password,
        }

    def routes(self) -> list[Route]:
        """Sessions and tickets."""
        return [
            Route("/tickets/api/session", self.session, methods=["POST", "DELETE"]),
            Route("/tickets/api/tickets", self.tickets, methods=["GET", "POST"]),
        ]

    async def session(self, request: Request) -> Response:
        """Log in or out."""
        if request.method == "DELETE":
            self.sessions.pop(request.headers.get("x-session", ""), None)
            return Response(status_code=204)
        login = await request.json()
        pair = (login.get("user"), login.get("password"))
        known = "SELECT 1 FROM tickets_user WHERE name = ? AND password = ?"
        if self.host.db.execute(known, pair).fetchone() is None:
            return JSONResponse({"message": "wrong user or password"}, 401)
        token = secrets.token_urlsafe(24)
        self.sessions[token] = pair[0]
        return JSONResponse({"session": {"token": token}})

    async def tickets(self, request: Request) -> Response:
        """List the tickets, or open one."""
        user = self.sessions.get(request.headers.get("x-session", ""))
        if user is None:
            return JSONResponse({"message": "log in first"}, 401)
        db = self.host.db
        if request.method == "GET":
            rows = db.execute("SELECT number, title, by FROM tickets_ticket ORDER BY number")
            return JSONResponse([dict(zip(("number", "title", "by"), row, strict=True)) for row in rows])
        title = (await request.json())["title"]
        with db:
            cursor = db.execute("INSERT INTO tickets_ticket (title, by) VALUES (?, ?)", (title, user))
        return JSONResponse({"number": cursor.lastrowid}, 201)
