"""The history in any database that SQLAlchemy reaches: `sessionkit[redengine-sql]`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.history.port import Result
from sessionkit_redengine.history.sqlite import log_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit_redengine.history.port import Execute


class AlchemyDatabase:
    """A database by its SQLAlchemy URL; each transaction borrows a connection from the engine's pool."""

    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy  # noqa: PLC0415 - a quarter of a second that only its users spend
        except ImportError:
            raise ConfigurationError(
                "A history by URL needs SQLAlchemy.", hint='pip install "sessionkit[redengine-sql]"'
            ) from None
        self._text = sqlalchemy.text
        self.errors: tuple[type[Exception], ...] = (sqlalchemy.exc.SQLAlchemyError,)
        try:
            self._engine = sqlalchemy.create_engine(url)
        except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
            raise ConfigurationError(f"This is no database that can be reached: {error}") from None
        if self._engine.dialect.name == "sqlite":
            sqlalchemy.event.listen(self._engine, "connect", _as_files_are)
            sqlalchemy.event.listen(self._engine, "begin", _lock_at_once)

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """See `Database`."""
        with self._engine.begin() as connection:

            def execute(statement: str, values: dict[str, Any] | None = None) -> Result:
                result = connection.execute(self._text(statement), values or {})
                return Result(result.fetchall() if result.returns_rows else (), result.rowcount)

            yield execute

    def close(self) -> None:
        """See `Database`."""
        self._engine.dispose()


def _as_files_are(connection: Any, _: Any) -> None:
    """Have SQLite work as it does for a history by path: a file may be used both ways at once."""
    connection.isolation_level = None
    log_ahead(connection)


def _lock_at_once(connection: Any) -> None:
    """Take SQLite's lock for writing first: a transaction that reads and then writes does not wait for it."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
