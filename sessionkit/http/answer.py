"""An answer as it comes from the socket: within its time, and with headers that are read quickly.

urllib3 and `http.client` do the work; these are the parts in which they leave something to be wished for.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import socket
import ssl
import time
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 65536
SLACK: Final = 0.05
"""Seconds that a socket's timeout may be off."""


class _Steady:
    """A socket that sets its timeout only where that makes a difference.

    Each time is a system call, and another thread's turn: fifty threads that call at once feel it.
    """

    def settimeout(self, value: float | None) -> None:
        now: float | None = self.gettimeout()  # type: ignore[attr-defined]  # of the socket it is mixed into
        if value is None or now is None or abs(now - value) > min(SLACK, value):
            super().settimeout(value)  # type: ignore[misc]  # likewise


class Socket(_Steady, socket.socket):
    """For http."""

    def arrived(self) -> bytes:
        """What has come, without waiting for it; b"" is the end.

        Raises:
            BlockingIOError: nothing has.
        """
        # `recv` would ask first whether there is something: another system call, another thread's turn.
        return os.read(self.fileno(), CHUNK) if os.name == "posix" else self.recv(CHUNK)

    @classmethod
    def of(cls, plain: socket.socket) -> Socket:
        """Take over the connection of `plain`, and its timeout."""
        timeout = plain.gettimeout()
        steady = cls(fileno=plain.detach())
        steady.settimeout(timeout)
        return steady


class TLSSocket(_Steady, ssl.SSLSocket):
    """For https."""

    def arrived(self) -> bytes:
        """See `Socket.arrived`; all of it, as waiting for more would not notice what is decrypted already.

        Raises:
            BlockingIOError: nothing has.
        """
        self.settimeout(0.0)
        try:
            data = self.recv(CHUNK)
            while data and (more := self.pending()):
                data += self.recv(more)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        return data


class BoundedReader(io.RawIOBase):
    """The bytes of one answer, until its time is up.

    urllib3's read timeout starts anew with every packet, so that a server that drips one byte at a time
    is waited for without end. Here the timeout a request was sent with bounds its whole answer.

    Args:
        stream: The socket's own.
        sock: The socket, with its timeout.
        ahead: What was read from it before.
    """

    def __init__(self, stream: io.RawIOBase, sock: socket.socket, ahead: bytes | bytearray = b"") -> None:
        self._stream = stream
        self._sock = sock
        self._ahead = memoryview(ahead)
        self._over = False
        self.limit = sock.gettimeout()
        self._end = None if self.limit is None else time.monotonic() + self.limit

    def unbound(self, idle: float | None) -> None:
        """Go on for as long as data comes, waiting at most `idle` seconds for more."""
        self._end = None
        self._sock.settimeout(idle)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, or wait for it until the end.

        Raises:
            TimeoutError: at the end.
        """
        if self._over:
            return 0
        if self._ahead:
            size = min(len(buffer), len(self._ahead))
            buffer[:size], self._ahead = self._ahead[:size], self._ahead[size:]
            return size
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def is_over(self) -> bool:
        """Read no more; whether there was nothing left of what had been read ahead."""
        self._over = True
        return not self._ahead

    def hang_up(self) -> None:
        """End the connection: it is found dropped by whoever takes it next."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket's file, as the object it stands for would."""
        if not self.closed:
            self._stream.close()
        super().close()


class Buffered(io.BufferedReader):
    """What `http.client` reads an answer from, and closes at its end.

    What has come beyond that end is no answer to the next request on the connection, though it may look
    like one: such a connection is not used again.
    """

    def close(self) -> None:
        """See above."""
        reader = self.raw
        if isinstance(reader, BoundedReader) and not self.closed:
            clean = reader.is_over()
            if not clean or self.peek():
                reader.hang_up()
        super().close()


class Arrived:
    """An answer that is there as a whole, for `http.client` to read like a socket."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        """What it reads from."""
        return io.BytesIO(self._data)


# One field line of RFC 9112, section 5, in the form that nearly every service sends.
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n")
_FOLD: Final = re.compile(r"[ \t]*\r?\n[ \t]*")
_MOST_FIELDS: Final = 100
_LONGEST_LINE: Final = 65536


def parse_headers(stream: Any) -> HTTPMessage:
    """The headers of an answer, as `http.client.parse_headers` reads them.

    That one asks the parser of e-mails, which takes longer than the rest of the answer. It is still asked
    about whatever is not in the usual form. And it takes a head that was cut off for a whole one: without
    the length that it would have stated, a lost body then passes for an empty one.

    Raises:
        IncompleteRead: the connection ended before the headers did.
        HTTPException: more or longer lines than anyone sends.
    """
    lines: list[bytes] = []
    while True:
        line = stream.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise http.client.LineTooLong("header line")
        lines.append(line)
        if len(lines) > _MOST_FIELDS:
            raise HTTPException(f"got more than {_MOST_FIELDS} headers")
        if line in {b"\r\n", b"\n"}:
            break
        if not line:
            raise IncompleteRead(b"".join(lines))
    fields = [_FIELD.fullmatch(line) for line in lines[:-1]]
    message = HTTPMessage()
    for field in fields:
        if field is None:
            return _unfolded(http.client.parse_headers(io.BytesIO(b"".join(lines))))
        message.set_raw(field[1].decode("ascii"), field[2].decode("iso-8859-1"))
    return message


def _unfolded(message: HTTPMessage) -> HTTPMessage:
    """Each line break in a value as the space that RFC 9112, section 5.2, wants for it."""
    unfolded = HTTPMessage()
    for name, value in message.items():
        unfolded.set_raw(name, _FOLD.sub(" ", value))
    return unfolded


# http.client's own reading of an answer's beginning, which finds that function by its global name.
_begin: Final[Callable[[HTTPResponse], None]] = FunctionType(
    HTTPResponse.begin.__code__, {**vars(http.client), "parse_headers": parse_headers}, "begin"
)


class Answer(HTTPResponse):
    """The final answer: `http.client` takes interim ones (103, early hints) for it.

    Attributes:
        reader: What it comes from; None when it is there as a whole.
    """

    reader: BoundedReader | None = None

    def begin(self) -> None:
        """Read the status and the headers."""
        _begin(self)

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # in no stub
            if not 100 < status < 200:
                return version, status, reason
            if status == 101:
                raise HTTPException("the service changed the protocol unasked (101)")
            parse_headers(self.fp)
