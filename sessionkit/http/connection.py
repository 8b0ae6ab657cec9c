"""urllib3's connections, with an end to every request and answer and without a word after a fork."""

from __future__ import annotations

import os
import queue
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from urllib3 import connection, connectionpool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.poolmanager import PoolManager, ProxyManager
from urllib3.util import Timeout
from urllib3.util.connection import allowed_gai_family, create_connection, is_connection_dropped

from sessionkit import fork
from sessionkit.http.answer import Answer, Arrived, BoundedReader, Buffered, Socket, TLSSocket
from sessionkit.http.names import connect

if TYPE_CHECKING:
    from http.client import HTTPResponse


class _Bounded(connection.HTTPConnection):
    """What our HTTP and HTTPS connections have in common."""

    _reader: BoundedReader | None = None
    _ahead: bytes | bytearray = b""
    _whole: Arrived | None = None
    _end: float | None = None

    def bound(self, seconds: float | None) -> None:
        """Have the next request sent within so many seconds."""
        self._end = None if seconds is None else time.monotonic() + seconds

    def connect(self) -> None:
        super().connect()
        fork.aware(self)
        self._limit_socket()

    def _new_conn(self) -> socket.socket:
        """Connect to one of the host's addresses: together they have the time that urllib3 gives each."""
        try:
            plain = connect(self._dns_host, self.port, allowed_gai_family(), self.timeout, self._attempt)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} took too long to connect to: {error}") from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {self.host}: {error}") from error
        except UnicodeError as error:
            raise LocationParseError(f"{self.host!r}: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return Socket.of(plain)

    def _attempt(self, address: tuple[str, int], seconds: float | None) -> socket.socket:
        return create_connection(address, seconds, self.source_address, self.socket_options)

    def send(self, data: Any) -> None:
        """A kept connection's socket still has the timeout of the call before."""
        self._limit_socket()
        super().send(data)

    def _limit_socket(self) -> None:
        if self._end is not None and self.sock is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.sock.settimeout(left)

    def response_class(  # type: ignore[override]  # a factory serves where a class does
        self, sock: socket.socket, *args: Any, **options: Any
    ) -> HTTPResponse:
        """`http.client` makes the answer's parser by this name."""
        if self._whole is not None:
            return Answer(self._whole, *args, **options)  # type: ignore[arg-type]  # all it wants is a file
        response = Answer(sock, *args, **options)
        self._reader = response.reader = BoundedReader(response.fp.detach(), sock, self._ahead)
        response.fp = Buffered(response.reader)
        return response

    def getresponse(self) -> Any:
        response = super().getresponse()
        response.reader = self._reader  # type: ignore[attr-defined]  # for Transport, to unbind streams
        self._reader = None
        return response

    def ask(self, method: str, target: str, head: bytes, body: bytes | None) -> None:
        """Send a request whose head is written already, but for its first line and Host."""
        self.putrequest(method, target, skip_accept_encoding=True)
        self._output(head)  # type: ignore[attr-defined]  # in no stub: http.client's own way to add a line
        self.endheaders(body)

    def hear(self, ahead: bytes | bytearray, seconds: float, *, whole: bool) -> Answer:
        """http.client's response to what was asked.

        Args:
            ahead: What of it was read before.
            seconds: Until all of it must have come.
            whole: Whether it has.
        """
        self._whole = Arrived(ahead) if whole else None
        self._ahead = ahead
        self.sock.settimeout(seconds)
        try:
            return super(connection.HTTPConnection, self).getresponse()  # type: ignore[return-value]  # see above
        finally:
            self._ahead, self._whole, self._reader = b"", None, None

    def after_fork_in_child(self) -> None:
        """Close the inherited descriptor: no shutdown, no TLS alert, nothing the peer could notice."""
        sock, self.sock = self.sock, None
        if sock is not None:
            os.close(sock.detach())


class _Connection(_Bounded):
    pass


class _TLSConnection(_Bounded, connection.HTTPSConnection):
    @property
    def is_connected(self) -> bool:
        """Whether it stands, and nothing has come that nobody asked for: not even decrypted already."""
        return not (isinstance(self.sock, TLSSocket) and self.sock.pending()) and super().is_connected


class _BoundedPool(connectionpool.HTTPConnectionPool):
    def _make_request(  # type: ignore[override]  # urllib3 gives the rest by name
        self, conn: Any, method: str, url: str, **options: Any
    ) -> Any:
        timeout = options["timeout"]
        conn.bound(timeout.total)
        if conn.sock is not None:
            options["timeout"] = Timeout(timeout.total)  # it is connected, and keeps to the one bound
        return super()._make_request(conn, method, url, **options)

    def take_idle(self) -> Any:
        """A connection that stands and that nobody uses, or None; see `give_back`."""
        try:
            conn = self.pool.get(block=False)  # type: ignore[union-attr]  # caught below
        except (queue.Empty, AttributeError):  # none is left, or the pool was closed
            return None
        if conn is None or not isinstance(conn.sock, (Socket, TLSSocket)):
            self._put_conn(conn)
            return None
        if is_connection_dropped(conn):
            conn.close()
            self._put_conn(conn)
            return None
        return conn

    def give_back(self, conn: Any) -> None:
        """Let others use a connection."""
        self._put_conn(conn)


class _Pool(_BoundedPool):
    ConnectionCls = _Connection


class _TLSPool(_BoundedPool, connectionpool.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS = {"http": _Pool, "https": _TLSPool}


def pool_manager(proxy: str | None, proxy_headers: dict[str, str] | None, **options: Any) -> PoolManager:
    """urllib3's manager of pools of such connections, direct or through `proxy`."""
    manager = (
        PoolManager(**options)
        if proxy is None
        else ProxyManager(proxy, proxy_headers=proxy_headers, **options)
    )
    manager.pool_classes_by_scheme = POOLS
    return manager
