"""What accessors open: contents that are read and written like a file, wherever they are stored."""

from __future__ import annotations

import codecs
import os
import tempfile
from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from sessionkit_review.errors import UnsupportedOperation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

CHUNK: Final = 1 << 20
"""Bytes that are copied at once."""


class Data(ABC):
    """Contents that are read and written: the base for what an accessor of one's own opens.

    >>> class Blob(Data):
    ...     def read(self, limit=None): return self._blob.download(limit)
    ...     def write(self, content): self._blob.append(content)

    It is closed when a `with` block ends. Components are copied by `read`, `write` and `close` alone, so that
    any object with these will do, and a file of Python's does.

    Attributes:
        closed: Whether it is.
    """

    def __init__(self) -> None:
        self.closed = False

    @abstractmethod
    def read(self, limit: int | None = None) -> Any:
        """The contents from here on, at most `limit` bytes of them; nothing at the end."""

    @abstractmethod
    def write(self, content: Any) -> Any:
        """Write `content` here."""

    def flush(self) -> None:  # noqa: B027 - what keeps nothing back has nothing to do
        """Have what was written arrive where it is stored."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> Any:  # noqa: ARG002
        """Go to another place.

        Raises:
            UnsupportedOperation: where there is no going back and forth.
        """
        raise UnsupportedOperation(f"a {type(self).__name__} is read and written from beginning to end")

    def tell(self) -> int:
        """The place where it is read or written next.

        Raises:
            UnsupportedOperation: where it is not known.
        """
        raise UnsupportedOperation(f"a {type(self).__name__} is read and written from beginning to end")

    def close(self) -> None:
        """Flush, and be done with it; once is enough, and twice does no harm."""
        if not self.closed:
            self.flush()
            self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FileWrapper(Data):
    """A file of Python's, or what looks like one, as `Data`; closed along with it.

    >>> FileWrapper(gzip.open("notes.txt.gz")).read()

    Attributes:
        wrapped_file: The file, for what `Data` does not have.
    """

    def __init__(self, wrapped_file: Any) -> None:
        super().__init__()
        self.wrapped_file = wrapped_file

    def read(self, limit: int | None = None) -> Any:
        """See `Data`."""
        return self.wrapped_file.read(-1 if limit is None else limit)

    def write(self, content: Any) -> Any:
        """See `Data`."""
        return self.wrapped_file.write(content)

    def flush(self) -> None:
        """See `Data`."""
        if hasattr(self.wrapped_file, "flush"):
            self.wrapped_file.flush()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> Any:
        """Go to another place, which is returned."""
        return self.wrapped_file.seek(offset, whence)

    def tell(self) -> int:
        """See `Data`."""
        return int(self.wrapped_file.tell())

    def close(self) -> None:
        """See `Data`; the file is closed even when it cannot be flushed."""
        if self.closed:
            return
        try:
            super().close()
        finally:
            self.closed = True
            if hasattr(self.wrapped_file, "close"):
                self.wrapped_file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.wrapped_file)


class File(FileWrapper):
    """A file of this machine as `Data`.

    Args:
        path: Its path.
        mode: How it is opened, as by Python's `open`; what is read as text is UTF-8.

    Raises:
        OSError: when it cannot be.
    """

    def __init__(self, path: str | os.PathLike[str], mode: str = "rb") -> None:
        super().__init__(open(path, mode, encoding=None if "b" in mode else "utf-8"))  # noqa: SIM115, PTH123


class String(FileWrapper):
    """Contents that are nowhere else: in memory, and in a temporary file when they grow.

    >>> String("Größe").read()
    'Größe'

    They are bytes until text is put in; from then on they are read as text. What is stored of text is UTF-8,
    and places and limits count its bytes: a character is never cut in two.

    Args:
        content: What it holds at the beginning, to be read.

    Attributes:
        is_binary: Whether it is read as bytes.
    """

    def __init__(self, content: str | bytes | None = None) -> None:
        super().__init__(tempfile.SpooledTemporaryFile(CHUNK))  # noqa: SIM115 - closed along with this
        self.is_binary = True
        if content is not None:
            self.write(content)
            self.seek(0)

    def write(self, content: str | bytes) -> Any:
        """See `Data`."""
        if isinstance(content, str):
            self.is_binary = False
        return super().write(_bytes(content))

    def read(self, limit: int | None = None) -> Any:
        """See `Data`."""
        content = super().read(limit)
        if self.is_binary:
            return content
        decoder = codecs.getincrementaldecoder("utf-8")()
        text = decoder.decode(content)
        while decoder.getstate()[0] and (more := super().read(1)):
            text += decoder.decode(more)
        return text + decoder.decode(b"", final=True)


def copy(source: Any, target: Any) -> None:
    """Write all that is still to be read from `source` to `target`; text arrives as UTF-8."""
    while content := source.read(CHUNK):
        target.write(_bytes(content))


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


@contextmanager
def opened(data: Data | IO[Any]) -> Iterator[Any]:
    """Close what an accessor opened when the block ends, in its own way if it has one for blocks."""
    with ExitStack() as stack:
        if hasattr(data, "__exit__"):
            yield stack.enter_context(data)
        else:
            stack.callback(data.close)
            yield data
