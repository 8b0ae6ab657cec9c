"""Cached entities that follow what the server says has changed."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from sessionkit.events.errors import EventHubError
from sessionkit_review.news import Changed, doubt_all, take_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sessionkit.events import EventHub
    from sessionkit_review.session import ReviewSession

log = logging.getLogger(__name__)

UPDATE: Final = "ftrack.update"
CONNECTED: Final = "ftrack.meta.connected"

# Events name types in a spelling of their own; the rest are the type's name in lower case.
_SPELLINGS: Final[Mapping[str, Callable[[Mapping[str, Any]], bool]]] = {
    "task": lambda schema: (
        "object_type_id" in schema["properties"] and "context_type" in schema["properties"]
    ),
    "show": lambda schema: schema["id"] in {"Project", "Context"},
    "component": lambda schema: str(schema["id"]).endswith("Component"),
    "list": lambda schema: str(schema["id"]).endswith("List"),
}


class Names:
    """The entity types that an event may mean by its spelling of one."""

    def __init__(self, schemas: Iterable[Mapping[str, Any]]) -> None:
        self._schemas = list(schemas)
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, spelling: str) -> tuple[str, ...]:
        """Their names; () when there is none."""
        if spelling not in self._known:
            means = _SPELLINGS.get(spelling)
            self._known[spelling] = tuple(
                str(each["id"])
                for each in self._schemas
                if (means(each) if means else each["id"].lower() == spelling.lower())
            )
        return self._known[spelling]


class Members:
    """The sessions of a family; holds none alive."""

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[ReviewSession]] = {}

    def add(self, session: ReviewSession) -> None:
        """One more."""
        key = id(session)
        self._references[key] = weakref.ref(session, lambda _: self._references.pop(key, None))

    def open(self) -> list[ReviewSession]:
        """Those that are there and open."""
        found = (reference() for reference in list(self._references.values()))
        return [session for session in found if session is not None and not session.closed]


class Following:
    """Lets a family of sessions follow the events of their hub.

    Handlers run in whichever thread waits for the hub's events. What a session committed itself it knows
    already: events that carry its token are passed over.

    Args:
        hub: Where changes are announced.
        members: The sessions that share it.
    """

    def __init__(self, hub: EventHub, members: Members) -> None:
        self._members = members
        self._names: Names | None = None
        hub.subscribe(f"topic={UPDATE}", self._on_update)
        hub.subscribe(f"topic={CONNECTED}", self._on_connected)

    def _on_update(self, event: Any) -> None:
        data = event["data"]
        entities = data.get("entities") if isinstance(data, dict) else None
        for change in entities if isinstance(entities, list) else ():
            if isinstance(change, dict) and isinstance(change.get("entityId"), str):
                self._changed(change, data.get("clientToken"))

    def _changed(self, change: Mapping[str, Any], token: Any) -> None:
        for session in self._members.open():
            if session.client_token == token:
                continue
            action, parent = change.get("action"), change.get("parentId")
            changed = Changed(
                self._names_of(session, str(change.get("entityType"))),
                change["entityId"].split(","),
                removed=action == "remove",
                parent=parent if action in {"add", "remove"} and isinstance(parent, str) else "",
            )
            session.news.add(changed)  # first: what is decoded from now on sees it
            take_in(session, changed)

    def _names_of(self, session: ReviewSession, spelling: str) -> tuple[str, ...]:
        if self._names is None:
            self._names = Names(session.schemas)
        return self._names.of(spelling)

    def _on_connected(self, _event: Any) -> None:
        """The connection is new: what happened before was not heard, so nothing here is certain."""
        for session in self._members.open():
            session.news.add(None)
            doubt_all(session)


class Connecting:
    """Connects a hub in the background, for as long as it takes, and has its events handled.

    Attributes:
        error: Why the latest attempt failed; None once connected.
    """

    def __init__(self, hub: EventHub, *, longest: float = 30.0) -> None:
        self._hub = hub
        self._longest = longest
        self._ended = threading.Event()
        self.error: EventHubError | None = None
        hub.init_connection()
        self._thread = threading.Thread(target=self._run, name="sessionkit-review-connect", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        delay = 0.25
        while not self._ended.is_set():
            try:
                if not self._hub.connected:
                    self._hub.connect()
            except EventHubError as error:
                log.warning("the event server cannot be reached, trying again: %s", error.message)
                self.error = error
                self._ended.wait(delay)
                delay = min(2 * delay, self._longest)
                continue
            self.error = None
            self._hub.run_in_thread()
            break
        if self._ended.is_set():
            self._hub.close()

    def wait(self, timeout: float) -> bool:
        """Wait for the connection, for so many seconds; whether it is there."""
        self._thread.join(timeout)
        return self._hub.connected

    def stop(self) -> None:
        """Try no longer."""
        self._ended.set()
