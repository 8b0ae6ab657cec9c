"""What signs a session's requests: the base that `sessionkit.auth` builds on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit.clock import Deadline
from sessionkit.errors import AuthenticationError

if TYPE_CHECKING:
    from sessionkit.http.engine import HttpEngine
    from sessionkit.http.message import Request

FOREIGN_DEADLINE: Final = 60.0
"""Seconds that signing for `requests` may take: its interface passes no deadline."""


class Auth:
    """The base of sessionkit's auth objects: sign a request, and renew what was refused."""

    def bind(self, session: HttpEngine) -> None:
        """Called once by the session that will use this object."""

    def sign(self, request: Request, deadline: Deadline) -> None:
        """Set the credential on `request`, and its header names in `request.credentials`."""
        raise NotImplementedError

    def renew(self, request: Request, deadline: Deadline) -> None:  # noqa: ARG002
        """Replace the credential that `request` carried and that was refused.

        Raises:
            AuthenticationError: when there is nothing to renew it with.
        """
        raise AuthenticationError(
            "the credential was refused", hint="check the key: it may be wrong, revoked, or of another server"
        )

    def sign_out(self, session: HttpEngine, deadline: Deadline) -> None:
        """Give the credential back, if the service keeps one for this session."""

    def __call__(self, request: Any) -> Any:
        """Sign a request of the `requests` library."""
        self.sign(request, Deadline.after(FOREIGN_DEADLINE))
        return request
