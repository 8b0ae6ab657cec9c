"""A backend whose service wants an OAuth 2 token, fetched once and kept in a file.

with Library("client-id", "client-secret") as library:
    library.search("dune")
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sessionkit import ClientCredentials, FileTokenStore, HttpEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


class Library(HttpEngine):
    """A session with the library service.

    Args:
        client_id: The client; $LIBRARY_CLIENT_ID when not given.
        client_secret: Its secret; $LIBRARY_CLIENT_SECRET when not given.
        base_url: Where the service is; $LIBRARY_URL when not given.
        token_file: Where the token is kept for this and every other process.
        options: See `HttpEngine`.
    """

    __metakey__ = "library"
    base_url = "https://api.library.test"

    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        base_url: str | None = None,
        token_file: str = "~/.library_token",  # noqa: S107 - a file's name
        **options: Any,
    ) -> None:
        client = client_id or os.environ.get("LIBRARY_CLIENT_ID", "")
        secret = client_secret or os.environ.get("LIBRARY_CLIENT_SECRET", "")
        auth = ClientCredentials("/oauth/token", client, secret, store=FileTokenStore(token_file))
        super().__init__(base_url or os.environ.get("LIBRARY_URL"), auth=auth, principal=client, **options)

    def search(self, words: str) -> Iterator[dict[str, Any]]:
        """The books that match, page after page, as they are asked for."""
        page = 1
        while books := self.get("/books", {"q": words, "page": page}, field="books", kind=list):
            yield from books
            page += 1
