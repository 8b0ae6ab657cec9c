"""The little that the history asks of a database, and the tables it makes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS redengine_runs (
        run_id VARCHAR(64) PRIMARY KEY, session VARCHAR(200) NOT NULL, task VARCHAR(400) NOT NULL,
        due DOUBLE PRECISION NOT NULL, started DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION,
        action VARCHAR(12) NOT NULL, error TEXT NOT NULL, owner VARCHAR(32) NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS redengine_tasks (
        session VARCHAR(200) NOT NULL, task VARCHAR(400) NOT NULL, run_id VARCHAR(64) NOT NULL,
        due DOUBLE PRECISION NOT NULL, fails INTEGER NOT NULL, paused INTEGER NOT NULL,
        changed BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (session, task))""",
    """CREATE TABLE IF NOT EXISTS redengine_changes (
        session VARCHAR(200) PRIMARY KEY, number BIGINT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS redengine_last (
        session VARCHAR(200) NOT NULL, task VARCHAR(400) NOT NULL, action VARCHAR(12) NOT NULL,
        instant DOUBLE PRECISION NOT NULL, PRIMARY KEY (session, task, action))""",
    """CREATE TABLE IF NOT EXISTS redengine_owners (
        owner VARCHAR(32) PRIMARY KEY, host VARCHAR(200) NOT NULL, pid INTEGER NOT NULL,
        since VARCHAR(40) NOT NULL, beat DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS redengine_orders (
        order_id VARCHAR(32) PRIMARY KEY, session VARCHAR(200) NOT NULL, task VARCHAR(400) NOT NULL,
        wish VARCHAR(12) NOT NULL, made DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS redengine_output (
        run_id VARCHAR(64) NOT NULL, number INTEGER NOT NULL, session VARCHAR(200) NOT NULL,
        task VARCHAR(400) NOT NULL, started DOUBLE PRECISION NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (run_id, number))""",
)
INDEXES = (
    "CREATE INDEX IF NOT EXISTS redengine_by_task ON redengine_runs (session, task, started)",
    "CREATE INDEX IF NOT EXISTS redengine_by_start ON redengine_runs (session, started)",
    "CREATE INDEX IF NOT EXISTS redengine_by_speaker ON redengine_output (session, task, started)",
    "CREATE INDEX IF NOT EXISTS redengine_by_action ON redengine_runs (action)",
    "CREATE INDEX IF NOT EXISTS redengine_by_change ON redengine_tasks (session, changed)",
    "CREATE INDEX IF NOT EXISTS redengine_by_pause ON redengine_tasks (session, paused)",
)


class Database(Protocol):
    """The little that the history asks of a database. Statements name their values `:like_this`."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the database itself raises."""

    def transaction(self) -> AbstractContextManager[Execute]:
        """A block that happens as a whole or not at all; gives what executes a statement in it."""

    def close(self) -> None:
        """Drop all connections."""


class Result(NamedTuple):
    """What a statement gave: its rows, and how many it changed."""

    rows: Sequence[Sequence[Any]]
    changed: int


class Execute(Protocol):
    """Executes a statement and says what it gave."""

    def __call__(self, statement: str, values: dict[str, Any] | None = None, /) -> Result:
        """Execute one statement."""
