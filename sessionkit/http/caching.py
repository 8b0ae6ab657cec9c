"""Kept answers to GETs: what a session may use of them, and the calls that do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionkit.errors import RequestError
from sessionkit.http.message import Request, Response
from sessionkit.outcome import Done, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessionkit.cache.http import Hit, ResponseCache
    from sessionkit.http.engine import HttpEngine
    from sessionkit.http.message import Call


@dataclass(frozen=True)
class CachePolicy:
    """How long a session uses an answer again.

    >>> Weather(cache_policy=CachePolicy(ttl=300, stale_if_error=3600))

    The service decides where it speaks (`Cache-Control`, `Expires`, `Vary`); `ttl` where it is silent.
    Answers are asked after with their `ETag` or `Last-Modified` once they are no longer fresh.

    Attributes:
        ttl: Seconds an answer is fresh when the service does not say; None: not at all.
        stale_if_error: Seconds past its time that an answer may stand in when the service fails.
        shared: Whether every principal of this service may see the answers: say so only of public data.
        max_body: The largest body to keep, bytes.
    """

    ttl: float | None = None
    stale_if_error: float = 0.0
    shared: bool = False
    max_body: int = 8 * 2**20


def response_cache(session: HttpEngine) -> ResponseCache:
    """The kept answers of `session`, under its policy."""
    from sessionkit.cache.http import ResponseCache  # noqa: PLC0415 - most sessions keep none

    def touches(call: Call) -> Iterable[Any]:
        patterns = session.touches(call)
        return (None,) if patterns is None else patterns

    policy = session.cache_policy or CachePolicy()
    return ResponseCache(
        session.cache,
        session.identity,
        ttl=policy.ttl,
        stale_if_error=policy.stale_if_error,
        shared=policy.shared,
        max_body=policy.max_body,
        headers=session.default_headers,
        touches=touches,
        clock=session.clock,
    )


class CachedCalls:
    """Calls that look among the kept answers before anything is prepared.

    Args:
        session: Whose calls.
        perform: Makes a call in earnest.
    """

    def __init__(self, session: HttpEngine, perform: Callable[[Call, float | None], Exchange]) -> None:
        self._session = session
        self._responses = session.responses
        self._perform = perform

    def perform(self, call: Call, timeout: float | None) -> Exchange:
        """Answer `call` from what is kept, or make it and keep what comes."""
        from sessionkit.cache.http import Hit  # noqa: PLC0415 - most sessions keep none

        found = self._responses.lookup(call)
        if isinstance(found, Hit):
            return self._kept(found, call)
        asked = (
            replace(call, headers={**(call.headers or {}), **found.conditions}) if found.conditions else call
        )
        try:
            exchange = self._perform(asked, timeout)
        except RequestError as error:
            stand_in = (
                self._responses.on_error(found) if error.status is None or error.status >= 500 else None
            )
            if stand_in is None:
                raise
            return self._kept(stand_in, call)
        finally:
            self._responses.invalidate(call)
        renewed = self._responses.store(found, exchange.response)
        return exchange if renewed is None else self._kept(renewed, call)

    def _kept(self, hit: Hit, call: Call) -> Exchange:
        self._session.check_open()
        request = Request(call.method, hit.url)
        response = Response(hit.status, hit.headers, hit.body, hit.url, request, reason="from the cache")
        outcome = self._session.process(response, call)
        if not isinstance(outcome, Done):
            raise outcome.error or RequestError(
                "a kept answer that is no answer", method=call.method, url=hit.url
            )
        return Exchange(outcome.value, response, ())
