"""Where a redirect leads, and what may go there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from sessionkit.http.message import Request, harmless, redacted_url
from sessionkit.http.status import unexpected
from sessionkit.http.transport import split

if TYPE_CHECKING:
    from sessionkit.http.message import Response

_OF_A_BODY: Final = ("Content-Length", "Content-Type", "Content-Encoding")
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def redirected(request: Request, response: Response, target: str) -> Request:
    """The request that `response` sends its client to make.

    On the same origin it is as the first was, credential included. On another origin it carries nothing
    but harmless headers, and never a body.

    Raises:
        UnexpectedResponse: a redirect that may not be followed.
    """
    url = target = _as_sent(target)
    try:
        url = target if target.startswith(("http://", "https://")) else urljoin(request.url, target)
        stays = split(url)[0] == split(request.url)[0]
    except ValueError:
        raise unexpected(response, f"a redirect to {redacted_url(url)}") from None
    method = request.method
    if response.status == 303 or (response.status in {301, 302} and method == "POST"):
        method = "HEAD" if method == "HEAD" else "GET"
    body = request.body if method == request.method else None
    if stays:
        follower = Request(method, url, request.headers.copy(), body, stream=request.stream)
        follower.credentials, follower.token = request.credentials, request.token
        follower.hooks = request.hooks
        if body is None:
            for name in _OF_A_BODY:
                follower.headers.pop(name, None)
        return follower
    if body is not None:
        raise unexpected(response, f"a redirect of {method} to another origin, {redacted_url(url)}")
    return Request(method, url, harmless(request.headers), None, stream=request.stream, signed=False)


def _as_sent(location: str) -> str:
    """Header fields are read as Latin-1; services that do not encode a path send UTF-8."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
