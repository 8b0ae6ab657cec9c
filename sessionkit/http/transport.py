"""One request, one answer: urllib3's pools used directly, its errors turned into ours.

No redirects, no retries and no credentials here; `HttpEngine` and the engine's loop see to those.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions as u3
from urllib3.util import Timeout, make_headers

from sessionkit import secrets
from sessionkit.errors import CallTimeout, ConnectionFailed, ResponseTooLarge, SessionKitError
from sessionkit.http.connection import pool_manager
from sessionkit.http.flight import FOREVER, Flight, head_of
from sessionkit.http.message import Origin, Request, Response, redacted_url, register_named
from sessionkit.http.proxies import proxy_for, split_credentials
from sessionkit.http.tls import shared_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sessionkit.clock import Deadline
    from sessionkit.http.answer import Answer

CHUNK: Final = 65536
MOST_ORIGINS: Final = 32
"""Origins to which connections are kept open; with more, those of the earliest are dropped."""

# The children of a fork keep their parents' pools: taking them apart would take locks of lost threads.
_abandoned: list[Any] = []


class _Route(NamedTuple):
    """How requests for one origin leave: a pool, and what a plain-http proxy wants before and beside them."""

    pool: Any
    prefix: str
    extra_headers: Mapping[str, str]


class Transport:
    """The connections of one session.

    Args:
        verify: See `tls.shared_context`.
        cert: See `tls.shared_context`.
        proxies: See `proxies.proxy_for`; the environment is read when an origin is first asked.
        connect_timeout: Seconds until a connection must stand.
        pool_size: Connections kept open per origin.
        max_response_size: Bytes of a body at most; larger ones are refused.
    """

    def __init__(
        self,
        *,
        verify: bool | str | Path,
        cert: str | Path | tuple[str | Path, str | Path] | None,
        proxies: Mapping[str, str] | str | bool | None,
        connect_timeout: float,
        pool_size: int,
        max_response_size: int,
    ) -> None:
        self._verify = verify
        self._cert = cert
        self._proxies = proxies
        self._connect_timeout = connect_timeout
        self._pool_size = pool_size
        self.max_response_size = max_response_size
        self._managers: dict[str | None, urllib3.PoolManager] = {}
        self._routes: dict[Origin, _Route] = {}
        self._lock = threading.Lock()

    def fresh(self) -> Transport:
        """A transport of the same settings and no connections."""
        return Transport(
            verify=self._verify,
            cert=self._cert,
            proxies=self._proxies,
            connect_timeout=self._connect_timeout,
            pool_size=self._pool_size,
            max_response_size=self.max_response_size,
        )

    def abandon(self) -> None:
        """Let go of a parent's pools after a fork; their sockets close themselves."""
        _abandoned.append(self._managers)

    def close(self) -> None:
        """Close every connection that is not in use; those in use close when their answer is read."""
        managers, self._managers = self._managers, {}
        routes, self._routes = self._routes, {}
        for route in routes.values():
            route.pool.close()  # at the interpreter's exit, urllib3's own finalisers have had their time
        for manager in managers.values():
            manager.clear()

    def send(self, request: Request, deadline: Deadline, *, idle: float | None = None) -> Response:
        """Send `request` and read the answer, all of it unless the request is for a stream.

        Args:
            request: With an absolute URL.
            deadline: For everything; of a stream, for its headers.
            idle: Seconds to wait for more of a stream.

        Raises:
            ConnectionFailed, CallTimeout, ResponseTooLarge: see there.
        """
        flight = self.begin(request, deadline, idle=idle)
        if flight is not None:
            return self.finish(flight)
        left = deadline.remaining()
        wait = left if left < FOREVER else None
        try:
            if not left > 0:  # not a number is no time either
                raise TimeoutError  # noqa: TRY301 - translated like every other
            origin, target = split(request.url)
            if "?" in target:
                register_named(target, request)
            route = self._routes.get(origin) or self._route(origin)
            headers = request.headers.to_dict()
            if route.extra_headers:
                headers.update(route.extra_headers)
            raw = route.pool.urlopen(
                request.method,
                route.prefix + target,
                body=request.body,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=Timeout(total=wait, connect=min(left, self._connect_timeout), read=wait),
                preload_content=False,
            )
        except Exception as error:
            raise translate(error, request, deadline) from error
        if request.stream and raw.status < 300:
            raw.reader.unbound(idle)
            return _response(raw, b"", request, raw)
        try:
            body = self._read(raw, request)
        except BaseException as error:
            _discard(raw)
            if not isinstance(error, Exception):  # Ctrl-C
                raise
            raise translate(error, request, deadline, answering=True) from error
        return _response(raw, body, request, None)

    def begin(self, request: Request, deadline: Deadline, *, idle: float | None = None) -> Flight | None:
        """Send `request` without waiting for its answer; `finish` takes it.

        Returns:
            None when no connection to its origin stands and is free, or `send` knows better how to send it:
            nothing was sent.

        Raises:
            ConnectionFailed: the connection broke.
        """
        try:
            origin, target = split(request.url)
        except ValueError:
            return None
        route = self._routes.get(origin) if _ENCODED.fullmatch(target) else None
        if route is None or (route.prefix and "/." in target):  # urllib3 takes those out for proxies
            return None
        head = head_of(request, route.extra_headers)
        conn = None if head is None else route.pool.take_idle()
        if head is None or conn is None:
            return None
        flight = Flight(route.pool, conn, request, deadline, self.max_response_size, idle)
        try:
            if "?" in target:
                register_named(target, request)
            flight.send(route.prefix + target, head)
        except BaseException as error:
            flight.drop()
            if not isinstance(error, Exception):  # Ctrl-C
                raise
            raise translate(error, request, deadline) from error
        return flight

    def finish(self, flight: Flight) -> Response:
        """Read the answer of what was begun.

        Raises:
            ConnectionFailed, CallTimeout, ResponseTooLarge: see `send`.
        """
        try:
            answer = flight.answer()
            headers = urllib3.HTTPHeaderDict(answer.msg.items())
            # A stream's body may be any size, and is decompressed as it is read.
            unread = not flight.gathered or "content-encoding" in headers
            if flight.request.stream and answer.status < 300 and unread:
                raw = flight.unread(answer, headers)
                return _response(raw, b"", flight.request, raw)
            body = self._body(flight, answer, headers)
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C
                flight.drop()
                raise
            raise self.give_up(flight, error) from error
        flight.end_well()
        request = flight.request
        return Response(answer.status, headers, body, request.url, request, reason=answer.reason or "")

    def give_up(self, flight: Flight, error: Exception) -> SessionKitError:
        """End what was begun because of an error; returns it as ours."""
        flight.drop()
        return translate(error, flight.request, flight.deadline, answering=True)

    def _body(self, flight: Flight, answer: Answer, headers: urllib3.HTTPHeaderDict) -> bytes:
        length = answer.length
        plain = "content-encoding" not in headers and headers.get("content-length", "0").isdecimal()
        if plain and length is not None and length <= self.max_response_size:
            return answer.read()  # which refuses a body of another length
        return self._read(flight.decoded(answer, headers), flight.request)

    def _route(self, origin: Origin) -> _Route:
        with self._lock:  # each thread that calls first would make a pool of its own, and all but one be lost
            return self._routes.get(origin) or self._new_route(origin)

    def _new_route(self, origin: Origin) -> _Route:
        proxy = proxy_for(origin.scheme, origin.host, origin.port, self._proxies)
        manager = self._managers.get(proxy)
        if manager is None:
            manager = self._managers[proxy] = self._manager(proxy)
        forwarded = isinstance(manager, urllib3.ProxyManager) and origin.scheme == "http"
        extra = manager.proxy_headers if isinstance(manager, urllib3.ProxyManager) and forwarded else {}
        pool = manager.connection_from_host(origin.host, origin.port, origin.scheme)
        if len(self._routes) >= MOST_ORIGINS:
            self._routes.pop(next(iter(self._routes)), None)
        route = self._routes[origin] = _Route(pool, origin.url if forwarded else "", extra)
        return route

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        where, credentials = (None, None) if proxy is None else split_credentials(proxy)
        proxy_headers = make_headers(proxy_basic_auth=credentials) if credentials else {}
        return pool_manager(
            where,
            dict(proxy_headers),
            num_pools=MOST_ORIGINS,
            maxsize=self._pool_size,
            ssl_context=shared_context(self._verify, self._cert),
        )

    def _read(self, raw: Any, request: Request) -> bytes:
        limit = self.max_response_size
        length = raw.length_remaining  # None when the service does not say, or not in earnest
        if length is not None and length > limit:
            raise too_large(request, raw.status, limit)
        if length is not None and "content-encoding" not in raw.headers:
            return raw.read()  # type: ignore[no-any-return]  # urllib3 refuses a body of another length
        chunks: list[bytes] = []
        size = 0
        while chunk := raw.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise too_large(request, raw.status, limit)
            chunks.append(chunk)
        return b"".join(chunks)


