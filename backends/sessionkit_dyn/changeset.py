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
from typing import TYPE_CHECKING, Final, NamedTuple

from sessionkit import fork
from sessionkit.errors import CallTimeout
from sessionkit.tokens.store import waitable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit.clock import Deadline
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


class Change(NamedTuple):
    """A change the service has accepted.

    Attributes:
        place: Where in the order of the user's changes it stands; making it again does not alter that.
        number: How many the service had accepted with it.
        call: What made it.
    """

    place: int
    number: int
    call: Call


class Changeset:
    """The unpublished changes of one login, shared by the siblings of its session.

    Attributes:
        token: What the latest call was signed with.
        accepted: How many changes the service has accepted, as far as is known. A publication remembers it
            when it is sent: what is accepted afterwards may have come too late for it, and still waits.
    """

    def __init__(self) -> None:
        self.token: Token | None = None
        self.accepted = 0
        self._pending: dict[str, list[Change]] = {}
        self._lost: dict[str, list[Change]] = {}
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
            return _calls(self._pending)

    @property
    def lost(self) -> dict[str, list[Call]]:
        """The calls whose changes were lost, by zone."""
        with self._lock:
            return _calls(self._lost)

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
            for zone, changes in gone.items():
                self._lost[zone] = sorted([*self._lost.get(zone, ()), *changes])
            return [change.call for changes in gone.values() for change in changes]

    def succeeded(self, call: Call, token: Token | None, accepted: int | None = None) -> bool:
        """The service has accepted a call. Returns whether its change was lost meanwhile.

        Args:
            call: The call; one that is listed as lost is so no more.
            token: What it was signed with.
            accepted: How many changes had been accepted when it was sent; None for all there are.
        """
        resource, zone = target(call)
        if stages(resource, call.method):
            return self._accept(zone, call, token)
        if settles(resource, call):
            self.settle(zone, self.accepted if accepted is None else accepted)
        return False

    def _accept(self, zone: str, call: Call, token: Token | None) -> bool:
        with self._lock:
            late = token is not None and token.value in self._retired
            self.accepted += 1
            again = next((change for change in self._lost.get(zone, ()) if change.call is call), None)
            if again is not None:
                self._keep(self._lost, zone, lambda change: change is not again)
            place = self.accepted if again is None else again.place
            changes = (self._lost if late else self._pending).setdefault(zone, [])
            changes.append(Change(place, self.accepted, call))
            changes.sort()
            return late

    def settle(self, zone: str, accepted: int) -> None:
        """Of the first `accepted` changes nothing of `zone` is waiting any more."""
        with self._lock:
            for changes in (self._pending, self._lost):
                self._keep(changes, zone, lambda change: change.number > accepted)

    @staticmethod
    def _keep(changes: dict[str, list[Change]], zone: str, wanted: Callable[[Change], bool]) -> None:
        kept = [change for change in changes.pop(zone, ()) if wanted(change)]
        if kept:
            changes[zone] = kept

    def lost_in(self, zone: str | None = None) -> list[Call]:
        """The calls whose changes were lost in `zone`, or everywhere, those of a zone in their order."""
        lost = self.lost
        zones = list(lost) if zone is None else [zone_key(zone)]
        return [call for name in zones for call in lost.get(name, ())]

    def forget_lost(self, zone: str | None = None) -> list[Call]:
        """Forget what was lost in `zone`, or everywhere; returns it."""
        with self._lock:
            zones = list(self._lost) if zone is None else [zone_key(zone)]
            return [change.call for name in zones for change in self._lost.pop(name, ())]

    @contextmanager
    def exclusive(self, deadline: Deadline, *node: str) -> Iterator[None]:
        """Hold one type of record at one node, while its list of records is read and written again.

        Raises:
            CallTimeout: somebody else held it until `deadline`.
        """
        with self._lock:
            lock = self._nodes.setdefault(node, threading.RLock())
        if not lock.acquire(timeout=waitable(deadline.remaining())):
            raise CallTimeout(
                f"another thread was changing {' '.join(node)} for {deadline.seconds:g} s",
                hint="nothing was sent; give the session more time with timeout=",
                sent=False,
            )
        try:
            yield
        finally:
            lock.release()


def _calls(changes: dict[str, list[Change]]) -> dict[str, list[Call]]:
    return {zone: [change.call for change in listed] for zone, listed in changes.items()}
