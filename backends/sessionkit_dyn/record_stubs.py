"""Writes `records.pyi`, by which editors and type checkers know the classes that the table makes.

python -m sessionkit_dyn.record_stubs > backends/sessionkit_dyn/records.pyi
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sessionkit_dyn.bodies import writable
from sessionkit_dyn.record_types import RECORD_TYPES, REQUIRED

if TYPE_CHECKING:
    from sessionkit_dyn.record_types import RecordType

_HEAD = """\
# Written by `python -m sessionkit_dyn.record_stubs`; a test keeps it as it should be.
from typing import Any, Final, overload

from sessionkit_dyn.record import DNSRecord as DNSRecord
from sessionkit_dyn.session import DynectSession

RECORD_CLASSES: Final[dict[str, type[DNSRecord]]]

def record_class(record_type: str) -> type[DNSRecord]: ...
def listing(data: Any, session: DynectSession | None) -> dict[str, list[DNSRecord]]: ...
"""
_SESSION = "session: DynectSession | None = ..."
_READING = f"""\
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, {_SESSION}
    ) -> None: ..."""


def stub() -> str:
    """The whole file."""
    return _HEAD + "".join(f"\n{_class(kind)}" for kind in RECORD_TYPES.values())


def _class(kind: RecordType) -> str:
    names = [*(field.argument for field in kind.fields), *(name for name, _ in kind.beside)]
    lines = [f"class {kind.name}Record(DNSRecord):", *(f"    {name}: Any" for name in names)]
    if "POST" not in kind.methods:
        lines += _READING.replace("int,", "int | None = ...,").split("\n")
        return "\n".join(lines) + "\n"
    needed = [f"{field.argument}: Any" for field in writable(kind) if field.default is REQUIRED]
    optional = [f"{field.argument}: Any = ..." for field in writable(kind) if field.default is not REQUIRED]
    optional += [f"{name}: Any = ..." for name, _ in kind.beside]
    each = ["self", "zone: str", "fqdn: str", *needed, *optional, "ttl: Any = ...", "*", _SESSION]
    lines += ["    @overload", "    def __init__(", *(f"        {part}," for part in each)]
    lines += ["    ) -> None: ...", "    @overload", *_READING.split("\n")]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(stub())
