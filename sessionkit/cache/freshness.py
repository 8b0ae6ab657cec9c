"""How long an answer may be used, read from its headers (RFC 9111, and RFC 5861 for `stale-if-error`).

Pure functions over headers as `{lower-case name: value}`. Whatever a server writes there, nothing here
raises: what makes no sense counts as "not fresh".
"""

from __future__ import annotations

import email.utils
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Above all that makes sense, and safe to calculate with (RFC 9111, 1.2.2).
_LONGEST = 2**31

_DIRECTIVE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,;"]*)))?')


def directives(headers: Mapping[str, str]) -> dict[str, str]:
    """The directives of `Cache-Control`, by lower-case name; "" for those without a value.

    >>> directives({"cache-control": 'private, max-age="60"'})
    {'private': '', 'max-age': '60'}
    """
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(headers.get("cache-control", "")):
        found.setdefault(name.lower(), quoted or plain)
    return found


def seconds(text: str | None) -> float:
    """A number of seconds as headers write it; 0 for what is none."""
    return float(min(int(text[:12]), _LONGEST)) if text and text.isascii() and text.isdigit() else 0.0


def moment(text: str) -> float | None:
    """An HTTP date as seconds since the epoch; None for what is none."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def lifetime(headers: Mapping[str, str], now: float, ttl: float | None, *, shared: bool) -> float:
    """Seconds for which an answer that arrived at `now` is fresh; `ttl` where the server does not say."""
    control = directives(headers)
    if "no-cache" in control or headers.get("vary", "").strip() == "*":
        return 0.0
    if shared and "s-maxage" in control:
        return seconds(control["s-maxage"])
    if "max-age" in control:
        return seconds(control["max-age"])
    if "expires" in headers:
        expires = moment(headers["expires"])
        sent = moment(headers.get("date", ""))
        # By the server's own clock where it tells: ours may differ.
        return 0.0 if expires is None else max(0.0, expires - (now if sent is None else sent))
    return ttl or 0.0


def grace(headers: Mapping[str, str], stale_if_error: float) -> float:
    """Seconds past its lifetime for which an answer may stand in for one that failed."""
    control = directives(headers)
    if control.keys() & {"must-revalidate", "proxy-revalidate", "no-cache"}:
        return 0.0
    return seconds(control["stale-if-error"]) if "stale-if-error" in control else stale_if_error


def validators(headers: Mapping[str, str]) -> dict[str, str]:
    """The request headers that ask whether an answer with these `headers` still holds."""
    pairs = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
    return {condition: headers[name] for condition, name in pairs if headers.get(name)}


def storable(status: int, headers: Mapping[str, str], *, shared: bool) -> bool:
    """Whether an answer may be kept at all."""
    control = directives(headers)
    return (
        status in (200, 203)
        and "no-store" not in control
        and not (shared and "private" in control)
        and headers.get("vary", "").strip() != "*"
    )
