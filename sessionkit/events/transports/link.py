"""One Socket.IO 0.9 connection: the handshake and its WebSocket."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import websocket

from sessionkit.clock import Deadline
from sessionkit.errors import RequestError
from sessionkit.events import wire
from sessionkit.events.errors import EventHubConnectionError, EventHubPacketError
from sessionkit.events.transports.bounded import BoundedWebSocket
from sessionkit.events.transports.reconnecting import LinkBroken
from sessionkit.http.message import Request
from sessionkit.http.names import connect
from sessionkit.http.proxies import proxy_for, split_credentials
from sessionkit.http.tls import shared_context
from sessionkit.http.transport import Transport as HttpTransport

if TYPE_CHECKING:
    from sessionkit.events.transports.base import Options

_CONNECT_SECONDS = 15.0
_LARGEST_HANDSHAKE = 65_536
_SILENCE = (1.0, 60.0)


class SocketIoLink:
    """An open connection. `send` may be called from several threads one at a time, `receive` from one.

    Attributes:
        session: What the server answered to the handshake.
        resumes: Whether the server keeps what this hub missed.
        heard: When something arrived last, on `time.monotonic()`.
        unanswered: The packets of events that arrived and are still to be acknowledged.
        dropped: Whether an event had to be dropped.
    """

    def __init__(self, opened: Any, session: wire.SocketIoSession, *, resumes: bool) -> None:
        self._socket = opened  # websocket-client annotates only half of its methods
        self.session = session
        self.resumes = resumes
        self.heard = time.monotonic()
        self.unanswered: list[str] = []
        self.dropped = False

    @classmethod
    def open(cls, options: Options, hub: str) -> SocketIoLink:
        """Shake hands and open the WebSocket.

        Args:
            options: The hub's.
            hub: The value of the header that names this hub.

        Raises:
            EventHubConnectionError: when that fails, without any credential in its text.
        """
        session, resumes = _shake_hands(options, hub)
        silence = min(max(session.heartbeatTimeout or _SILENCE[1], _SILENCE[0]), _SILENCE[1])
        return cls(_open_socket(options, session.id, silence), session, resumes=resumes)

    def send(self, packet: str) -> None:
        """Send a packet.

        Raises:
            LinkBroken: when that fails; the connection is of no more use.
        """
        try:
            self._socket.send(packet)
        except (OSError, websocket.WebSocketException, AttributeError) as error:
            # websocket-client forgets its socket while another thread closes it: an AttributeError.
            self.abort()
            raise LinkBroken(f"sending failed: {_reason(error)}") from error
        except BaseException:
            self.abort()  # an interrupt in the middle of a frame
            raise

    def receive(self) -> str:
        """The next packet; waits no longer than the server promised to be silent.

        Raises:
            LinkBroken: when the connection ended or was silent for too long.
        """
        try:
            code, data = self._socket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise LinkBroken("nothing was heard from the server for too long") from error
        except (OSError, websocket.WebSocketException, ValueError, AttributeError) as error:
            raise LinkBroken(f"the connection ended: {_reason(error)}") from error
        if code != websocket.ABNF.OPCODE_TEXT:
            raise LinkBroken("the server closed the connection")
        self.heard = time.monotonic()
        return str(data, "utf-8", "replace")

    def has_more(self) -> bool:
        """Whether something has arrived that was not received yet."""
        plain = self._socket.sock
        try:
            return bool(getattr(plain, "pending", int)() or select.select([plain], [], [], 0)[0])
        except (OSError, ValueError, TypeError):
            return False

    def abort(self) -> None:
        """End the connection at once, and wake whoever sends or receives."""
        with contextlib.suppress(OSError):
            self._socket.abort()

    def close(self) -> None:
        """End the connection politely if it is still there, and free the socket."""
        with contextlib.suppress(OSError, websocket.WebSocketException, AttributeError):
            self._socket.close(timeout=1)
        self._socket.shutdown()

    def drop(self) -> None:
        """Free the socket without a word on the wire: it is another process's."""
        self._socket.shutdown()


