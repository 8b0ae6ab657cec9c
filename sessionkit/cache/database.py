"""The SQLite file behind `FileCache`: opened safely, shared by processes, started anew when damaged.

Facts this module is built on:

- In WAL mode readers and one writer do not wait for each other. So there are two connections, each with
  a lock of its own: a thread that waits to write keeps nobody from reading.
- A connection must not be open across a fork: SQLite's idea of the locks it holds would be wrong in the
  child, also for connections made there later (https://www.sqlite.org/howtocorrupt.html). They are
  closed before every fork, and opened again by whoever next needs them.
- Closing *any* descriptor of the file drops the process's locks on it. Nothing here opens it but SQLite.
- A damaged file is moved aside, never repaired. Processes that still have it open notice that another
  file stands in its place, and follow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sqlite3
import stat
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sessionkit.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# Marks the file as ours, so that no other program's database is ever written to.
_APPLICATION_ID = 0x736B6301
_EPOCHS = 2**31
_SCHEMA = """
CREATE TABLE entries (
    key PRIMARY KEY NOT NULL,       -- no type: text and bytes stay different
    value NOT NULL,
    written REAL NOT NULL,          -- seconds since the epoch
    checksum INTEGER NOT NULL       -- of key and value: SQLite keeps none
)
"""
# OperationalErrors that mean that the file is not what it was, beside DatabaseError itself.
_SIGNS_OF_DAMAGE = ("no such table", "no such column", "table entries has", "Could not decode to UTF-8")


class Damaged(Exception):
    """The file is no sound database of ours."""


class Database:
    """The file at `path`, made when it is first needed, and two connections to it.

    `read` and `write` hand a connection to a task while no other thread uses it, heal the file once if it
    turns out damaged, and turn whatever else SQLite raises into a `CacheError`.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float) -> None:
        self.path = Path(path).expanduser().absolute()
        self._timeout = timeout
        self._closed = False
        self.lanes = self._read, self._write = _Lane(), _Lane()
        # Closes what is open when the cache is forgotten without having been closed.
        weakref.finalize(self, _disconnect, *self.lanes)
        _living.add(self)

    def read(self, task: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `task` makes of the connection to read with."""
        return self._run(self._read, task)

    def write(self, task: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `task` makes of the connection to write with."""
        return self._run(self._write, task)

    def close(self) -> None:
        """Close both connections; any later use is a `CacheError`."""
        self._closed = True
        for lane in self.lanes:
            with lane.lock:
                _disconnect(lane)

    def _run(self, lane: _Lane, task: Callable[[sqlite3.Connection], _T]) -> _T:
        with lane.lock:
            try:
                try:
                    return task(self._connection(lane))
                except (Damaged, sqlite3.Error) as error:
                    if not _means_damage(error):
                        raise
                    self._heal(lane)
                    return task(self._connection(lane))
            except (Damaged, sqlite3.Error, OSError) as error:
                raise CacheError(
                    f"The cache file {self.path} cannot be used: {error}.",
                    hint="Is there space left, and may this user read and write there?",
                ) from error

    def _connection(self, lane: _Lane) -> sqlite3.Connection:
        if lane.connection is not None and lane.file == _file(self.path):
            return lane.connection
        if self._closed:
            raise CacheError(f"The cache {self.path} was closed before this use.")
        _disconnect(lane)
        with self._alone():
            made = _make_file(self.path)
            lane.file = _file(self.path)
            if not made and not self.path.stat().st_size:
                raise Damaged("it is empty")  # perhaps under the eyes of those who have it open
            lane.connection = _opened(self.path, self._timeout)
        return lane.connection

    def _heal(self, lane: _Lane) -> None:
        """Move the file aside, if it still is the one that was found damaged."""
        _disconnect(lane)
        with self._alone():
            if lane.file != _file(self.path):
                return  # somebody was quicker
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            if self.path.stat().st_size:
                _log.warning("The cache file %s was damaged; it starts anew.", self.path)
                self.path.replace(f"{self.path}.damaged")
            else:
                self.path.unlink()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one, among all processes, to open or replace the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _locked(self.path.with_name(f"{self.path.name}.lock"), self._timeout)
        try:
            yield
        finally:
            if lock is not None:
                lock.close()


def _locked(path: Path, timeout: float) -> sqlite3.Connection | None:
    """Hold the lock at `path` until the connection is closed; None where this user may not.

    It is SQLite's own lock, on an empty file: freed when its holder is killed, no longer waited for than
    told, and without fork hooks of its own that ours would have to be in step with.
    """
    with contextlib.suppress(FileExistsError, PermissionError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    lock = None
    try:
        lock = sqlite3.connect(path, timeout=timeout, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if lock is not None:
            lock.close()
        if "locked" in str(error):
            raise
        return None  # who may not write here can replace nothing, and has nothing to be alone for
    return lock


class _Lane:
    """A connection, the file it was opened on, and the lock under which both are used."""

    __slots__ = ("__weakref__", "connection", "file", "lock")

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.file: tuple[int, int] | None = None
        # Re-entrant: a garbage collection inside may come back to the same cache.
        self.lock = threading.RLock()


def _disconnect(*lanes: _Lane) -> None:
    for lane in lanes:
        connection, lane.connection = lane.connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _file(path: Path) -> tuple[int, int] | None:
    """What tells the file at `path` from another one put there later; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _make_file(path: Path) -> bool:
    """See to it that there is a file, and that only its owner may read it; tell whether it is new."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if os.name == "posix":
            _keep_private(path)
        return False
    return True


def _keep_private(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CacheError(f"{path} is no file, and cannot be a cache.")
    if status.st_uid not in (os.geteuid(), 0):
        raise CacheError(
            f"The cache file {path} belongs to another user.",
            hint="Cached answers are trusted: use a file of your own.",
        )
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
        path.chmod(0o600)


def _opened(path: Path, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make an empty file ours; leave one that is ours as it is."""
    if connection.execute("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if "entries" in tables:
            raise Damaged("its mark is gone")
        if tables:
            raise CacheError(
                "This file is another program's database.", hint="Give the cache a file of its own."
            )
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            begin_epoch(connection, random.randrange(1, _EPOCHS))  # noqa: S311 - no secret
    # The database survives a killed process in any case; only a power cut may cost the last writes.
    connection.execute("PRAGMA synchronous = NORMAL")


def read_epoch(connection: sqlite3.Connection) -> int:
    """The number kept in the file's head: no table, and part of the transaction, as any other content."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def begin_epoch(connection: sqlite3.Connection, number: int | None = None) -> None:
    """Change it; a new file begins anywhere, so that it is not taken for the one before it."""
    if number is not None:
        connection.execute(f"PRAGMA user_version = {number}")
        return
    with transaction(connection):
        connection.execute(f"PRAGMA user_version = {read_epoch(connection) % (_EPOCHS - 1) + 1}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements of the block, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _means_damage(error: Exception) -> bool:
    # DatabaseError itself, no subclass: what the module makes of SQLITE_CORRUPT and SQLITE_NOTADB.
    return type(error) in (Damaged, sqlite3.DatabaseError) or str(error).startswith(_SIGNS_OF_DAMAGE)


_living: weakref.WeakSet[Database] = weakref.WeakSet()


class _Fork:
    """Holds every lane's lock while a fork goes on: one fork at a time."""

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self.held: list[_Lane] = []

    def before(self) -> None:
        self.turn.acquire()
        for database in list(_living):
            for lane in database.lanes:
                lane.lock.acquire()
                self.held.append(lane)
                _disconnect(lane)

    def after_in_parent(self) -> None:
        while self.held:
            self.held.pop().lock.release()
        self.turn.release()

    def after_in_child(self) -> None:
        while self.held:
            self.held.pop().lock = threading.RLock()
        self.turn = threading.RLock()


_fork = _Fork()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_fork.before,
        after_in_parent=_fork.after_in_parent,
        after_in_child=_fork.after_in_child,
    )
