"""Histories: what a session's tasks have done, in memory or in a database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.history.base import History, LogRecord, Query, RunRecord
from sessionkit_redengine.history.memory import MemoryHistory
from sessionkit_redengine.history.state import ACTIONS, TaskState

if TYPE_CHECKING:
    from sessionkit_redengine.history.database import DatabaseHistory

__all__ = [
    "ACTIONS",
    "History",
    "LogRecord",
    "MemoryHistory",
    "Query",
    "RunRecord",
    "TaskState",
    "open_database",
    "open_history",
]


def open_history(where: str | os.PathLike[str] | History | None) -> History:
    """The history meant by None or "memory", a file, a database URL, or a history itself.

    >>> open_history("runs.db")                            # SQLite, with the standard library
    >>> open_history("postgresql://ann@db/studio")         # anything SQLAlchemy reaches

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(where, History):
        return where
    if where is None or where == "memory":
        return MemoryHistory()
    if isinstance(where, (str, os.PathLike)):
        return open_database(os.fspath(where))
    raise ConfigurationError(f"A history is a file, a URL or a History, not {where!r}.")


def open_database(where: str, *, max_runs: int | None = None) -> DatabaseHistory:
    """The history in a database: a file's path is SQLite, a URL whatever SQLAlchemy reaches."""
    from sessionkit_redengine.history.database import DatabaseHistory  # noqa: PLC0415 - most schedules need none

    if "://" in where:
        from sessionkit_redengine.history.alchemy import AlchemyDatabase  # noqa: PLC0415 - see above

        return DatabaseHistory(lambda: AlchemyDatabase(where), where=where, max_runs=max_runs)
    from sessionkit_redengine.history.sqlite import SqliteDatabase  # noqa: PLC0415 - see above

    return DatabaseHistory(lambda: SqliteDatabase(where), where=where, max_runs=max_runs)
