"""What a session has changed and not yet published, as far as its own calls tell.

The service keeps changes with the token that made them: when the token ends, they are gone, and a publish
under the next token would publish nothing and say "success". So the session remembers which token each of
its changes was made with.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sessionkit import fork

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionkit.http import Call
    from sessionkit.tokens import Token

_TARGET = re.compile(r"/?(?:REST/)?(\w+)(?:/([^/?]+))?")
_STAGES: Final = frozenset({"POST", "PUT", "DELETE"})
#: What else waits to be published, besides records.
_STAGING: Final = frozenset(
    {("Node", "DELETE"), ("ZoneFile", "POST"), ("ZoneTransfer", "POST"), ("ZoneTransfer", "PUT")}
)


def zone_key(name: str) -> str:
    """A zone's name in the form changes are kept under."""
    return name.lower().rstrip(".")


def target(call: Call) -> tuple[str, str]:
    """The resource and the zone that a call is about, or empty texts."""
    match = _TARGET.match(call.uri)
    return (match[1], zone_key(match[2] or "")) if match else ("", "")


def stages(resource: str, method: str) -> bool:
    """Whether such a call waits for its zone to be published."""
    if resource.endswith("Record"):
        return method in _STAGES
    return (resource, method) in _STAGING


def settles(resource: str, call: Call) -> bool:
    """Whether nothing of its zone is waiting any more after such a call."""
    if resource in {"Zone", "ZoneChanges"} and call.method == "DELETE":
        return True
    return publishes(resource, call)


def publishes(resource: str, call: Call) -> bool:
    """Whether the call makes its zone's changes live."""
    return (
        resource == "Zone"
        and call.method == "PUT"
        and isinstance(call.args, dict)
        and bool(call.args.get("publish"))
    )


class Changeset:
    """The unpublished changes of one login, shared by the siblings of its session."""

    def __init__(self) -> None:
        self.token: Token | None = None
        self._pending: dict[str, list[Call]] = {}
        self._lost: dict[str, list[Call]] = {}
        self._retired: deque[str] = deque(maxlen=16)
        fork.aware(self).after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """The child shares the token, and so what was changed with it, but none of the locks."""
        self._lock = threading.Lock()
        self._nodes: dict[tuple[str, ...], threading.RLock] = {}

    @property
    def pending(self) -> dict[str, list[Call]]:
        """The calls that wait to be published, by zone."""
        with self._lock:
            return {zone: list(calls) for zone, calls in self._pending.items()}

    @property
    def lost(self) -> dict[str, list[Call]]:
        """The calls whose changes were lost, by zone."""
        with self._lock:
            return {zone: list(calls) for zone, calls in self._lost.items()}

    @property
    def has_lost(self) -> bool:
        """Whether anything was lost."""
        return bool(self._lost)

    def signed_with(self, token: Token) -> list[Call]:
        """A call goes out with `token`. Returns what has been lost if it is a new one."""
        with self._lock:
            before, self.token = self.token, token
            if before is None or before.value == token.value:
                return []
            if token.value in self._retired:  # a call that was signed before the renewal
                self.token = before
                return []
            self._retired.append(before.value)
            gone, self._pending = self._pending, {}
            for zone, calls in gone.items():
                self._lost.setdefault(zone, []).extend(calls)
            return [call for calls in gone.values() for call in calls]

    def succeeded(self, call: Call, token: Token | None) -> bool:
        """The service has accepted a call. Returns whether its change was lost meanwhile."""
        resource, zone = target(call)
        if stages(resource, call.method):
            with self._lock:
                late = token is not None and token.value in self._retired
                (self._lost if late else self._pending).setdefault(zone, []).append(call)
                return late
        if settles(resource, call):
            self.settle(zone)
        return False

    def settle(self, zone: str) -> None:
        """Nothing of `zone` is waiting any more."""
        with self._lock:
            self._pending.pop(zone, None)
            self._lost.pop(zone, None)

    def forget_lost(self, zone: str | None = None) -> list[Call]:
        """Forget what was lost in `zone`, or everywhere; returns it."""
        with self._lock:
            zones = list(self._lost) if zone is None else [zone_key(zone)]
            return [call for name in zones for call in self._lost.pop(name, ())]

    def restore(self, lost: Iterable[Call]) -> None:
        """Take back what `forget_lost` returned."""
        with self._lock:
            for call in lost:
                self._lost.setdefault(target(call)[1], []).append(call)

    @contextmanager
    def exclusive(self, *node: str) -> Iterator[None]:
        """Hold one type of record at one node, while its list of records is read and written again."""
        with self._lock:
            lock = self._nodes.setdefault(node, threading.RLock())
        with lock:
            yield
