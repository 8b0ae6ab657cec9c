"""A request under way: sent on a connection that stands, its answer gathered without waiting."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from urllib3 import HTTPResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import HTTPHeaderDict

    from sessionkit.clock import Deadline
    from sessionkit.http.answer import Answer
    from sessionkit.http.message import Request

_HEAD_END: Final = b"\r\n\r\n"
_LONGEST_HEAD: Final = 1 << 18
GATHERED: Final = 1 << 20
"""Bytes of a stream that is not gathered whole but read as it comes."""
_LAST_CHUNK: Final = b"0\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
# What `_size` says of answers whose end shows only when it has come.
_NOT_STATED: Final = -1

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSENDABLE: Final = re.compile(r"[\r\n\0]")
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


def head_of(request: Request, more: Mapping[str, str]) -> bytes | None:
    """A request's header lines, as they are sent, but for Host; None when they hold what may be no header."""
    fields = request.headers.to_dict()
    fields.update(more)
    names = {name.lower() for name in fields}
    if "host" in names or "transfer-encoding" in names or "accept-encoding" not in names:
        return None
    if "content-length" not in names and (request.body is not None or request.method not in _BODILESS):
        fields["Content-Length"] = str(len(request.body or b""))
    if not all(map(_NAME.fullmatch, fields)) or any(map(_UNSENDABLE.search, fields.values())):
        return None
    try:
        return "\r\n".join([f"{name}: {value}" for name, value in fields.items()]).encode("latin-1")
    except UnicodeEncodeError:
        return None


class Flight:
    """One request under way.

    Args:
        pool: Whose connection it is.
        conn: A connection that nobody else uses.
        request: What is sent.
        deadline: For everything.
        most: Bytes of a body at most.
        idle: Seconds to wait for more of a stream.

    Attributes:
        end: When `deadline` is, by `time.monotonic()`.
    """

    __slots__ = (
        "_conn",
        "_got",
        "_pool",
        "_searched",
        "_size",
        "deadline",
        "end",
        "idle",
        "most",
        "request",
    )

    def __init__(
        self, pool: Any, conn: Any, request: Request, deadline: Deadline, most: int, idle: float | None
    ) -> None:
        self.request = request
        self.deadline = deadline
        self.end = time.monotonic() + deadline.remaining()
        self._pool = pool
        self._conn = conn
        self.most = GATHERED if request.stream else most
        self.idle = idle
        self._got = bytearray()
        self._searched = 0
        self._size: int | None = None

    def fileno(self) -> int:
        """The socket's, for whoever waits for the answer."""
        number: int = self._conn.sock.fileno()
        return number

    def send(self, target: str, head: bytes) -> None:
        """Send the request.

        Args:
            target: As it stands in the first line.
            head: The other lines, see `head_of`.

        Raises:
            OSError, HTTPException: it could not be.
        """
        self._conn.bound(self.end - time.monotonic())
        self._conn.ask(self.request.method, target, head, self.request.body)

    def gather(self) -> bool:
        """Take what has arrived; whether that is the whole answer, as far as can be told.

        Raises:
            OSError: the connection broke.
        """
        try:
            data = self._conn.sock.arrived()
        except BlockingIOError:
            return False
        self._got += data
        return not data or self._is_whole()

    def _is_whole(self) -> bool:
        got = self._got
        if self._size is None:
            end = got.find(_HEAD_END, self._searched)
            if end < 0:
                self._searched = max(0, len(got) - len(_HEAD_END) + 1)
                return len(got) > _LONGEST_HEAD  # refused when it is parsed
            self._size = _size(got[: end + 2], end + len(_HEAD_END), self.request.method)
        if self._size == _NOT_STATED:
            return got.endswith(_LAST_CHUNK) or len(got) > self.most + _LONGEST_HEAD
        return len(got) >= self._size or self._size > self.most

    @property
    def begun(self) -> bool:
        """Whether the beginning of the answer has been gathered: its headers."""
        return self._size is not None

    @property
    def whole(self) -> bool:
        """Whether all of the answer has been gathered."""
        return self._size is not None and 0 <= self._size <= len(self._got)

    def answer(self) -> Answer:
        """The answer, its body unread; what has not been gathered is waited for.

        Raises:
            OSError, HTTPException: there is none.
        """
        # What has come in time is not refused for being looked at late.
        left = max(0.01, self.end - time.monotonic())
        answer: Answer = self._conn.hear(self._got, left, whole=self.whole)
        return answer

    def unread(self, answer: Answer, headers: HTTPHeaderDict) -> HTTPResponse:
        """urllib3's response, that gives the connection back by itself."""
        if answer.reader is not None:
            answer.reader.unbound(self.idle)
        return HTTPResponse(
            answer,
            headers,
            answer.status,
            reason=answer.reason,
            preload_content=False,
            original_response=answer,
            pool=self._pool,
            connection=self._conn,
            enforce_content_length=True,
            request_method=self.request.method,
        )

    def end_well(self) -> None:
        """The answer was read: the connection is for others to use."""
        if self._size is not None and 0 <= self._size < len(self._got):
            self._conn.close()  # whatever it is that came unasked, it is no answer to the next request
        self._pool.give_back(self._conn)

    def drop(self) -> None:
        """Close the connection, whatever it still brings."""
        self._conn.close()
        self._pool.give_back(self._conn)


def _size(head: bytearray, begin: int, method: str) -> int:
    """Bytes of an answer from its first to its last, by RFC 9112, section 6.3.

    A wrong guess costs no more than a wait: it is read by the same parser as any other.
    """
    status = bytes(head[9:12])
    if method == "HEAD" or status in {b"204", b"304"}:
        return begin
    length = _LENGTH.search(head)
    if length is None or _CHUNKED.search(head) or status.startswith(b"1"):
        return _NOT_STATED
    return begin + int(length[1])
