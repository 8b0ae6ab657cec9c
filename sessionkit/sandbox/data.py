"""Data files of the sandbox: what its services know when they start.

A file holds one section per service, over the demo data or, with `replace: true` at its top, instead of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sessionkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class DataSet:
    """The content of one data file.

    Attributes:
        sections: Service name -> that service's section.
        replace: Whether it stands instead of everything loaded before it.
        folder: Where relative file names in it start from.
        origin: The file's name, for messages.
    """

    sections: Mapping[str, Mapping[str, Any]]
    replace: bool
    folder: Path
    origin: str


def read_data(source: str | Path | Mapping[str, Any], services: frozenset[str]) -> DataSet:
    """Read a data file, or take a mapping of the same form.

    Args:
        source: Path of a YAML file, or the mapping itself.
        services: The names a section may have.

    Raises:
        ConfigurationError: for a file that cannot be read, is no YAML mapping, or names no service here.
    """
    if isinstance(source, Mapping):
        return _data_set(source, services, Path.cwd(), "the given data")
    path = Path(source)
    return _data_set(read_yaml(path), services, path.resolve().parent, str(path))


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigurationError: when there is no such file, or it is not YAML.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error


def _data_set(content: Any, services: frozenset[str], folder: Path, origin: str) -> DataSet:
    if not isinstance(content, Mapping):
        raise ConfigurationError(
            f"{origin}: a data file is a mapping of service names, not {type(content).__name__}"
        )
    replace = content.get("replace", False)
    if not isinstance(replace, bool):
        raise ConfigurationError(f"{origin}: `replace` is true or false, not {replace!r}")
    sections = {str(name): section for name, section in content.items() if name != "replace"}
    for name, section in sections.items():
        if name not in services:
            raise ConfigurationError(
                f"{origin}: there is no service {name!r}",
                hint=f"services here: {', '.join(sorted(services))}",
            )
        if not isinstance(section, Mapping):
            raise ConfigurationError(f"{origin}: the section {name!r} is a mapping, not {section!r}")
    return DataSet(sections, replace, folder, origin)
