"""What an operation works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionkit.sandbox.service import Host
    from sessionkit_review.sandbox.access import Access, User
    from sessionkit_review.sandbox.batch import Batch
    from sessionkit_review.sandbox.files import Files
    from sessionkit_review.sandbox.results import Results, Style
    from sessionkit_review.sandbox.storage import Storage

Json = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One request's operations, their user and their transaction.

    Attributes:
        after: What to do once the transaction is committed.
        information: What a data file says of the server.
    """

    host: Host
    storage: Storage
    files: Files
    access: Access
    results: Results
    batch: Batch
    user: User
    style: Style
    information: Mapping[str, Any]
    start_job: Callable[[str], None]
    after: list[Callable[[], None]] = field(default_factory=list)


def text(operation: Mapping[str, Any], name: str) -> str:
    """A string argument of an operation.

    Raises:
        ApiError: when it is missing or not a string.
    """
    value = operation.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"{operation.get('action')}: {name} must be a string, not {value!r}.")
    return value


def texts(operation: Mapping[str, Any], name: str) -> list[str]:
    """A list of strings among the arguments of an operation, [] when it is not given.

    Raises:
        ApiError: when it is something else.
    """
    value = operation.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(f"{operation.get('action')}: {name} must be a list of strings.")
    return value
