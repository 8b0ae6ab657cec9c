"""Where an answer ends, told while its bytes come (RFC 9112, section 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_FIRST_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")
_FIELDS: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n)*\r\n")
_TELLING: Final = re.compile(
    rb"^(content-length|transfer-encoding):[ \t]*([^\r\n]*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE
)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,12})(?:[ \t]*;[^\r\n]*)?\r\n")
_LONGEST_LINE: Final = 65536
_MOST_LINES: Final = 100
_BODILESS: Final = frozenset({b"204", b"304"})


class Framing:
    """One answer's.

    It knows the forms in which services send, and calls every other odd: then nothing is certain before the
    parser itself has read, and waited for, what it takes.

    Args:
        method: Of the request that is answered.

    Attributes:
        begin: Bytes before the body, once its head has come.
        end: Bytes of the answer, once that is certain.
        length: Bytes of the body, where its head states them.
        headed: Whether its head has come.
        odd: Whether it takes the parser to tell.
    """

    __slots__ = ("_at", "_method", "_step", "begin", "end", "headed", "length", "odd")

    def __init__(self, method: str) -> None:
        self.end: int | None = None
        self.begin = self.length = 0
        self.headed = self.odd = False
        self._method = method
        self._at = 0  # where what is looked at begins
        self._step: Callable[[bytearray], bool] = self._head

    def advance(self, got: bytearray) -> None:
        """Look at what has come; `got` is all of it, the last time's and more."""
        while self.end is None and not self.odd and self._step(got):
            pass

    # Each step says whether the next may be taken; if not, more must come.

    def _head(self, got: bytearray) -> bool:
        end = _HEAD_END.search(got, self._at)
        first = _FIRST_LINE.match(got, self._at)
        if end is None:
            self.odd = self._is_odd_beginning(got, begun_well=first is not None)
            return False
        if first is None or first[1] == b"101" or _FIELDS.fullmatch(got, first.end(), end.end()) is None:
            self.odd = True
            return False
        if self._is_long(got, end.end()):
            self.odd = True
            return False
        begin, self._at = first.end(), end.end()
        if first[1].startswith(b"1"):
            return True  # an interim answer: another comes
        self.headed = True
        self.begin = self._at
        self._choose(first[1], _TELLING.findall(got, begin, end.end()))
        return True

    def _is_odd_beginning(self, got: bytearray, *, begun_well: bool) -> bool:
        """Whether a part of a head is, or may be, none that the parser would wait for the rest of."""
        if self._is_long(got, len(got)):
            return True
        if begun_well:
            return False
        return b"\n" in got[self._at :] or not b"HTTP/1.".startswith(got[self._at : self._at + 7])

    def _is_long(self, got: bytearray, end: int) -> bool:
        """Whether a head may have more or longer lines than the parser takes."""
        return end - self._at > _LONGEST_LINE or got.count(b"\n", self._at, end) >= _MOST_LINES

    def _choose(self, status: bytes, telling: list[tuple[bytes, bytes]]) -> None:
        if self._method == "HEAD" or status in _BODILESS:
            self.end = self._at
        elif not telling:
            self._step = _until_it_closes
        elif len(telling) > 1:
            self.odd = True
        else:
            ((name, value),) = telling
            if name.lower() == b"content-length" and _LENGTH.fullmatch(value):
                self.length = int(value)
                self.end = self._at + self.length
            elif name.lower() == b"transfer-encoding" and value.lower() == b"chunked":
                self._step = self._chunk
            else:
                self.odd = True

    def _chunk(self, got: bytearray) -> bool:
        line_end = got.find(b"\n", self._at)
        if line_end < 0:
            self.odd = len(got) - self._at > _LONGEST_LINE
            return False
        chunk = _CHUNK.fullmatch(got, self._at, line_end + 1)
        if chunk is None:
            self.odd = True
            return False
        size = int(chunk[1], 16)
        if not size:
            self._at = line_end
            self._step = self._trailers
            return True
        following = chunk.end() + size + 2
        if len(got) < following:
            return False
        self.odd = got[following - 2 : following] != b"\r\n"
        self._at = following
        return True

    def _trailers(self, got: bytearray) -> bool:
        end = _HEAD_END.search(got, self._at)
        if end is None:
            self.odd = len(got) - self._at > _LONGEST_LINE
            return False
        self.end = end.end()
        return True


def _until_it_closes(_: bytearray) -> bool:
    return False
