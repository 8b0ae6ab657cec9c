"""`session.http`: a `requests.Session` that keeps this project's rules about credentials."""

from __future__ import annotations

import threading
import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from sessionkit.clock import Deadline
from sessionkit.errors import CallTimeout
from sessionkit.http.connection import POOLS
from sessionkit.http.message import Headers, Origin, Request, Response, harmless, redacted_url, register_named
from sessionkit.http.proxies import proxy_for
from sessionkit.http.tls import shared_context
from sessionkit.http.transport import CHUNK, too_large, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit.http.engine import HttpEngine

# The session for a call of which this thread uses `requests`: that call has its place already.
_calling = threading.local()


def plain_session(session: HttpEngine) -> requests.Session:
    """A `requests.Session` that signs, trusts and limits as `session` does."""
    return _PlainSession(session)


class _Adapter(HTTPAdapter):
    def __init__(self, session: HttpEngine, **options: Any) -> None:
        self._owner = session
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Each request takes its turn among all of the session, until its answer is read or closed."""
        if getattr(_calling, "session", None) is self._owner:
            return super().send(request, *args, **options)
        try:
            limit = self._owner.admit(Deadline.after(_patience(options.get("timeout")), self._owner.clock))
        except CallTimeout as error:
            raise requests.exceptions.ConnectTimeout(str(error), request=request) from error
        if limit is None:
            return super().send(request, *args, **options)
        try:
            answer = super().send(request, *args, **options)
        except BaseException:
            limit.release()
            raise
        _when_released(answer.raw, limit.release)
        return answer

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        options["ssl_context"] = shared_context(self._owner.verify, self._owner.cert)
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        options["ssl_context"] = shared_context(self._owner.verify, self._owner.cert)
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context says whom to trust; requests would load the authorities once more."""


class _PlainSession(requests.Session):
    def __init__(self, session: HttpEngine) -> None:
        super().__init__()
        self._owner = session
        self.trust_env = False  # proxies and authorities are looked up below, ~/.netrc never
        self.auth = self._sign
        size = session.max_concurrency or 64
        adapter = _Adapter(session, pool_connections=8, pool_maxsize=size)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def _sign(self, request: Any) -> Any:
        auth = self._owner.auth
        if auth is None or Origin.of(request.url) != self._owner.origin:
            return request
        return auth(request)

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """As `requests` does, with this session's timeout, and paths joined to its base URL."""
        options.setdefault("timeout", self._owner.timeout)
        return super().request(method, self._owner.url_of(str(url)), *args, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Through the proxy that the session would use.

        The timeout bounds the whole answer; of a stream, each wait for more, unless it is to be `whole`.
        """
        origin = Origin.of(str(request.url))
        proxy = proxy_for(*origin, self._owner.proxies)
        if proxy is not None and not options.get("proxies"):
            options["proxies"] = {origin.scheme: proxy}
        options.setdefault("timeout", self._owner.timeout)
        self._owner.check_open()
        register_named(str(request.url), request)
        whole = options.pop("whole", False)
        try:
            answer = super().send(request, **options)
        except requests.RequestException as error:
            error.request = _shown(request)
            raise
        reader = getattr(answer.raw, "reader", None)  # none of an adapter that somebody else mounted
        if reader is not None and options.get("stream") and not whole:
            reader.unbound(reader.limit)
        return answer

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """On a redirect: nothing but harmless headers leaves the origin, whatever their names."""
        if Origin.of(str(prepared_request.url)) != Origin.of(str(response.request.url)):
            kept = harmless(Headers(prepared_request.headers)).to_dict()
            prepared_request.headers.clear()
            prepared_request.headers.update(kept)


@contextmanager
def _calling_for(session: HttpEngine) -> Iterator[None]:
    before = getattr(_calling, "session", None)
    _calling.session = session
    try:
        yield
    finally:
        _calling.session = before


def _patience(timeout: Any) -> float:
    """Seconds to wait for a turn, from what `requests` takes as a timeout."""
    longest = timeout[-1] if isinstance(timeout, tuple) else timeout
    return longest if isinstance(longest, (int, float)) else float("inf")


def _when_released(raw: Any, then: Callable[[], object]) -> None:
    """Call `then`, once, when a urllib3 response gives its connection back, or is forgotten."""
    ended = weakref.finalize(raw, then)
    ended.atexit = False
    raw.release_conn = partial(_release, weakref.ref(raw), ended)


def _release(raw: weakref.ref[Any], ended: Callable[[], object]) -> None:
    answer = raw()
    if answer is not None:
        type(answer).release_conn(answer)
    ended()


def _shown(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """What an error may carry around of its request: it may be printed and pickled."""
    shown = request.copy()
    kept = harmless(Headers(request.headers)).to_dict()
    shown.prepare_headers(kept)
    shown.url, shown.body = redacted_url(str(request.url)), None
    return shown


def send_prepared(session: HttpEngine, request: Request, deadline: Deadline, limit: int) -> Response:
    """Send a request whose auth object wants `requests`' hooks (digest, Kerberos, ...) through `requests`.

    The answer, at most `limit` bytes, is read as a whole, of a stream too.
    """
    prepared = requests.PreparedRequest()
    prepared.prepare(
        method=request.method, url=request.url, headers=request.headers.to_dict(), data=request.body
    )
    prepared._body_position = None  # type: ignore[attr-defined]  # noqa: SLF001 - what hooks rewind to
    for event, hooks in request.hooks.items():
        for hook in hooks:
            prepared.register_hook(event, hook)  # type: ignore[no-untyped-call]  # as requests has it
    try:
        options: dict[str, Any] = {"timeout": deadline.check(str(request)), "stream": True, "whole": True}
        with _calling_for(session), session.http.send(prepared, allow_redirects=False, **options) as answer:
            body = bytearray()
            for chunk in answer.iter_content(CHUNK):
                body += chunk
                if len(body) > limit:
                    raise too_large(request, answer.status_code, limit)
    except requests.RequestException as error:
        cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
        raise translate(getattr(cause, "reason", None) or cause, request, deadline) from error
    headers = Headers(answer.headers)
    return Response(
        answer.status_code, headers, bytes(body), request.url, request, reason=answer.reason or ""
    )
