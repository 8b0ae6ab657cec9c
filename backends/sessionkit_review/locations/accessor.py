"""`Accessor`: the storage behind a location."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING

from sessionkit_review.errors import UnsupportedOperation

if TYPE_CHECKING:
    from pathlib import Path


class Accessor(ABC):
    """Reads and writes what a location stores, by resource identifier.

    What a storage cannot do raises `UnsupportedOperation`, which is what those methods do here that a
    subclass need not have.
    """

    @abstractmethod
    def exists(self, resource_identifier: str) -> bool:
        """Whether anything is stored there."""

    @abstractmethod
    def open(self, resource_identifier: str, mode: str = "rb") -> IO[bytes]:
        """What is stored there, or is to be, as a file of bytes.

        Raises:
            ResourceNotFound: when there is nothing to read.
        """

    @abstractmethod
    def remove(self, resource_identifier: str) -> None:
        """Remove what is stored there.

        Raises:
            ResourceNotFound: when there is nothing.
        """

    def put(self, resource_identifier: str, path: Path) -> None:
        """Store a file there."""
        with path.open("rb") as source, self.open(resource_identifier, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def list(self, resource_identifier: str) -> list[str]:  # noqa: ARG002
        """The resource identifiers of what a container holds."""
        raise self._cannot("list what is in a container")

    def is_file(self, resource_identifier: str) -> bool:
        """Whether a file is stored there."""
        return self.exists(resource_identifier)

    def is_container(self, resource_identifier: str) -> bool:  # noqa: ARG002
        """Whether it is a container of others."""
        return False

    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:  # noqa: ARG002
        """Make a container, and by default those above it."""
        raise self._cannot("make containers")

    def get_container(self, resource_identifier: str) -> str:  # noqa: ARG002
        """The container of a resource."""
        raise self._cannot("name a container")

    def get_filesystem_path(self, resource_identifier: str) -> str:  # noqa: ARG002
        """Where on this machine it is."""
        raise self._cannot("name a file on this machine")

    def get_url(self, resource_identifier: str | None = None) -> str:  # noqa: ARG002
        """The URL of it."""
        raise self._cannot("name a URL")

    def _cannot(self, what: str) -> UnsupportedOperation:
        return UnsupportedOperation(f"a {type(self).__name__} cannot {what}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