def _response(raw: Any, body: bytes, request: Request, stream: Any) -> Response:
    return Response(raw.status, raw.headers, body, request.url, request, reason=raw.reason or "", raw=stream)


# Nearly every URL: an origin without user, and a path with nothing that has to be taken away.
_PLAIN: Final = re.compile(r"(https?://[\w.:\[\]-]+)(/[!-\"$-~]*)", re.ASCII)
# A target that urllib3 would send as it is.
_ENCODED: Final = re.compile(r"/(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*", re.ASCII)
_origin: Final = lru_cache(maxsize=256)(Origin.of)


def split(url: str) -> tuple[Origin, str]:
    """The origin of a URL, and what to ask it for.

    Raises:
        ValueError: when it is no http(s) URL.
    """
    plain = _PLAIN.fullmatch(url)
    if plain is not None:
        return _origin(plain[1]), plain[2]
    parts = urlsplit(url)
    path = parts.path or "/"
    return Origin.of(url), f"{path}?{parts.query}" if parts.query else path


def _discard(raw: Any) -> None:
    with contextlib.suppress(Exception):
        raw.close()
        raw.release_conn()


def too_large(request: Request, status: int, limit: int) -> ResponseTooLarge:
    """The error of an answer of more than `limit` bytes."""
    return ResponseTooLarge(
        f"the answer is larger than {limit:,} bytes",
        hint="raise max_response_size, or download it with session.stream()",
        method=request.method,
        url=redacted_url(request.url),
        status=status,
    )


