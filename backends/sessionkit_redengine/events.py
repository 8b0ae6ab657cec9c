"""Events that tasks wait for: the hubs that are listened to, and what has come and was not run for yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sessionkit import registry
from sessionkit_redengine.conditions.base import All, Condition
from sessionkit_redengine.conditions.base import Any as AnyOf
from sessionkit_redengine.conditions.session import OnEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionkit.events import EventHub
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.tasks.base import Task

    Listener = tuple[EventHub, str]

_MOST = 1_000
_TRY_AGAIN = 10.0


class Events:
    """The events of one scheduler.

    Args:
        session: The scheduler's session.
        arrived: Called from the hub's thread with each event and the condition that it matches.
    """

    def __init__(self, session: Session, arrived: Callable[[OnEvent, Mapping[str, Any]], None]) -> None:
        self._session = session
        self._arrived = arrived
        self._waiting: dict[tuple[str, Condition], deque[Mapping[str, Any]]] = {}
        self._listeners: dict[OnEvent, list[Listener]] = {}
        self._deaf: dict[OnEvent, float] = {}

    def waiting(self, task: Task | None, condition: Condition) -> int:
        """How many events a task has not run for."""
        return len(self._waiting.get((task.name if task is not None else "", condition), ()))

    def add(self, task: Task, condition: Condition, event: Mapping[str, Any]) -> None:
        """Have an event wait for a task."""
        queue = self._waiting.setdefault((task.name, condition), deque())
        if len(queue) == _MOST:
            queue.popleft()
            self._session.report(f"task {task.name!r} has {_MOST} events waiting: the oldest was dropped")
        queue.append(event)

    def take(self, task: Task) -> Mapping[str, Any] | None:
        """The event that a run of a task is for, taken off; None when it is for something else."""
        if not self._waiting:
            return None
        taken = self._take(task, task.start_cond)
        return taken[0] if taken else None

    def _take(self, task: Task, condition: Condition) -> list[Mapping[str, Any]]:
        if isinstance(condition, OnEvent):
            queue = self._waiting.get((task.name, condition))
            return [queue.popleft()] if queue else []
        if isinstance(condition, (All, AnyOf)):
            taken = []
            for part in condition.conditions:
                taken += self._take(task, part)
                if taken and isinstance(condition, AnyOf):
                    break
            return taken
        return []

    def listen(self, condition: OnEvent) -> None:
        """Subscribe for a condition, where nobody has; where that fails, try again each ten seconds."""
        if condition in self._listeners:
            return
        from sessionkit.events import EventHubError  # noqa: PLC0415 - schedules without events

        try:
            self._listeners[condition] = [self._subscribed(hub, condition) for hub in self._hubs(condition)]
        except EventHubError as error:
            self._session.report(f"{condition!r} hears nothing: {error.message}", error)
            self._deaf[condition] = self._session.clock.time() + _TRY_AGAIN

    def _subscribed(self, hub: EventHub, condition: OnEvent) -> Listener:
        if not hub.connected:
            hub.connect()
        subscriber = hub.subscribe(condition.expression, self._callback(condition))
        hub.run_in_thread()
        return hub, subscriber

    @property
    def next_try(self) -> float:
        """When to try again to subscribe; infinity where all is well."""
        return min(self._deaf.values(), default=float("inf"))

    def clock_set_back(self) -> None:
        """Wait no longer than usual to try again."""
        self._deaf = dict.fromkeys(self._deaf, self._session.clock.time() + _TRY_AGAIN)

    def try_again(self, now: float) -> None:
        """Subscribe where it failed before, if it is time to."""
        for condition in [condition for condition, at in self._deaf.items() if at <= now]:
            del self._deaf[condition]
            self.listen(condition)

    def _callback(self, condition: OnEvent) -> Callable[[Any], None]:
        def heard(event: Any) -> None:
            self._arrived(condition, dict(event))

        return heard

    def _hubs(self, condition: OnEvent) -> list[EventHub]:
        if condition.source is None:
            return [self._session.event_hub]
        found = {
            id(session.event_hub): session.event_hub
            for session in registry.sessions()
            if condition.source in {session.__metakey__, session.profile_name}
        }
        if not found:
            self._session.report(f"no session {condition.source!r} is open: {condition!r} will hear nothing")
        return list(found.values())

    def close(self) -> None:
        """Listen no more; what waits goes on waiting for the next start."""
        listeners, self._listeners = self._listeners, {}
        self._deaf.clear()
        for hub, subscriber in (listener for heard in listeners.values() for listener in heard):
            if hub.get_subscriber_by_identifier(subscriber) is not None:
                hub.unsubscribe(subscriber)

    def forget(self, task: Task) -> None:
        """Drop what waits for a task."""
        for key in [key for key in self._waiting if key[0] == task.name]:
            del self._waiting[key]
