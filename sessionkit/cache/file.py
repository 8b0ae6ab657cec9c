"""The cache in a file, which processes share and which outlives them."""

from __future__ import annotations

import logging
import sys
import zlib
from typing import TYPE_CHECKING, Any

from sessionkit.cache.base import Cache, check_bounds, matcher
from sessionkit.cache.database import Database, begin_epoch, read_epoch, transaction
from sessionkit.clock import SYSTEM_CLOCK, Clock
from sessionkit.errors import CacheError

if TYPE_CHECKING:
    import os
    import sqlite3

    from sessionkit.cache.base import Key, Which

_log = logging.getLogger(__name__)

_SELECT = "SELECT value, written, checksum FROM entries WHERE key = ?"
_INSERT = "INSERT OR REPLACE INTO entries (key, value, written, checksum) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM entries WHERE key = ?"
_DELETE_AGED = "DELETE FROM entries WHERE written NOT BETWEEN ? AND ?"
_DELETE_BEYOND = """
DELETE FROM entries WHERE rowid <= (SELECT rowid FROM entries ORDER BY rowid DESC LIMIT 1 OFFSET ?)
"""
_KEYS = "SELECT key, written FROM entries ORDER BY rowid"


class FileCache(Cache):
    """Text and bytes in an SQLite file; for other values put a `SerialisedCache` around it.

    Any number of threads and processes of one user on one machine may use the file at the same time. A
    process killed in the middle of writing leaves the entry as it was. A damaged file is moved aside to
    `<path>.damaged` and starts anew; a damaged entry is missing, never wrong. Only the owner may read it.

    Args:
        path: The file. It and its folder are made when first needed.
        ttl: Seconds after which a value is no longer given out. None: they do not age.
        max_entries: How many values to hold at most, give or take a sixteenth; the oldest written go
            first. None: any number.
        timeout: Seconds to wait for another process that writes.
        clock: What tells the time.

    Using it may raise `CacheError`: no space, no permission, too long a wait, already closed.

    >>> with FileCache("~/.cache/mine.db") as cache:                                      # doctest: +SKIP
    ...     cache.set("greeting", "hello")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ttl: float | None = None,
        max_entries: int | None = 100_000,
        timeout: float = 5.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_bounds(max_entries=max_entries, ttl=ttl)
        self._database = Database(path, timeout)
        self._ttl = ttl
        self._max_entries = sys.maxsize if max_entries is None else max_entries
        self._sweep_every = max(1, min(self._max_entries // 16, 4096))
        self._now = clock.time

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._database.path)!r})"

    def get(self, key: Key) -> str | bytes:
        """The value kept for `key`; KeyError when there is none, or when it is older than `ttl`."""
        return self._checked(key, self._database.read(lambda connection: _select(connection, key)))

    def set(self, key: Key, value: Any) -> None:
        """Keep `value`, text or bytes, for `key`.

        Raises:
            TypeError: when `value` is neither.
        """
        row = self._row(key, value)
        self._database.write(lambda connection: self._insert(connection, row))

    def epoch(self) -> int:
        """A number in the file that changes with every `advance()` of any process."""
        return self._database.read(read_epoch)

    def advance(self) -> None:
        """Begin another epoch, for all who use the file."""
        self._database.write(begin_epoch)

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value`, text or bytes, for `key` unless `epoch` is over."""
        row = self._row(key, value)

        def insert(connection: sqlite3.Connection) -> int | None:
            with transaction(connection):
                within = read_epoch(connection) == epoch
                return connection.execute(_INSERT, row).lastrowid if within else None

        def task(connection: sqlite3.Connection) -> bool:
            written = insert(connection)
            self._after(connection, written)
            return written is not None

        return self._database.write(task)

    def _row(self, key: Key, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (str, bytes)):
            kind = type(value).__name__
            raise TypeError(f"a FileCache keeps text or bytes, not {kind}: put a SerialisedCache around it")
        try:
            return key, value, self._now(), _checksum(key, value)
        except UnicodeEncodeError as error:
            raise CacheError("Text with lone surrogates cannot be kept in a file.") from error

    def _insert(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
        self._after(connection, connection.execute(_INSERT, row).lastrowid)

    def _after(self, connection: sqlite3.Connection, written: int | None) -> None:
        # Row numbers grow with every write of any process: they tell when it is time, without a counter.
        if written is not None and written % self._sweep_every == 0:
            self._sweep(connection)

    def _sweep(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            if self._ttl is not None:
                now = self._now()
                connection.execute(_DELETE_AGED, (now - self._ttl, now))
            connection.execute(_DELETE_BEYOND, (self._max_entries,))

    def remove(self, key: Key) -> str | bytes:
        """Take the value out, and return it; KeyError when there is none."""
        return self._checked(key, self._database.write(lambda connection: _take(connection, key)))

    def keys(self) -> list[Key]:
        """The keys at this moment, the longest unchanged first."""
        return [key for key, written in self._rows() if self._fresh(written)]

    def _rows(self) -> list[tuple[Key, float]]:
        rows = self._database.read(lambda connection: connection.execute(_KEYS).fetchall())
        return [(key, written) for key, written in rows if isinstance(key, (str, bytes))]

    def clear(self, pattern: Which | None = None) -> None:
        """Remove the keys in which the regular expression `pattern` is found; without one, all."""
        if pattern is None:
            self._database.write(lambda connection: connection.execute("DELETE FROM entries"))
            return
        matches = matcher(pattern)
        # The aged ones too: a clock that is set back makes them young again.
        doomed = [(key,) for key, _ in self._rows() if matches(key)]
        if doomed:
            self._database.write(lambda connection: _delete(connection, doomed))

    def close(self) -> None:
        """Close the file. Using the cache afterwards is a CacheError."""
        self._database.close()

    def _checked(self, key: Key, row: tuple[Any, ...] | None) -> str | bytes:
        """The value in `row`, if it is sound and young enough."""
        if row is None:
            raise KeyError(key)
        value, written, checksum = row
        if not isinstance(value, (str, bytes)) or _checksum(key, value) != checksum:
            _log.warning("An entry of %s is damaged and does not count.", self._database.path)
            raise KeyError(key)
        if not self._fresh(written):
            raise KeyError(key)
        return value

    def _fresh(self, written: float) -> bool:
        # An entry from the future was written before the clock was set back: its age is unknown.
        return self._ttl is None or 0 <= self._now() - written < self._ttl


def _select(connection: sqlite3.Connection, key: Key) -> tuple[Any, ...] | None:
    try:
        # All rows, though there is one at most: a statement not run to its end keeps the file as it was.
        rows = connection.execute(_SELECT, (key,)).fetchall()
    except UnicodeEncodeError:  # a lone surrogate, which `set` refuses
        return None
    return rows[0] if rows else None


def _take(connection: sqlite3.Connection, key: Key) -> tuple[Any, ...] | None:
    with transaction(connection):
        row = _select(connection, key)
        if row is not None:
            connection.execute(_DELETE, (key,))
        return row


def _delete(connection: sqlite3.Connection, keys: list[tuple[Key]]) -> None:
    with transaction(connection):
        connection.executemany(_DELETE, keys)


def _checksum(key: Key, value: str | bytes) -> int:
    return zlib.crc32(_encoded(value), zlib.crc32(_encoded(key)))


def _encoded(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
