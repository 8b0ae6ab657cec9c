"""Who publishes, and where the server is."""

from __future__ import annotations

import platform
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from sessionkit.events.event import Event


class ServerDetails(NamedTuple):
    """Where a hub's server is."""

    scheme: str
    hostname: str | None
    port: int | None


def server_details(url: str) -> ServerDetails:
    """Where `url` leads.

    Raises:
        ConfigurationError: when it cannot be read.
    """
    try:
        parts = urlsplit(url)
        return ServerDetails(parts.scheme.lower(), parts.hostname, parts.port)
    except ValueError as error:
        raise ConfigurationError("the event server's URL cannot be read", hint=str(error)) from error


def complete(event: Event, hub_id: str, user: str | None) -> None:
    """Write into the event's source who publishes it, as far as it does not say so itself."""
    source = event.fields["source"]
    if "id" in source and "user" in source and "host" in source:
        return
    source.setdefault("id", hub_id)
    source.setdefault("user", {"username": user})
    source.setdefault("host", _host())


@lru_cache(maxsize=1)
def _host() -> str:
    return platform.node()
