"""What goes out and what comes back: `Call`, `Request`, `Response`, `Headers`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from sessionkit import secrets
from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from typing_extensions import Self

    from sessionkit.http.body import Body
    from sessionkit.http.limits import ConcurrencyLimit
    from sessionkit.outcome import Attempt


class Headers(MutableMapping[str, str]):
    """Header fields: found in any case, sent in the case they were set in.

    >>> headers = Headers({"Content-Type": "text/plain"})
    >>> headers["content-type"]
    'text/plain'
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        if isinstance(fields, Headers):
            self._fields: dict[str, tuple[str, str]] = fields._fields.copy()
            return
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self._fields = {name.lower(): (name, value) for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        self._fields[name.lower()] = (name, value)

    def __delitem__(self, name: str) -> None:
        del self._fields[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def get(self, name: str, default: Any = None) -> Any:
        """The value of `name`, or `default`."""
        field = self._fields.get(name.lower())
        return default if field is None else field[1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def copy(self) -> Headers:
        """Another set of the same fields."""
        return Headers(self)

    def to_dict(self) -> dict[str, str]:
        """A plain dictionary, names as they were set."""
        return dict(self._fields.values())

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self)}>"


_HARMLESS = frozenset(
    {
        "user-agent",
        "accept",
        "accept-encoding",
        "accept-language",
        "range",
        "if-range",
        "if-none-match",
        "if-modified-since",
    }
)


def harmless(headers: Headers) -> Headers:
    """What may be sent to another origin: a list of what may, since credentials go by any name."""
    return Headers([(name, value) for name, value in headers.items() if name.lower() in _HARMLESS])


class Origin(NamedTuple):
    """Where a URL leads, as far as credentials are concerned."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """The origin of an absolute URL.

        Raises:
            ValueError: when `url` is none.
        """
        parts = urlsplit(url)
        # A backslash ends the host for some and not for others, who would be asked in its stead.
        if parts.scheme not in {"http", "https"} or not parts.hostname or "\\" in parts.netloc:
            raise ValueError(f"not an http(s) URL: {url!r}")
        return cls(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def url(self) -> str:
        """The beginning of every URL of this origin."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == (443 if self.scheme == "https" else 80) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


@dataclass(repr=False)
class Call:
    """What a caller asks of an HTTP session.

    Attributes:
        method: "GET", "POST", ...
        uri: A path below the session's base URL, or a whole URL.
        args: Query parameters (GET, HEAD, DELETE) or the body (others), as the backend encodes them.
        headers: Headers of this call only.
        stream: Leave the body of a successful answer unread, for `HttpEngine.stream`.
        raw: Have the `Response` for a result, and not the JSON in it.
        signed: Send the session's credential; a call that fetches the credential does not.
    """

    method: str
    uri: str
    args: Any = None
    headers: Mapping[str, str] | None = None
    stream: bool = False
    raw: bool = False
    signed: bool = True

    __hash__ = None  # type: ignore[assignment]  # args are often dictionaries

    def __str__(self) -> str:
        return f"{self.method} {redacted_url(self.uri)}"

    def __repr__(self) -> str:
        return f"<Call {self}>"  # its arguments may hold a password


class Request:
    """One HTTP request, shaped so that any `requests.auth.AuthBase` can sign it.

    Attributes:
        method: "GET", "POST", ...
        url: Absolute.
        headers: See `Headers`; those given as such are taken over.
        body: Bytes, a `Body`, or None.
        credentials: Names of the headers that signing set; they never leave the session's origin.
        stream: Leave the body of a successful answer unread.
        signed: Whether it is to be signed.
        token: What `renew` has to know of the credential that was used.
    """

    __slots__ = (
        "__weakref__",
        "body",
        "credentials",
        "headers",
        "hooks",
        "method",
        "signed",
        "stream",
        "token",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Headers = MappingProxyType({}),
        body: bytes | Body | None = None,
        *,
        stream: bool = False,
        signed: bool = True,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body
        self.stream = stream
        self.signed = signed
        self.credentials: tuple[str, ...] = ()
        self.token: Any = None
        self.hooks: dict[str, list[Callable[..., Any]]] = {}

    def copy(self) -> Request:
        """The same request without a signature."""
        return Request(
            self.method, self.url, self.headers.copy(), self.body, stream=self.stream, signed=self.signed
        )

    @property
    def path_url(self) -> str:
        """Path and query, as `requests` names it."""
        parts = urlsplit(self.url)
        return urlunsplit(("", "", parts.path or "/", parts.query, ""))

    def prepare_url(self, url: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> None:
        """Set `url` with `params` added to its query, as `requests` does."""
        self.url = with_query(url, params)

    def register_hook(self, event: str, hook: Callable[..., Any]) -> None:
        """Keep a `requests` hook; a request that has any is sent through `requests`."""
        self.hooks.setdefault(event, []).append(hook)

    def __repr__(self) -> str:
        return f"<Request {self.method} {redacted_url(self.url)}>"


class Response:
    """An HTTP answer, read as a whole unless it was asked for as a stream.

    Attributes:
        status: HTTP status.
        headers: Found in any case; those that came several times are joined by ", ".
        body: The decoded body; b"" while streaming.
        url: What answered, after redirects.
        request: What was sent last.
        raw: The unread `urllib3` response of a stream, else None.
        attempts: Every attempt of the call that this answered.
        place: The limit that an open stream holds a place of, or None.
    """

    __slots__ = ("attempts", "body", "headers", "place", "raw", "reason", "request", "status", "url")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        url: str,
        request: Request,
        *,
        reason: str = "",
        raw: Any = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self.request = request
        self.reason = reason
        self.raw = raw
        self.attempts: Sequence[Attempt] = ()
        self.place: ConcurrencyLimit | None = None

    @property
    def text(self) -> str:
        """The body as text, undecodable bytes replaced."""
        try:
            return self.body.decode(charset(self.headers), "replace")
        except ValueError:  # "idna" and "punycode" are codecs that replace nothing
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: when it is none, or nested too deeply.
        """
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("JSON nested too deeply") from error

    def __repr__(self) -> str:
        return f"<Response {self.status} of {self.request.method} {redacted_url(self.url)}>"


def charset(headers: Mapping[str, str]) -> str:
    """The encoding a Content-Type names, if Python knows it, else UTF-8."""
    _, _, name = headers.get("content-type", "").lower().partition("charset=")
    name = name.partition(";")[0].strip(" \"'")
    try:
        "".encode(name or "utf-8")
    except (LookupError, ValueError):
        return "utf-8"
    return name or "utf-8"


def with_query(url: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> str:
    """`url` with `params` in its query: lists repeat their name, None is left out, booleans are lower case.

    >>> with_query("http://x/y?a=1", {"b": [2, 3], "c": None, "d": True})
    'http://x/y?a=1&b=2&b=3&d=true'

    Raises:
        ConfigurationError: when they are no names and values, or hold what no URL can.
    """
    if not params:
        return url
    try:
        query = urlencode(list(_fields(params)))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"the arguments cannot be written as a query: {error}", hint="give a mapping of names to values"
        ) from error
    if not query:
        return url
    base, mark, fragment = url.partition("#")
    joint = "&" if "?" in base else "?"
    return f"{base}{joint}{query}{mark}{fragment}"


def _fields(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items() if isinstance(params, Mapping) else params:
        for item in value if isinstance(value, (list, tuple, set, frozenset)) else (value,):
            if item is not None:
                yield name, str(item).lower() if isinstance(item, bool) else item


_PARAMETER = re.compile(r"[?&]([^=&#]+)=([^&#]+)")


def register_named(url: str, holder: object) -> None:
    """Keep out of logs and messages what a query parameter that is named like a credential holds."""
    for name, value in _PARAMETER.findall(url):
        if secrets.sounds_secret(name):
            secrets.register(unquote_plus(value), holder)


def redacted_url(url: str) -> str:
    """`url` fit to be shown."""
    return secrets.redact_url(url)


def encode(args: Any) -> bytes:
    """`args` as JSON.

    Raises:
        ConfigurationError: when they hold what JSON cannot.
    """
    try:
        return json.dumps(args).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the arguments cannot be written as JSON: {error}") from error
