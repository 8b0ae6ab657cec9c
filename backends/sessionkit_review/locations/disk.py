"""Files on a disk, below one folder."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessionkit.files import replacing
from sessionkit_review.errors import AccessorError, InvalidResource, ResourceNotFound
from sessionkit_review.locations.accessor import Accessor
from sessionkit_review.locations.data import CHUNK, File

if TYPE_CHECKING:
    from collections.abc import Callable

_WRONG_KIND: Final = {errno.ENOTDIR, errno.EISDIR, errno.EINVAL}


class DiskAccessor(Accessor):
    """Stores files below a folder, and nowhere else.

    >>> location.accessor = DiskAccessor(prefix="/mnt/studio")

    Args:
        prefix: The folder. Without one resource identifiers are whole paths, and nothing is confined.

    Raises:
        InvalidResource: for an identifier that leads out of the folder.
        AccessorError: whatever the file system refuses.
    """

    def __init__(self, prefix: str | os.PathLike[str] | None = "") -> None:
        self.prefix = os.fspath(prefix or "")
        self._root = Path(os.path.realpath(self.prefix)) if self.prefix else None

    def path(self, resource_identifier: str) -> Path:
        """The file of a resource."""
        if "\0" in resource_identifier:
            raise InvalidResource("a resource identifier holds a zero character")
        try:
            os.fsencode(resource_identifier)
        except UnicodeEncodeError as error:
            raise InvalidResource(f"{resource_identifier!r} cannot be the name of a file") from error
        if self._root is None:
            return Path(resource_identifier)
        # Links are followed before it is judged where a path leads.
        path = Path(os.path.realpath(self._root / resource_identifier))
        if not path.is_relative_to(self._root):
            raise InvalidResource(f"{resource_identifier!r} is not below {self.prefix}")
        return path

    def exists(self, resource_identifier: str) -> bool:
        """Whether there is a file or folder."""
        return self._look(resource_identifier, Path.exists)

    def is_file(self, resource_identifier: str) -> bool:
        """Whether there is a file."""
        return self._look(resource_identifier, Path.is_file)

    def is_container(self, resource_identifier: str) -> bool:
        """Whether there is a folder."""
        return self._look(resource_identifier, Path.is_dir)

    def _look(self, resource_identifier: str, what: Callable[[Path], bool]) -> bool:
        try:
            return what(self.path(resource_identifier))
        except OSError as error:  # a name that is too long, a folder that is closed to us
            raise self._error(error, resource_identifier) from error

    def open(self, resource_identifier: str, mode: str = "rb") -> File:
        """The file; its folder is made when it is to be written."""
        path = self.path(resource_identifier)
        try:
            if "r" not in mode:
                path.parent.mkdir(parents=True, exist_ok=True)
            return File(path, mode)
        except OSError as error:
            raise self._error(error, resource_identifier) from error

    def put(self, resource_identifier: str, path: Path) -> None:
        """Store a file, whole or not at all."""
        target = self.path(resource_identifier)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            mode = stat.S_IMODE(path.stat().st_mode)
            with path.open("rb") as source, replacing(target, mode) as file:
                shutil.copyfileobj(source, file, CHUNK)
            target.chmod(mode)  # what the umask took away, too
        except OSError as error:
            raise self._error(error, resource_identifier) from error

    def remove(self, resource_identifier: str) -> None:
        """Remove a file, or a folder that is empty."""
        path = self.path(resource_identifier)
        try:
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
        except OSError as error:
            raise self._error(error, resource_identifier) from error

    def list(self, resource_identifier: str) -> list[str]:
        """What is in a folder."""
        path = self.path(resource_identifier)
        try:
            return [os.path.join(resource_identifier, each.name) for each in sorted(path.iterdir())]  # noqa: PTH118 - identifiers are texts
        except OSError as error:
            raise self._error(error, resource_identifier) from error

    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:
        """Make a folder."""
        try:
            self.path(resource_identifier).mkdir(parents=recursive, exist_ok=True)
        except OSError as error:
            raise self._error(error, resource_identifier) from error

    def get_container(self, resource_identifier: str) -> str:
        """The folder of a file."""
        self.path(resource_identifier)
        return os.path.dirname(resource_identifier)  # noqa: PTH120 - identifiers are texts

    def get_filesystem_path(self, resource_identifier: str) -> str:
        """The file's path on this machine."""
        return str(self.path(resource_identifier))

    def _error(self, error: OSError, identifier: str) -> AccessorError:
        if isinstance(error, FileNotFoundError):
            return ResourceNotFound(f"nothing is stored under {identifier!r}")
        if error.errno in _WRONG_KIND:
            return InvalidResource(f"{identifier!r}: {error.strerror}")
        return AccessorError(f"{identifier!r}: {error.strerror or error}")
