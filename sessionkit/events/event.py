"""One event: a mutable mapping that handlers share.

>>> event = Event("shot.published", data={"name": "sh010"})
>>> event["data"]["name"]
'sh010'
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from sessionkit.events.errors import EventHubPacketError

_WIRE_REPLY = "inReplyToEvent"
_REPLY = "in_reply_to_event"


def new_id() -> str:
    """A new identifier: the 32 hexadecimal digits of a random (version 4) UUID."""
    # Unique is enough, it is no secret; `random` is reseeded after a fork, and uuid4 costs five times more.
    bits = random.getrandbits(128)
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
    return f"{bits:032x}"


class Event(MutableMapping[str, Any]):
    """What happened, and to whom it is told.

    Its keys are those of the arguments; others may be added, but do not expect a server to carry them.

    Args:
        topic: What happened, in dotted words from the general to the particular.
        id: Identifier; a new one when None. Publishing an event again gives it a new one.
        data: Anything that JSON can carry, usually a mapping.
        sent: When the server sent it; filled in by the server.
        source: Who publishes. The hub adds its `id`, the `user` and the `host`.
        target: An expression that a subscriber's metadata must match; "" is everyone.
        in_reply_to_event: Identifier of the event that this one answers.
    """

    __slots__ = ("_fields", "_published", "stopped")

    def __init__(
        self,
        topic: str,
        id: str | None = None,  # noqa: A002 - the name of the key, as on the wire
        data: Any = None,
        sent: str | None = None,
        source: Mapping[str, Any] | None = None,
        target: str = "",
        in_reply_to_event: str | None = None,
    ) -> None:
        fields = {
            "id": id or new_id(),
            "data": {} if data is None else data,
            "topic": topic,
            "sent": sent,
            "source": {} if source is None else dict(source),
            "target": target,
            _REPLY: in_reply_to_event,
        }
        self._fields = fields
        self._published = False
        self.stopped = False

    def stop(self) -> None:
        """Keep this event from the handlers of this hub that have not been called yet."""
        self.stopped = True

    def is_stopped(self) -> bool:
        """Whether a handler has called `stop()`."""
        return self.stopped

    @property
    def fields(self) -> dict[str, Any]:
        """The event's keys and values as a plain dict: the event itself, not a copy."""
        return self._fields

    def mark_published(self) -> None:
        """Say that this event goes out; one that went out before gets a new identifier.

        Receivers drop an identifier they have seen, because a transport that reconnects may send twice.
        """
        if self._published:
            self._fields["id"] = new_id()
        self._published = True

    def copy(self) -> Event:
        """The same event for another hub: own keys, shared `data`."""
        return self._adopt({**self._fields, "source": dict(self._fields["source"])})

    def to_wire(self) -> dict[str, Any]:
        """The event as servers know it, ready for JSON."""
        wire = dict(self._fields)
        wire[_WIRE_REPLY] = wire.pop(_REPLY, None)
        return wire

    @classmethod
    def from_wire(cls, wire: object) -> Event:
        """The event that a server sent.

        Raises:
            EventHubPacketError: when it is no event.
        """
        if not isinstance(wire, dict) or not isinstance(wire.get("topic"), str):
            raise EventHubPacketError("an event without a topic arrived")
        fields = dict(wire)
        fields[_REPLY] = fields.pop(_WIRE_REPLY, None)
        event_id = fields.setdefault("id", None) or new_id()
        target = fields.setdefault("target", "") or ""
        source = fields.setdefault("source", {}) or {}
        if not (isinstance(event_id, str) and isinstance(target, str) and isinstance(source, dict)):
            raise EventHubPacketError("an event with an id, target or source of a wrong type arrived")
        fields.setdefault("data", {})
        fields.setdefault("sent", None)
        fields.update(id=event_id, target=target, source=source)
        return cls._adopt(fields)

    @classmethod
    def _adopt(cls, fields: dict[str, Any]) -> Event:
        event = cls("")
        event._fields = fields
        event._published = True
        return event

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._fields[key] = value

    def __delitem__(self, key: str) -> None:
        del self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._fields!r}>"
