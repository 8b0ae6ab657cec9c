"""Every error of sessionkit, one tree under `SessionKitError`.

    SessionKitError
    ├── ConfigurationError          an argument, profile or environment value that cannot work (ValueError)
    ├── NoCurrentSession            nobody is signed in here (LookupError)
    ├── SessionClosed               the session was closed before this call
    ├── DeadlineExceeded            a wait reached its deadline (TimeoutError)
    ├── CacheError                  a cache store that cannot be used
    ├── EventError                  see sessionkit.events
    └── RequestError                something was asked of a service and went wrong
        ├── ConnectionFailed        no answer: the service could not be reached (ConnectionError)
        ├── CallTimeout             no answer in time (DeadlineExceeded)
        └── ResponseError           the service answered, and the answer was
            ├── UnexpectedResponse      not what the service promises: wrong JSON, HTML, cut short
            ├── ResponseTooLarge        larger than the session accepts
            ├── AuthenticationError     the credential was refused
            ├── PermissionDenied        the principal may not do this
            ├── NotFound                no such thing (LookupError)
            ├── Conflict                it is there already, or is being changed
            ├── InvalidRequest          the arguments were refused (ValueError)
            ├── RateLimited             asked too often
            └── ServerError             the service failed

A backend adds classes of its own below these, so that `except NotFound` works for every backend.
All of them survive pickling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit.outcome import Attempt

__all__ = [
    "AuthenticationError",
    "CacheError",
    "CallTimeout",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "DeadlineExceeded",
    "InvalidRequest",
    "NoCurrentSession",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "RequestError",
    "ResponseError",
    "ResponseTooLarge",
    "ServerError",
    "SessionClosed",
    "SessionKitError",
    "UnexpectedResponse",
]


class SessionKitError(Exception):
    """The base of all errors raised on purpose by sessionkit and its backends.

    Args:
        message: What happened, in a sentence without secrets.
        hint: What the reader can do next, or "".
    """

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[SessionKitError], args: tuple[Any, ...], state: dict[str, Any]) -> SessionKitError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(SessionKitError, ValueError):
    """An argument, profile or environment value that cannot work; nothing was sent."""


class NoCurrentSession(SessionKitError, LookupError):
    """No session of this kind is current in this thread or task; the message shows how to open one."""


class SessionClosed(SessionKitError):
    """The session was closed before this call."""


class DeadlineExceeded(SessionKitError, TimeoutError):
    """A wait reached its deadline."""


class CacheError(SessionKitError):
    """A cache store that cannot be opened, read or written."""


class RequestError(SessionKitError):
    """A call to a service that went wrong.

    Attributes:
        method: The HTTP method asked for, or "".
        url: The URL asked for, secrets removed, or "".
        status: The HTTP status that came back; None when no answer came.
        code: The service's own error code, or "".
        messages: The service's own messages, in its order.
        attempts: Every attempt that was made, oldest first.
        body: The beginning of the answer's body (at most 500 characters, secrets removed), or "".
        sent: Whether the request may have reached the service, so that asking again may do it twice.
    """

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        method: str = "",
        url: str = "",
        status: int | None = None,
        code: str = "",
        messages: Sequence[str] = (),
        attempts: Sequence[Attempt] = (),
        body: str = "",
        sent: bool = True,
    ) -> None:
        super().__init__(message, hint=hint)
        self.method = method
        self.url = url
        self.status = status
        self.code = code
        self.messages = tuple(messages)
        self.attempts = tuple(attempts)
        self.body = body
        self.sent = sent

    def __str__(self) -> str:
        asked = f"{self.method} {self.url}".strip()
        answered = "no answer" if self.status is None else f"HTTP {self.status}"
        tried = f", {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        lines = [self.message]
        if asked:
            lines.append(f"  asked: {asked} ({answered}{tried})")
        if self.hint:
            lines.append(f"  -> {self.hint}")
        return "\n".join(lines)


class ConnectionFailed(RequestError, ConnectionError):
    """No answer came: name resolution, connection, TLS or the connection's end in the middle."""


class CallTimeout(RequestError, DeadlineExceeded):
    """No answer came within the call's deadline."""


class ResponseError(RequestError):
    """The service answered, and its answer was an error or made no sense."""


class UnexpectedResponse(ResponseError):
    """An answer that is not what the service promises: wrong JSON, HTML from a gateway, cut short."""


class ResponseTooLarge(ResponseError):
    """An answer larger than the session's `max_response_size` (bytes)."""


class AuthenticationError(ResponseError):
    """The credential was refused, also after it had been renewed."""


class PermissionDenied(ResponseError):
    """The principal is known and may not do this."""


class NotFound(ResponseError, LookupError):
    """The service knows no such thing."""


class Conflict(ResponseError):
    """The thing exists already, or somebody else is changing it."""


class InvalidRequest(ResponseError, ValueError):
    """The service refused the arguments."""


class RateLimited(ResponseError):
    """The service was asked too often.

    Attributes:
        retry_after: Seconds the service asked to wait, or None.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class ServerError(ResponseError):
    """The service failed (5xx)."""
