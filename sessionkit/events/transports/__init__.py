"""How events travel: inside this process, over Socket.IO, through Redis streams."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from sessionkit.events.transports.base import Listener, Options, Transport

# Modules are named, not imported: an in-process hub needs neither websocket-client nor redis.
_BY_SCHEME = {
    "": "sessionkit.events.transports.local:LocalTransport",
    "http": "sessionkit.events.transports.socketio:SocketIoTransport",
    "https": "sessionkit.events.transports.socketio:SocketIoTransport",
    "redis": "sessionkit.events.transports.redis:RedisTransport",
    "rediss": "sessionkit.events.transports.redis:RedisTransport",
    "unix": "sessionkit.events.transports.redis:RedisTransport",
}


def transport_for(options: Options, listener: Listener) -> Transport:
    """The transport that the options' URL asks for, not yet open.

    Raises:
        ConfigurationError: when no transport knows the URL.
    """
    scheme = urlsplit(options.server_url).scheme.lower()
    path = _BY_SCHEME.get(scheme) if scheme or not options.server_url else None
    if path is None:
        raise ConfigurationError(
            f"no event transport knows URLs that begin with {scheme or 'no scheme'!r}",
            hint="use http://, https://, redis://, rediss://, unix://, or no URL for this process",
        )
    module, _, name = path.partition(":")
    transport: Transport = getattr(import_module(module), name)(options, listener)
    return transport
