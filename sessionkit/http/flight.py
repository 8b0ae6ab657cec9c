"""A request under way: sent on a connection that stands, its answer gathered without waiting."""

from __future__ import annotations

import errno
import re
import time
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from urllib3 import HTTPResponse

from sessionkit.http.body import Body
from sessionkit.http.framing import Framing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import HTTPHeaderDict

    from sessionkit.clock import Deadline
    from sessionkit.http.answer import Answer
    from sessionkit.http.message import Request

_LONGEST_HEAD: Final = 1 << 18
GATHERED: Final = 1 << 20
"""Bytes of a stream that is not gathered whole but read as it comes."""
FOREVER: Final = 2e6
"""Seconds beyond which a deadline is none: no system call can wait for longer than 24 days."""
# A service may hang up on a request it does not want to read to its end, having said why.
_HUNG_UP: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSENDABLE: Final = re.compile(r"[\r\n\0]")
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
# What urllib3 would add by itself.
_ITS_OWN: Final = frozenset({"accept-encoding", "user-agent"})


def head_of(request: Request, more: Mapping[str, str]) -> bytes | None:
    """A request's header lines, as they are sent, but for Host; None when urllib3 is to see to them."""
    fields = request.headers.to_dict()
    fields.update(more)
    body = request.body
    try:
        names = {name.lower() for name in fields}
        if "host" in names or "transfer-encoding" in names or not names >= _ITS_OWN:
            return None
        if not all(map(_NAME.fullmatch, fields)) or any(map(_UNSENDABLE.search, fields.values())):
            return None
        if "content-length" not in names and (body is not None or request.method.upper() not in _BODILESS):
            fields["Content-Length"] = str(len(body or b""))
        lines = "\r\n".join([f"{name}: {value}" for name, value in fields.items()]).encode("latin-1")
    except (TypeError, UnicodeEncodeError):  # what is no text, and text that is no header
        return None
    return lines if isinstance(body, (bytes, Body, NoneType)) else None


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
        "_ended",
        "_framing",
        "_got",
        "_pool",
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
        self.end = time.monotonic() + min(deadline.remaining(), FOREVER)
        self._pool = pool
        self._conn = conn
        self.most = min(GATHERED, most) if request.stream else most
        self.idle = idle
        self._got = bytearray()
        self._framing = Framing(request.method)
        self._ended = False

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
        try:
            self._conn.ask(self.request.method, target, head, self.request.body)
        except OSError as error:
            if error.errno not in _HUNG_UP:
                raise

    def gather(self, *, all_of_it: bool = False) -> bool:
        """Take what has arrived; whether no more is to be gathered.

        Args:
            all_of_it: Take everything that is there; else a piece of it, so that others get their turn.

        Raises:
            OSError: the connection broke.
        """
        while True:
            try:
                data = self._conn.sock.arrived()
            except BlockingIOError:
                return False
            self._got += data
            self._ended = not data
            self._framing.advance(self._got)
            if self._ended or self.whole or self._framing.odd or self._is_too_much:
                return True
            if not all_of_it:
                return False

    @property
    def _is_too_much(self) -> bool:
        return self._framing.length > self.most or len(self._got) > self.most + _LONGEST_HEAD

    @property
    def begun(self) -> bool:
        """Whether the beginning of the answer has been gathered: its headers."""
        return self._framing.headed

    @property
    def whole(self) -> bool:
        """Whether all of the answer has been gathered."""
        end = self._framing.end
        return end is not None and end <= len(self._got)

    @property
    def gathered(self) -> bool:
        """Whether the whole answer is here, and no larger than what is to be gathered."""
        return self.whole and len(self._got) - self._framing.begin <= self.most

    @property
    def there(self) -> bool:
        """Whether nothing has to be waited for any more."""
        return self._ended or self.whole

    @property
    def _has_excess(self) -> bool:
        return self.whole and self._framing.end != len(self._got)

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
        self._shun_excess()
        return self.decoded(answer, headers, pool=self._pool, connection=self._conn)

    def decoded(self, answer: Answer, headers: HTTPHeaderDict, **owner: Any) -> HTTPResponse:
        """urllib3's response, for a body that is compressed or to be read with care.

        Args:
            answer: Its body unread.
            headers: The answer's.
            owner: Whom the connection is given back to once the body is read, if not by `end_well`.
        """
        return HTTPResponse(
            answer,
            headers,
            answer.status,
            reason=answer.reason,
            preload_content=False,
            original_response=answer,
            enforce_content_length=True,
            request_method=self.request.method,
            **owner,
        )

    def end_well(self) -> None:
        """The answer was read: the connection is for others to use."""
        self._shun_excess()
        self._pool.give_back(self._conn)

    def drop(self) -> None:
        """Close the connection, whatever it still brings."""
        self._conn.close()
        self._pool.give_back(self._conn)

    def _shun_excess(self) -> None:
        if self._has_excess:
            self._conn.close()  # whatever it is that came unasked, it is no answer to the next request
