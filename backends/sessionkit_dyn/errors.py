"""What goes wrong with Dyn, by the names its users know and by sessionkit's own.

A service error is two things at once: what was being done, and what went wrong. Each has its class, and
what is raised is both:

    try:
        Zone("exmaple.test")
    except NotFound: ...            # sessionkit's: works with every backend
    except DynectGetError: ...      # Dyn's: a GET failed

| class | when |
|---|---|
| `DynectAuthError` | the credential, or the token also after it was renewed, was refused |
| `DynectCreateError`, `...Get...`, `...Update...`, `...Delete...` | a POST, GET, PUT, DELETE failed |
| `DynectQueryTimeout` | a job had not ended by the call's deadline |
| `DynectChangesLost` | unpublished changes went with the token that made them |
| `DynectInvalidArgumentError` | an argument that cannot work; nothing was sent |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from sessionkit import errors as base
from sessionkit.http import status as http_status

if TYPE_CHECKING:
    from collections.abc import Iterable


class DynectError(base.RequestError):
    """The base of all errors of Managed DNS.

    Attributes:
        code: The service's ERR_CD, such as "NOT_FOUND", or "".
        messages: The service's messages, errors and remarks, in its order.
        job_id: The service's number for the call, or None.
        uri: What was asked for, as it was given.
        method, url, status, attempts, body, hint: See `sessionkit.errors.RequestError`.
    """

    #: What a class made by `both` is made of: pickles name these.
    parts: ClassVar[tuple[Any, Any] | None] = None

    def __init__(
        self, message: str = "", *, job_id: int | None = None, uri: str = "", **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.job_id = job_id
        self.uri = uri

    def __reduce__(self) -> tuple[Any, ...]:
        if self.parts is None:
            return super().__reduce__()
        return _restore, (*self.parts, self.args, self.__dict__)


class DynectAuthError(DynectError, base.AuthenticationError):
    """The credential was refused."""


class DynectCreateError(DynectError):
    """A POST failed."""


class DynectGetError(DynectError):
    """A GET failed."""


class DynectUpdateError(DynectError):
    """A PUT failed."""


class DynectDeleteError(DynectError):
    """A DELETE failed."""


class DynectQueryTimeout(DynectError, base.CallTimeout):
    """The job (`job_id`) that the call became had not ended by its deadline; it may still end."""


class DynectChangesLost(DynectError, base.Conflict):
    """Changes of this session were lost with the token that made them, so that nothing is published.

    Attributes:
        lost: The calls that made them, oldest first.
    """

    def __init__(self, message: str = "", *, lost: Iterable[Any] = (), **details: Any) -> None:
        super().__init__(message, **details)
        self.lost = tuple(lost)


class DynectInvalidArgumentError(DynectError, base.ConfigurationError):
    """An argument that cannot work; nothing was sent.

    Attributes:
        argument: Its name.
        value: What was given.
        valid_arguments: What can be given instead, where that is a list.
    """

    def __init__(
        self, argument: str, value: Any, valid_arguments: Iterable[Any] | None = None, *, problem: str = ""
    ) -> None:
        self.argument = argument
        self.value = value
        self.valid_arguments = None if valid_arguments is None else tuple(valid_arguments)
        hint = "" if not self.valid_arguments else f"use one of {', '.join(map(str, self.valid_arguments))}"
        super().__init__(f"{argument}={value!r}: {problem or 'cannot be'}", hint=hint, sent=False)


class DynectChangesLostWarning(UserWarning):
    """A token ended, and with it changes that were not yet published; see `DynectSession.lost_changes`."""


#: What failed, by method.
BY_METHOD: Final[dict[str, type[DynectError]]] = {
    "POST": DynectCreateError,
    "GET": DynectGetError,
    "PUT": DynectUpdateError,
    "DELETE": DynectDeleteError,
}

#: Why, by the service's ERR_CD, and what to do about it; other codes go by the HTTP status.
BY_CODE: Final[dict[str, tuple[type[base.ResponseError], str]]] = {
    "NOT_FOUND": (base.NotFound, "check the names of zone and node, and that this account has them"),
    "TARGET_EXISTS": (base.Conflict, "it is there already; read it and decide"),
    "ILLEGAL_OPERATION": (base.Conflict, "the service does not allow this in the present state"),
    "PERMISSION_DENIED": (base.PermissionDenied, "see session.permissions; ask the account's administrator"),
    "INVALID_DATA": (base.InvalidRequest, "check the values"),
    "MISSING_DATA": (base.InvalidRequest, "give the missing value"),
    "INVALID_REQUEST": (base.InvalidRequest, "check the URI and the method"),
    "INVALID_VERSION": (base.InvalidRequest, "api_version= is not one that the service offers"),
    "DEPRECATED_REQUEST": (base.InvalidRequest, "the service no longer offers this call"),
    "RATE_LIMIT_EXCEEDED": (base.RateLimited, "the account's limit is 300 calls a minute; slow down"),
    "INTERNAL_ERROR": (base.ServerError, "try again later"),
    "SERVICE_UNAVAILABLE": (base.ServerError, "try again later"),
    "UNKNOWN_ERROR": (base.ServerError, "try again later"),
    "OPERATION_FAILED": (base.ResponseError, ""),
}


_made: dict[tuple[type[DynectError], type[base.RequestError]], type[DynectError]] = {}


def both(doing: type[DynectError], reason: type[base.RequestError]) -> type[DynectError]:
    """The class of errors that are `doing` as well as `reason`.

    >>> both(DynectGetError, NotFound).__name__
    'DynectGetNotFound'
    """
    if issubclass(doing, reason):
        return doing
    made = _made.get((doing, reason))
    if made is None:
        name = doing.__name__.removesuffix("Error") + reason.__name__
        namespace = {"__module__": __name__, "__doc__": doing.__doc__, "parts": (doing, reason)}
        made = _made.setdefault((doing, reason), type(name, (doing, reason), namespace))
    return made


def reason_of(code: str, status: int) -> tuple[type[base.ResponseError], str]:
    """The error class and the hint for an ERR_CD, or else for an HTTP status."""
    known = BY_CODE.get(code)
    if known is not None:
        return known
    if status in http_status.MEANINGS:
        kind, _, hint = http_status.MEANINGS[status]
        return kind, hint
    return (base.ServerError, "try again later") if status >= 500 else (base.ResponseError, "")


def _restore(
    doing: type[DynectError], reason: type[base.RequestError], args: tuple[Any, ...], state: dict[str, Any]
) -> DynectError:
    cls = both(doing, reason)
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error
