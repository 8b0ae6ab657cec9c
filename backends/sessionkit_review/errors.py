"""What can go wrong in a review session, below `sessionkit.errors`.

What the server refused is a `ServerError`, and at the same time the framework's error of that meaning, so
that `except NotFound` and `except ServerError` both work:

    ServerError                     the server answered with an exception (ResponseError)
    ├── ValidationError             values that cannot be                    (InvalidRequest)
    ├── ParseError                  a query that cannot be read              (InvalidRequest)
    ├── NotPermitted                                                         (PermissionDenied)
    ├── CredentialsRefused          user or key                              (AuthenticationError)
    ├── DuplicateEntryError         it exists already                        (Conflict)
    ├── IntegrityError              others depend on it                      (Conflict)
    ├── MissingEntity               it does not exist                        (NotFound)
    └── ServerCompatibilityError    this server does not know the operation

What is wrong on this side is a `ReviewError`; those about keys are a KeyError or ValueError as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit import errors as base
from sessionkit.errors import SessionKitError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReviewError(SessionKitError):
    """The base of what goes wrong on this side."""


class InvalidArgument(base.ConfigurationError, TypeError):
    """An argument of a type that cannot work, or one that is missing."""


class ServerError(base.ResponseError):
    """The server reported an error.

    Attributes:
        exception: The server's name for it, such as "ValidationError"; `code` is its error code, if any.
    """

    def __init__(self, message: str = "", *, exception: str = "", **details: Any) -> None:
        super().__init__(message, **details)
        self.exception = exception


class ValidationError(ServerError, base.InvalidRequest):
    """Values that the server does not take."""


class ParseError(ServerError, base.InvalidRequest):
    """A query expression that the server cannot read."""


class NotPermitted(ServerError, base.PermissionDenied):
    """The user may not do this."""


class CredentialsRefused(ServerError, base.AuthenticationError):
    """The user or the API key is unknown."""


class DuplicateEntryError(ServerError, base.Conflict):
    """There is one of these already."""


class IntegrityError(ServerError, base.Conflict):
    """Something else depends on it, or it refers to what is not there."""


class MissingEntity(ServerError, base.NotFound):
    """The entity does not exist."""


class ServerCompatibilityError(ServerError):
    """The server is too old for this operation, or too old altogether."""


class IncorrectResult(ReviewError):
    """A query had another number of results than was asked for."""


class NoResultFound(IncorrectResult, LookupError):
    """A query that was to have a result had none."""


class MultipleResultsFound(IncorrectResult):
    """A query that was to have one result had several."""


class UnknownEntityType(ReviewError, KeyError):
    """The server's schema has no entity type of this name."""

    __str__ = ReviewError.__str__


class UnknownAttribute(ReviewError, KeyError):
    """The entity type has no attribute of this name."""

    __str__ = ReviewError.__str__


class ImmutableAttribute(ReviewError, AttributeError):
    """An attribute that cannot be changed once the entity exists."""


class InvalidState(ReviewError):
    """The entity is in a state in which this cannot be done."""


class DuplicateItem(ReviewError, ValueError):
    """A collection holds each entity once."""


class NotUnique(ReviewError):
    """It must be the only one, and is not."""


class LocationError(ReviewError):
    """A component cannot be had from, or put to, a location.

    Attributes:
        details: What it is about: "location_id", and "component_ids" where it is about some.
    """

    def __init__(
        self, message: str = "", *, hint: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.details = dict(details or {})


class ComponentInLocation(LocationError):
    """The component is there already."""


class ComponentNotInLocation(LocationError, LookupError):
    """The component is not there."""


class AccessorError(ReviewError):
    """The storage behind a location refused."""


class UnsupportedOperation(AccessorError, NotImplementedError):
    """The storage behind a location cannot do this at all."""


class ResourceNotFound(AccessorError, LookupError):
    """Nothing is stored under this resource identifier."""


class InvalidResource(AccessorError, ValueError):
    """A resource identifier that leads out of the location, or to the wrong kind of thing."""


BY_EXCEPTION: dict[str, tuple[type[ServerError], str]] = {
    "ValidationError": (ValidationError, "correct the values, or roll back"),
    "ParseError": (ParseError, "build the query with session.select(), which quotes safely"),
    "PermissionError": (NotPermitted, "ask the studio's administrator for the permission"),
    "FTAuthenticationError": (CredentialsRefused, "check api_user and api_key"),
    "InvalidCredentialsError": (CredentialsRefused, "check api_user and api_key"),
    "DuplicateEntryError": (DuplicateEntryError, "find the existing one with session.ensure()"),
    "IntegrityError": (IntegrityError, "remove or correct what refers to it first"),
    "KeyError": (MissingEntity, "it may have been deleted meanwhile"),
}
"""The error of each exception name that servers are known to use, and what can be done."""
