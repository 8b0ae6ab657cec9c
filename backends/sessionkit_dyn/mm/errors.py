"""What goes wrong with Message Management, by the names its users know and by sessionkit's own."""

from __future__ import annotations

from typing import Final

from sessionkit import errors as base


class EmailError(base.RequestError):
    """The base of all errors of Message Management; `code` is the service's number as text."""


class EmailKeyError(EmailError, base.AuthenticationError):
    """The API key is missing or wrong (451; 401 of a gateway)."""


class EmailInvalidArgumentError(EmailError, base.InvalidRequest):
    """A required field is missing or wrong (452)."""


class EmailObjectError(EmailError, base.Conflict):
    """The object exists already (453)."""


class EmailNotFoundError(EmailError, base.NotFound):
    """There is no such object or call (404)."""


class EmailLimitError(EmailError, base.RateLimited):
    """The service was asked too often (429)."""


class EmailServerError(EmailError, base.ServerError):
    """The service failed (5xx)."""


class EmailResponseError(EmailError, base.ResponseError):
    """The service refused for a reason it gives no number of its own for."""


class EmailUnexpectedError(EmailError, base.UnexpectedResponse):
    """An answer that is not what the service promises."""


#: The error of each of the service's numbers, and what to do about it.
BY_STATUS: Final[dict[int, tuple[type[EmailError], str]]] = {
    401: (EmailKeyError, "check the API key"),
    404: (EmailNotFoundError, "check the address, and the call's path"),
    429: (EmailLimitError, "slow down"),
    451: (EmailKeyError, "check the API key"),
    452: (EmailInvalidArgumentError, "check that every required field is given, and the sender approved"),
    453: (EmailObjectError, "it is there already"),
}


def error_for(status: int) -> tuple[type[EmailError], str]:
    """The error class and the hint for a number of the service."""
    if status >= 500:
        return EmailServerError, "try again later"
    return BY_STATUS.get(status, (EmailResponseError, ""))
