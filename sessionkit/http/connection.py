"""urllib3's connections, with an end to every answer and without a word after a fork.

urllib3's read timeout starts anew with every packet, so that a server that drips one byte at a time is
waited for without end. Here the timeout a request was sent with bounds its whole answer.
"""

from __future__ import annotations

import io
import os
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3 import connection, connectionpool
from urllib3.poolmanager import PoolManager, ProxyManager

from sessionkit import fork

if TYPE_CHECKING:
    import socket


class BoundedReader(io.RawIOBase):
    """The bytes of one answer, until its time is up."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket) -> None:
        self._stream = stream
        self._sock = sock
        limit = sock.gettimeout()
        self._end = None if limit is None else time.monotonic() + limit

    def unbound(self, idle: float | None) -> None:
        """Go on for as long as data comes, waiting at most `idle` seconds for more."""
        self._end = None
        self._sock.settimeout(idle)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, or wait for it until the end.

        Raises:
            TimeoutError: at the end.
        """
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        """Close the socket's file, as the object it stands for would."""
        if not self.closed:
            self._stream.close()
        super().close()


class _Bounded(connection.HTTPConnection):
    """What our HTTP and HTTPS connections have in common."""

    reader: BoundedReader | None = None

    def connect(self) -> None:
        super().connect()
        fork.aware(self)

    def response_class(  # type: ignore[override]  # a factory serves where a class does
        self, sock: socket.socket, *args: Any, **options: Any
    ) -> HTTPResponse:
        """`http.client` makes the answer's parser by this name."""
        response = HTTPResponse(sock, *args, **options)
        self.reader = BoundedReader(response.fp.detach(), sock)
        response.fp = io.BufferedReader(self.reader)
        return response

    def getresponse(self) -> Any:
        response = super().getresponse()
        response.reader = self.reader  # type: ignore[attr-defined]  # for Transport, to unbind streams
        self.reader = None
        return response

    def after_fork_in_child(self) -> None:
        """Close the inherited descriptor: no shutdown, no TLS alert, nothing the peer could notice."""
        sock, self.sock = self.sock, None
        if sock is not None:
            os.close(sock.detach())


class _Connection(_Bounded):
    pass


class _TLSConnection(_Bounded, connection.HTTPSConnection):
    pass


class _Pool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


def pool_manager(proxy: str | None, proxy_headers: dict[str, str] | None, **options: Any) -> PoolManager:
    """urllib3's manager of pools of such connections, direct or through `proxy`."""
    manager = (
        PoolManager(**options)
        if proxy is None
        else ProxyManager(proxy, proxy_headers=proxy_headers, **options)
    )
    manager.pool_classes_by_scheme = _POOLS
    return manager
