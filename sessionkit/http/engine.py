"""`HttpEngine`: the `SessionEngine` of services that speak HTTP."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from sessionkit import fork, secrets
from sessionkit.checks import count, seconds
from sessionkit.clock import Deadline
from sessionkit.engine import SessionEngine
from sessionkit.errors import (
    CallTimeout,
    ConfigurationError,
    RequestError,
    SessionKitError,
)
from sessionkit.http import history as history_
from sessionkit.http.body import Body
from sessionkit.http.caching import CachedCalls, CachePolicy, response_cache
from sessionkit.http.fields import picked
from sessionkit.http.flight import FOREVER
from sessionkit.http.limits import ConcurrencyLimit
from sessionkit.http.message import (
    Call,
    Headers,
    Origin,
    Request,
    Response,
    encode,
    harmless,
    redacted_url,
    with_query,
)
from sessionkit.http.redirects import REDIRECTS, redirected
from sessionkit.http.retry import RetryBudget, RetryPolicy
from sessionkit.http.signing import Auth, sign_foreign
from sessionkit.http.status import error_of, unexpected
from sessionkit.http.stream import Stream
from sessionkit.http.transport import UNSENDABLE, Transport, split
from sessionkit.outcome import Again, Done, Exchange, Failed, Identity, Outcome, Renew

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import requests

    from sessionkit.cache.http import ResponseCache
    from sessionkit.http.history import HistoryEntry
    from sessionkit.outcome import Attempt
    from sessionkit.tokens import Token, TokenStore

BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
DEFAULT_POOL: Final = 64
SIGN_OUT_SECONDS: Final = 5.0


class HttpEngine(SessionEngine):
    """A session with an HTTP service.

        class Weather(HttpEngine):
            __metakey__ = "weather"
            base_url = "https://api.weather.test/v1"

            def forecast(self, city):
                return self.get("/forecast", {"city": city})

        with Weather(auth=HeaderAuth({"X-Api-Key": Secret(key)})) as weather:
            weather.forecast("Oslo")

    Args:
        base_url: Where the service is; URIs of calls are joined to its path.
        auth: Signs every request that stays on the base URL's origin: one of `sessionkit.auth`, or any
            `requests.auth.AuthBase`.
        timeout: Seconds for a call as a whole.
        connect_timeout: Seconds until a connection must stand.
        retry: What is tried again.
        max_concurrency: Requests under way at once, over all threads and siblings; None for no limit.
        proxies: A URL, a mapping of scheme to URL, False for none, None for the environment's.
        verify: True, False, or the path of the authorities to trust.
        cert: A client certificate: a path, or paths of certificate and key.
        headers: Sent with every request.
        max_response_size: Bytes of a body at most.
        history: How many calls `history` remembers; 0 for none, True for 1,000.
        principal: Whose session it is, for `identity`; never a secret.
        token_store: Where a token that the session fetches is kept between processes; None keeps it here.
        cache_policy: For how long answers to GETs are kept in the session's `cache`; None for not at all.
        options: See `SessionEngine`.

    Raises:
        ConfigurationError: an argument that cannot work.
    """

    base_url: str = ""
    _http: requests.Session | None = None
    max_redirects: ClassVar[int] = 10
    user_agent: ClassVar[str] = "sessionkit"
    accept: ClassVar[str] = "application/json"

    def __init__(
        self,
        base_url: str | None = None,
        *,
        auth: Auth | Callable[[Any], Any] | None = None,
        timeout: float = 60.0,
        connect_timeout: float = 10.0,
        retry: RetryPolicy | None = None,
        max_concurrency: int | None = None,
        proxies: Mapping[str, str] | str | bool | None = None,
        verify: bool | str | Path = True,
        cert: str | Path | tuple[str | Path, str | Path] | None = None,
        headers: Mapping[str, str] | None = None,
        max_response_size: int = 256 * 1024 * 1024,
        history: int | bool = 0,
        principal: str = "",
        token_store: TokenStore | None = None,
        cache_policy: CachePolicy | None = None,
        **options: Any,
    ) -> None:
        _clean_logs()
        self.base_url = _base_url(base_url if base_url is not None else type(self).base_url)
        self.origin = Origin.of(self.base_url)
        self.retry = RetryPolicy.of(retry)
        self.max_concurrency = max_concurrency
        self.principal = principal
        self.token_store = token_store
        self.cache_policy = cache_policy
        self.verify, self.cert, self.proxies = verify, cert, proxies
        self._headers = Headers(
            {
                "User-Agent": self.user_agent,
                "Accept": self.accept,
                "Accept-Encoding": "gzip, deflate",
                **(headers or {}),
            }
        )
        self._history_size = 1000 if history is True else count("history", history or 0, least=0)
        self._limit = None if max_concurrency is None else ConcurrencyLimit(max_concurrency)
        self._budget = fork.aware(RetryBudget())
        self._transport = Transport(
            verify=verify,
            cert=cert,
            proxies=proxies,
            connect_timeout=min(seconds("connect_timeout", connect_timeout), FOREVER),
            pool_size=max_concurrency or DEFAULT_POOL,
            max_response_size=count("max_response_size", max_response_size),
        )
        self._auth = auth
        self._renewable = isinstance(auth, Auth) and auth.renewable
        super().__init__(timeout=timeout, **options)
        if isinstance(auth, Auth):
            auth.bind(self)

    # --- what users call ---

    def request(
        self,
        method: str,
        uri: str,
        args: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        field: str = "",
        kind: type | tuple[type, ...] = object,
    ) -> Any:
        """Make a call and return its result.

        >>> session.get("/forecast/Oslo", {"days": 2}, field="forecast", kind=list)

        Args:
            method: "GET", "POST", ...
            uri: Below the base URL, or a whole URL; the credential goes to the base URL's origin only.
            args: Query parameters of GET, HEAD and DELETE; the JSON body of others; bytes and a `Body` go
                as they are.
            headers: Headers of this call only.
            timeout: Seconds for this call instead of the session's `timeout`.
            field: Where in the answer the result stands: keys joined by dots; "" for the whole.
            kind: What the result must be, such as `list`.

        Raises:
            UnexpectedResponse: what came is not JSON, or holds no such thing at `field`.
            RequestError: another of its subclasses, by what went wrong.
        """
        call = Call(method.upper(), uri, args, headers)
        if not field and kind is object:
            return self.execute(call, timeout=timeout)
        return picked(self.perform(call, timeout=timeout), field, kind)

    def get(self, uri: str, args: Any = None, **options: Any) -> Any:
        """`request("GET", ...)`."""
        return self.request("GET", uri, args, **options)

    def post(self, uri: str, args: Any = None, **options: Any) -> Any:
        """`request("POST", ...)`."""
        return self.request("POST", uri, args, **options)

    def put(self, uri: str, args: Any = None, **options: Any) -> Any:
        """`request("PUT", ...)`."""
        return self.request("PUT", uri, args, **options)

    def patch(self, uri: str, args: Any = None, **options: Any) -> Any:
        """`request("PATCH", ...)`."""
        return self.request("PATCH", uri, args, **options)

    def delete(self, uri: str, args: Any = None, **options: Any) -> Any:
        """`request("DELETE", ...)`."""
        return self.request("DELETE", uri, args, **options)

    @contextmanager
    def stream(
        self,
        uri: str,
        *,
        method: str = "GET",
        args: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[Stream]:
        """A successful answer whose body is read as it comes; errors are raised as by `request`.

        >>> with session.stream("/export") as answer:
        ...     for chunk in answer: file.write(chunk)

        `timeout` bounds the time to the answer's headers, and then each wait for more of the body.
        """
        call = Call(method.upper(), uri, args, headers, stream=True)
        answer = Stream(self.perform(call, timeout=timeout).response)
        try:
            yield answer
        finally:
            answer.close()

    @property
    def http(self) -> requests.Session:
        """A `requests.Session` with this session's authentication, TLS, proxies, limits and default timeout.

        For whatever the API does not cover. Credentials stay on the session's origin, and `~/.netrc` is
        not read.
        """
        if self._http is None:
            from sessionkit.http.plain import plain_session  # noqa: PLC0415 - loads requests, which few need

            self._http = plain_session(self)
        return self._http

    @property
    def history(self) -> list[HistoryEntry]:
        """The latest calls, oldest first; empty unless the session was made with `history=`."""
        return list(self._history)

    @property
    def auth(self) -> Auth | Callable[[Any], Any] | None:
        """What signs the requests."""
        return self._auth

    @property
    def identity(self) -> Identity:
        """Whose session this is."""
        return Identity(self.__metakey__, self.principal, self.base_url)

    @property
    def default_headers(self) -> Headers:
        """What is sent with every request, before it is signed."""
        return self._headers

    def url_of(self, uri: str) -> str:
        """The absolute URL of `uri`."""
        if uri.startswith(("http://", "https://")):
            return uri
        return f"{self.base_url}{uri}" if uri.startswith("/") else f"{self.base_url}/{uri}"

    # --- the three steps ---

    def prepare(self, call: Call) -> Request:
        """Join the URI to the base URL and encode the arguments.

        Another origin than the session's gets none of the session's own headers, but for harmless ones.
        """
        url = self.url_of(call.uri)
        body: bytes | Body | None = None
        headers = Headers(self._headers)
        if url is call.uri and _origin(url) != self.origin:
            headers = harmless(headers)
        if call.headers:
            headers.update(call.headers)
        if isinstance(call.args, Body):
            body = call.args
            headers["Content-Length"] = str(len(body))
        elif isinstance(call.args, (bytes, bytearray)):
            body = bytes(call.args)
        elif call.method in BODILESS:
            url = with_query(url, call.args)
        elif call.args is not None:
            body = encode(call.args)
            headers.setdefault("Content-Type", "application/json")
        return Request(call.method, url, headers, body, stream=call.stream, signed=call.signed)

    def sign(self, request: Request, deadline: Deadline) -> Request:
        """A signed copy, if the request stays on this session's origin."""
        if self._auth is None or not request.signed or split(request.url)[0] != self.origin:
            return request
        signed = request.copy()
        if isinstance(self._auth, Auth):
            self._auth.sign(signed, deadline)
            return signed
        return sign_foreign(self._auth, signed)

    def renew(self, request: Request, deadline: Deadline) -> None:
        """Let the auth object replace what was refused."""
        assert isinstance(self._auth, Auth)
        self._auth.renew(request, deadline)

    def token_renewed(self, token: Token) -> None:
        """Say on the hub that a token was fetched; called by its source."""
        self._announce("sessionkit.token.renewed", principal=self.principal, expires_at=token.expires_at)

    def send(self, request: Request, deadline: Deadline) -> Response:
        """Send, following redirects; the credential does not go where they lead to another origin."""
        hub = self._hub
        if hub is not None and hub.enabled:
            self._announce("sessionkit.request.sent", method=request.method, url=redacted_url(request.url))
        # Held no longer than something is under way: calls that wait for a token must not keep out the one
        # that fetches it. A stream keeps its place until it is closed.
        limit = self.admit(deadline)
        if limit is None:
            return self.follow(request, deadline)
        response = None
        try:
            response = self.follow(request, deadline)
        finally:
            if response is None or response.raw is None:
                limit.release()
            else:
                response.place = limit
        return response

    def admit(self, deadline: Deadline) -> ConcurrencyLimit | None:
        """Wait until another request may leave, of `http` too; returns what is to be released after it.

        Raises:
            CallTimeout: that would not be before `deadline`.
        """
        if self._limit is not None:
            self._limit.acquire(deadline)
        return self._limit

    def received(self, response: Response, attempts: list[Attempt]) -> None:
        """Keep the attempts on the response, and pay into the retry budget."""
        response.attempts = attempts
        if response.status < 500:
            self._budget.refund()
        hub = self._hub
        if hub is not None and hub.enabled:
            url = redacted_url(response.url)
            self._announce("sessionkit.request.answered", url=url, status=response.status)

    def process(self, response: Response, call: Call) -> Outcome:
        """JSON for success; for the rest another attempt, or the error that its status stands for."""
        if response.status < 300:
            return self.outcome_of(response, call)
        if response.status == 304 and self.cache_policy is not None:
            return Done(None)  # what it stands for is in the cache
        error = self.error(response, call)
        if response.status == 401 and response.request.credentials and self._renewable:
            return Renew(error)
        return self.again_or(error, call, response.attempts)

    def outcome_of(self, response: Response, call: Call) -> Outcome:
        """What a success means: its JSON; None for an empty body; the response itself where that is asked."""
        if call.stream or call.raw:
            return Done(response)
        if not response.body:
            return Done(None)
        try:
            return Done(response.json())
        except ValueError:
            return Failed(unexpected(response, "no JSON came back"))

    def error(self, response: Response, call: Call) -> RequestError:  # noqa: ARG002
        """The typed error of an answer; a backend adds its own codes and messages."""
        return error_of(response, self.clock.time())

    def again_or(self, error: RequestError, call: Call, attempts: Sequence[Attempt]) -> Outcome:
        """Another attempt, where the retry policy and budget allow one for this error; else the error."""
        policy = self.retry
        if error.method not in {"", call.method} and call.method not in policy.methods:
            return Failed(error)  # redirected to a GET: the call itself was carried out
        tried = 1 + sum(a.status is None or a.status in policy.statuses for a in attempts)
        asked = getattr(error, "retry_after", None)
        if error.status is None:
            allowed = policy.allows_after_loss(call.method, tried, sent=error.sent)
        else:
            allowed = policy.allows(call.method, error.status, tried)
        if not allowed or (asked is not None and asked > policy.longest) or not self._budget.take():
            return Failed(error)
        delay = policy.backoff(tried) if asked is None else asked
        return Again(delay=delay, reason=error.message, error=error)

    def recover(self, error: RequestError, call: Call, request: Any, attempts: Sequence[Attempt]) -> Outcome:
        """Try again after a lost connection, where the policy says that this cannot do harm."""
        if error.status is not None or isinstance(error, CallTimeout) or not isinstance(request, Request):
            return Failed(error)
        if isinstance(error.__cause__, UNSENDABLE):
            return Failed(error)  # nor will it be possible the next time
        return self.again_or(error, call, attempts)

    def on_again(self, again: Again, call: Call) -> None:
        """Say on the hub that the call is being repeated, and why."""
        self._announce("sessionkit.request.retried", call=str(call), reason=again.reason, delay=again.delay)

    # --- around the loop: many calls, cached answers and history ---

    def perform_all(
        self, calls: Iterable[Call], *, at_once: int = 32, timeout: float | None = None
    ) -> Iterator[Exchange | SessionKitError]:
        """Make many calls, several at once; what became of each, in their order, as they come.

        >>> calls = [Call("GET", f"/forecast/{city}") for city in cities]
        >>> for city, done in zip(cities, session.perform_all(calls, at_once=50)):
        ...     print(city, done.result if isinstance(done, Exchange) else done)

        A tenth of the processor's time that a pool of threads would take: one thread waits for all answers.
        `calls` is read in that thread, twice `at_once` ahead of what has been taken. What is not a
        `SessionKitError` is raised.

        Args:
            calls: What `execute` takes.
            at_once: Under way at the same time; `max_concurrency` holds, too.
            timeout: Seconds for each call instead of the session's `timeout`.
        """
        from sessionkit.http.many import perform_all  # noqa: PLC0415 - most sessions never need it

        return perform_all(self, calls, count("at_once", at_once), timeout)

    @property
    def unwatched(self) -> bool:
        """Whether nobody wants to hear of single calls: no history, no cached answers, no subscriber."""
        hub = self._hub
        return not self._history_size and self.cache_policy is None and (hub is None or not hub.enabled)

    def perform(self, call: Call, *, timeout: float | None = None) -> Exchange:
        """See `SessionEngine.perform`."""
        if self.cache_policy is None:
            return self._perform(call, timeout)
        return CachedCalls(self, self._perform).perform(call, timeout)

    @property
    def responses(self) -> ResponseCache:
        """The answers kept for this session and its siblings, under its `cache_policy`."""
        kept: ResponseCache = self.shared("responses", lambda: response_cache(self))
        return kept

    def touches(self, call: Call) -> Iterable[str | re.Pattern[str]] | None:  # noqa: ARG002
        """Which kept answers a writing `call` makes doubtful: patterns searched for in "GET /path".

        A backend says which; None drops all of this identity's.
        """
        return None

    def _perform(self, call: Call, timeout: float | None) -> Exchange:
        hub = self._hub
        if not self._history_size and (hub is None or not hub.enabled):
            return super().perform(call, timeout=timeout)
        begun = self.clock.monotonic()
        try:
            exchange = super().perform(call, timeout=timeout)
        except SessionKitError as error:  # also one that is no answer, such as a token that did not come
            status = getattr(error, "status", None) or type(error).__name__
            self._remember(call, getattr(error, "attempts", ()), status, begun)
            self._announce("sessionkit.request.failed", call=str(call), error=str(error))
            raise
        self._remember(call, exchange.attempts, exchange.response.status, begun)
        return exchange

    def _remember(self, call: Call, attempts: Sequence[Attempt], status: int | str, begun: float) -> None:
        if self._history_size:
            elapsed = self.clock.monotonic() - begun
            self._history.append(history_.entry(call, attempts, status, elapsed, self.clock.time()))

    # --- connections ---

    @property
    def transport(self) -> Transport:
        """This session's connections."""
        return self._transport

    def follow(self, request: Request, deadline: Deadline, hops: int = 0) -> Response:
        """Send, and go where redirects lead; `hops` have been followed before.

        Raises:
            RequestError: there is no answer, or one that may not be followed.
        """
        while True:
            response = self._send_once(request, deadline)
            following = self.redirect(request, response, hops)
            if following is None:
                return response
            request = following
            hops += 1

    def redirect(self, request: Request, response: Response, hops: int) -> Request | None:
        """The request that an answer says to make instead, after `hops` of them; None for any other answer.

        Raises:
            UnexpectedResponse: it may not be followed.
        """
        target = response.headers.get("location") if response.status in REDIRECTS else None
        if target is None or self.max_redirects == 0:
            return None
        if hops >= self.max_redirects:
            raise unexpected(response, f"more than {self.max_redirects} redirects")
        return redirected(request, response, target)

    def _send_once(self, request: Request, deadline: Deadline) -> Response:
        if request.hooks:
            from sessionkit.http.plain import send_prepared  # noqa: PLC0415 - only for auth that needs requests

            return send_prepared(self, request, deadline, self._transport.max_response_size)
        return self._transport.send(request, deadline, idle=self.timeout)

    def reset_own_state(self) -> None:
        """Connections and history of this session's own."""
        super().reset_own_state()
        self._transport = self._transport.fresh()
        self._http = None
        self._history: deque[HistoryEntry] = deque(maxlen=self._history_size or 1)

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections alone, and make one's own."""
        self._transport.abandon()
        super().after_fork_in_child()

    def sign_out(self) -> None:
        """Give the credential back to the service now, where it keeps one; the next call signs in again."""
        if isinstance(self._auth, Auth):
            self._auth.sign_out(self, Deadline.after(SIGN_OUT_SECONDS, self.clock))

    def on_close(self) -> None:
        """Drop every connection."""
        self._transport.close()
        if self._http is not None:
            self._http.close()

    @property
    def owns_credential(self) -> bool:
        """Whether closing this session signs out: not when the token is kept for others."""
        return super().owns_credential and self.token_store is None


@cache
def _clean_logs() -> None:
    """Keep secrets out of our logs, urllib3's and requests', from the first session on.

    urllib3 logs whole URLs. Who wants the records as they are calls `secrets.uninstall()` afterwards.
    """
    secrets.install()


def _base_url(url: str) -> str:
    try:
        Origin.of(url)
        parts = urlsplit(url)
    except (ValueError, AttributeError):
        url = str(url)  # it may be no text at all
        raise ConfigurationError(
            f"base_url is no http(s) URL: {redacted_url(url)!r}",
            hint="for example https://api.example.com/v1",
        ) from None
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(
            f"base_url is more than origin and path: {redacted_url(url)!r}",
            hint="user and password go into auth=, fixed parameters into a subclass's prepare()",
        )
    return url.rstrip("/")


def _origin(url: str) -> Origin:
    try:
        return split(url)[0]
    except ValueError as error:
        raise ConfigurationError(f"no http(s) URL: {redacted_url(url)!r}: {error}") from None
