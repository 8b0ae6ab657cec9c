"""The sandbox: one local server that speaks the protocols of every backend's service.

with Sandbox() as box:                       # every installed service, with demo data
    session = DynectSession("acme", "ann", "...", host=box.url)
    box.fault("latency", seconds=0.5)
    box.requests(path="/REST/Session*")
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError
from sessionkit.sandbox.application import Application, add_fault
from sessionkit.sandbox.data import read_data, read_yaml
from sessionkit.sandbox.events import EventService
from sessionkit.sandbox.faults import Fault, Faults, parse_fault
from sessionkit.sandbox.journal import Journal, Received
from sessionkit.sandbox.server import Server, ServerThread, listen
from sessionkit.sandbox.service import Service
from sessionkit.sandbox.socketio import SocketIoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from starlette.types import Scope
    from typing_extensions import Self

    from sessionkit.clock import Clock

    T = TypeVar("T")

ENTRY_POINTS = "sessionkit.sandbox"


class Sandbox:
    """A local server that hosts the services' doubles; a context manager, or `start()` and `stop()`.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 picks a free one.
        db: SQLite file that keeps the services' state, or ":memory:".
        data: Data files (YAML) or mappings of the same form, loaded in this order over the demo data.
        faults: A YAML file with a list of faults, or the list itself.
        services: Classes to host; None is every one installed (entry points `sessionkit.sandbox`).
        clock: The services' time; give a `ManualClock` to let tokens expire.
        tls: Certificate file and key file, to serve https.

    Attributes:
        url: Where it listens, without a trailing slash. Known once it is started.
        env: Environment variables by which the vendors' clients and our backends find it.
        services: The hosted services; the last is the event server.
        events: The event server.
        journal: What was received; ask `requests()`.

    Raises:
        ConfigurationError: for data, faults, an address or a database that cannot work.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        db: str | Path = ":memory:",
        data: Sequence[str | Path | Mapping[str, Any]] = (),
        faults: str | Path | Sequence[Mapping[str, Any]] | None = None,
        services: Sequence[type[Service]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.clock = clock
        self.url = ""
        self.data_folder = Path.cwd()
        self.faults = Faults()
        self.journal = Journal()
        self.services: list[Service] = []
        self.events = SocketIoServer(clock)
        self._address = (host, port)
        self._db_path = db
        self._data = data
        self._given_faults = faults
        self._classes = services
        self._tls = tls
        self._thread: ServerThread | None = None

    def start(self) -> Self:
        """Begin to serve; returns once requests are answered."""
        if self._thread is not None:
            raise ConfigurationError("this sandbox was started already", hint="make another one")
        with contextlib.ExitStack() as undo:
            self._thread = self._make_thread(undo)
            self._thread.start()
            undo.pop_all()
        return self

    def _make_thread(self, undo: contextlib.ExitStack) -> ServerThread:
        """Everything up to serving; `undo` takes it back when a later step fails."""
        undo.callback(setattr, self, "_thread", None)
        classes = installed_services() if self._classes is None else self._classes
        listener = listen(*self._address)
        undo.callback(listener.close)
        name, port = listener.getsockname()[:2]
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"
        self.db = _connect(self._db_path)
        undo.callback(self.db.close)
        hosted: list[type[Service]] = [*classes, EventService]
        self.services = [service(self) for service in hosted]
        self._seed()
        app = Application(
            self, [(service.name, route) for service in self.services for route in service.routes()]
        )
        return ServerThread(
            app, listener, tls=self._tls, before=self._start_services, after=self._stop_services
        )

    def stop(self) -> None:
        """Close every connection and end the server; does nothing when it is not running."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
            self.db.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def env(self) -> dict[str, str]:
        """Environment variables by which the vendors' clients and our backends find the services."""
        found = {"SESSIONKIT_SANDBOX_URL": self.url}
        for service in self.services:
            found.update(service.env())
        return found

    def fault(
        self,
        kind: str,
        *,
        service: str | None = None,
        path: str | None = None,
        method: str | None = None,
        times: int | None = 1,
        after: int = 0,
        **options: Any,
    ) -> None:
        """Let something go wrong; see `sessionkit.sandbox.faults` for the kinds.

        Raises:
            ConfigurationError: for a kind, an option or a service that does not exist.
        """
        fault = Fault(kind, service, path, method, times, after, options)
        self._on_loop(lambda: add_fault(self, fault))

    def requests(self, service: str | None = None, path: str | None = None) -> list[Received]:
        """What was received, oldest first; `path` is a pattern such as "/REST/Zone/*"."""
        return self._on_loop(lambda: self.journal.find(service, path))

    def clear(self) -> None:
        """Forget the received requests and the waiting faults."""
        self._on_loop(self.journal.clear)
        self._on_loop(self.faults.clear)

    def service(self, name: str) -> Service:
        """The hosted service of this name.

        Raises:
            ConfigurationError: when there is none.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise ConfigurationError(
            f"there is no service {name!r}",
            hint=f"services: {', '.join(each.name for each in self.services)}",
        )

    def publish(self, event: Mapping[str, Any]) -> None:
        """Send an event to the clients of the sandbox's event server."""
        self.events.publish(event)

    @property
    def server(self) -> Server | None:
        """The running uvicorn server."""
        return self._thread.server if self._thread else None

    @property
    def connections(self) -> int:
        """How many connections clients hold at this moment."""
        server = self.server
        return len(server.server_state.connections) if server else 0

    def transport(self, scope: Scope) -> asyncio.Transport | None:
        """The connection that a request came on, while it is there."""
        server = self.server
        return server.transport(scope) if server else None

    @property
    def leaving(self) -> asyncio.Event:
        """Set once the sandbox stops; for what runs on its loop."""
        server = self.server
        return server.leaving if server else asyncio.Event()

    def _on_loop(self, work: Callable[[], T]) -> T:
        """Do something where no request is being handled: on the server's own loop."""

        async def run() -> T:
            return work()

        if self._thread is None:
            raise ConfigurationError(
                "the sandbox is not running", hint="use it in a with-block, or call start()"
            )
        return self._thread.call(run)

    def _seed(self) -> None:
        """Make the tables, load demo data into a new database, then the data files and the faults."""
        for service in self.services:
            service.setup()
        fresh = _mark_seeded(self.db)
        for service in self.services if fresh else ():
            service.load(service.demo(), replace=False)
        names = frozenset(service.name for service in self.services)
        for source in self._data:
            given = read_data(source, names)
            self.data_folder = given.folder
            for service in self.services:
                if given.replace or service.name in given.sections:
                    service.load(given.sections.get(service.name, {}), replace=given.replace)
        for fault in _read_faults(self._given_faults):
            add_fault(self, fault)

    async def _start_services(self) -> None:
        for service in self.services:
            await service.start()

    async def _stop_services(self) -> None:
        for service in reversed(self.services):
            await service.stop()


def installed_services() -> list[type[Service]]:
    """The service classes of every installed backend, by entry point.

    Raises:
        ConfigurationError: naming the entry point that cannot be loaded or is no `Service`.
    """
    found = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
        except Exception as error:
            raise ConfigurationError(
                f"the sandbox service {entry.name!r} cannot be loaded: {error}",
                hint=f"it is declared as {entry.value!r} under {ENTRY_POINTS!r}",
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, Service)):
            raise ConfigurationError(f"{entry.value!r} is no sessionkit.sandbox.Service")
        found.append(loaded)
    return found


def _connect(path: str | Path) -> sqlite3.Connection:
    # Services are made by the caller's thread and then used by the server's, never by both at once.
    try:
        db = sqlite3.connect(os.fspath(path), check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path} cannot be the sandbox's database: {error}") from error
    db.row_factory = sqlite3.Row
    return db


def _mark_seeded(db: sqlite3.Connection) -> bool:
    """Whether this database is new; the next time it is not."""
    with db:
        db.execute("CREATE TABLE IF NOT EXISTS sandbox_state (key TEXT PRIMARY KEY)")
        return db.execute("INSERT OR IGNORE INTO sandbox_state VALUES ('seeded')").rowcount == 1


def _read_faults(given: str | Path | Sequence[Mapping[str, Any]] | None) -> list[Fault]:
    content = read_yaml(Path(given)) if isinstance(given, (str, Path)) else given
    if content is None:
        return []
    if not isinstance(content, (list, tuple)):
        raise ConfigurationError(f"faults are a list of mappings, not {content!r}")
    return [parse_fault(dict(each) if isinstance(each, dict) else each) for each in content]
