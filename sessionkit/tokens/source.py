"""`TokenSource`: the one place a session gets its token from."""

from __future__ import annotations

import logging
import math
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from sessionkit import fork
from sessionkit.clock import SYSTEM_CLOCK, Clock, Deadline
from sessionkit.errors import ConfigurationError, DeadlineExceeded
from sessionkit.tokens.flight import Backoff, Flight
from sessionkit.tokens.memory import MemoryTokenStore
from sessionkit.tokens.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.tokens.store import TokenStore

_T = TypeVar("_T")

logger = logging.getLogger(__name__)

# However long the windows are set: a token is used for at least three quarters of its life before anything
# is renewed in the background, and for nine tenths before anybody waits.
_ADVISORY_SHARE = 0.25
_MANDATORY_SHARE = 0.1
# Seconds by which those who wait for a flight are more patient than it is with the lock.
_SLACK = 1.0
# Refused values are remembered so that no store hands them out again; the last few are enough.
_REFUSALS = 16


class _Held:
    """A token, and until when it is good: moments of the clock's monotonic scale, which never jumps."""

    __slots__ = ("ends_at", "fresh_until", "stale_at", "token")

    def __init__(self, token: Token | None, fresh_until: float, stale_at: float, ends_at: float) -> None:
        self.token = token
        self.fresh_until = fresh_until
        self.stale_at = stale_at
        self.ends_at = ends_at


_NO_FLIGHT = Flight(None, -math.inf)
_NOTHING = _Held(None, -math.inf, -math.inf, -math.inf)


