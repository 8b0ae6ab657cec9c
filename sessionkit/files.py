"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WRITE_FLAGS = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
)
# A file's name may be of 255 bytes, in which the temporary name has to fit.
_KEPT_OF_NAME = 48


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` when the block ends.

    At every moment, also after a power cut, there is the old file or the new one. A block that raises
    leaves the old one.

    Usage:
        with replacing(Path("report.svg")) as file:
            file.write(b"...")

    Args:
        path: What to replace, or to make; its directory must exist.
        mode: The new file's permissions, from which the process's umask takes some away.

    Raises:
        OSError: the directory or disk does not allow it, or there is a device or directory; what was there
            is untouched.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a file", str(path))
    temporary = path.parent / temporary_name(path, secrets.token_hex(8))
    descriptor = os.open(temporary, _WRITE_FLAGS, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(path.parent)


def temporary_name(path: Path, tag: str) -> str:
    """The name under which a replacement of `path` is written."""
    return f".{path.name[:_KEPT_OF_NAME]}.{tag}.tmp"


def is_temporary(path: Path, other: Path) -> bool:
    """Whether `other` is, by its name, a replacement of `path` that was begun."""
    return other.name.startswith(f".{path.name[:_KEPT_OF_NAME]}.") and other.suffix == ".tmp"


def _sync_directory(path: Path) -> None:
    """Have the new name survive a power cut, where directories can be synced."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
