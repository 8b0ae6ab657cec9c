"""What is sent to create or change a record, from values and names as a caller has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit_dyn import errors
from sessionkit_dyn.record_types import InvalidRecord, RecordType, check_ttl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionkit_dyn.record_types import Field


def _unescaped(value: Any) -> Any:
    r"""The service writes ";" as "\;"."""
    return value.replace("\\;", ";") if isinstance(value, str) else value


def _split(value: Any) -> Any:
    return [word for word in value.split(",") if word] if isinstance(value, str) else value


#: Fields that read otherwise than they travel.
READ: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("TXT", "txtdata"): _unescaped,
    ("SPF", "txtdata"): _unescaped,
    ("CSYNC", "flags"): _split,
    ("CSYNC", "types"): _split,
}


def readable(kind: RecordType, name: str, value: Any) -> Any:
    """A field's value as callers have it."""
    read = READ.get((kind.name, name))
    return value if read is None else read(value)


def writable(kind: RecordType) -> list[Field]:
    """The fields that a caller may set."""
    return [field for field in kind.fields if field.name not in kind.read_only]


def body_of(
    kind: RecordType, values: tuple[Any, ...], fields: Mapping[str, Any], *, partial: bool = False
) -> dict[str, Any]:
    """The body that creates or (`partial`) changes a record.

    Args:
        kind: Its type.
        values: Values in the table's order; after them what stands beside, and the time to live.
        fields: The same by name.
        partial: Whether what is missing stays as it is.

    Raises:
        DynectInvalidArgumentError: naming the field that is wrong, missing or unknown.
    """
    wire = {field.argument: field.name for field in writable(kind)}
    names = [*wire, *(name for name, _ in kind.beside), "ttl"]
    if len(values) > len(names):
        raise errors.DynectInvalidArgumentError(
            "values", len(values), names, problem=f"a {kind.name} record has {len(names)} at most"
        )
    given = dict(zip(names, values, strict=False))
    for name, value in fields.items():
        if name not in names or name in given:
            problem = "is given twice" if name in given else f"a {kind.name} record has no such field"
            raise errors.DynectInvalidArgumentError(name, value, names, problem=problem)
        given[name] = value
    rdata = {wire[name]: value for name, value in given.items() if name in wire}
    beside = {name: given[name] for name, _ in kind.beside if given.get(name)}
    try:
        checked = kind.validate(rdata, partial=partial)
        ttl = {} if partial and "ttl" not in given else {"ttl": check_ttl(given.get("ttl"))}
    except InvalidRecord as error:
        value = rdata.get(error.field, given.get(error.field))
        raise errors.DynectInvalidArgumentError(error.field, value, problem=error.problem) from error
    return {"rdata": checked, **ttl, **beside}
