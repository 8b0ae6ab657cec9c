"""What an HTTP answer that is no success means: one table from statuses to errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sessionkit import errors, secrets
from sessionkit.http.message import redacted_url
from sessionkit.http.retry import retry_after

if TYPE_CHECKING:
    from sessionkit.http.message import Response

SHOWN: Final = 500
"""Characters of a body that an error shows."""

MEANINGS: Final[dict[int, tuple[type[errors.ResponseError], str, str]]] = {
    400: (errors.InvalidRequest, "the service refused the request", "check the arguments"),
    401: (
        errors.AuthenticationError,
        "the credential was refused",
        "check user, key or password; sign in again",
    ),
    403: (errors.PermissionDenied, "not allowed", "ask the service's administrator for the permission"),
    404: (
        errors.NotFound,
        "there is no such thing",
        "check the path, and that the base URL is the right one",
    ),
    405: (errors.InvalidRequest, "the service does not offer this method here", "check method and path"),
    407: (errors.AuthenticationError, "the proxy wants a user and password", "give them in the proxy's URL"),
    409: (errors.Conflict, "it exists already or is being changed", "read it again, then decide"),
    412: (errors.Conflict, "it has been changed meanwhile", "read it again, then decide"),
    413: (errors.InvalidRequest, "the request is too large for the service", "send it in parts"),
    422: (errors.InvalidRequest, "the service refused the values", "check the arguments"),
    429: (errors.RateLimited, "asked too often", "slow down, or set a limit with max_concurrency="),
}
_SERVER: Final = (
    errors.ServerError,
    "the service failed",
    "try again later; if it stays, tell the service's operator",
)
_OTHER: Final = (errors.ResponseError, "an answer that is no success", "")
_TITLE = re.compile(r"<title[^>]*>(.{1,200}?)</title>", re.IGNORECASE | re.DOTALL)


def error_of(response: Response, now: float) -> errors.ResponseError:
    """The error that `response` stands for, with the service's own words.

    Args:
        response: Not a success.
        now: Seconds since the epoch, for a Retry-After that is a date.
    """
    status = response.status
    kind, what, hint = MEANINGS.get(status) or (_SERVER if status >= 500 else _OTHER)
    said = words(response)
    details = describe(response)
    asked = retry_after(response.headers.get("retry-after"), now)
    if status == 503 and asked is not None:
        kind, what = errors.RateLimited, "the service is not available just now"
    if kind is errors.RateLimited:
        details["retry_after"] = asked
    return kind(f"{what}: {said}" if said else what, hint=hint, messages=(said,) if said else (), **details)


def unexpected(response: Response, what: str) -> errors.UnexpectedResponse:
    """The error of an answer that is not what the service promises."""
    title = _TITLE.search(response.text[:4096])
    shown = f" but a page titled {secrets.redact(title[1].strip())!r}" if title else ""
    return errors.UnexpectedResponse(
        f"{what}{shown}",
        hint="a proxy, gateway or login page may have answered instead of the service; see the error's body",
        **describe(response),
    )


def describe(response: Response) -> dict[str, Any]:
    """The keyword arguments that every `ResponseError` takes."""
    return {
        "method": response.request.method,
        "url": redacted_url(response.request.url),
        "status": response.status,
        "body": secrets.redact(response.text[:SHOWN]),
    }


def words(response: Response) -> str:
    """What the service itself says in an error's body, if that can be told; at most 300 characters."""
    try:
        value = response.json()
    except ValueError:
        return ""
    for key in ("error", "errors", "message", "detail", "error_description", "title"):
        if isinstance(value, dict) and value.get(key):
            value = value[key]
    if isinstance(value, list):
        value = "; ".join(
            str(item.get("message", item) if isinstance(item, dict) else item) for item in value[:5]
        )
    return secrets.redact(value[:300]) if isinstance(value, str) else ""
