"""Entities as text for people."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from sessionkit_review.collection import Collection, KeyValues
from sessionkit_review.entity import Entity
from sessionkit_review.symbols import NOT_SET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PLAIN: Final[Mapping[str, Callable[[str], str]]] = {"header": str, "label": str}
_PAINTED: Final[Mapping[str, Callable[[str], str]]] = {
    "header": "\x1b[1;34m{}\x1b[0m".format,
    "label": "\x1b[36m{}\x1b[0m".format,
}


def is_set(entity: Entity, name: str, value: Any) -> bool:  # noqa: ARG001 - a filter gets all three
    """A filter: only attributes that have a value."""
    return value is not NOT_SET and value is not None


FILTER: Final[Mapping[str, Callable[[Entity, str, Any], bool]]] = {"ignore_unset": is_set}
"""Filters for `format`, by name."""


def format(  # noqa: A001 - the name of the function in this module, as users know it
    entity: Entity,
    formatters: Mapping[str, Callable[[str], str]] | None = None,
    attribute_filter: Callable[[Entity, str, Any], bool] | None = None,
    recursive: bool = False,
    indent: int = 0,
    indent_first_line: bool = True,
    *,
    colour: bool | None = None,
) -> str:
    """An entity and what is here of it, a line for each attribute; nothing is loaded.

    >>> print(formatter.format(task, attribute_filter=formatter.FILTER["ignore_unset"]))

    Args:
        entity: The entity.
        formatters: How the "header" of an entity and the "label" of an attribute are written; by default in
            colours.
        attribute_filter: Called with entity, name and value; attributes for which it is false are left out.
        recursive: Write out the entities it refers to, each once.
        indent: Spaces before each line.
        indent_first_line: Whether the first one has them too.
        colour: Whether to use colours; None looks at `$NO_COLOR`, `$FORCE_COLOR` and the terminal.
    """
    painted = _wants_colour() if colour is None else colour
    paint = {**(_PAINTED if painted else _PLAIN), **(formatters or {})}
    text = "\n".join(
        " " * indent + line for line in _Lines(attribute_filter, paint, recursive=recursive).of(entity)
    )
    return text if indent_first_line else text[indent:]


def _wants_colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


class _Lines:
    """Writes entities, each once."""

    def __init__(
        self,
        wanted: Callable[[Entity, str, Any], bool] | None,
        paint: Mapping[str, Callable[[str], str]],
        *,
        recursive: bool,
    ) -> None:
        self._wanted = wanted
        self._paint = paint
        self._recursive = recursive
        self._written: set[Entity] = set()

    def of(self, entity: Entity) -> list[str]:
        self._written.add(entity)
        lines = [self._paint["header"](str(entity))]
        with entity.session.auto_populating(False):
            values = {name: entity[name] for name in sorted(entity.attributes)}
        for name, value in values.items():
            if self._wanted is None or self._wanted(entity, name, value):
                first, *rest = self._value(value)
                lines.append(f"  {self._paint['label'](name)}: {first}")
                lines += [f"    {line}" for line in rest]
        return lines

    def _value(self, value: Any) -> list[str]:
        if isinstance(value, Entity):
            return self.of(value) if self._recursive and value not in self._written else [str(value)]
        if isinstance(value, Collection):
            return [f"{len(value)} entities", *(line for item in value for line in self._value(item))]
        if isinstance(value, KeyValues):
            with value.entity.session.auto_populating(False):
                # Of the values that are here: asking for all of them may load what is configured.
                items = value.known_items()
                return [str({str(item["key"]): item["value"] for item in items})]
        return [str(value)]
