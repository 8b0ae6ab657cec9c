"""What all records have in common; `records` has a class for each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit_dyn import errors, unpublished
from sessionkit_dyn.bodies import body_of, readable, writable
from sessionkit_dyn.calls import path
from sessionkit_dyn.record_types import RecordType
from sessionkit_dyn.resource import Resource, ask, mapping, odd, plain_name, rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_dyn.session import DynectSession


class DNSRecord(Resource):
    """A record; the base of the classes of all types, and the class of types that are not in the table.

    Two records are equal when type, node, time to live and data are.
    """

    __slots__ = ("_data",)

    kind: ClassVar[RecordType] = RecordType("UNKNOWN", ())

    _data: dict[str, Any]

    def __init__(
        self,
        zone: str,
        fqdn: str,
        *values: Any,
        record_id: int | None = None,
        session: DynectSession | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(session)
        zone, fqdn = plain_name(zone), plain_name(fqdn)
        if record_id is not None or "POST" not in self.kind.methods:
            _no_values(values, fields)
            self._data = _fetch(session, self.kind, zone, fqdn, record_id)
            return
        self._data = _add(self.session, self.kind, zone, fqdn, body_of(self.kind, values, fields))

    # --- what it is ---

    @property
    def zone(self) -> str:
        """The zone it is in."""
        return str(self._data.get("zone", ""))

    @property
    def fqdn(self) -> str:
        """Its node, without a trailing dot."""
        return str(self._data.get("fqdn", ""))

    @property
    def record_id(self) -> int:
        """The service's number for it; 0 until it is published and read again."""
        try:
            return int(self._data.get("record_id") or 0)
        except (TypeError, ValueError):
            raise odd("record_id", "a number", self._data.get("record_id")) from None

    @property
    def record_type(self) -> str:
        """Its type: "A", "MX", ..."""
        return str(self._data.get("record_type") or self.kind.name)

    rec_name = record_type

    @property
    def ttl(self) -> int:
        """Seconds it may be kept by resolvers; 0 is the zone's default."""
        try:
            return int(self._data.get("ttl") or 0)
        except (TypeError, ValueError):
            raise odd("ttl", "a number", self._data.get("ttl")) from None

    @ttl.setter
    def ttl(self, value: int) -> None:
        self.update(ttl=value)

    def rdata(self) -> dict[str, Any]:
        """Its data by the names of the wire: `{"address": "192.0.2.1"}`."""
        return dict(mapping(self._data.get("rdata"), "rdata"))

    # --- what can be done to it ---

    def update(self, **fields: Any) -> None:
        """Change some fields at once, `ttl` among them; the others stay as they are.

        >>> mx.update(preference=20, ttl=300)

        Raises:
            DynectInvalidArgumentError: a field that it does not have, or a value that cannot be.
            DynectUpdateError: the service refused.
        """
        old = self.body()
        changed = body_of(self.kind, (), fields, partial=True)
        rdata = {**old["rdata"], **changed.pop("rdata")}
        body = {**old, **changed, "rdata": rdata}
        self._data = _data(self.kind, self._data, body, self._change(body))

    def delete(self) -> None:
        """Delete this record, and no other.

        A record that is not published has no number to be deleted by. It is found by its data, and its node's
        list of records is written again without it.

        Raises:
            DynectDeleteError: it is not there any more, or two are alike.
        """
        if self.record_id:
            ask(self.session, "DELETE", self._uri(self.record_id))
            return
        unpublished.replace(self.session, self.kind, self._data, None)

    def body(self) -> dict[str, Any]:
        """What creates a record like it."""
        there = self.rdata()
        rdata = {
            field.name: readable(self.kind, field.name, there[field.name])
            for field in writable(self.kind)
            if there.get(field.name) is not None
        }
        beside = {name: self._data[name] for name, _ in self.kind.beside if self._data.get(name) is not None}
        return {"rdata": rdata, "ttl": self.ttl, **beside}

    def _change(self, body: dict[str, Any]) -> Any:
        if self.record_id or self.kind.name == "SOA":
            return ask(self.session, "PUT", self._uri(self.record_id), body)
        return unpublished.replace(self.session, self.kind, self._data, body)

    def _uri(self, record_id: int) -> str:
        last = (record_id,) if record_id else ()
        return path(self.kind.resource, self.zone, self.fqdn, *last)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DNSRecord):
            return NotImplemented
        return hash(self) == hash(other) and (self.ttl, self.rdata()) == (other.ttl, other.rdata())

    def __hash__(self) -> int:
        return hash((self.record_type, self.zone.lower(), self.fqdn.lower()))

    def __repr__(self) -> str:
        rdata = self._data.get("rdata")
        values = " ".join(map(str, rdata.values())) if isinstance(rdata, dict) else ""
        return f"<{type(self).__name__} {self.fqdn} {self._data.get('ttl')} {values}>"


def _no_values(values: tuple[Any, ...], fields: Mapping[str, Any]) -> None:
    if values or fields:
        name, value = next(iter(fields.items()), ("value", values[0] if values else None))
        raise errors.DynectInvalidArgumentError(
            name,
            value,
            problem="cannot be given for a record that is only read; set the attribute afterwards",
        )


# --- asking ---


def _fetch(
    session: DynectSession | None, kind: RecordType, zone: str, fqdn: str, record_id: int | None
) -> dict[str, Any]:
    if record_id is not None:
        return mapping(ask(session, "GET", path(kind.resource, zone, fqdn, record_id)), kind.resource)
    found = rows(ask(session, "GET", path(kind.resource, zone, fqdn), {"detail": "Y"}), kind.resource)
    if not found:
        raise odd(kind.resource, "a record", None)
    return found[0]


def _add(
    session: DynectSession, kind: RecordType, zone: str, fqdn: str, body: dict[str, Any]
) -> dict[str, Any]:
    known = {"zone": zone, "fqdn": fqdn, "record_type": kind.name, "record_id": 0}
    return _data(kind, known, body, unpublished.add(session, kind, zone, fqdn, body))


def _data(kind: RecordType, known: dict[str, Any], body: dict[str, Any], answer: Any) -> dict[str, Any]:
    """What is known of a record after it was written: what was sent, and over it what came back."""
    told = answer if isinstance(answer, dict) and isinstance(answer.get("rdata"), dict) else {}
    data = {**known, **body, **told}
    data.setdefault("record_type", kind.name)
    return data


def wrap(cls: type[DNSRecord], listed: Any, session: DynectSession | None) -> list[DNSRecord]:
    """Records of what a listing says; nothing is copied or checked until it is read.

    Raises:
        DynectGetError: the answer is no list of objects.
    """
    if not isinstance(listed, list):
        raise odd(f"{cls.kind.name} records", "a list", listed)
    new = cls.__new__
    found = []
    for row in listed:
        if type(row) is not dict:
            raise odd(f"{cls.kind.name} record", "an object", row)
        record = new(cls)
        record._data = row  # noqa: SLF001 - made here, of this module's class
        record._given = session  # noqa: SLF001 - as above
        found.append(record)
    return found
