"""How a class of records is made from its line in the table."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.bodies import READ, writable
from sessionkit_dyn.record import DNSRecord
from sessionkit_dyn.record_types import REQUIRED, RecordType
from sessionkit_dyn.resource import odd

if TYPE_CHECKING:
    from collections.abc import Callable


class Attribute:
    """One field of a record as an attribute: reading asks nothing, setting changes the record."""

    def __init__(self, name: str, argument: str, read: Callable[[Any], Any] | None, *, inside: bool) -> None:
        self._name = name
        self._argument = argument
        self._read = read
        self._inside = inside

    def __get__(self, record: DNSRecord | None, owner: type) -> Any:
        if record is None:
            return self
        try:
            value = (record._data["rdata"] if self._inside else record._data)[self._name]  # noqa: SLF001 - its part
        except (KeyError, TypeError):
            raise odd(f"{record.record_type} record", f"a field {self._name}", None) from None
        return value if self._read is None else self._read(value)

    def __set__(self, record: DNSRecord, value: Any) -> None:
        record.update(**{self._argument: value})


def _signature(kind: RecordType) -> inspect.Signature:
    """What `help()` shows of a class's constructor."""
    names = [field.argument for field in writable(kind)] if "POST" in kind.methods else []
    last = [name for name, _ in kind.beside] + ["ttl"] if names else []
    defaults = {field.argument: field.default for field in kind.fields if field.default is not REQUIRED}
    defaults |= {**dict(kind.beside), "ttl": 0}
    either = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", "zone", "fqdn")
    ]
    either += [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=defaults.get(name, ...))
        for name in (*names, *last)
    ]
    only = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in ("record_id", "session")
    ]
    return inspect.Signature([*either, *only])


def make(kind: RecordType) -> type[DNSRecord]:
    """The class of a type's records."""
    attributes: dict[str, Any] = {
        field.argument: Attribute(field.name, field.argument, READ.get((kind.name, field.name)), inside=True)
        for field in kind.fields
    }
    attributes |= {name: Attribute(name, name, None, inside=False) for name, _ in kind.beside}
    shown = ", ".join(attributes)

    def __init__(self: DNSRecord, zone: str, fqdn: str, *values: Any, **fields: Any) -> None:  # noqa: N807 - it is one
        DNSRecord.__init__(self, zone, fqdn, *values, **fields)

    __init__.__signature__ = _signature(kind)  # type: ignore[attr-defined]  # what inspect looks for
    return type(
        f"{kind.name}Record",
        (DNSRecord,),
        {
            "__slots__": (),
            "__module__": "sessionkit_dyn.records",
            "__doc__": f"A record of type {kind.name}: {shown}; see the module's text for how to use it.",
            "__init__": __init__,
            "kind": kind,
            **attributes,
        },
    )
