"""Types for an editor: a `.pyi` that knows this server's entity types and their attributes.

In the stub each entity type is a class whose `__getitem__` is overloaded for every attribute, and the
session's `get`, `create`, `ensure` and `select` know which type they give. So an editor completes
`task["status"]["name"]`, and a type checker finds `task["staus"]`.
"""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Final

from sessionkit_review.attributes import Attribute, Attributes, attributes_of
from sessionkit_review.entities import helpers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

_SCALARS: Final = {
    "string": "str",
    "integer": "int",
    "float": "float",
    "boolean": "bool",
    "datetime": "_datetime",
}
_HEAD: Final = '''\
"""Entity types of {server}, as of schema {version}. Written by `sessionkit review stubs`."""

from collections import abc as _abc
from datetime import datetime as _datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from sessionkit_review.collection import CustomAttributes as _CustomAttributes, Metadata as _Metadata
from sessionkit_review.entities.media import AssetVersion as _AssetVersion, Component as _Component
from sessionkit_review.entities.notes import CreateNoteMixin as _CreateNoteMixin, Note as _Note
from sessionkit_review.entities.people import User as _User
from sessionkit_review.entities.production import CreateThumbnailMixin as _CreateThumbnailMixin
from sessionkit_review.entities.production import Job as _Job, ProjectSchema as _ProjectSchema
from sessionkit_review.entity import Entity as _Entity
from sessionkit_review.locations.location import Location as _Location
from sessionkit_review.select import Select as _Select
from sessionkit_review.session import ReviewSession as _ReviewSession

_E = TypeVar("_E", bound=_Entity)

class _Selected(_Select, Generic[_E]):
    def where(self, *expressions: str, **conditions: Any) -> _Selected[_E]: ...
    def order_by(self, *names: str) -> _Selected[_E]: ...
    def limit(self, count: int) -> _Selected[_E]: ...
    def offset(self, count: int) -> _Selected[_E]: ...
    def all(self) -> list[_E]: ...  # type: ignore[override]
    def one(self) -> _E: ...
    def first(self) -> _E | None: ...
    def __iter__(self) -> _abc.Iterator[_E]: ...
'''


def stubs(schemas: Iterable[Mapping[str, Any]], server: str = "a server", version: str = "") -> str:
    """The text of a `.pyi` for these schemas.

    >>> Path("studio.pyi").write_text(stubs(session.schemas))
    """
    usable = [schema for schema in schemas if _is_usable(str(schema["id"]))]
    known = {str(schema["id"]): attributes_of(schema) for schema in usable}
    bases = {str(schema["id"]): [f"_{base.__name__}" for base in helpers_of(schema)] for schema in usable}
    lines = [_HEAD.format(server=server, version=version or "unknown")]
    for name in sorted(known):
        lines += ["", *_entity(name, known[name], bases[name], known)]
        paths = ", ".join(map(repr, _paths(known[name], known)))
        lines += ["", f"{name}Path: TypeAlias = Literal[{paths}]"]
    lines += ["", *_session(sorted(known)), ""]
    return "\n".join(lines)


def _is_usable(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _entity(
    name: str, attributes: Attributes, bases: Iterable[str], known: Mapping[str, Attributes]
) -> Iterator[str]:
    yield f"class {name}({', '.join(bases)}):"
    overload = "    @overload  # type: ignore[override]"
    for attribute in sorted(attributes.values(), key=lambda each: each.name):
        if len(attributes) > 1:
            yield overload
            overload = "    @overload"
        kind = _type_of(attribute, known)
        yield f"    def __getitem__(self, name: Literal[{attribute.name!r}]) -> {kind}: ..."
    if not attributes:
        yield "    ..."


def _paths(attributes: Attributes, known: Mapping[str, Attributes]) -> Iterator[str]:
    """What can be selected of a type: its attributes, and those of what they lead to."""
    for attribute in sorted(attributes.values(), key=lambda each: each.name):
        yield attribute.name
        yield from (f"{attribute.name}.{inner}" for inner in sorted(known.get(attribute.target, ())))


def _type_of(attribute: Attribute, known: Mapping[str, Attributes]) -> str:
    if attribute.kind == "scalar":
        plain = _SCALARS.get(attribute.data_type)
        return f"{plain} | None" if plain else "Any"
    if attribute.kind == "metadata":
        return "_Metadata"
    if attribute.kind == "custom_attributes":
        return "_CustomAttributes"
    target = attribute.target if attribute.target in known else "_Entity"
    return target if attribute.kind == "reference" else f"_abc.Sequence[{target}]"


_METHODS: Final = (
    "get(self, entity_type: {literal}, entity_key: Any) -> {name} | None",
    "create(self, entity_type: {literal}, data: Any = ..., reconstructing: bool = ...) -> {name}",
    "ensure(self, entity_type: {literal}, data: Any, identifying_keys: Any = ...) -> {name}",
    "select(self, entity_type: {literal}, {paths}, *projections: str) -> _Selected[{name}]",
)
# Type checkers compare what `*projections` takes between all overloads, which with these types takes minutes;
# of ordinary parameters they look at the first that differs. So the first few projections are checked.
_CHECKED: Final = 16


def _session(names: list[str]) -> Iterator[str]:
    yield "class Session(_ReviewSession):"
    for method in _METHODS:
        overload = "    @overload  # type: ignore[override]"
        for name in names:
            paths = ", ".join(f"_{number}: {name}Path = ..." for number in range(_CHECKED))
            if len(names) > 1:
                yield overload
                overload = "    @overload"
            yield f"    def {method.format(name=name, literal=f'Literal[{name!r}]', paths=paths)}: ..."
    if not names:
        yield "    ..."
