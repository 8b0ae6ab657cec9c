"""The event server as one of the sandbox's services, always there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.routing import BaseRoute


class EventService(Service):
    """Hosts `host.events`, to which the other services publish; see `sessionkit.sandbox.socketio`."""

    name = "events"

    def routes(self) -> Sequence[BaseRoute]:
        """The event server's own."""
        return self.host.events.routes()

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:  # noqa: ARG002 - nothing to replace
        """Refuse any data: events are not kept.

        Raises:
            ConfigurationError: when there is any.
        """
        if data:
            raise ConfigurationError("the event server takes no data", hint="remove the section `events`")

    def fault(self, kind: str, options: Mapping[str, Any]) -> bool:
        """Do one of the event server's faults.

        Raises:
            ConfigurationError: for an option that it does not have.
        """
        try:
            return self.host.events.fault(kind, options)
        except TypeError as error:
            raise ConfigurationError(f"the fault {kind!r} has not these options: {error}") from error

    async def stop(self) -> None:
        """End the event server's timer."""
        self.host.events.stop()
