"""A file on its way: `name.part` beside its place, until it is whole."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sessionkit.transfer import digest
from sessionkit.transfer.errors import NotWritten

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from sessionkit.transfer.digest import Hash

if sys.platform != "win32":
    import fcntl

# From so many bytes on it is written down at once what the part is a part of, so that a killed process
# can be carried on from; below, only when the transfer breaks off.
_NOTED_AT_ONCE = 4 << 20
_BLOCK = 1 << 20
# Only a strong ETag promises the same bytes (RFC 9110, 13.1.5), and only a proper one is sent back.
_STRONG = re.compile(r'"[\x21\x23-\x7e]+"')


class PartFile:
    """The bytes that are there so far, and what they are a part of (an ETag).

        with PartFile(path) as part:
            part.begin(etag, kind="md5", expected=41_302)
            part.write(chunk)
            part.complete()

    A part is one writer's: another thread or process that fetches the same file at the same time gets a
    part of its own, and the last to finish puts its file in place. Leaving the block keeps an incomplete
    part that can be carried on, and removes any other.

    Attributes:
        path: The file it will be.
        size: Bytes that are there.
        etag: What they are a part of; "" when they cannot be carried on from.
        hash: Of the bytes that are there, if one was asked for.

    Raises:
        NotWritten: whatever the file system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.etag = ""
        self.hash: Hash | None = None
        self._complete = False
        self._has_note = False
        # Names as text: of many small files, taking paths apart would be a good part of the work.
        self._part = f"{os.fspath(path)}.part"
        self._note = f"{self._part}.etag"
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self._file, size = self._claim() or (_open(self._own()), 0)
            self.etag = self._noted() if size else ""
            self.size = size if self.etag else 0
        except OSError as error:
            self._close()
            raise NotWritten(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._complete:
            return
        keep = bool(self.etag and self.size)
        with contextlib.suppress(OSError):
            if keep:
                self._write_note()
            else:
                Path(self._part).unlink(missing_ok=True)
                Path(self._note).unlink(missing_ok=True)
        self._close()

    def begin(self, etag: str, kind: str | None, expected: int | None) -> None:
        """Start anew: forget the bytes that are there."""
        self._do(_emptied)
        self.size = 0
        self.etag = etag if _STRONG.fullmatch(etag) else ""
        self.hash = digest.new(kind) if kind else None
        if self.etag and expected is not None and expected >= _NOTED_AT_ONCE:
            self._do(lambda _: self._write_note())

    def go_on(self, kind: str | None) -> None:
        """Carry on after the bytes that are there."""
        if kind and self.hash is None:
            self.hash = digest.new(kind)
            self._do(self._hash_existing)
        self._do(lambda file: file.seek(self.size))

    def write(self, chunk: bytes) -> None:
        """Append."""
        self._do(lambda file: _write_all(file, chunk))
        self.size += len(chunk)
        if self.hash is not None:
            self.hash.update(chunk)

    def discard(self) -> None:
        """Let nothing of it be carried on."""
        self.etag = ""
        self.size = 0

    def complete(self) -> None:
        """Put the file in its place, over whatever is there."""
        # First, so that no note outlives its part, whenever this process may be killed.
        if self._has_note:
            self._do(lambda _: Path(self._note).unlink(missing_ok=True))
        # Renamed while it is open, and thereby locked: nobody else can take it for a part in between.
        if sys.platform == "win32":
            self._close()
        self._do(lambda _: os.replace(self._part, self.path))  # noqa: PTH105 - see the constructor
        self._complete = True
        self._close()

    def _do(self, action: Callable[[BinaryIO], object]) -> None:
        assert self._file is not None
        try:
            action(self._file)
        except OSError as error:
            self.discard()
            raise NotWritten(self.path, error) from error

    def _hash_existing(self, file: BinaryIO) -> None:
        assert self.hash is not None
        file.seek(0)
        while block := file.read(_BLOCK):
            self.hash.update(block)

    def _claim(self) -> tuple[BinaryIO, int] | None:
        """The part at its usual place and its size, unless somebody else is writing it."""
        file = _open(self._part)
        try:
            _lock(file)
            status = os.fstat(file.fileno())
            mine = os.path.samestat(status, os.stat(self._part))  # noqa: PTH116 - see the constructor
        except OSError:
            mine = False
        if not mine:  # locked by another, or put in place by another between open and lock
            file.close()
            return None
        return file, status.st_size

    def _own(self) -> str:
        """The name of a part that nobody else writes."""
        self._part = f"{os.fspath(self.path)}.{secrets.token_hex(4)}.part"
        self._note = f"{self._part}.etag"
        return self._part

    def _noted(self) -> str:
        self._has_note = True
        try:
            noted = Path(self._note).read_text("utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""
        return noted if _STRONG.fullmatch(noted) else ""

    def _write_note(self) -> None:
        self._has_note = True
        Path(self._note).write_text(self.etag, "utf-8")

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _lock(file: BinaryIO) -> None:
    # Windows has no flock, and does not let an open file be renamed or removed; there it is up to the
    # caller not to fetch the same file twice at once.
    if sys.platform != "win32":
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _emptied(file: BinaryIO) -> None:
    if file.seek(0, os.SEEK_END):
        file.seek(0)
        file.truncate()


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _open(path: str) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, 0o666)
    return os.fdopen(descriptor, "r+b", buffering=0)
