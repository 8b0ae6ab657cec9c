"""The answers a service gave to GETs, for the next time somebody asks the same.

This is policy only: the one thing it does beside thinking is to use its `Cache`. An engine calls it in
four places:

    found = responses.lookup(call)                  # before the request is prepared
    if isinstance(found, Hit):
        return found                                # status, headers, body: process it as any response
    headers.update(found.conditions)                # If-None-Match, If-Modified-Since
    try:
        response = send(...)
        return responses.store(found, response) or response     # a Hit when nothing was modified
    except ConnectionFailed:                        # likewise for a status of 500 and above
        stand_in = responses.on_error(found)        # None when nothing may stand in

and `responses.invalidate(call)` once a call of another method was sent, whatever became of it.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from sessionkit import fork
from sessionkit.cache import freshness
from sessionkit.cache.scope import digest, scoped
from sessionkit.clock import SYSTEM_CLOCK, Clock
from sessionkit.errors import CacheError, ConfigurationError
from sessionkit.secrets import redact, redact_url, sounds_secret

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Mapping

    from sessionkit.cache.base import Cache
    from sessionkit.cache.scope import IdentityLike
    from sessionkit.http import Call, Response

_log = logging.getLogger(__name__)

Pattern: TypeAlias = "str | re.Pattern[str]"
_NOTHING: Mapping[str, str] = MappingProxyType({})

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Headers that concern one connection only.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
# A request with one of these asks for something else than the whole answer.
_PARTIAL = frozenset(
    {"range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"}
)
# What a "not modified" may not change about the stored answer: it describes a body of its own.
_OF_THE_BODY = frozenset({"content-length", "content-encoding", "content-range", "content-type"})

# The body is kept decoded, whatever encodings the transport accepted.
_DECODED = frozenset({"", "accept-encoding"})

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True)
class Hit:
    """A kept answer.

    Attributes:
        status: Its HTTP status.
        headers: Its headers, lower-case name to value, without any that may carry a credential.
        body: Its content.
        url: Where it came from, without the query.
        age: Seconds since the service made it.
        lifetime: Seconds for which it is fresh.
        stale: Whether it is given out past that, for want of a better one.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str
    age: float
    lifetime: float
    stale: bool = False


@dataclass(frozen=True)
class Miss:
    """No answer that could be used as it is. Keep it until the call has ended.

    Attributes:
        conditions: Headers to add to the request, so that the service may answer "not modified"; often empty.
        key: Under which the answer will be kept; None when it will not be.
        kept: An answer past its time.
        headers: The call's own headers, lower-case name to value.
        epoch: The cache's, when the call began: what comes after another has begun is not kept.
        asked: When that was, in seconds since the epoch: an answer may be as old as that when it comes.
    """

    conditions: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    kept: Hit | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    epoch: object = None
    asked: float = 0.0


