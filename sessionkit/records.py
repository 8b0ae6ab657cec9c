"""Log records, seen as they are made: before any handler, of any library, has them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class RecordLayer:
    """A record factory on top of the one that was there before. Layers are taken off in whatever order.

    >>> layer = RecordLayer(clean)
    >>> layer.take_off()

    Args:
        see: Called with each record, which it may change.

    Attributes:
        below: What makes the records.
    """

    def __init__(self, see: Callable[[logging.LogRecord], None]) -> None:
        self.below: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
        self._see: Callable[[logging.LogRecord], None] | None = see
        logging.setLogRecordFactory(self)

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """Make a record, and see it."""
        record = self.below(*args, **kwargs)
        see = self._see
        if see is not None:
            see(record)
        return record

    @property
    def is_on_top(self) -> bool:
        """Whether nobody has put another factory above it, or in its place."""
        return logging.getLogRecordFactory() is self

    def take_off(self) -> None:
        """See no more; where another was put above it, it stays there and passes records on."""
        self._see = None
        if self.is_on_top:
            logging.setLogRecordFactory(self.below)
