"""One download, from its first request to the file in its place."""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sessionkit.errors import CallTimeout, ConnectionFailed, RequestError, SessionKitError
from sessionkit.http import Call
from sessionkit.http.job import Task
from sessionkit.http.retry import RetryPolicy
from sessionkit.http.stream import Stream
from sessionkit.secrets import redact_url
from sessionkit.transfer import digest
from sessionkit.transfer.errors import Damaged
from sessionkit.transfer.items import Answer, Download, Downloaded
from sessionkit.transfer.part import PartFile, tidy

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sessionkit.clock import Clock
    from sessionkit.http import HttpEngine
    from sessionkit.outcome import Exchange
    from sessionkit.transfer.progress import Meter

# An attempt that brought so many bytes to carry on from is not counted: the transfer gets on.
_WORTHWHILE = 1 << 20
_BACKOFF = RetryPolicy()
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Options:
    """What holds for every file of a batch; see `download`."""

    existing: Literal["check", "skip", "replace"]
    accept: Callable[[Answer], bool] | None
    attempts: int
    timeout: float | None
    durable: bool
    clock: Clock


class Stopped(Exception):
    """The batch is to end."""


class _Broken(Exception):
    """The body ended early, or was damaged; `error` is what to report if nothing helps."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(str(error))
        self.error = error


class Fetch(Task):
    """One download: its first request, and all that follows from the answer.

    Args:
        session: Who asks.
        item: What for.
        options: How.
        meter: Is told how far it is.
        stop: Set when the batch is to end.
    """

    __slots__ = (
        *("_asks", "_counted", "_expected", "_item", "_meter"),
        *("_options", "_overshot", "_part", "_received", "_session", "_stop"),
    )

    def __init__(
        self, session: HttpEngine, item: Download, options: Options, meter: Meter, stop: threading.Event
    ) -> None:
        self._session = session
        self._item = item
        self._options = options
        self._meter = meter
        self._stop = stop
        self._part: PartFile | None = None
        self._asks = self._overshot = False
        # Bytes that came, also in vain; that the meter was told of, and was told to expect.
        self._received = self._counted = self._expected = 0
        # What is there already is looked at first, in a thread.
        super().__init__(None if item.name is None and _anything_at(item.path) else _call(item, {}))

    def finish(self, came: Exchange | SessionKitError | None) -> Downloaded:
        """Bring the file, and say what became of it."""
        record = self._record(came)
        if record.state != "fetched":  # what was counted came in vain
            self._meter.expect(-self._expected)
            self._meter.advance(-self._counted)
        self._meter.end(record.state)
        return record

    def _record(self, came: Exchange | SessionKitError | None) -> Downloaded:
        try:
            return self._run(came)
        except Stopped:
            return Downloaded(self._item, "cancelled")
        except Exception as error:  # noqa: BLE001 - a batch reports, by file, whatever went wrong
            return Downloaded(self._item, "failed", received=self._received, error=error)
        finally:
            part, self._part = self._part, None
            if part is not None:
                part.close()  # which leaves what can be carried on

    def _run(self, came: Exchange | SessionKitError | None) -> Downloaded:
        """Attempt until it is done, or there is no use; `came` is what the first request brought, if any."""
        if self._item.name is None and self._item.path.is_file():
            found = self._existing(self._item.path)
            if found is not None:
                return found
            self._asks = self._asks_whether_changed(self._item.path)
        tried = 0
        while True:
            before = self._kept
            came, first = None, came
            try:
                done = self._attempt(first)
            except _Broken as broken:
                tried += self._kept - before < _WORTHWHILE
                if tried >= self._options.attempts:
                    raise broken.error from broken
                self._options.clock.sleep(_BACKOFF.backoff(tried or 1))
            else:
                if done is not None:
                    return done

    @property
    def _kept(self) -> int:
        """Bytes that the next attempt can carry on from."""
        return self._part.size if self._part is not None and self._part.etag else 0

    def _attempt(self, came: Exchange | SessionKitError | None) -> Downloaded | None:
        """One request and its answer; None when the next is to be made at once."""
        if self._part is None and self._item.name is None:
            self._part = self._part_of(self._item.path)
        part = self._part
        offset = self._kept
        try:
            if came is None:
                call = _call(self._item, self._headers(offset))
                came = self._session.perform(call, timeout=self._options.timeout)
            elif isinstance(came, SessionKitError):
                raise came
            with closing(Stream(came.response)) as answer:
                # What it redirects to may have become another file since the last attempt.
                if part is not None and part.path == self._item.path_for(answer):
                    return self._receive(answer, part, offset)
                return self._name(answer)
        except RequestError as error:
            if error.status == 304 and self._asks:
                if part is not None:
                    part.discard()
                return self._present(self._item.path)
            if error.status == 416 and part is not None and offset:
                self._overshoot(part)
                return None
            raise

    def _overshoot(self, part: PartFile) -> None:
        """Go on where nothing comes after what there is: that is whole, or of something else."""
        if self._overshot:
            part.discard()
        else:
            self._overshot = True
            part.take_back()

    def _part_of(self, path: Path) -> PartFile:
        return PartFile(path, durable=self._options.durable)

    def _headers(self, offset: int) -> dict[str, str]:
        sent = {}
        if self._asks:  # which goes before the others (RFC 9110, 13.2.2)
            sent["If-None-Match"] = f'"{digest.digest_of(self._item.path)}"'
        if offset and self._part is not None:
            sent |= {"Range": f"bytes={offset}-", "If-Range": self._part.etag}
        return sent

    def _name(self, answer: Answer) -> Downloaded | None:
        """Go on with an answer that had to come before the file's name was known, or that changes it."""
        path = self._item.path_for(answer)
        if self._part is not None:
            self._part.discard()
            self._part.close()
            self._part = None
        if self._refused(answer):
            return Downloaded(self._item, "filtered")
        if os.path.isfile(path):  # noqa: PTH113 - at a fraction of the cost
            found = self._existing(path) or self._same(path, answer)
            if found is not None:
                return found
        self._part = self._part_of(path)
        if self._part.etag and self._part.size:
            return None
        return self._receive(answer, self._part, 0)

    def _receive(self, answer: Answer, part: PartFile, offset: int) -> Downloaded:
        if self._refused(answer):
            part.discard()
            return Downloaded(self._item, "filtered")
        self._asks = False
        size = self._begin(answer, part, offset)
        try:
            for chunk in answer:
                if self._stop.is_set():
                    raise Stopped
                part.write(chunk)
                self._received += len(chunk)
                self._count(len(chunk))
        except (ConnectionFailed, CallTimeout) as error:  # what breaks before the body is raised as it is
            raise _Broken(error) from error
        self._verify(part, size, answer)
        part.complete()
        return Downloaded(self._item, "fetched", part.path, part.size, self._received)

    def _begin(self, answer: Answer, part: PartFile, offset: int) -> int | None:
        """Place the part where the answer begins; returns the file's whole size, if it can be known."""
        kind = self._checksum_kind()
        start, whole = _extent(answer)
        if self._item.size is not None and whole is not None and whole != self._item.size:
            part.discard()
            raise self._damaged(answer, f"{whole:,} bytes were announced, not {self._item.size:,}")
        whole = self._item.size if whole is None else whole
        if answer.status == 206 and (odd := _oddness(answer, start, whole, offset, part.etag)):
            part.discard()
            raise _Broken(self._damaged(answer, odd))
        if start:
            part.go_on(kind)
        else:
            part.begin(answer.headers.get("etag") or "", kind, whole)
        self._count(part.size - self._counted)
        self._meter.expect((whole or 0) - self._expected)
        self._expected = whole or 0
        return whole

    def _verify(self, part: PartFile, size: int | None, answer: Answer) -> None:
        if size is not None and part.size < size:
            raise _Broken(
                ConnectionFailed(f"the body ended after {part.size:,} of {size:,} bytes", **_of(answer))
            )
        if size is not None and part.size > size:
            part.discard()
            raise _Broken(self._damaged(answer, f"{part.size:,} bytes came, not {size:,}"))
        wanted = self._wanted(answer)
        found = part.checksum() if wanted is not None else wanted
        if found != wanted:
            part.discard()
            raise _Broken(self._damaged(answer, f"its checksum is {found}, not {wanted}"))

    def _wanted(self, answer: Answer) -> str | None:
        """The checksum the body must have, in hexadecimal."""
        if self._item.checksum == "etag":
            return digest.stated_md5(answer.headers)
        return (self._item.checksum or "").partition(":")[2].lower() or None

    def _checksum_kind(self) -> str | None:
        kind = (self._item.checksum or "").partition(":")[0]
        return "md5" if kind == "etag" else kind or None

    def _damaged(self, answer: Answer, how: str) -> Damaged:
        return Damaged(f"{self._item} is damaged: {how}", **_of(answer))

    def _refused(self, answer: Answer) -> bool:
        return self._options.accept is not None and not self._options.accept(answer)

    def _existing(self, path: Path) -> Downloaded | None:
        """The file that is there, if it is good enough without asking."""
        if self._options.existing == "replace":
            return None
        if self._options.existing == "skip":
            return self._present(path)
        item = self._item
        kind, _, wanted = (item.checksum or "").partition(":")
        if item.size is not None and path.stat().st_size != item.size:
            return None
        if wanted:
            return self._present(path) if digest.digest_of(path, kind) == wanted.lower() else None
        return self._present(path) if item.size is not None and not kind else None

    def _same(self, path: Path, answer: Answer) -> Downloaded | None:
        """The file that is there, if its MD5 is what the answer's ETag states."""
        stated = digest.stated_md5(answer.headers)
        if stated is None or not self._asks_whether_changed(path):
            return None
        return self._present(path) if digest.digest_of(path) == stated else None

    def _asks_whether_changed(self, path: Path) -> bool:
        """Whether the service has to be asked if the file that is there is the one it has."""
        wanted = (self._item.checksum or "").partition(":")[2]
        sized = self._item.size is None or path.stat().st_size == self._item.size
        return self._options.existing == "check" and sized and not wanted

    def _present(self, path: Path) -> Downloaded:
        tidy(path)
        return Downloaded(self._item, "present", path, path.stat().st_size, self._received)

    def _count(self, size: int) -> None:
        self._counted += size
        self._meter.advance(size)


