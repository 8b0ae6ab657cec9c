"""Sessions that speak HTTP."""

from sessionkit.http.body import Body
from sessionkit.http.caching import CachePolicy
from sessionkit.http.engine import HttpEngine
from sessionkit.http.history import HistoryEntry
from sessionkit.http.message import Call, Headers, Origin, Request, Response
from sessionkit.http.retry import RetryBudget, RetryPolicy
from sessionkit.http.stream import Stream

__all__ = [
    "Body",
    "CachePolicy",
    "Call",
    "Headers",
    "HistoryEntry",
    "HttpEngine",
    "Origin",
    "Request",
    "Response",
    "RetryBudget",
    "RetryPolicy",
    "Stream",
]
