"""Socket.IO 0.9 on the wire: packets, payloads of long polling, the handshake's answer. No I/O.

A packet is `code:id:path:data`. An id that ends in "+" asks the other side to acknowledge with
`6:::id+[...]`.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, NamedTuple

from sessionkit.events.errors import EventHubPacketError

DISCONNECT, CONNECT, HEARTBEAT, MESSAGE, JSON, EVENT, ACK, ERROR, NOOP = range(9)

EVENT_NAME = "ftrack.event"
"""The one Socket.IO event name that carries events."""

RESUME_NAME = "sessionkit.resume"
"""Says, to servers that offer it, that all subscriptions have been announced."""

HUB_HEADER = "x-sessionkit-hub"
"""Request header of the handshake: a hub's identifier, and the seconds since its connection was lost."""

RESUME_HEADER = "x-sessionkit-resume"
"""Response header of the handshake: this server keeps what a hub missed, and waits for acknowledgements."""

_FRAME = "\ufffd"


class SocketIoSession(NamedTuple):
    """What the server answered to the handshake.

    Attributes:
        id: The session's identifier, and the only credential of its transport.
        heartbeatTimeout: Seconds within which something must arrive.
        supportedTransports: For example ["websocket", "xhr-polling"].
    """

    id: str
    heartbeatTimeout: int | None  # noqa: N815 - the name users know
    supportedTransports: list[str]  # noqa: N815 - the name users know


class Packet(NamedTuple):
    """One packet.

    Attributes:
        code: One of the constants above.
        id: Its number as written, with a trailing "+" where an acknowledgement is asked for, or "".
        path: The namespace, or "".
        data: The rest.
    """

    code: int
    id: str = ""
    path: str = ""
    data: str = ""

    def __str__(self) -> str:
        return (
            f"{self.code}:{self.id}:{self.path}:{self.data}"
            if self.data
            else f"{self.code}:{self.id}:{self.path}"
        )


def timestamp(seconds: float) -> str:
    """An instant (seconds since the epoch) as the `sent` of events: ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def parse_session(body: str) -> SocketIoSession:
    """The session in a handshake's answer, `id:heartbeat:close:transport,transport`.

    Raises:
        EventHubPacketError: when it is something else.
    """
    parts = body.strip().split(":")
    if len(parts) < 4 or not parts[0] or any(not part.isdigit() for part in parts[1:3] if part):
        raise EventHubPacketError("the answer to the handshake is not one of Socket.IO 0.9")
    heartbeat = int(parts[1]) if parts[1] and len(parts[1]) < 9 else None
    return SocketIoSession(parts[0], heartbeat, [name.strip() for name in parts[3].split(",")])


def parse_packet(text: str) -> Packet:
    """The packet that `text` is.

    Raises:
        EventHubPacketError: when it is none.
    """
    parts = text.split(":", 3)
    if len(parts[0]) != 1 or parts[0] not in "012345678":
        raise EventHubPacketError(f"a packet of an unknown kind arrived, beginning with {text[:20]!r}")
    return Packet(int(parts[0]), *parts[1:])


def parse_json(text: str) -> Any:
    """The JSON value that `text` is.

    Raises:
        EventHubPacketError: when it is none, or nested too deep to be read.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EventHubPacketError(f"JSON that cannot be read, beginning with {text[:20]!r}") from error


def dumps(value: Any) -> str:
    """`value` as compact JSON.

    Raises:
        EventHubPacketError: when JSON cannot carry it.
    """
    try:
        return json.dumps(value, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventHubPacketError(f"JSON cannot carry this event: {error}") from error


def _plain(value: Any) -> Any:
    """Mappings that are not dicts (an `Event` in the data of another), as dicts."""
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118 - any mapping, not only a dict
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def event_packet(name: str, argument: str, number: int | None = None, *, path: str = "") -> str:
    """An event packet whose one argument is `argument`, JSON already; a number asks for acknowledgement."""
    packet_id = "" if number is None else f"{number}+"
    return f'{EVENT}:{packet_id}:{path}:{{"name":"{name}","args":[{argument}]}}'


def parse_event(data: str) -> tuple[str, list[Any]]:
    """The name and arguments in an event packet's data.

    Raises:
        EventHubPacketError: when it has none.
    """
    value = parse_json(data)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise EventHubPacketError("an event packet without a name arrived")
    arguments = value.get("args", [])
    if not isinstance(arguments, list):
        raise EventHubPacketError("an event packet whose arguments are no list arrived")
    return value["name"], arguments


def parse_ack(data: str) -> tuple[int, list[Any]]:
    """The number of the packet that is acknowledged, and the arguments, [] where there are none.

    Raises:
        EventHubPacketError: when there is no number.
    """
    number, _, arguments = data.partition("+")
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        raise EventHubPacketError(f"an acknowledgement without a number arrived: {data[:20]!r}")
    value = parse_json(arguments) if arguments else []
    return int(number), value if isinstance(value, list) else [value]


def encode_payload(packets: list[str]) -> str:
    """Several packets as one body of long polling; lengths count characters."""
    if len(packets) == 1:
        return packets[0]
    return "".join(f"{_FRAME}{len(packet)}{_FRAME}{packet}" for packet in packets)


def decode_payload(body: str) -> list[str]:
    """The packets in a body of long polling.

    Raises:
        EventHubPacketError: when the lengths do not fit.
    """
    if not body.startswith(_FRAME):
        return [body] if body else []
    packets = []
    position = 0
    while position < len(body):
        end = body.find(_FRAME, position + 1)
        length = body[position + 1 : end]
        if body[position] != _FRAME or not (length.isascii() and length.isdigit() and len(length) < 10):
            raise EventHubPacketError("a polling payload whose lengths do not fit arrived")
        position = end + 1 + int(length)
        packets.append(body[end + 1 : position])
    if position != len(body):
        raise EventHubPacketError("a polling payload that was cut short arrived")
    return packets
