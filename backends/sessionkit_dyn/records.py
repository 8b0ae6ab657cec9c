"""DNS records: one class per type, made from the table of record types.

    from sessionkit_dyn import records

    www = records.ARecord("example.test", "www.example.test", "192.0.2.1", ttl=300)   # creates it
    www.address                                                                       # asks nothing
    www.address = "192.0.2.2"                                                         # changes it
    www.delete()
    records.ARecord("example.test", "www.example.test", record_id=318905321)          # reads it

Changes wait for `Zone.publish()`. A class takes the type's fields in the table's order, then `ttl`; they
are its attributes too. `help(records.MXRecord)` shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit_dyn import errors
from sessionkit_dyn.record import DNSRecord, wrap
from sessionkit_dyn.record_classes import make
from sessionkit_dyn.record_types import RECORD_TYPES
from sessionkit_dyn.resource import mapping

if TYPE_CHECKING:
    from sessionkit_dyn.session import DynectSession

#: The class of each type, by name: RECORD_CLASSES["A"] is ARecord.
RECORD_CLASSES: Final[dict[str, type[DNSRecord]]] = {name: make(kind) for name, kind in RECORD_TYPES.items()}
globals().update({cls.__name__: cls for cls in RECORD_CLASSES.values()})

_BY_LISTING: Final = {cls.kind.listing: cls for cls in RECORD_CLASSES.values()}


def record_class(record_type: str) -> type[DNSRecord]:
    """The class of a type's records.

    Raises:
        DynectInvalidArgumentError: when there is no such type.
    """
    found = RECORD_CLASSES.get(str(record_type).upper().removesuffix("RECORD"))
    if found is None:
        raise errors.DynectInvalidArgumentError("record_type", record_type, RECORD_CLASSES)
    return found


def listing(data: Any, session: DynectSession | None) -> dict[str, list[DNSRecord]]:
    """The records of an `AllRecord` or `ANYRecord` answer by its keys ("a_records"), empty lists left out."""
    return {
        key: wrap(_BY_LISTING.get(key, DNSRecord), listed, session)
        for key, listed in mapping(data, "records").items()
        if listed
    }
