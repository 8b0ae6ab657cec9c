"""What an entity type's attributes are: values, references, collections and mappings."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sessionkit_review.errors import UnknownAttribute

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["scalar", "reference", "collection", "metadata", "custom_attributes"]

UID_DEFAULT: Final = "{uid}"
_DATA_TYPES: Final = {"number": "float"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an entity type.

    Attributes:
        name: Its key in the entity.
        kind: "scalar" (a value), "reference" (an entity), "collection" (entities), "metadata" (texts by
            key), "custom_attributes" (values by key).
        data_type: Of a scalar: "string", "integer", "float", "boolean", "datetime", "object", "variable".
        target: Of the others: the entity type they lead to.
        default: What it is on a new entity; "{uid}" is a new identifier.
        mutable: Whether it can be changed once the entity exists.
        computed: Whether the server works it out.
    """

    name: str
    kind: Kind
    data_type: str = ""
    target: str = ""
    default: Any = None
    mutable: bool = True
    computed: bool = False

    @property
    def is_value(self) -> bool:
        """Whether it holds a plain value, not entities."""
        return self.kind == "scalar"

    def make_default(self) -> Any:
        """The value on a new entity."""
        return str(uuid.uuid4()) if self.default == UID_DEFAULT else self.default


class Attributes(dict[str, Attribute]):
    """The attributes of an entity type, by name.

    >>> session.types["Task"].attributes["bid"].data_type
    'float'
    """

    def __init__(self, entity_type: str, attributes: Mapping[str, Attribute]) -> None:
        super().__init__(attributes)
        self.entity_type = entity_type

    def __missing__(self, name: str) -> Attribute:
        close = similar(name, self)
        raise UnknownAttribute(
            f"{self.entity_type} has no attribute {name!r}",
            hint=f"did you mean {close!r}?" if close else f"there are: {', '.join(sorted(self))}",
        )


def similar(name: object, known: Any) -> str:
    """The most similar of `known` names, or ""."""
    import difflib  # noqa: PLC0415 - only for the message of an error

    return next(iter(difflib.get_close_matches(str(name), known, 1)), "")


def attributes_of(schema: Mapping[str, Any]) -> Attributes:
    """The attributes that a schema, as the server sends it, describes; those it never sends are left out."""
    immutable, computed = set(schema.get("immutable") or ()), set(schema.get("computed") or ())
    found = {}
    for name, fragment in (schema.get("properties") or {}).items():
        if fragment.get("restricted_projection"):
            continue
        what = _kind_of(fragment)
        if what is not None:
            kind, data_type, target = what
            default = fragment.get("default") if kind == "scalar" else None
            found[name] = Attribute(
                name, kind, data_type, target, default, name not in immutable, name in computed
            )
    return Attributes(str(schema["id"]), found)


def _kind_of(fragment: Mapping[str, Any]) -> tuple[Kind, str, str] | None:
    """Kind, data type and target of an attribute; None for what this client has no use for."""
    declared = fragment.get("type")
    items = fragment.get("items")
    target = str(items.get("$ref", "")) if isinstance(items, dict) else ""
    if fragment.get("$ref"):
        return "reference", "", str(fragment["$ref"])
    if declared == "array":
        return "collection", "", target
    if declared == "mapped_array":
        if target == "Metadata":
            return "metadata", "", target
        return ("custom_attributes", "", target) if target.endswith("CustomAttributeValue") else None
    if not isinstance(declared, str):
        return None
    if declared == "string" and fragment.get("format") == "date-time":
        return "scalar", "datetime", ""
    return "scalar", _DATA_TYPES.get(declared, declared), ""
