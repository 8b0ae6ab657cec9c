"""Nodes: the names in a zone, and the records at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sessionkit_dyn import unpublished
from sessionkit_dyn.bodies import body_of
from sessionkit_dyn.calls import path
from sessionkit_dyn.record import DNSRecord, wrap
from sessionkit_dyn.records import listing, record_class
from sessionkit_dyn.resource import Resource, ask, below, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit_dyn.session import DynectSession


class Node(Resource):
    """A name in a zone. Making the object asks nothing.

    >>> node = Node("example.test", "www.example.test")
    >>> node.add_record("A", "192.0.2.1", ttl=300)

    Args:
        zone: The zone's name.
        fqdn: The node's full name; None is the zone's own.
        session: The session to use instead of the current one.
    """

    __slots__ = ("_fqdn", "_zone")

    def __init__(self, zone: str, fqdn: str | None = None, *, session: DynectSession | None = None) -> None:
        super().__init__(session)
        self._zone = plain_name(zone)
        self._fqdn = below(fqdn, self._zone)

    @property
    def zone(self) -> str:
        """The zone's name."""
        return self._zone

    @property
    def fqdn(self) -> str:
        """The full name, without a trailing dot."""
        return self._fqdn

    def add_record(self, record_type: str = "A", *values: Any, **fields: Any) -> DNSRecord:
        """Add a record here; it waits for the zone to be published.

        >>> node.add_record("MX", "mail.example.test", 10)

        Args:
            record_type: "A", "MX", ...
            values: As the type's class in `records` takes them.
            fields: The same by name.

        Raises:
            DynectInvalidArgumentError: a type or value that cannot be; nothing was sent.
            DynectCreateError: the service refused.
        """
        cls = record_class(record_type)
        return cls(self._zone, self._fqdn, *values, session=fields.pop("session", self._given), **fields)

    def replace_records(
        self, record_type: str, records: Iterable[DNSRecord | Mapping[str, Any] | str]
    ) -> list[DNSRecord]:
        """Let this node have exactly these records of a type, in one call; equal ones stay as they are.

        >>> node.replace_records("A", ["192.0.2.1", {"address": "192.0.2.2", "ttl": 60}])

        Args:
            record_type: "A", "MX", ...
            records: Each a record, a mapping of its fields, or the value of its first field.

        Raises:
            DynectInvalidArgumentError: a value that cannot be; nothing was sent.
            DynectUpdateError: the service refused.
        """
        cls = record_class(record_type)
        kind = cls.kind
        bodies = [_body(cls, record) for record in records]
        uri = path(kind.resource, self._zone, self._fqdn)
        with unpublished.exclusive(self.session, kind, self._zone, self._fqdn) as deadline:
            answer = ask(self.session, "PUT", uri, {kind.replacing: bodies}, timeout=deadline.remaining())
            if not isinstance(answer, list):
                return self.get_all_records_by_type(record_type)
        return wrap(cls, answer, self._given)

    def get_all_records(self) -> dict[str, list[DNSRecord]]:
        """The records here and below, unpublished ones of this session included.

        Returns a list for each type there is, by the service's keys: "a_records", "mx_records", ...
        """
        data = ask(self.session, "GET", path("AllRecord", self._zone, self._fqdn), {"detail": "Y"})
        return listing(data, self._given)

    def get_any_records(self) -> dict[str, list[DNSRecord]]:
        """The records of exactly this node, by the service's keys."""
        data = ask(self.session, "GET", path("ANYRecord", self._zone, self._fqdn), {"detail": "Y"})
        return listing(data, self._given)

    def get_all_records_by_type(self, record_type: str) -> list[DNSRecord]:
        """The records of one type at exactly this node."""
        cls = record_class(record_type)
        data = ask(self.session, "GET", path(cls.kind.resource, self._zone, self._fqdn), {"detail": "Y"})
        return wrap(cls, data, self._given)

    def delete(self) -> None:
        """Remove this node with everything at and below it; waits for the zone to be published."""
        ask(self.session, "DELETE", path("Node", self._zone, self._fqdn))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, str]:
        return self._zone.lower(), self._fqdn.lower()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._fqdn}>"


def _body(cls: type[DNSRecord], record: DNSRecord | Mapping[str, Any] | str) -> dict[str, Any]:
    if isinstance(record, DNSRecord):
        return record.body()
    if isinstance(record, Mapping):
        return body_of(cls.kind, (), record)
    return body_of(cls.kind, (record,), {})
