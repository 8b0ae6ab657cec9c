"""Zones: list, create, import, change, publish, delete.

from sessionkit_dyn import zones

for zone in zones.get_all_zones():
    print(zone.name, zone.serial)

zone = zones.Zone("example.test", contact="hostmaster@example.test")      # creates it
zone.add_record("www", "A", "192.0.2.1", ttl=300)
zone.publish(notes="first light")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sessionkit.clock import Deadline
from sessionkit.errors import NotFound
from sessionkit_dyn import changes, errors, reports
from sessionkit_dyn.calls import path
from sessionkit_dyn.nodes import Node
from sessionkit_dyn.records import RECORD_CLASSES, record_class
from sessionkit_dyn.resource import ask, below, mapping, plain_name, rows, texts
from sessionkit_dyn.secondary import SecondaryZone, get_all_secondary_zones
from sessionkit_dyn.tasks import Task, get_tasks
from sessionkit_dyn.transfers import TSIG, ExternalNameserver, ExternalNameserverEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from sessionkit_dyn.record import DNSRecord
    from sessionkit_dyn.session import DynectSession

__all__ = [
    "TSIG",
    "ExternalNameserver",
    "ExternalNameserverEntry",
    "Node",
    "SecondaryZone",
    "Task",
    "Zone",
    "get_all_secondary_zones",
    "get_all_zones",
    "get_apex",
    "get_tasks",
]

SERIAL_STYLES: Final = ("increment", "epoch", "day", "minute")
_POLL: Final = 2.0
_MOST_FILE_BYTES: Final = 1_000_000


def get_all_zones(*, session: DynectSession | None = None) -> list[Zone]:
    """The account's zones, in one call.

    >>> [zone.name for zone in get_all_zones()]
    """
    listed = rows(ask(session, "GET", "/Zone/", {"detail": "Y"}), "zones")
    return [Zone.of(row, session=session) for row in listed]


def get_apex(
    node_name: str, full_details: bool = False, *, session: DynectSession | None = None
) -> str | dict[str, Any]:
    """The name of the zone that holds a node, or with `full_details` all that is said of it.

    Raises:
        DynectGetError: this account has no such zone (also a `NotFound`).
    """
    data = mapping(ask(session, "GET", path("Apex", plain_name(node_name))), "apex")
    return data if full_details else str(data.get("zone", ""))


class Zone(Node):
    """A zone of Managed DNS; as a `Node` it is the zone's own name.

        Zone("example.test")                                           # reads it
        Zone("example.test", contact="ann@example.test", ttl=3600)     # creates it
        Zone("example.test", file_name="example.test.zone")            # creates it from a file
        Zone("example.test", master_ip="192.0.2.53")                   # creates it from another server

    What is read is kept: attributes ask nothing, `refresh()` reads again. Two zones of one name are equal.

    Args:
        name: The zone's name.
        contact: The administrator's mail address; creates the zone.
        ttl: Seconds records are kept by default.
        serial_style: "increment", "epoch", "day" or "minute".
        file_name: A BIND or tinydns file of less than 1 MB; creates the zone.
        master_ip: The name server to transfer the zone from; creates the zone.
        timeout: Seconds until a new zone must be there.
        session: The session to use instead of the current one.

    Raises:
        DynectGetError: this account has no such zone (also a `NotFound`).
        DynectCreateError: it cannot be created, or is there already (also a `Conflict`).
        DynectInvalidArgumentError: arguments that cannot work; nothing was sent.
    """

    __slots__ = ("_data", "_soa", "_task_id")

    def __init__(
        self,
        name: str,
        contact: str | None = None,
        ttl: int = 60,
        serial_style: str = "increment",
        file_name: str | Path | None = None,
        master_ip: str | None = None,
        timeout: float | None = None,
        *,
        session: DynectSession | None = None,
    ) -> None:
        super().__init__(name, session=session)
        self._soa: DNSRecord | None = None
        self._task_id: Any = None
        self._data: dict[str, Any] = {}
        created = self._create(contact, ttl, serial_style, file_name, master_ip)
        if created is None:
            self.refresh()
            return
        resource, args = created
        data = ask(self.session, "POST", path(resource, self.name), args, timeout=timeout)
        self._data = data if isinstance(data, dict) else {}
        if not self._data.get("zone"):
            self._await(timeout)

    @classmethod
    def of(cls, data: dict[str, Any], *, session: DynectSession | None = None) -> Self:
        """The zone that a listing tells of; asks nothing."""
        zone: Self = cls.__new__(cls)
        Node.__init__(zone, str(data.get("zone") or ""), session=session)
        zone._data, zone._soa, zone._task_id = data, None, None
        return zone

    def _create(
        self,
        contact: str | None,
        ttl: int,
        serial_style: str,
        file_name: str | Path | None,
        master_ip: str | None,
    ) -> tuple[str, dict[str, Any]] | None:
        """The call that creates the zone, or None."""
        ways = {"contact": contact, "file_name": file_name, "master_ip": master_ip}
        chosen = [name for name, value in ways.items() if value is not None]
        if len(chosen) > 1:
            problem = "one of them creates a zone, not several"
            raise errors.DynectInvalidArgumentError(" and ".join(chosen), "given", problem=problem)
        if contact is not None:
            if serial_style not in SERIAL_STYLES:
                raise errors.DynectInvalidArgumentError("serial_style", serial_style, SERIAL_STYLES)
            return "Zone", {"zone": self.name, "rname": contact, "ttl": ttl, "serial_style": serial_style}
        if file_name is not None:
            return "ZoneFile", {"file": _text(Path(file_name))}
        return None if master_ip is None else ("ZoneTransfer", {"master_ip": master_ip})

    def _await(self, timeout: float | None) -> None:
        """Read the zone until it is there."""
        deadline = Deadline.after(self.session.timeout if timeout is None else timeout, self.session.clock)
        while True:
            try:
                self.refresh()
            except NotFound as error:
                if deadline.remaining() <= _POLL:
                    raise errors.DynectQueryTimeout(
                        f"{self.name} was not there after {deadline.seconds:g} s", hint="it may still come"
                    ) from error
                deadline.sleep(_POLL)
            else:
                return

    # --- what it is ---

    @property
    def name(self) -> str:
        """Its name, without a trailing dot."""
        return self._zone

    @property
    def zone_type(self) -> str:
        """Its type: "Primary" or "Secondary"."""
        return str(self._data.get("zone_type", ""))

    @property
    def serial(self) -> int:
        """Its serial when it was read or published last; 0 until it is published for the first time."""
        try:
            return int(self._data.get("serial") or 0)
        except (TypeError, ValueError):
            return 0

    @property
    def serial_style(self) -> str:
        """How its serial grows: "increment", "epoch", "day" or "minute"."""
        return str(self._data.get("serial_style", ""))

    @serial_style.setter
    def serial_style(self, value: str) -> None:
        if value not in SERIAL_STYLES:
            raise errors.DynectInvalidArgumentError("serial_style", value, SERIAL_STYLES)
        self.soa.update(serial_style=value)
        self._data["serial_style"] = value

    @property
    def soa(self) -> DNSRecord:
        """Its SOA record, read once."""
        if self._soa is None:
            self._soa = RECORD_CLASSES["SOA"](self.name, self.name, session=self._given)
        return self._soa

    @property
    def contact(self) -> str:
        """The administrator's address, as a domain name."""
        return str(self.soa.rdata().get("rname", ""))

    @contact.setter
    def contact(self, value: str) -> None:
        self.soa.update(rname=value)

    @property
    def ttl(self) -> int:
        """Seconds records are kept by default."""
        return self.soa.ttl

    @ttl.setter
    def ttl(self, value: int) -> None:
        self.soa.update(ttl=value)

    @property
    def task(self) -> Task | None:
        """The task of the last `publish()` by this object, or None."""
        return None if self._task_id is None else Task(self._task_id, session=self._given)

    def refresh(self) -> Self:
        """Read it again; returns itself."""
        self._data = mapping(ask(self.session, "GET", path("Zone", self.name)), "zone")
        self._soa = None
        return self

    # --- what can be done to it ---

    def publish(self, notes: str | None = None, *, timeout: float | None = None) -> Task | None:
        """Make this session's changes of the zone live; returns the service's task, if it names one.

        Args:
            notes: A note for `get_notes()`.
            timeout: Seconds for this call instead of the session's `timeout`.

        Raises:
            DynectChangesLost: changes were lost with their token, so that they cannot be published.
            DynectUpdateError: the service refused; or the answer was lost, and it may have been published.
        """
        args = {"publish": True} if notes is None else {"publish": True, "notes": notes}
        data = ask(self.session, "PUT", path("Zone", self.name), args, timeout=timeout)
        told = data if isinstance(data, dict) else {}
        self._data.update({key: value for key, value in told.items() if key in self._data})
        task = str(told.get("task_id") or "")
        self._task_id = task if task.isdecimal() else None
        return self.task

    def freeze(self) -> None:
        """Let nobody change the zone until `thaw()`."""
        ask(self.session, "PUT", path("Zone", self.name), {"freeze": True})

    def thaw(self) -> None:
        """Let the zone be changed again."""
        ask(self.session, "PUT", path("Zone", self.name), {"thaw": True})

    def delete(self) -> None:
        """Remove the zone with everything in it, at once."""
        ask(self.session, "DELETE", path("Zone", self.name))

    def get_changes(self) -> list[changes.Change]:
        """What this session has changed and not yet published."""
        return changes.get_changes(self.name, session=self._given)

    def discard_changes(self) -> None:
        """Give up what this session has changed and not yet published."""
        changes.discard_changes(self.name, session=self._given)

    # --- what is in it ---

    def add_record(  # type: ignore[override]  # as users know it: in a zone the name comes first
        self, name: str | None = None, record_type: str = "A", *values: Any, **fields: Any
    ) -> DNSRecord:
        """Add a record; it waits for `publish()`.

        >>> zone.add_record("www", "A", "192.0.2.1", ttl=300)

        Args:
            name: The node, below the zone or in full; None is the zone's own.
            record_type: "A", "MX", ...
            values: As the type's class in `records` takes them.
            fields: The same by name.

        Raises:
            DynectInvalidArgumentError: a type or value that cannot be; nothing was sent.
            DynectCreateError: the service refused.
        """
        return self.get_node(name).add_record(record_type, *values, **fields)

    def get_node(self, node: str | None = None) -> Node:
        """The node of a name below the zone or in full; asks nothing."""
        return Node(self.name, below(node, self.name), session=self._given)

    def get_all_nodes(self) -> list[Node]:
        """All nodes."""
        names = texts(ask(self.session, "GET", path("NodeList", self.name)), "nodes")
        return [Node(self.name, name, session=self._given) for name in names]

    def get_all_records_by_type(self, record_type: str) -> list[DNSRecord]:
        """The records of one type in the whole zone."""
        return self.get_all_records().get(record_class(record_type).kind.listing, [])

    def get_notes(self, offset: int | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """See `reports.get_zone_notes`."""
        return reports.get_zone_notes(self.name, offset, limit, session=self._given)

    def get_qps(
        self,
        start_ts: reports.Moment,
        end_ts: reports.Moment | None = None,
        breakdown: str | Sequence[str] | None = None,
        hosts: str | Sequence[str] | None = None,
        rrecs: str | Sequence[str] | None = None,
    ) -> str:
        """See `reports.get_qps`; for this zone."""
        return reports.get_qps(start_ts, end_ts, breakdown, hosts, rrecs, [self.name], session=self._given)


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.DynectInvalidArgumentError(
            "file_name", str(file), problem=f"cannot be read: {error}"
        ) from error
    if len(content) >= _MOST_FILE_BYTES:
        problem = f"has {len(content):,} bytes; the service takes less than 1 MB"
        raise errors.DynectInvalidArgumentError("file_name", str(file), problem=problem)
    return text
