"""A profile file's YAML: safely loaded, no key twice, every value with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from sessionkit.errors import ConfigurationError
from sessionkit.secrets import sounds_secret

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(NamedTuple):
    """A value as it stands in the file, forms and all, and its line."""

    raw: Any
    line: int


class Section(NamedTuple):
    """A top-level name's entries, and its line."""

    entries: dict[str, Entry]
    line: int


def parse(content: bytes, source: str) -> dict[str, Section]:
    """The sections of a profile file, without those whose name begins with a dot.

    Args:
        content: The file.
        source: What to call it in errors.

    Raises:
        ConfigurationError: it is not YAML, or not a mapping of mappings; with the line.
    """
    try:
        loader = yaml.SafeLoader(content)
        try:
            return _sections(loader, source)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        raise ConfigurationError(f"{where}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: too deeply nested") from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, ConfigurationError):
            raise
        # PyYAML lets Python's own errors through, for a date with a 13th month for instance.
        raise ConfigurationError(f"{source}: {error}") from None


def _sections(loader: yaml.SafeLoader, source: str) -> dict[str, Section]:
    root = loader.get_single_node()
    if root is None:
        return {}
    _refuse_duplicates(root, source)
    data = loader.construct_document(root)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{source}:1: a profile file is a mapping of names to profiles")
    sections = {}
    for key, node in root.value:
        name, line = key.value, key.start_mark.line + 1
        if name.startswith("."):
            continue
        if not isinstance(data.get(name), dict):
            raise ConfigurationError(
                f"{source}:{line}: {name} must be a mapping, with a backend and its arguments"
            )
        sections[name] = Section(_entries(node, data[name], source), line)
    return sections


def _entries(node: yaml.MappingNode, data: dict[Any, Any], source: str) -> dict[str, Entry]:
    # Constructing has put merged pairs (`<<: *anchor`) into the node, own ones after them.
    entries = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value not in data:
            raise ConfigurationError(f"{source}:{line}: {key.value} must be a text; put it in quotes")
        raw = data[key.value]
        # A password 0123 is meant as it was typed, and not as YAML's octal number.
        typed = isinstance(value, yaml.ScalarNode) and raw is not None and sounds_secret(key.value)
        entries[key.value] = Entry(value.value if typed else raw, line)
    return entries


def _refuse_duplicates(root: yaml.Node, source: str) -> None:
    for node in _mappings(root):
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            known = (key.tag, str(key.value))
            if known in seen:
                line = key.start_mark.line + 1
                raise ConfigurationError(
                    f"{source}:{line}: {key.value} is there twice", hint="remove one of them"
                )
            seen.add(known)


def _mappings(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    """Every mapping of the document once, however often anchors repeat it."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            continue
        below = list(node.value)
        if isinstance(node, yaml.MappingNode):
            yield node
            below = [part for pair in node.value for part in pair]
        waiting += [part for part in below if id(part) not in seen]
        seen.update(map(id, below))