# Errors of urllib3 before a connection stood: the service has seen nothing of the request.
_UNSENT: Final = (u3.NewConnectionError, u3.ConnectTimeoutError, u3.ProxyError, u3.LocationParseError)
UNSENDABLE: Final = (ValueError, TypeError)
"""Errors of what was to be sent: a header, method or URL that HTTP has no form for. It stays so."""
_TIMEOUTS: Final = (u3.TimeoutError, TimeoutError)
_REFUSALS: Final = (
    (u3.NameResolutionError, "the host name is not known", "check the host, and the network or VPN"),
    (u3.NewConnectionError, "no connection could be made", "check host and port, and that the service runs"),
    (u3.ConnectTimeoutError, "no connection in time", "check host, port, firewall; see connect_timeout="),
    (u3.ProxyError, "the proxy refused", "check proxies= or $HTTPS_PROXY and its credentials"),
    (u3.SSLError, "TLS failed", "check the host name; verify= names whom to trust, cert= your certificate"),
    (u3.DecodeError, "the body could not be decompressed", "a proxy or the service damaged the answer"),
    (u3.LocationParseError, "the URL cannot be sent", "check the host name and the path"),
    (http.client.InvalidURL, "the URL cannot be sent", "encode spaces and control characters"),
    (u3.ProtocolError, "the connection ended in the middle", ""),
    ((http.client.IncompleteRead, http.client.RemoteDisconnected), "the connection ended in the middle", ""),
    (http.client.HTTPException, "the answer is no HTTP", ""),
)


def translate(
    error: BaseException, request: Request, deadline: Deadline, *, answering: bool = False
) -> SessionKitError:
    """Our error for one of urllib3's, http.client's or the system's; `answering` once an answer has begun."""
    if isinstance(error, SessionKitError):
        return error
    if not isinstance(error, UNSENDABLE):
        _let_go_of_frames(error)
    unsent = not answering and (isinstance(error, (*_UNSENT, *UNSENDABLE)) or _certificate_refused(error))
    details: dict[str, Any] = {"method": request.method, "url": redacted_url(request.url), "sent": not unsent}
    if _timed_out(error) and not unsent:
        return CallTimeout(
            f"no answer within {deadline.seconds:g} s",
            hint="the request may have been carried out; give it more time with timeout=",
            **details,
        )
    named = error
    if isinstance(error, u3.ProtocolError) and isinstance(error.args[-1], http.client.HTTPException):
        named = error.args[-1]  # urllib3 calls everything broken off that http.client cannot read
    what, hint = next(
        ((what, hint) for kind, what, hint in _REFUSALS if isinstance(named, kind)),
        ("the request could not be sent", "") if unsent else ("the connection failed", ""),
    )
    if not hint and not unsent:
        hint = "the request may have been carried out; look before asking again"
    return ConnectionFailed(f"{what}: {_reason(error)}", hint=hint, **details)


def _let_go_of_frames(error: BaseException | None) -> None:
    """What urllib3 raises holds its frames, and these hold it: a dropped session would stay for a while."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    """What the system said, without the libraries' wrapping."""
    root = error
    while (inner := root.__cause__ or root.__context__) is not None and not isinstance(root, OSError):
        root = inner
    return secrets.redact((getattr(root, "strerror", None) or str(root)).strip())


def _timed_out(error: BaseException) -> bool:
    if isinstance(error, u3.ProtocolError):  # urllib3's word for it while the request is being sent
        inner = error.args[-1]
        return isinstance(inner, TimeoutError) and inner.errno is None  # else the network's, not ours
    return isinstance(error, _TIMEOUTS) and not isinstance(error, u3.NewConnectionError)


def _certificate_refused(error: BaseException) -> bool:
    return isinstance(error, u3.SSLError) and "CERTIFICATE" in str(error).upper()
