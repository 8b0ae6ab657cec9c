"""The library service's double, with tokens that expire."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit.sandbox import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

LIFETIME = 3600
PAGE = 2


class LibraryService(Service):
    """Answers for the library service."""

    name = "library"

    def setup(self) -> None:
        """No clients, books or tokens yet."""
        self.clients: dict[str, str] = {}
        self.books: list[dict[str, Any]] = []
        self.tokens: dict[str, float] = {}

    def demo(self) -> Mapping[str, Any]:
        """One client and a few books."""
        titles = ("Dune", "Dune Messiah", "Children of Dune", "Solaris", "Roadside Picnic")
        books = [{"id": number, "title": title} for number, title in enumerate(titles, 1)]
        return {"clients": {"demo": "library-demo-secret"}, "books": books}

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:
        """Store `clients` (ids and secrets) and `books`."""
        self.clients = {**({} if replace else self.clients), **data.get("clients", {})}
        self.books = [*([] if replace else self.books), *data.get("books", [])]

    def env(self) -> Mapping[str, str]:
        """Where the service is, and a client for it."""
        client, secret = next(iter(self.clients.items()))
        return {
            "LIBRARY_URL": f"{self.host.url}/library",
            "LIBRARY_CLIENT_ID": client,
            "LIBRARY_CLIENT_SECRET": secret,
        }

    def fault(self, kind: str, options: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """`revoke_tokens`: forget every token that was issued."""
        if kind == "revoke_tokens":
            self.tokens.clear()
        return kind == "revoke_tokens"

    def routes(self) -> list[Route]:
        """The token endpoint and the search."""
        return [
            Route("/library/oauth/token", self.token, methods=["POST"]),
            Route("/library/books", self.search),
        ]

    async def token(self, request: Request) -> Response:
        """A token for a client that shows its secret."""
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        client, _, secret = base64.b64decode(pair).decode().partition(":")
        if scheme != "Basic" or self.clients.get(client) != secret:
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        self.tokens[token] = self.host.clock.time() + LIFETIME
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME})

    async def search(self, request: Request) -> Response:
        """One page of the books whose title has the words in it."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) <= self.host.clock.time():
            return JSONResponse({"message": "the token is unknown or has expired"}, 401)
        words = request.query_params.get("q", "").lower()
        start = (int(request.query_params.get("page", "1")) - 1) * PAGE
        found = [book for book in self.books if words in book["title"].lower()]
        return JSONResponse({"books": found[start : start + PAGE], "total": len(found)})
