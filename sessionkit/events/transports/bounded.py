"""A WebSocket that takes no more from a server than it is told to.

websocket-client reads a frame of any length, and joins any number of them, before it says a word: a hostile
or broken server could fill the memory, or keep a hub waiting for the end of a frame for ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import websocket
from websocket import ABNF
from websocket._abnf import frame_buffer

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_SECONDS: Final = 60.0
"""How long the rest of a frame may take once it has begun."""
MOST_PARTS: Final = 4096
"""Frames of one message."""


class _Frames(frame_buffer):
    """Reads frames, none longer than `limit` bytes."""

    def __init__(self, socket: BoundedWebSocket, limit: int) -> None:
        self._limit = limit
        self._receive: Callable[[int], bytes] = socket._recv  # noqa: SLF001 - what the base is given, too
        self._ends = float("inf")
        super().__init__(self._timely, skip_utf8_validation=False)

    def recv_header(self) -> None:
        """Wait for a frame to begin; from then on it has to get on."""
        self._ends = float("inf")
        super().recv_header()
        self._ends = time.monotonic() + FRAME_SECONDS

    def recv_length(self) -> None:
        """Refuse what is too long before any of it is read."""
        super().recv_length()
        if self.length is not None and self.length > self._limit:
            raise websocket.WebSocketProtocolException(f"a frame of {self.length} bytes")

    def _timely(self, size: int) -> bytes:
        if time.monotonic() > self._ends:
            raise websocket.WebSocketTimeoutException("a frame that does not end")
        return self._receive(size)


class BoundedWebSocket(websocket.WebSocket):
    """A `websocket.WebSocket` whose messages are of `limit` bytes at most; longer ones end the connection."""

    def __init__(self, limit: int, **options: Any) -> None:
        super().__init__(**options)
        self.frame_buffer = _Frames(self, limit)
        self._limit = limit
        self._size = self._parts = 0

    def recv_frame(self) -> Any:
        """The next frame; raises a WebSocketProtocolException for one that makes its message too long."""
        frame: Any = self.frame_buffer.recv_frame()
        if frame.opcode in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY):
            self._size = self._parts = 0
        if frame.opcode in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY, ABNF.OPCODE_CONT):
            self._size += len(frame.data)
            self._parts += 1
        if self._size > self._limit or self._parts > MOST_PARTS:
            raise websocket.WebSocketProtocolException(f"a message of more than {self._limit} bytes")
        return frame
