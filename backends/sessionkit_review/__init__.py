"""The review backend: a session with a review server (ftrack).

    from sessionkit_review import ReviewSession

    with ReviewSession("https://studio.example", api_key, "jenkins") as session:
        task = session.select("Task").where(name="lighting", parent__name="sh010").first()
        task["status"] = session.query('Status where name is "Approved"').one()
        session.commit()

`Session` is the same class. `sessionkit review stubs` writes types for an editor.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sessionkit_review.collection import Collection
from sessionkit_review.entity import Entity
from sessionkit_review.errors import ReviewError, ServerError
from sessionkit_review.factory import mixin
from sessionkit_review.query import QueryResult
from sessionkit_review.session import ReviewSession
from sessionkit_review.symbols import CREATED, DELETED, MODIFIED, NOT_SET

if TYPE_CHECKING:
    from sessionkit_review.authentication import SessionAuthentication

Session = ReviewSession

__all__ = [
    "CREATED",
    "DELETED",
    "MODIFIED",
    "NOT_SET",
    "Collection",
    "Entity",
    "QueryResult",
    "ReviewError",
    "ReviewSession",
    "ServerError",
    "Session",
    "SessionAuthentication",
    "mixin",
]


def __getattr__(name: str) -> Any:
    # Only `requests` users need it, and requests takes longer to import than everything else together.
    if name != "SessionAuthentication":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("sessionkit_review.authentication").SessionAuthentication
