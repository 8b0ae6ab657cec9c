"""`ReviewProtocol`: lists of operations out, lists of results in, and what errors look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sessionkit import secrets
from sessionkit.auth import HeaderAuth
from sessionkit.http import Call, HttpEngine
from sessionkit.http.status import describe, unexpected
from sessionkit.outcome import Again, Done, Failed
from sessionkit_review.errors import (
    BY_EXCEPTION,
    CredentialsRefused,
    InvalidArgument,
    ServerCompatibilityError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionkit.errors import RequestError
    from sessionkit.http import Response
    from sessionkit.outcome import Attempt, Outcome
    from sessionkit.secrets import Secret

API: Final = "/api"
UNKNOWN_ACTION: Final = "Invalid action u'"
"""How a server says that it does not know an operation."""


@dataclass
class ApiCall(Call):
    """A list of operations.

    Attributes:
        reading: Whether the server changes nothing, so that the call may be repeated at will.
    """

    reading: bool = False

    __hash__ = None  # operations are dictionaries

    def __str__(self) -> str:
        return "reading operations" if self.reading else "operations"


class KeyAuth(HeaderAuth):
    """Signs with a user and an API key, in two headers."""

    def __init__(self, api_key: str | Secret, api_user: str) -> None:
        super().__init__({"ftrack-api-key": api_key, "ftrack-user": api_user})
        self.api_user = api_user


class ReviewProtocol(HttpEngine):
    """A session with a review server, as far as the wire goes."""

    __metakey__ = "review"

    client_token: str
    """Comes back in the server's events, by which a session knows what it did itself."""

    # --- operations ---

    def send_operations(
        self, operations: Sequence[Mapping[str, Any]], *, timeout: float | None = None
    ) -> Any:
        """Send operations and return their results as they came.

        Raises:
            ServerError: when the server refused; then none of them was carried out.
            RequestError: when no answer came, or one that makes no sense.
        """
        return self._send_text(self.encode(operations, "modified_only"), reading=False, timeout=timeout)

    def read_operations(
        self, operations: Sequence[Mapping[str, Any]], *, timeout: float | None = None
    ) -> Any:
        """Like `send_operations`, for those that change nothing: they are repeated where that helps."""
        found = self._send_text(self.encode(operations, "modified_only"), reading=True, timeout=timeout)
        if len(found) != len(operations):
            raise ServerError(f"{len(operations)} operations were answered by {len(found)} results")
        return found

    def encode(self, data: Any, entity_attribute_strategy: str = "set_only") -> str:
        """`data` as JSON; see `sessionkit_review.encoding.encode`."""
        raise NotImplementedError  # the session's

    def _send_text(self, text: str, *, reading: bool, timeout: float | None) -> Any:
        headers = {"Content-Type": "application/json", "ftrack-clienttoken": self.client_token}
        return self.execute(ApiCall("POST", API, text.encode(), headers, reading=reading), timeout=timeout)

    # --- what answers mean ---

    def outcome_of(self, response: Response, call: Call) -> Outcome:
        """The list of results; or the exception that the server puts in its place."""
        if not isinstance(call, ApiCall):
            return super().outcome_of(response, call)
        try:
            answer = response.json()
        except ValueError:
            error = unexpected(response, "no JSON came back")
            return self.again_or(error, call, response.attempts) if call.reading else Failed(error)
        if isinstance(answer, list):
            return Done(answer)
        if isinstance(answer, dict) and "exception" in answer:
            return Failed(_reported(answer, response))
        return Failed(unexpected(response, "neither results nor an error came back"))

    def error(self, response: Response, call: Call) -> RequestError:
        """What the server says of its failure, if it says anything; else what the status means."""
        if response.status < 300 or not isinstance(call, ApiCall):
            return super().error(response, call)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if isinstance(answer, dict) and "exception" in answer:
            return _reported(answer, response)
        return super().error(response, call)

    def again_or(self, error: RequestError, call: Call, attempts: Sequence[Attempt]) -> Outcome:
        """Repeat what changes nothing as if it were a GET; an answer of the server itself is final."""
        if isinstance(error, ServerError):
            return Failed(error)
        if not isinstance(call, ApiCall) or not call.reading:
            return super().again_or(error, call, attempts)
        if error.status is not None and error.status < 300:
            # A success that was cut short on its way is a lost answer.
            if not self.retry.allows_after_loss("GET", 1 + len(attempts), sent=True):
                return Failed(error)
            return Again(delay=self.retry.backoff(1 + len(attempts)), reason=error.message, error=error)
        return super().again_or(error, Call("GET", call.uri), attempts)


def _reported(answer: Mapping[str, Any], response: Response) -> ServerError:
    """The error that the server reports."""
    name, content = str(answer["exception"]), secrets.redact(str(answer.get("content") or ""))
    code = str(answer.get("error_code") or "")
    kind, hint = BY_EXCEPTION.get(name, (ServerError, ""))
    if UNKNOWN_ACTION in content:
        kind, hint = ServerCompatibilityError, "this server does not know the operation; a newer one may"
    elif code == "api_credentials_invalid":
        kind, hint = CredentialsRefused, "check api_user and api_key"
    return kind(
        f"the server reported {name}: {content}",
        exception=name,
        hint=hint,
        code=code,
        messages=(content,),
        **describe(response),
    )


def checked_headers(name: str, given: Any) -> dict[str, str]:
    """Headers or cookies as they were given.

    Raises:
        InvalidArgument: when they are no mapping.
    """
    try:
        return {str(key): str(value) for key, value in dict(given or {}).items()}
    except (TypeError, ValueError):
        raise InvalidArgument(f"{name} must be a mapping, not a {type(given).__name__}") from None