class TokenSource:
    """Gets a token when there is none, keeps it, and renews it before it ends.

        source = TokenSource(fetch, key=token_key("weather", client_id, url), store=FileTokenStore(path))
        request.headers["Authorization"] = f"Bearer {source.get().value}"

    Any number of threads and (with a store they share) processes that find the token missing, expired or
    refused cause one call of `fetch`. While a token is good, `get` takes no lock and does no I/O.

    Two windows open before a token ends. In the *advisory* one, `get` returns the token and has one
    renewed in the background; should that fail, `on_error` hears of it and nobody else. In the *mandatory*
    one, `get` waits for the new token, and falls back on the old while it lasts. Both shrink to a share of
    a short token's lifetime (a quarter, a tenth), so that a five-minute token is not renewed at every use.

    Expiry is judged on the monotonic clock, from the moment a token is received: a wall clock set forward or
    back neither ends a token nor prolongs it. A token read from a store is never taken to last longer than
    it did when it was issued. (A computer that slept does not notice: the service refuses the token, and
    `get(refused=...)` renews it.)

    Args:
        fetch: Asks the service for a token; gets a `Deadline` and must respect it. Called by one thread at a
            time. `source.previous` is the token being replaced, for its refresh token.
        key: What the token is kept under; see `token_key`.
        store: Where it is kept; this object's memory when None.
        advisory: Seconds before the end when renewing in the background begins.
        mandatory: Seconds before the end when `get` begins to wait.
        refresh_timeout: Seconds a fetch may take, and seconds anybody waits for somebody else's.
        clock: The time; tests hand in one they turn.
        on_renewed: Called with each token this source has fetched.
        on_error: Called with each error of a renewal that no caller was told of.

    After a failed renewal the next one waits a moment: 0.1 s, doubling to 5 s while failures go on.
    """

    def __init__(
        self,
        fetch: Callable[[Deadline], Token],
        *,
        key: str,
        store: TokenStore | None = None,
        advisory: float = 300.0,
        mandatory: float = 60.0,
        refresh_timeout: float = 30.0,
        clock: Clock = SYSTEM_CLOCK,
        on_renewed: Callable[[Token], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        if refresh_timeout <= 0 or advisory < 0 or mandatory < 0:
            raise ConfigurationError("refresh_timeout must be positive, advisory and mandatory not negative")
        self.key = key
        self.store = store if store is not None else MemoryTokenStore()
        self.on_renewed = on_renewed
        self.on_error = on_error
        self.previous: Token | None = None
        self._outdated: Token | None = None
        self._fetch = fetch
        self._advisory = max(advisory, mandatory)
        self._mandatory = mandatory
        self._refresh_timeout = refresh_timeout
        self._clock = clock
        self._monotonic = clock.monotonic
        self._held = _NOTHING
        self._refused: tuple[str, ...] = ()
        self._backoff = Backoff()
        self._flight: Flight | None = None
        self._lock = threading.Lock()
        self._logouts = 0
        fork.aware(self)

    def get(self, refused: Token | None = None, deadline: Deadline | None = None) -> Token:
        """A token to sign with.

        Args:
            refused: The token that the service refused. If it is still the one held, it is renewed; if it has
                been renewed meanwhile, the new one is returned at once.
            deadline: When to stop waiting.

        Raises:
            DeadlineExceeded: neither `deadline` nor `refresh_timeout` sufficed.
            Exception: whatever `fetch` raised. Everyone who waited for that fetch gets it, each a copy of
                its own; the next call tries again.
        """
        held = self._held
        token = held.token
        if token is not None and refused is None and self._monotonic() < held.fresh_until:
            return token
        return self._obtain(refused, deadline or Deadline.after(math.inf, self._clock))

    @property
    def current(self) -> Token | None:
        """The token held in this process, if it has not ended; nothing is read or fetched."""
        held = self._held
        return held.token if self._monotonic() < held.ends_at else None

    def settled(self, deadline: Deadline) -> Token | None:
        """The `current` token once the renewal under way has ended; `deadline` bounds the wait for that.

        For a logout: a token that comes after it would stay valid, and nobody would know it.
        """
        with self._lock:
            flight = self._flight
        if flight is not None:
            flight.wait(deadline.remaining())
        return self.current

    def forget(self) -> None:
        """Drop the token here and in the store, as a logout does; a renewal under way is not kept either."""
        self._log_out()
        self.store.remove(self.key)
        self._log_out()  # also those who have read the store since, before it was emptied

    def after_fork_in_child(self) -> None:
        """Start anew from the store: the parent's threads, and so its renewals, are not here."""
        self._lock = threading.Lock()
        self._reset()

    def __repr__(self) -> str:
        return f"<TokenSource {self.key[:12]}: {self.current}>"

    def _log_out(self) -> None:
        with self._lock:
            self._logouts += 1
            self._reset()

    def _reset(self) -> None:
        self._flight = None
        self._held = _NOTHING
        self._backoff = Backoff()

    # --- who renews, who waits

    def _obtain(self, refused: Token | None, deadline: Deadline) -> Token:
        while True:
            token, flight, leading = self._join(refused)
            if token is not None:
                if leading:
                    self._renew_in_background(flight)
                return token
            token = self._lead(flight, deadline) if leading else self._follow(flight, deadline)
            # A token that a flight found in the store may be the very one that this caller saw refused.
            if token is not None and (flight.fetched or refused is None or token.value != refused.value):
                return token
            deadline.check("Waiting for a token")

    def _join(self, refused: Token | None) -> tuple[Token | None, Flight, bool]:
        """A usable token if there is one, the renewal under way, and whether the caller is to perform it."""
        with self._lock:
            if refused is not None:
                self._note_refusal(refused)
            now = self._monotonic()
            held, flight = self._held, self._flight
            waiting = now < self._backoff.until
            usable = now < held.stale_at or (now < held.ends_at and waiting)
            token = held.token if usable else None
            if flight is not None and now < flight.until:  # who comes upon a hung one renews by itself
                return token, flight, False
            if usable and (waiting or now < held.fresh_until):
                return token, _NO_FLIGHT, False
            overdue_at = max(now, self._backoff.until) + self._refresh_timeout + _SLACK
            self._flight = Flight(held.token, overdue_at, self._logouts)
            return token, self._flight, True

    def _note_refusal(self, refused: Token) -> None:
        if refused.value not in self._refused:
            self._refused = (*self._refused, refused.value)[-_REFUSALS:]
        if self._held.token is not None and self._held.token.value == refused.value:
            self._held = _NOTHING

    def _lead(self, flight: Flight, deadline: Deadline) -> Token | None:
        try:
            token = self._renew(flight, deadline)
        except BaseException as error:
            # A leader in a hurry, or interrupted, speaks for itself alone: the others try again.
            shared = error if isinstance(error, Exception) and not deadline.expired else None
            remaining = self._land(flight, error=shared)
            if shared is None or remaining is None:
                raise
            self._report(shared)
            return remaining
        return self._land(flight, token)

    def _follow(self, flight: Flight, deadline: Deadline) -> Token | None:
        while True:
            limit = flight.until
            mine, theirs = deadline.remaining(), limit - self._monotonic()
            if flight.wait(min(mine, theirs)):
                return flight.result()
            if mine <= theirs:
                raise DeadlineExceeded(f"a token was not there within {deadline.seconds:g} s")
            if flight.until == limit:
                error = DeadlineExceeded(
                    f"renewing the token did not end within {self._refresh_timeout:g} s",
                    hint="is the token endpoint reachable? refresh_timeout= sets how long it may take",
                )
                remaining = self._land(flight, error=error)
                if remaining is None:
                    raise error
                self._report(error)
                return remaining

    def _land(
        self, flight: Flight, token: Token | None = None, error: Exception | None = None
    ) -> Token | None:
        """End a flight: hold its token, or wait a moment after its error; everybody who waits is told.

        Returns the token that is good now: the new one, or after an error the old one while it lasts.
        """
        with self._lock:
            if token is not None and token.value in self._refused and not flight.fetched:
                token = None  # it has been refused since it was found in the store: all try again
            # A flight given up as hung may come home after all: welcome, unless it was replaced meanwhile.
            unchanged = self._flight is None and self._held.token in (None, flight.replacing)
            welcome = (self._flight is flight or unchanged) and flight.logouts == self._logouts
            if welcome and token is not None:
                self._held = self._hold(token)
                self._backoff = Backoff()
            if self._flight is flight:
                self._flight = None
                if error is not None:
                    self._backoff = self._backoff.after(error, self._monotonic())
            if token is None and self._monotonic() < self._held.ends_at:
                token = self._held.token
        flight.land(token, error)
        if flight.fetched and error is None and welcome:
            self._announce(token)
        return token

    # --- renewing

    def _renew(self, flight: Flight, deadline: Deadline) -> Token:
        stored = self._stored(flight)
        if stored is not None:
            return stored
        self._backoff.sit_out(deadline, self._monotonic())
        with ExitStack() as held:
            try:
                limit = Deadline.after(min(self._refresh_timeout, deadline.remaining()), self._clock)
                held.enter_context(self.store.lock(self.key, limit))
            except DeadlineExceeded:
                deadline.check("Waiting for another process to renew the token")
                logger.warning("a token's lock was held for %g s: renewing without it", limit.seconds)
            stored = self._stored(flight)
            if stored is not None:
                return stored
            deadline.check("Fetching a token")  # who only wants what is there gets no fetch begun
            token = self._fetched(flight, deadline)
            if flight.logouts == self._logouts:
                self.store.save(self.key, token, flight.seen)
                if flight.logouts != self._logouts:  # `forget` emptied the store just before
                    self.store.remove(self.key)
            return token

    def _stored(self, flight: Flight) -> Token | None:
        """The store's token, if it is better than the one to be replaced."""
        token = flight.seen = self.store.load(self.key)
        # What was there when this process last fetched is older than what it got, which could not be kept.
        outdated = token is None or token == self._outdated
        self.previous = (flight.replacing or token) if outdated else token
        if token is None or token.value in self._refused or token == flight.replacing:
            return None
        return token if self._monotonic() < self._hold(token).stale_at else None

    def _fetched(self, flight: Flight, deadline: Deadline) -> Token:
        limit = Deadline.after(min(self._refresh_timeout, deadline.remaining()), self._clock)
        flight.until = limit.at
        token = self._fetch(limit)
        if not isinstance(token, Token):
            raise TypeError(f"fetch must return a Token, not {type(token).__name__}")
        if token.issued_at is None:
            token = replace(token, issued_at=self._clock.time())
        flight.fetched = True
        self._outdated = flight.seen
        # The service has the last word: it may well issue a value again that it refused before.
        with self._lock:
            self._refused = tuple(value for value in self._refused if value != token.value)
        return token

    def _renew_in_background(self, flight: Flight) -> None:
        def renew() -> None:
            try:
                token = self._renew(flight, Deadline.after(math.inf, self._clock))
            except Exception as error:  # noqa: BLE001 - the token is still good: the error is reported, not raised
                self._land(flight, error=error)
                self._report(error)
            else:
                self._land(flight, token)

        try:
            threading.Thread(target=renew, name="sessionkit-token", daemon=True).start()
        except RuntimeError as error:
            # No more threads, or the interpreter is ending; the token is still good.
            self._land(flight, error=error)

    def _hold(self, token: Token) -> _Held:
        if token.expires_at is None:
            return _Held(token, math.inf, math.inf, math.inf)
        left = min(token.expires_at - self._clock.time(), token.lifetime)
        lifetime = left if math.isinf(token.lifetime) else token.lifetime
        ends_at = self._monotonic() + left
        advisory = min(self._advisory, lifetime * _ADVISORY_SHARE)
        mandatory = min(self._mandatory, lifetime * _MANDATORY_SHARE)
        return _Held(token, ends_at - advisory, ends_at - mandatory, ends_at)

    # --- telling

    def _announce(self, token: Token | None) -> None:
        if self.on_renewed is not None and token is not None:
            self._call(self.on_renewed, token)

    def _report(self, error: Exception) -> None:
        logger.info("renewing a token failed; the old one is still good: %s", error)
        if self.on_error is not None:
            self._call(self.on_error, error)

    @staticmethod
    def _call(hook: Callable[[_T], None], what: _T) -> None:
        try:
            hook(what)
        except Exception:
            logger.exception("a callback of a TokenSource failed")
