"""How files are named in a location."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sessionkit_review.errors import LocationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_review.entity import Entity


class Structure(ABC):
    """Names the resource of a component."""

    @abstractmethod
    def get_resource_identifier(self, entity: Entity, context: Mapping[str, Any] | None = None) -> str:
        """The resource identifier of a component.

        Args:
            entity: The component.
            context: "source_resource_identifier" is its name where it comes from.

        Raises:
            LocationError: when none can be made.
        """


def expression_of(sequence: Entity) -> str:
    """The place of the frame in a sequence's name: "%04d", or "%d"."""
    padding = sequence["padding"]
    return f"%0{padding}d" if padding else "%d"


class OriginStructure(Structure):
    """The name that it has where it comes from."""

    def get_resource_identifier(self, entity: Entity, context: Mapping[str, Any] | None = None) -> str:
        """See `Structure`."""
        found = (context or {}).get("source_resource_identifier")
        if found is None:
            raise LocationError(f"nobody says where {entity} comes from")
        return str(found)


class EntityIdStructure(Structure):
    """The component's id."""

    def get_resource_identifier(self, entity: Entity, context: Mapping[str, Any] | None = None) -> str:  # noqa: ARG002
        """See `Structure`."""
        return str(entity["id"])


class IdStructure(Structure):
    """The component's id, spread over folders so that none of them grows too large.

    Args:
        prefix: Stands before all.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def get_resource_identifier(self, entity: Entity, context: Mapping[str, Any] | None = None) -> str:  # noqa: ARG002
        """See `Structure`."""
        container = entity["container"] if entity.entity_type == "FileComponent" else None
        if container:
            in_sequence = container.entity_type == "SequenceComponent"
            stem = f"file.{entity['name']}" if in_sequence else str(entity["id"])
            return str(PurePosixPath(self._parts(container), f"{stem}{entity['file_type'] or ''}"))
        if entity.entity_type == "SequenceComponent":
            name = f"file.{expression_of(entity)}{entity['file_type'] or ''}"
            return str(PurePosixPath(self._parts(entity), name))
        return f"{self._parts(entity)}{entity['file_type'] or ''}"

    def _parts(self, entity: Entity) -> str:
        identifier = str(entity["id"])
        return str(PurePosixPath(self.prefix, *identifier[:4], identifier[4:]))


class StandardStructure(Structure):
    """Project, what the version belongs to, asset, version, component: names that people find their way by.

    Args:
        project_versions_prefix: A folder between the project and versions that belong to it directly.
        illegal_character_substitute: Stands for characters that file names cannot have; None keeps them.
    """

    def __init__(
        self, project_versions_prefix: str | None = None, illegal_character_substitute: str | None = "_"
    ) -> None:
        self.project_versions_prefix = project_versions_prefix
        self.illegal_character_substitute = illegal_character_substitute

    def get_resource_identifier(self, entity: Entity, context: Mapping[str, Any] | None = None) -> str:
        """See `Structure`."""
        container = entity["container"] if entity.entity_type == "FileComponent" else None
        if container:
            # A member of a sequence is named like it, with its own frame; a container is a folder.
            whole, name = self.get_resource_identifier(container, context), str(entity["name"])
            file = f"{self.sanitise_for_filesystem(name)}{entity['file_type'] or ''}"
            if container.entity_type == "SequenceComponent":
                # Taken off as it was put on: there may be dots in the name, and several in the type.
                frames = f".{expression_of(container)}{container['file_type'] or ''}"
                return f"{whole.removesuffix(frames)}.{file}"
            return str(PurePosixPath(whole, file))
        version = entity["version"]
        if not version:
            raise LocationError(f"{entity} has no version to be named after", hint="commit it with one")
        name = self.sanitise_for_filesystem(str(entity["name"]))
        if entity.entity_type == "SequenceComponent":
            name = f"{name}.{expression_of(entity)}"
        return str(PurePosixPath(*self._folders(version), f"{name}{entity['file_type'] or ''}"))

    def _folders(self, version: Entity) -> list[str]:
        # The link ends with the version itself, under its asset's name and its number.
        asset, link = version["asset"], version["link"] or []
        contexts = [str(part["name"]) for part in link[:-1]]
        if len(contexts) < 2 and self.project_versions_prefix:
            contexts.append(self.project_versions_prefix)
        folders = [*contexts, str(asset["name"]), f"v{int(version['version']):03d}"]
        return [self.sanitise_for_filesystem(folder) for folder in folders]

    def sanitise_for_filesystem(self, value: str) -> str:
        """`value` as every file system takes it, also those that do not tell `A` from `a`."""
        if self.illegal_character_substitute is None:
            return value
        plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
        clean = re.sub(r"[^\w.\-]", self.illegal_character_substitute, plain).strip().lower()
        return self.illegal_character_substitute if clean in {"", ".", ".."} else clean
