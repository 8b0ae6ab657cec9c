"""What signs a session's requests: the base that `sessionkit.auth` builds on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from sessionkit import secrets
from sessionkit.clock import Deadline
from sessionkit.http.message import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.http.engine import HttpEngine

FOREIGN_DEADLINE: Final = 60.0
"""Seconds that signing for `requests` may take: its interface passes no deadline."""


class Auth:
    """The base of sessionkit's auth objects: sign a request, and renew what was refused."""

    def bind(self, session: HttpEngine) -> None:
        """Called once by the session that will use this object."""

    def sign(self, request: Request, deadline: Deadline) -> None:
        """Set the credential on `request`, and its header names in `request.credentials`."""
        raise NotImplementedError

    renewable: ClassVar[bool] = False
    """Whether `renew` can help when the credential was refused."""

    def renew(self, request: Request, deadline: Deadline) -> None:
        """Replace the credential that `request` carried and that was refused."""
        raise NotImplementedError

    def sign_out(self, session: HttpEngine, deadline: Deadline) -> None:
        """Give the credential back, if the service keeps one for this session."""

    def __call__(self, request: Any) -> Any:
        """Sign a request of the `requests` library."""
        self.sign(request, Deadline.after(FOREIGN_DEADLINE))
        return request


def sign_foreign(auth: Callable[[Any], Any], request: Request) -> Request:
    """Sign with an object of the `requests` world, noting what it added."""
    before, url = request.headers.copy(), request.url
    signed = auth(request)
    request = signed if isinstance(signed, Request) else request
    added = [name for name, value in request.headers.items() if before.get(name) != value]
    for name in added:
        secrets.register(request.headers[name], request)
    if request.url != url and request.url.startswith(url):
        for part in request.url[len(url) :].lstrip("?&").split("&"):
            secrets.register(part.partition("=")[2], request)
    request.credentials = tuple(added)
    return request
