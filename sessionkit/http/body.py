"""A request body that is too large to be held in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Body(ABC):
    """Sent in pieces, as `args` of a call: `len()` bytes, iterated anew for each attempt."""

    @abstractmethod
    def __len__(self) -> int:
        """How many bytes it has; sent as Content-Length."""

    @abstractmethod
    def __iter__(self) -> Iterator[bytes]:
        """All of them, in pieces."""
