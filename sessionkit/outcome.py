"""What the engine's loop passes around: who asks, what an answer means, and how often it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit.errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit.errors import RequestError


class Attempt(NamedTuple):
    """One sending of a request.

    Attributes:
        number: From 1.
        started: Seconds since the epoch, UTC.
        elapsed: Seconds until the answer, or until it was clear that there is none.
        status: The status that came back, or None.
        cause: Why another attempt followed, or "" for the last one.
        waited: Seconds waited after it.
        sent: Whether it may have reached the service.
    """

    number: int
    started: float
    elapsed: float
    status: int | None
    cause: str = ""
    waited: float = 0.0
    sent: bool = True

    @property
    def in_doubt(self) -> bool:
        """Whether it may have been carried out although nothing, or only a failure, came back."""
        return self.sent and (self.status is None or self.status >= 500)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose session this is: what caches and tokens are kept apart by.

    Attributes:
        metakey: The kind of session.
        principal: The user, client id or customer; never a secret.
        base_url: Where the service is.
    """

    metakey: str
    principal: str
    base_url: str


class Outcome:
    """What an answer means: `Done`, `Again`, `Renew` or `Failed`."""

    __slots__ = ()

    reason: str = ""
    delay: float = 0.0
    error: BaseException | None = None


class Done(Outcome):
    """The call is answered by `value`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Again(Outcome):
    """Ask again: `request`, or the same one, after `delay` seconds.

    `error` is what the caller gets if the deadline leaves no time for it.
    """

    __slots__ = ("delay", "error", "reason", "request")

    def __init__(
        self, request: Any = None, *, delay: float = 0.0, reason: str = "", error: RequestError | None = None
    ) -> None:
        self.request = request
        self.delay = delay
        self.reason = reason
        self.error = error


class Renew(Outcome):
    """The credential was refused: renew it and ask again. `error` is raised when that does not help."""

    __slots__ = ("error",)

    reason = "credential refused"

    def __init__(self, error: RequestError | None = None) -> None:
        self.error = error or AuthenticationError("the credential was refused")


class Failed(Outcome):
    """The call ends with `error`."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Exchange:
    """A finished call: its result, the last response, and every attempt."""

    __slots__ = ("attempts", "response", "result")

    def __init__(self, result: Any, response: Any, attempts: Sequence[Attempt]) -> None:
        self.result = result
        self.response = response
        self.attempts = attempts