class ResponseCache:
    """Decides which answers are kept, for how long, and for whom.

    The server decides where it speaks: `Cache-Control`, `Expires`, `Vary`. Where it is silent, `ttl` does.

    Args:
        cache: Where answers are kept, as bytes. Each identity gets a view of its own of it.
        identity: Whose answers these are (`session.identity`).
        ttl: Seconds for which an answer is fresh when the service does not say. None: it is not, but may
            still be asked after with its `ETag` or `Last-Modified`.
        stale_if_error: Seconds past its time for which an answer may stand in when the service fails.
        shared: Whether all principals at this URL share the answers. Say so only of what everyone may see;
            an answer that says it is private is not kept then.
        headers: The headers every request of the session carries, for answers that `Vary` by them.
        touches: Names what a writing call changes: regular expressions, searched for in keys, which are
            "GET " and the path. Without it, or when it returns None, a write makes every kept answer of
            this identity doubtful.
        max_body: The largest body to keep, bytes.
        clock: What tells the time.

    >>> responses = ResponseCache(MemoryCache(), session.identity, ttl=60)                # doctest: +SKIP
    """

    def __init__(
        self,
        cache: Cache,
        identity: IdentityLike,
        *,
        ttl: float | None = None,
        stale_if_error: float = 0.0,
        shared: bool = False,
        headers: Mapping[str, str] | None = None,
        touches: Callable[[Call], Iterable[Pattern] | None] | None = None,
        max_body: int = 8 * 2**20,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if (ttl is not None and ttl < 0) or stale_if_error < 0:
            raise ConfigurationError("ttl and stale_if_error are seconds, and not negative")
        self._cache = scoped(cache, identity, shared=shared)
        self._ttl = ttl
        self._stale_if_error = stale_if_error
        self._shared = shared
        self._headers = _lowered(headers)
        self._touches = touches
        self._max_body = max_body
        self._now = clock.time
        self._owed: object = None
        self._lock = threading.RLock()
        fork.aware(self)

    def after_fork_in_child(self) -> None:
        """Start with a lock of our own."""
        self._lock = threading.RLock()

    def lookup(self, call: Call) -> Hit | Miss:
        """The kept answer to `call`, or what is known for want of one. Never raises for the cache's sake."""
        headers = _lowered(call.headers)
        # A stream is read by its caller; what goes unsigned fetches a credential.
        plain = call.method == "GET" and call.signed and not call.stream
        key = _key(call, headers) if plain else None
        asked = freshness.directives(headers) if headers else headers
        if key is None or "no-store" in asked or (headers and not _PARTIAL.isdisjoint(headers)):
            return Miss()
        kept = self._load(key, headers)
        if kept is None:
            return self._miss(Miss(key=key, headers=headers))
        limit = (
            min(kept.lifetime, freshness.seconds(asked["max-age"])) if "max-age" in asked else kept.lifetime
        )
        if kept.age < limit and "no-cache" not in asked:
            return kept
        return self._miss(Miss(freshness.validators(kept.headers), key, kept, headers))

    def _miss(self, miss: Miss) -> Miss:
        try:
            return replace(miss, epoch=self._cache.epoch(), asked=self._now())
        except CacheError as error:
            _log.warning("The cache could not be read: %s", error)
            return Miss()

    def store(self, miss: Miss, response: Response) -> Hit | None:
        """Keep `response` if that is allowed and useful.

        Returns the answer to go on with when the service said "not modified"; None when it is `response`.
        """
        if miss.key is None:
            return None
        now = self._now()
        headers = _kept_headers(response.headers)
        if response.status == 304:
            return None if miss.kept is None else self._renew(miss, miss.kept, headers, now)
        if (
            freshness.storable(response.status, headers, shared=self._shared)
            and len(response.body) <= self._max_body
        ):
            url = redact_url(response.url.partition("?")[0])
            self._save(miss, self._dated(miss, response.status, headers, response.body, url, now), now)
        elif response.status < 500:
            self._forget(miss)
        return None

    def on_error(self, miss: Miss) -> Hit | None:
        """The answer that may stand in for one that failed to come, or None."""
        # Looked up anew: time has passed, and it may have been dropped since, as it is known to be wrong.
        kept = None if miss.key is None else self._load(miss.key, miss.headers)
        grace = 0.0 if kept is None else freshness.grace(kept.headers, self._stale_if_error)
        if kept is None or grace <= 0 or kept.age - kept.lifetime > grace:
            return None
        return replace(kept, stale=kept.age >= kept.lifetime)

    def invalidate(self, call: Call) -> None:
        """Drop the answers that `call` made doubtful. Does nothing for a method that only reads."""
        if call.method in SAFE_METHODS:
            return
        patterns = None if self._touches is None else self._touches(call)
        for pattern in [None] if patterns is None else patterns:
            self.clear(pattern)

    def advance(self) -> None:
        """Keep no answer that is on its way: it may be from before a change."""
        self._change(lambda: None)

    def clear(self, pattern: Pattern | None = None) -> None:
        """Drop the answers in whose key `pattern` is found; without one, all of this identity.

        An answer that is on its way meanwhile, to any process that shares the cache, is not kept: it may be
        from before the change.
        """
        self._change(lambda: self._cache.clear(pattern))

    def remove(self, key: str) -> None:
        """Drop the answer kept for `key`, if there is one."""
        self._change(lambda: self._cache.remove(key))

    def _change(self, drop: Callable[[], object]) -> None:
        with self._lock:
            try:
                self._cache.advance()
                drop()
            except KeyError:
                return
            except CacheError as error:
                self._owed = object()
                _log.warning(
                    "Cached answers could not be dropped, and none is used until they are: %s", error
                )

    def _usable(self) -> bool:
        """Whether nothing is kept that should have been dropped: what failed is made good first."""
        owed = self._owed
        if owed is None:
            return True
        try:
            self._cache.advance()
            self._cache.clear()
        except CacheError:
            return False
        with self._lock:
            if self._owed is owed:  # and not another, which has failed since
                self._owed = None
        return self._owed is None

    def _load(self, key: str, headers: Mapping[str, str]) -> Hit | None:
        if not self._usable():
            return None
        try:
            raw = self._cache.get(key)
        except KeyError:
            return None
        except CacheError as error:
            _log.warning("The cache could not be read: %s", error)
            return None
        try:
            kept, vary = _decoded(raw, self._now())
        except (ValueError, TypeError, AttributeError):  # not written by this version, or not by us
            return None
        # An age below what it was at first means that the clock was set back: the true age is unknown.
        return kept if kept.age >= 0 and vary == self._variant(vary, headers) else None

    def _renew(self, miss: Miss, kept: Hit, headers: Mapping[str, str], now: float) -> Hit:
        """`kept`, confirmed by a "not modified" that came with `headers`."""
        news = {name: value for name, value in headers.items() if name not in _OF_THE_BODY}
        # The age of the stored answer was told by a header that the new one need not have.
        past = {name: value for name, value in kept.headers.items() if name != "age"}
        answer = self._dated(miss, kept.status, {**past, **news}, kept.body, kept.url, now)
        self._save(miss, answer, now)
        return answer

    def _dated(
        self, miss: Miss, status: int, headers: Mapping[str, str], body: bytes, url: str, now: float
    ) -> Hit:
        # The service may have made it at any time since it was asked (RFC 9111, 4.2.3).
        age = freshness.seconds(headers.get("age")) + max(0.0, now - miss.asked)
        lifetime = freshness.lifetime(headers, now, self._ttl, shared=self._shared)
        return Hit(status, headers, body, url, age, lifetime)

    def _save(self, miss: Miss, answer: Hit, now: float) -> None:
        if miss.key is None:
            return
        if not self._useful(answer):
            self._forget(miss)
            return
        names = [name.strip() for name in answer.headers.get("vary", "").lower().split(",")]
        vary = self._variant([name for name in names if name not in _DECODED], miss.headers)
        head = (answer.status, answer.headers, answer.url, now, answer.age, answer.lifetime, vary)
        raw = _encode(head).encode() + b"\n" + answer.body
        text = raw.decode("latin-1")
        if redact(text) is not text:
            _log.info("An answer that quotes a secret was not cached.")
            self._forget(miss)
            return
        with self._lock:
            if self._owed is not None:
                return  # it may be from before a change of which the cache was not told
            try:
                self._cache.set_within(miss.epoch, miss.key, raw)  # or not: likewise
            except CacheError as error:
                _log.warning("An answer could not be cached: %s", error)

    def _forget(self, miss: Miss) -> None:
        """Drop what was kept before an answer that will not be kept."""
        if miss.key is not None and miss.kept is not None:
            self.remove(miss.key)

    def _useful(self, answer: Hit) -> bool:
        return (
            answer.lifetime > answer.age
            or bool(freshness.validators(answer.headers))
            or freshness.grace(answer.headers, self._stale_if_error) > 0
        )

    def _variant(self, names: Iterable[str], headers: Mapping[str, str]) -> dict[str, str]:
        """What the request's headers of these `names` are, in a form that tells nothing about them."""
        return {name: digest(headers.get(name, self._headers.get(name))) for name in names}


def _lowered(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()} if headers else _NOTHING


def _key(call: Call, headers: Mapping[str, str]) -> str | None:
    """The path in plain text, for patterns to find; the rest, which may hold secrets, as a digest."""
    path, _, query = call.uri.partition("?")
    extra = [pair for pair in sorted(headers.items()) if pair[0] not in ("cache-control", "pragma")]
    if not (query or call.args or extra):
        return f"GET {path}"
    try:
        return f"GET {path} {digest(query, call.args, extra)}"
    except (TypeError, ValueError):  # arguments that JSON cannot tell, or that contain themselves
        return None


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping; one that came several times, as one list (RFC 9110, 5.3)."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower not in _HOP_BY_HOP and not sounds_secret(lower):
            kept[lower] = f"{kept[lower]}, {value}" if lower in kept else value
    return kept


def _decoded(raw: bytes, now: float) -> tuple[Hit, dict[str, str]]:
    """A stored answer, and what it varies by.

    Raises:
        ValueError, TypeError, AttributeError: when it is none.
    """
    head, _, body = raw.partition(b"\n")
    status, headers, url, written, age, lifetime, vary = json.loads(head)
    past = now - written
    answer = Hit(status + 0, headers, body, url + "", age + past if past >= 0 else -1.0, lifetime + 0.0)
    if not all(type(value) is str for value in headers.values()) or type(vary) is not dict:
        raise TypeError("headers are text")
    return answer, vary
