"""What a backend brings to the sandbox: a `Service` that answers for the real one.

A service is named under the entry-point group `sessionkit.sandbox`; the host makes one of each:

    class WeatherService(Service):
        name = "weather"

        def routes(self):
            return [Route("/weather/v1/forecast/{city}", self.forecast)]

        async def forecast(self, request):
            return JSONResponse({"city": request.path_params["city"], "sky": "clear"})
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from starlette.routing import BaseRoute

    from sessionkit.clock import Clock
    from sessionkit.sandbox.socketio import SocketIoServer


class Host(Protocol):
    """What the sandbox lends its services.

    Attributes:
        db: One SQLite database for all services (`--db`). Every handler is `async` and runs on one event
            loop, so it is never used by two at once; group writes with `with host.db:`. Prefix tables
            with the service's name.
        clock: The sandbox's time; tests turn it to let tokens expire.
        url: Where the sandbox listens, without a trailing slash: "http://127.0.0.1:8000".
        events: The event server. Append to its `authenticators` to have a say in who may connect.
        data_folder: While `load` runs, where relative file names of the data start from.
    """

    db: sqlite3.Connection
    clock: Clock
    url: str
    events: SocketIoServer
    data_folder: Path

    def publish(self, event: Mapping[str, Any]) -> None:
        """Send an event (at least `topic` and `data`) to the clients of the sandbox's event server."""


class Service(ABC):
    """One service double; see the module's text for a line of usage.

    Attributes:
        name: The key of this service in `--data` files, faults and the request log.
    """

    name: ClassVar[str]

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The service's routes at the paths of the real one, from the root of the server."""

    def setup(self) -> None:  # noqa: B027 - a service without tables has nothing to make
        """Create tables (`CREATE TABLE IF NOT EXISTS`), before any data is loaded."""

    def demo(self) -> Mapping[str, Any]:
        """Believable data for a newcomer, in the form of this service's section of a `--data` file."""
        return {}

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:  # noqa: B027
        """Store this service's section of a data file, over what is there or instead of it.

        Raises:
            ConfigurationError: naming the key that is wrong.
        """

    def env(self) -> Mapping[str, str]:
        """Environment variables by which the vendor's client and our backend find this service."""
        return {}

    def fault(self, kind: str, options: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Do a fault that only this service can do (expire or revoke tokens, block a zone).

        Returns whether `kind` is one of this service's.
        """
        return False

    async def start(self) -> None:  # noqa: B027
        """Begin background work, once the server's loop runs."""

    async def stop(self) -> None:  # noqa: B027
        """End background work."""