def _shake_hands(options: Options, hub: str) -> tuple[wire.SocketIoSession, bool]:
    headers = {**options.headers, wire.HUB_HEADER: hub}
    if options.api_user is not None:
        headers["ftrack-user"] = options.api_user
    if options.api_key is not None:
        headers["ftrack-api-key"] = options.api_key
    if options.cookies:
        headers["Cookie"] = _cookie(options)
    http = HttpTransport(
        verify=options.verify,
        cert=options.cert,
        proxies=options.proxies,
        connect_timeout=_CONNECT_SECONDS,
        pool_size=1,
        max_response_size=_LARGEST_HANDSHAKE,
    )
    request = Request("GET", f"{_origin(options.server_url)}/socket.io/1/", headers)
    try:
        response = http.send(request, Deadline.after(_CONNECT_SECONDS))
    except RequestError as error:
        raise EventHubConnectionError(f"the event server cannot be reached: {error.message}") from error
    finally:
        http.close()
    if response.status != 200:
        raise EventHubConnectionError(
            f"the event server answered {response.status} to the handshake",
            hint="check the API user and key" if response.status in {401, 403} else "",
        )
    try:
        session = wire.parse_session(response.text)
    except EventHubPacketError as error:
        raise EventHubConnectionError(error.message) from error
    if "websocket" not in session.supportedTransports:
        raise EventHubConnectionError("the event server does not offer websockets")
    return session, wire.RESUME_HEADER in response.headers


def _open_socket(options: Options, session_id: str, silence: float) -> Any:
    parts = urlsplit(options.server_url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    url = (
        f"{'wss' if secure else 'ws'}://{parts.netloc.rpartition('@')[2]}/socket.io/1/websocket/{session_id}"
    )
    context = shared_context(options.verify, options.cert) if secure else None
    opened: Any = BoundedWebSocket(options.max_message_size, sslopt={"context": context} if context else None)
    settings: dict[str, Any] = {
        "timeout": _CONNECT_SECONDS,
        "header": [f"{name}: {value}" for name, value in options.headers.items()],
        "cookie": _cookie(options) or None,
        "redirect_limit": 0,
        "suppress_origin": True,
    }
    # Its timeout is for each read: a server that sends a byte now and then would never be left.
    watch = threading.Timer(_CONNECT_SECONDS, _cut, [opened])
    watch.daemon = True
    watch.start()
    try:
        proxy = proxy_for(parts.scheme, host, port, options.proxies)
        if proxy is not None:
            settings.update(_proxy_settings(proxy))
        else:
            # A socket of our own: websocket-client would ask the environment for a proxy once more.
            plain = connect(host, port, socket.AF_UNSPEC, _CONNECT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            settings["socket"] = context.wrap_socket(plain, server_hostname=host) if context else plain
        opened.connect(url, **settings)
    except (OSError, websocket.WebSocketException, ValueError) as error:
        opened.shutdown()
        raise EventHubConnectionError(f"the websocket cannot be opened: {_reason(error)}") from error
    finally:
        watch.cancel()
    opened.settimeout(silence)
    return opened


def _cut(opened: Any) -> None:
    """End a connection that is still being made; whoever reads from it hears so."""
    with contextlib.suppress(OSError, AttributeError):  # there is none yet, or none any more
        opened.sock.shutdown(socket.SHUT_RDWR)


def _proxy_settings(proxy: str) -> dict[str, Any]:
    where, credentials = split_credentials(proxy)
    parts = urlsplit(where)
    settings: dict[str, Any] = {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port or 80}
    if credentials:
        settings["http_proxy_auth"] = tuple(credentials.split(":", 1))
    return settings


def _origin(url: str) -> str:
    """Scheme, host and port: the server's event hub is never below a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _cookie(options: Options) -> str:
    return "; ".join(f"{name}={value}" for name, value in options.cookies.items())


def _reason(error: BaseException) -> str:
    """The kind of an error: its text may hold the URL, and with it the session's identifier."""
    return getattr(error, "strerror", None) or type(error).__name__
