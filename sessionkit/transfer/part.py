"""A file on its way: `name.part` beside its place, until it is whole."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
# So many bytes are held until more come: a small file is opened, written and renamed in one go.
_HELD = 1 << 16
_BLOCK = 1 << 20
# Where others write that fetch the same file at the same time, and may have been killed.
_SPARES = range(2, 6)
# Only a strong ETag promises the same bytes (RFC 9110, 13.1.5), and only a proper one is sent back.
_STRONG = re.compile(r'"[\x21\x23-\x7e]+"')


class PartFile:
    """The bytes that are there so far, and what they are a part of (an ETag).

        with PartFile(path) as part:
            part.begin(etag, kind="md5", expected=41_302)
            part.write(chunk)
            part.complete()

    A part is one writer's: another thread or process that fetches the same file at the same time gets a
    part of its own, `name.2.part`, that nobody carries on; the last to finish puts its file in place.

    Args:
        path: The file it will be.
        durable: Whether its bytes have to be on the disk before it gets its name, so that not even a power
            cut leaves it empty or torn.

    Attributes:
        path: As above.
        size: Bytes that are there.
        etag: What they are a part of; "" when they cannot be carried on from.

    Raises:
        NotWritten: whatever the file system refuses.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self.size = 0
        self.etag = ""
        self._durable = durable
        self._hash: Hash | None = None
        self._held: list[bytes] = []
        self._complete = False
        self._has_note = self._is_spare = False
        # Names as text and files as descriptors: of many small files, more would be a good part of the work.
        self._part = f"{os.fspath(path)}.part"
        self._note = f"{self._part}.etag"
        self._file = -1
        if os.path.exists(self._part):  # noqa: PTH110 - as above
            self._do(self._resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Keep an incomplete part if it can be carried on, and remove it if not."""
        try:
            if not self._complete:
                self._leave()
        finally:
            self._close()

    def begin(self, etag: str, kind: str | None, expected: int | None) -> None:
        """Start anew: forget the bytes that are there."""
        self._held.clear()
        self.size = 0
        self.etag = etag if _STRONG.fullmatch(etag) else ""
        self._hash = digest.new(kind) if kind else None
        if self._file >= 0:
            self._do(self._empty)
        if self.etag and expected is not None and expected >= _NOTED_AT_ONCE:
            self._do(self._flush)
            self._do(self._write_note)

    def go_on(self, kind: str | None) -> None:
        """Carry on after the bytes that are there."""
        if self._file < 0:
            return
        if kind and self._hash is None:
            self._hash = digest.new(kind)
            self._do(self._hash_existing)
        self._do(lambda: os.lseek(self._file, self.size, os.SEEK_SET))

    def write(self, chunk: bytes) -> None:
        """Append."""
        self._held.append(chunk)
        self.size += len(chunk)
        if self._file >= 0 or self.size > _HELD:
            self._do(self._flush)

    def checksum(self) -> str | None:
        """Of the bytes that are there, in hexadecimal, if one was asked for."""
        if self._hash is None:
            return None
        self._do(self._flush)
        return self._hash.hexdigest()

    def take_back(self) -> None:
        """Forget the last byte, to ask for it: what there is may be whole, and the answer will tell."""
        self._do(self._flush)
        self.size -= 1
        self._hash = None
        self._do(lambda: os.ftruncate(self._file, self.size))

    def discard(self) -> None:
        """Let nothing of it be carried on."""
        self.etag = ""
        self.size = 0
        self._held.clear()

    def complete(self) -> None:
        """Put the file in its place, over whatever is there."""
        self._do(self._flush)
        self._do(self._put_in_place)
        self._complete = True
        tidy(self.path)

    def _put_in_place(self) -> None:
        if self._durable:
            os.fsync(self._file)
        self._forget_note()
        # Renamed while it is open, and thereby locked: nobody else can take it for a part in between.
        if sys.platform == "win32":
            self._close()
        os.replace(self._part, self.path)  # noqa: PTH105 - as text, see the constructor

    def _leave(self) -> None:
        if self.etag and self.size:
            with contextlib.suppress(OSError):
                self._flush()
                self._write_note()
                if not self._is_spare:
                    return
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self._forget_note()
                Path(self._part).unlink(missing_ok=True)

    def _do(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.discard()
            raise NotWritten(self.path, error) from error

    def _flush(self) -> None:
        """Write what is held, to a file that is made when there is none yet."""
        if self._file < 0:
            self._open()
        if not self._held:
            return
        data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        if self._hash is not None:
            self._hash.update(data)
        written = os.write(self._file, data)
        while written < len(data):
            written += os.write(self._file, memoryview(data)[written:])

    def _open(self) -> None:
        """Take the first place where nobody else is writing."""
        for part in (self._part, *_spares(self.path)):
            self._part, self._note = part, f"{part}.etag"
            size = self._claim()
            if size is not None:
                break
            self._is_spare = True
        else:  # so many at once, or a file system without locks
            self._part = f"{os.fspath(self.path)}.{secrets.token_hex(4)}.part"
            self._file, size = _opened(self._part), 0
        self._forget_note()
        if size:
            os.ftruncate(self._file, 0)

    def _resume(self) -> None:
        """Go on with the part that an earlier attempt left, if it says what it is a part of."""
        size = self._claim()
        if size:
            try:
                self.etag = self._noted()
            except OSError:
                self._close()
                raise
            self.size = size if self.etag else 0

    def _claim(self) -> int | None:
        """Take the part that may be there, and give its size; None when somebody else is writing it."""
        claimed = _claimed(self._part)
        if claimed is None:
            return None
        self._file, size = claimed
        self._has_note = True  # perhaps: somebody may have been killed who wrote it
        return size

    def _hash_existing(self) -> None:
        assert self._hash is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        while block := os.read(self._file, _BLOCK):
            self._hash.update(block)

    def _empty(self) -> None:
        self._forget_note()
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)

    def _noted(self) -> str:
        try:
            noted = Path(self._note).read_text("utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""
        return noted if _STRONG.fullmatch(noted) else ""

    def _write_note(self) -> None:
        if self._is_spare:
            return
        self._has_note = True
        Path(self._note).write_text(self.etag, "utf-8")

    def _forget_note(self) -> None:
        """Before the part is changed or gone: this process may be killed, and nobody must believe it then."""
        if self._has_note:
            Path(self._note).unlink(missing_ok=True)
            self._has_note = False

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            with contextlib.suppress(OSError):
                os.close(file)


def tidy(path: Path) -> None:
    """Remove what is left of earlier attempts at a file that is there now, but for what is being written."""
    for part in (f"{os.fspath(path)}.part", *_spares(path)):
        if os.path.exists(part):  # noqa: PTH110 - quicker
            with contextlib.suppress(OSError):
                _remove(part)


def _remove(part: str) -> None:
    claimed = _claimed(part)
    if claimed is not None:
        try:
            Path(f"{part}.etag").unlink(missing_ok=True)
            Path(part).unlink(missing_ok=True)
        finally:
            os.close(claimed[0])


def _spares(path: Path) -> list[str]:
    return [f"{os.fspath(path)}.{number}.part" for number in _SPARES]


def _claimed(part: str) -> tuple[int, int] | None:
    """Open a part that may be there, lock it and give its size; None when somebody else is writing it."""
    file = _opened(part)
    try:
        _lock(file)
        status = os.fstat(file)
        mine = os.path.samestat(status, os.stat(part))  # noqa: PTH116 - as text, see `PartFile`
    except OSError:
        mine = False
    if mine:
        return file, status.st_size
    os.close(file)  # locked by another, or put in place by another between open and lock
    return None


def _lock(file: int) -> None:
    # Windows has no flock, and does not let an open file be renamed or removed; there it is up to the
    # caller not to fetch the same file twice at once.
    if sys.platform != "win32":
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _opened(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o666)
