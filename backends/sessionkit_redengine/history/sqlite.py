"""The history in an SQLite file, with the standard library alone."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sessionkit.clock import Deadline
from sessionkit_redengine.errors import HistoryError
from sessionkit_redengine.history.port import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit_redengine.history.port import Execute

# Seconds to wait for another process that is writing: the scheduler waits with it, and tries again anyway.
_WAIT = 5.0


class SqliteDatabase:
    """One connection, used under the history's lock.

    Write-ahead logging makes a transaction durable against the end of the process at any instant; only a
    power failure may lose the last ones, and never a part of one.
    """

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: str) -> None:
        try:
            connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise HistoryError(f"the history {path} cannot be opened: {error}") from error
        try:
            log_ahead(connection)
        except sqlite3.Error as error:
            connection.close()
            raise HistoryError(f"the history {path} cannot be used: {error}") from error
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """See `Database`: the lock for writing is taken at the beginning, so that nothing read is stale."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._execute
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise

    def _execute(self, statement: str, values: dict[str, Any] | None = None) -> Result:
        cursor = self._connection.execute(statement, values or {})
        return Result(cursor.fetchall(), cursor.rowcount)

    def close(self) -> None:
        """See `Database`."""
        self._connection.close()


def log_ahead(connection: Any) -> None:
    """Switch to write-ahead logging: a writer holds the lock for an instant, not until the disk has turned.

    SQLite's lock is not fair, and one of two schedulers could wait longer than `_WAIT` for the other. Where
    several switch at once, SQLite itself does not wait.
    """
    connection.execute("PRAGMA synchronous = NORMAL")
    deadline = Deadline.after(_WAIT)
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if deadline.expired or "locked" not in str(error):
                raise
            deadline.sleep(0.01)
        else:
            return