def _call(item: Download, headers: Mapping[str, str]) -> Call:
    # Compressed on the way, a body has no length to check and no ranges.
    sent = {"Accept-Encoding": "identity", **(item.headers or {}), **headers}
    return Call("GET", item.url, headers=sent, stream=True)


def _anything_at(path: Path) -> bool:
    """Whether the file, or a part of it, is there."""
    return os.path.exists(path) or os.path.exists(f"{os.fspath(path)}.part")  # noqa: PTH110 - quicker


def _extent(answer: Answer) -> tuple[int | None, int | None]:
    """Where in the file the body begins, and the whole file's size, if the answer tells."""
    encoded = answer.headers.get("content-encoding", "identity") != "identity"
    if answer.status == 206:
        match = None if encoded else _CONTENT_RANGE.fullmatch(answer.headers.get("content-range") or "")
        if match is None:
            return None, None
        return int(match[1]), None if match[3] == "*" else int(match[3])
    length = answer.headers.get("content-length") or ""
    return 0, int(length) if not encoded and length.isascii() and length.isdigit() else None


def _oddness(answer: Answer, start: int | None, whole: int | None, offset: int, etag: str) -> str:
    """Why a piece of a file is not what was asked for, from `offset` on and of `etag`; "" if it may be."""
    if start is None or whole is None:
        return "a piece of it came that does not say where it belongs"
    if start not in {0, offset}:
        return f"bytes from {start:,} came where {offset:,} were asked for"
    # A service that does not heed If-Range sends the rest of whatever it has now (RFC 9110, 15.3.7.3).
    if start and answer.headers.get("etag") != etag:
        return "the rest of another version of it came"
    return ""


def _of(answer: Answer) -> dict[str, Any]:
    return {"method": "GET", "url": redact_url(answer.url), "status": answer.status}
