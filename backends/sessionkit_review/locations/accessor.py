"""`Accessor`: the storage behind a location."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from sessionkit_review.errors import ResourceNotFound, UnsupportedOperation
from sessionkit_review.locations.data import copy, opened

if TYPE_CHECKING:
    from pathlib import Path

    from sessionkit_review.locations.data import Data


class Accessor(ABC):
    """Reads and writes what a location stores, by resource identifier.

    What a storage cannot do raises `UnsupportedOperation`, which is what those methods do here that a
    subclass need not have.
    """

    @abstractmethod
    def exists(self, resource_identifier: str) -> bool:
        """Whether anything is stored there."""

    @abstractmethod
    def open(self, resource_identifier: str, mode: str = "rb") -> Data | IO[Any]:
        """What is stored there, or is to be: `Data`, or any other object with `read`, `write` and `close`.

        Args:
            resource_identifier: Where.
            mode: As of Python's `open`. Components are copied by "rb" and "wb", and then as bytes.

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
        """Store a file there, in a container that is made if it is not there; whole, or not at all."""
        with suppress(UnsupportedOperation, ResourceNotFound):  # a storage without containers
            self.make_container(self.get_container(resource_identifier))
        try:
            with path.open("rb") as source, opened(self.open(resource_identifier, "wb")) as target:
                copy(source, target)
        except BaseException:
            with suppress(Exception):  # the first error is the one to report
                self.remove(resource_identifier)
            raise

    def list(self, resource_identifier: str) -> list[str]:  # noqa: ARG002
        """The resource identifiers of what a container holds."""
        raise self._cannot("list what is in a container")

    def is_file(self, resource_identifier: str) -> bool:
        """Whether a file is stored there."""
        return self.exists(resource_identifier)

    def is_container(self, resource_identifier: str) -> bool:  # noqa: ARG002
        """Whether it is a container of others."""
        return False

    def is_sequence(self, resource_identifier: str) -> bool:  # noqa: ARG002
        """Whether it is a sequence of files."""
        raise self._cannot("tell sequences from files")

    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:  # noqa: ARG002
        """Make a container, and by default those above it."""
        raise self._cannot("make containers")

    def remove_container(self, resource_identifier: str) -> None:
        """Remove a container, which is to be empty."""
        self.remove(resource_identifier)

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
