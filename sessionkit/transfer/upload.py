"""Uploads: a file to a URL, in one piece or in parts."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError
from sessionkit.http import Body
from sessionkit.transfer import digest
from sessionkit.transfer.errors import Damaged, NotRead
from sessionkit.transfer.progress import Meter, Progress, callback_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sessionkit.clock import Clock
    from sessionkit.http import HttpEngine

_BLOCK = 256 * 1024


@dataclass(frozen=True)
class Part:
    """One part of an upload in parts.

    Attributes:
        number: As the service counts them, usually from 1.
        url: Where it is put.
    """

    number: int
    url: str


@dataclass(frozen=True)
class Uploaded:
    """A file, or one part of it, that the service has taken.

    Attributes:
        number: Of the part; 1 for a file in one piece.
        size: Its bytes.
        md5: Its MD5 in hexadecimal.
        etag: What the service calls it, quotes and all; "" when it says nothing.
    """

    number: int
    size: int
    md5: str
    etag: str


def upload(
    session: HttpEngine,
    path: Path,
    url: str,
    *,
    method: str = "PUT",
    headers: Mapping[str, str] | None = None,
    verify: bool = True,
    progress: Callable[[Progress], None] | bool | None = None,
    timeout: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Uploaded:
    """Send a file, read as it is sent.

    >>> upload(session, Path("film.mov"), signed_url, headers={"Content-Type": "video/quicktime"})

    Args:
        session: Who sends; on another origin than its own, such as a signed URL's, without its credential.
        path: The file.
        url: Where to.
        method: How.
        headers: Sent along.
        verify: Compare the service's ETag with the MD5 of what was sent, where the ETag is one.
        progress: True shows a bar in a terminal; a function is called with a `Progress`.
        timeout: Seconds for the answer once everything is sent; None is the session's.
        clock: Time, for tests.

    Raises:
        RequestError: what went wrong; repeated before where that could do no harm.
        Damaged: the service took something else than was sent.
        NotRead: the file was changed meanwhile, and the service has not got it.
        OSError: the file cannot be read.
    """
    status = path.stat()
    size = status.st_size
    with _metered(path, size, progress, clock) as meter:
        body = FileBody(path, status, 0, size, meter)
        return _put(
            session, Part(1, url), body, method=method, headers=headers, verify=verify, timeout=timeout
        )


def upload_parts(
    session: HttpEngine,
    path: Path,
    parts: Sequence[Part],
    *,
    part_size: int,
    concurrency: int = 6,
    headers: Mapping[str, str] | None = None,
    verify: bool = True,
    progress: Callable[[Progress], None] | bool | None = None,
    timeout: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Uploaded]:
    """Send a file in parts, several at once; returns what the service needs to put them together.

    >>> sent = upload_parts(session, path, [Part(1, url1), Part(2, url2)], part_size=10 << 20)
    >>> [{"part_number": part.number, "e_tag": part.etag} for part in sent]

    Args:
        session: See `upload`.
        path: The file.
        parts: One for each `part_size` bytes of the file, in the file's order.
        part_size: Bytes of each but the last.
        concurrency: Parts under way at once.
        headers: Sent along with each.
        verify: See `upload`.
        progress: See `upload`.
        timeout: See `upload`; for each part.
        clock: Time, for tests.

    Raises:
        ConfigurationError: when the parts do not cover the file.
        RequestError, Damaged, NotRead, OSError: see `upload`. The first of them ends the upload; parts that
            are under way are waited for.
    """
    status = path.stat()
    size = status.st_size
    needed = max(1, -(-size // part_size)) if part_size > 0 else 0
    if needed != len(parts) or concurrency < 1:
        raise ConfigurationError(
            f"{size:,} bytes in parts of {part_size:,} are {needed} parts, and {len(parts)} URLs were given"
        )
    failed = threading.Event()

    def send(index: int, meter: Meter) -> Uploaded | None:
        if failed.is_set():
            return None
        body = FileBody(path, status, index * part_size, min(part_size, size - index * part_size), meter)
        try:
            return _put(
                session, parts[index], body, method="PUT", headers=headers, verify=verify, timeout=timeout
            )
        except BaseException:
            failed.set()
            raise

    with (
        _metered(path, size, progress, clock) as meter,
        ThreadPoolExecutor(min(concurrency, needed), "upload") as pool,
    ):
        try:
            return [sent for sent in pool.map(send, range(needed), repeat(meter)) if sent is not None]
        except BaseException:
            failed.set()
            raise


@contextmanager
def _metered(
    path: Path, size: int, progress: Callable[[Progress], None] | bool | None, clock: Clock
) -> Iterator[Meter]:
    """Count one file."""
    meter = Meter(callback_of(progress, f"uploading {path.name}"), 1, clock)
    meter.expect(size)
    try:
        yield meter
    except BaseException:
        meter.end("failed")
        raise
    else:
        meter.end("fetched")
    finally:
        meter.finish()


class FileBody(Body):
    """A stretch of a file as the body of a request; read anew when the request is repeated.

    Attributes:
        md5: Of what was sent last, once all of it was.
    """

    def __init__(self, path: Path, status: os.stat_result, start: int, size: int, meter: Meter) -> None:
        self._path = path
        self._stamp = _stamp(status)
        self._start = start
        self._size = size
        self._meter = meter
        self._counted = 0
        self.md5 = ""

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self._count(-self._counted)
        found = digest.new("md5")
        for block in self._blocks():
            found.update(block)
            yield block
            self._count(len(block))
        self.md5 = found.hexdigest()

    def _blocks(self) -> Iterator[bytes]:
        left = self._size
        try:
            with self._path.open("rb") as file:
                file.seek(self._start)
                while left:
                    block = file.read(min(_BLOCK, left))
                    left -= len(block)
                    # Before the last goes out: what the service has not got whole it does not take.
                    if not block or (not left and _stamp(os.fstat(file.fileno())) != self._stamp):
                        raise NotRead(self._path, "was changed")
                    yield block
        except OSError as error:
            raise NotRead(self._path, f"could not be read ({error.strerror or error})") from error

    def _count(self, size: int) -> None:
        self._counted += size
        self._meter.advance(size)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    """What is another when a file was changed, or another took its place."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev


def _put(
    session: HttpEngine,
    part: Part,
    body: FileBody,
    *,
    method: str,
    headers: Mapping[str, str] | None,
    verify: bool,
    timeout: float | None,
) -> Uploaded:
    sent = {"Content-Type": "application/octet-stream", **(headers or {})}
    with session.stream(part.url, method=method, args=body, headers=sent, timeout=timeout) as answer:
        etag = answer.headers.get("etag") or ""
        for _ in answer:  # to its end, so that the connection can be used again
            pass
    stated = digest.stated_md5(answer.headers) if verify else None
    if stated is not None and body.md5 != stated:
        raise Damaged(
            f"part {part.number} arrived damaged: its checksum is {stated} there, {body.md5} here",
            hint="send it again",
        )
    return Uploaded(part.number, len(body), body.md5, etag)
