"""Which proxy a request goes through: what the caller set, else what the environment says."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from sessionkit import secrets
from sessionkit.errors import ConfigurationError

_NAMES: Final = tuple(
    name for base in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (base, base.upper())
)


def proxy_for(
    scheme: str, host: str, port: int, proxies: Mapping[str, str] | str | bool | None
) -> str | None:
    """The proxy's URL for an origin, or None for a direct connection.

    Args:
        scheme: "http" or "https".
        host: The origin's host.
        port: The origin's port.
        proxies: A URL for everything; a mapping of scheme (or "all") to URL; False for none at all; None
            for what `$HTTPS_PROXY`, `$HTTP_PROXY`, `$ALL_PROXY` and `$NO_PROXY` say.
    """
    if proxies is False:
        return None
    if isinstance(proxies, str):
        return proxies
    if isinstance(proxies, Mapping):
        return proxies.get(scheme) or proxies.get("all")
    return _from_environment(scheme, host, port, tuple(os.environ.get(name) for name in _NAMES))


@lru_cache(maxsize=256)
def _from_environment(scheme: str, host: str, port: int, _snapshot: tuple[str | None, ...]) -> str | None:
    known = urllib.request.getproxies_environment()
    bypass = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]  # in no stub
    if not known or bypass(host) or bypass(f"{host}:{port}"):
        return None
    return known.get(scheme) or known.get("all")


def split_credentials(url: str) -> tuple[str, str | None]:
    """A proxy's URL without its user, and "user:password" if it had one.

    Raises:
        ConfigurationError: when it is no http(s) URL.
    """
    full = url if "://" in url else f"http://{url}"
    parts = urlsplit(full)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
        raise ConfigurationError(
            f"not a proxy URL: {secrets.redact_url(url)}",
            hint="a proxy is given as http://user:password@host:port",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = f"{parts.scheme}://{host}:{port or 80}"
    if parts.username is None:
        return where, None
    password = unquote(parts.password or "")
    if password:
        secrets.register(password)
    return where, f"{unquote(parts.username)}:{password}"
