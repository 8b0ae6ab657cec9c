"""uvicorn in a thread of its own, stopped without a trace and without waiting for its ticks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from sessionkit.errors import ConfigurationError, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any, TypeVar

    from starlette.types import ASGIApp, Scope

    T = TypeVar("T")

#: Vendors' clients break when an idle connection is closed under them, so none ever is (seconds: a month).
_KEEP_ALIVE = 30 * 24 * 3600
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Server(uvicorn.Server):
    """A uvicorn server that leaves at once when told to, whatever its clients are doing."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self.leaving = asyncio.Event()
        self._tell_started = started

    async def main_loop(self) -> None:
        """Serve until `leaving` is set; once a second the Date header is renewed."""
        await self.on_tick(0)
        self._tell_started()
        while not self.leaving.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), 1.0)
            await self.on_tick(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection, then give the handlers a moment to notice it."""
        loop = asyncio.get_running_loop()
        for listener in sockets or ():
            loop.remove_reader(listener)
        # A connection that was just accepted must become known before its server closes: CPython
        # (gh-109564) would lose it, open for ever.
        for _ in range(10):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        patience = loop.time() + 1.0
        while self.server_state.connections or self.server_state.tasks:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            if loop.time() > patience:
                for task in list(self.server_state.tasks):
                    task.cancel()
            await asyncio.sleep(0.002)

    def transport(self, scope: Scope) -> asyncio.Transport | None:
        """The connection that a request came on."""
        for connection in self.server_state.connections:
            if getattr(connection, "client", None) == scope["client"]:
                transport: asyncio.Transport = connection.transport
                return transport
        return None


class ServerThread:
    """Runs an ASGI application on a listening socket, in a thread.

    Args:
        app: What to serve.
        listener: A bound socket; it is closed with the server.
        tls: Certificate and key file, for HTTPS.
        before: Awaited on the server's loop before the first request.
        after: Awaited on it after the last.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        tls: tuple[str, str] | None,
        before: Callable[[], Awaitable[None]],
        after: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._listener = listener
        self._tls = tls
        self._before = before
        self._after = after
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="sessionkit-sandbox", daemon=True)
        self.server: Server | None = None

    def start(self) -> None:
        """Begin to serve; returns once requests are accepted.

        Raises:
            ConfigurationError: when the server cannot start, for example for a bad certificate.
        """
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        if self._failure is not None or not self._ready.is_set():
            self._thread.join(_STOP_SECONDS)
            raise ConfigurationError(
                f"the sandbox did not start: {self._failure or 'no answer'}"
            ) from self._failure

    def stop(self) -> None:
        """Close every connection and end the thread.

        Raises:
            DeadlineExceeded: when a service's code does not end.
        """
        if self._loop is not None and self.server is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop ended between the question and the call
                self._loop.call_soon_threadsafe(self.server.leaving.set)
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise DeadlineExceeded(f"the sandbox did not stop within {_STOP_SECONDS:g} s")

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the server's loop and wait for its result."""
        if self._loop is None or not self._thread.is_alive():
            raise ConfigurationError(
                "the sandbox is not running", hint="use it in a with-block, or call start()"
            )
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._failure = error
        finally:
            self._listener.close()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.server = Server(self._config(), self._ready.set)
        await self._before()
        try:
            await self.server.serve(sockets=[self._listener])
        finally:
            await self._after()

    def _config(self) -> uvicorn.Config:
        certificate, key = self._tls or (None, None)
        return uvicorn.Config(
            self._app,
            loop="asyncio",
            interface="asgi3",
            ws="websockets-sansio",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one.

    Raises:
        ConfigurationError: when the address is unknown, taken or not ours.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        # asyncio turns Nagle's algorithm off only where the protocol is named; else answers wait 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"the sandbox cannot listen on {host}:{port}: {error}", hint="port 0 picks a free one"
        ) from error
    return listener
