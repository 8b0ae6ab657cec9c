"""An answer that is read as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.clock import Deadline
from sessionkit.http.transport import translate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.http.message import Response


class Stream:
    """A successful answer being read: iterate over its bytes.

    Attributes:
        status: HTTP status (200 or 206).
        headers: See `Headers`.
        url: What answered, after redirects.
    """

    def __init__(self, response: Response, chunk_size: int = 1 << 16) -> None:
        self.status = response.status
        self.headers = response.headers
        self.url = response.url
        self._response = response
        self._chunk_size = chunk_size
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces, each as it comes.

        Raises:
            ConnectionFailed: the connection ended before the body did.
            CallTimeout: nothing more came in time.
        """
        response = self._response
        if response.raw is None:
            yield response.body
            return
        try:
            # `read1` hands over what is there; `stream` would wait for, and in the end lose, a whole chunk.
            while chunk := response.raw.read1(self._chunk_size):
                yield chunk
        except Exception as error:
            raise translate(error, response.request, Deadline.after(0)) from error
        self._whole = True

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else drop it."""
        raw = self._response.raw
        if raw is not None:
            if not self._whole:
                raw.close()
            raw.release_conn()
        place, self._response.place = self._response.place, None
        if place is not None:
            place.release()
