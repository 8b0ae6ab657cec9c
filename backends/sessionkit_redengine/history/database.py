"""A history in a database: one set of statements, for SQLite directly and for others through SQLAlchemy."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit import fork
from sessionkit_redengine.errors import HistoryError
from sessionkit_redengine.history import records
from sessionkit_redengine.history.base import Query, RunRecord
from sessionkit_redengine.history.output import OutputTable
from sessionkit_redengine.history.owner import BEAT, Owner
from sessionkit_redengine.history.port import INDEXES, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sessionkit_redengine.history.port import Database, Execute
    from sessionkit_redengine.history.records import Mark
    from sessionkit_redengine.history.state import TaskState

_RUN = "session, task, run_id, due, started, ended, action, error, owner"
_SERIES = 1_024
_HAS_ORDER = "SELECT 1 FROM redengine_orders WHERE order_id = :order_id"
_DROP_ORDER = "DELETE FROM redengine_orders WHERE order_id = :order_id"


class DatabaseHistory(OutputTable):
    """Keeps every run in a database, where other schedulers and the command line find them.

    A run is recorded in the same transaction that claims it, before it starts: two schedulers never start
    the same due task, and after a crash the history knows exactly what was on its way.

    Args:
        connect: Opens the database.
        where: Its file or URL, by which processes of this machine find each other.
        max_runs: How many runs to keep in each session; None keeps all.
    """

    shared = True
    lasting = True
    #: Runs read at a time.
    _page_size = 500

    def __init__(
        self, connect: Callable[[], Database], *, where: str = "", max_runs: int | None = None
    ) -> None:
        self._connect = connect
        self.where = where
        self.max_runs = max_runs
        self._database: Database | None = None
        self._lock = threading.RLock()
        self.owner = Owner.here()
        self._beat = float("-inf")
        self._claims = 0
        fork.aware(self)

    def after_fork_in_child(self) -> None:
        """The child is another owner, with a connection of its own."""
        self._lock = threading.RLock()
        self._database = None
        self.owner = Owner.here()
        self._beat = float("-inf")

    def _do(self, work: Callable[[Execute], Any]) -> Any:
        """Do `work` in a transaction."""
        with self._lock:
            if self._database is None:
                self._database = self._opened()
            database = self._database
            try:
                with database.transaction() as execute:
                    return work(execute)
            except database.errors as error:
                self._beat = float("-inf")  # the latest sign of life may not have been recorded
                raise HistoryError(f"the history cannot be used: {error}") from error

    def _opened(self) -> Database:
        database = self._connect()
        try:
            for statement in (*SCHEMA, *INDEXES):
                try:
                    _make(database, statement)
                except database.errors:
                    # "If not exists" does not hold where two make it at once; now the other one has.
                    _make(database, statement)
        except database.errors as error:
            database.close()
            raise HistoryError(f"the history cannot be opened: {error}") from error
        return database

    # --- reading ---

    def states(self, session: str) -> dict[str, TaskState]:
        """See `History`: three statements, whatever the number of runs."""
        return self.changes(session)[0]

    def state(self, session: str, task: str) -> TaskState | None:
        """See `History`."""
        found: TaskState | None = self._do(partial(records.read, session=session, task=task))
        return found

    def changes(self, session: str, since: Mark | None = None) -> tuple[dict[str, TaskState], Mark | None]:
        """See `History`."""
        found: tuple[dict[str, TaskState], Mark | None]
        found = self._do(partial(records.read_changes, session=session, since=since))
        return found

    def runs(self, session: str, query: Query) -> Iterator[RunRecord]:
        """See `History`: read in pages, so that other work goes on between them."""
        if query.limit is not None:
            yield from reversed(self._page(session, query, "DESC", None, query.limit))
            return
        after: tuple[float, str] | None = None
        while True:
            page = self._page(session, query, "ASC", after, self._page_size)
            yield from page
            if len(page) < self._page_size:
                return
            after = (page[-1].started, page[-1].run_id)

    def _page(
        self, session: str, query: Query, order: str, after: tuple[float, str] | None, limit: int
    ) -> list[RunRecord]:
        where, values = ["session = :session"], {"session": session, "limit": limit}
        for name, limits in (("task", query.tasks), ("action", _final(query))):
            if limits is not None:
                keys = [f"{name}{number}" for number in range(len(limits))]
                where.append(f"{name} IN ({', '.join(f':{key}' for key in keys)})" if keys else "1 = 0")
                values |= dict(zip(keys, sorted(limits), strict=True))
        if query.run_id is not None:
            where.append("run_id = :run_id")
            values["run_id"] = query.run_id
        for sign, bound in ((">=", query.since), ("<=", query.until)):
            if abs(bound) != float("inf"):
                key = "since" if sign == ">=" else "until"
                where.append(f"started {sign} :{key}")
                values[key] = bound
        if after is not None:
            where.append("(started > :after OR (started = :after AND run_id > :after_id))")
            values |= {"after": after[0], "after_id": after[1]}
        statement = (
            f"SELECT {_RUN} FROM redengine_runs WHERE {' AND '.join(where)} "  # noqa: S608 - names are made here, values are bound
            f"ORDER BY started {order}, run_id {order} LIMIT :limit"
        )
        rows = self._do(lambda execute: execute(statement, values)).rows
        return [RunRecord(*row) for row in rows]

    def series(self, session: str, task: str) -> dict[str, list[float]]:
        """See `History`."""
        found: dict[str, list[float]] = {}
        for run in self.runs(session, Query(task, limit=_SERIES)):
            found.setdefault("run", []).append(run.started)
            if run.ended is not None:
                found.setdefault(run.action, []).append(run.ended)
        return found

    # --- writing ---

    def claim(self, run: RunRecord, seen: str, order: str = "") -> bool:
        """See `History`."""
        run.owner = self.owner.id
        values = {**_values(run), "seen": seen}

        def record(execute: Execute) -> bool:
            self._give_sign_of_life(execute, run.started)
            if order and not execute(_HAS_ORDER, {"order_id": order}).rows:
                return False
            changed = execute(
                "UPDATE redengine_tasks SET run_id = :run_id, due = :due "
                "WHERE session = :session AND task = :task AND run_id = :seen",
                values,
            ).changed
            if not changed and (seen or not self._first(execute, values)):
                return False
            execute(
                f"INSERT INTO redengine_runs ({_RUN}) VALUES "  # noqa: S608 - constant text
                "(:session, :task, :run_id, :due, :started, :ended, :action, :error, :owner)",
                values,
            )
            records.put_last(execute, values, "run", run.started)
            if order:
                execute(_DROP_ORDER, {"order_id": order})
            records.number_change(execute, values)
            return True

        try:
            claimed: bool = self._do(record)
        except HistoryError:
            # Two first runs of a task or a session at once: where both see that there is none, the database
            # refuses one, which then sees the other.
            if seen:
                raise
            claimed = self._do(record)
        self._claims += 1
        if self.max_runs is not None and self._claims % 100 == 0:
            self.trim(run.session)
        return claimed

    def _first(self, execute: Execute, values: dict[str, Any]) -> bool:
        """Whether this is the task's first run of all, which it then is for nobody else."""
        known = execute("SELECT 1 FROM redengine_tasks WHERE session = :session AND task = :task", values)
        if known.rows:
            return False
        execute(
            "INSERT INTO redengine_tasks (session, task, run_id, due, fails, paused) "
            "VALUES (:session, :task, :run_id, :due, 0, 0)",
            values,
        )
        return True

    def finish(self, run: RunRecord) -> None:
        """See `History`; a run that somebody else has given an end keeps that."""
        self._finish(run)

    def _finish(self, run: RunRecord) -> bool:
        """Record an end; whether the run had none yet."""
        values = _values(run)

        def record(execute: Execute) -> bool:
            changed = execute(
                "UPDATE redengine_runs SET ended = :ended, action = :action, error = :error "
                "WHERE run_id = :run_id AND action = 'run'",
                values,
            ).changed
            if changed:
                records.put_last(execute, values, run.action, run.ended or run.started)
                failed = "fails + 1" if run.action in {"fail", "crash"} else "0"
                execute(
                    f"UPDATE redengine_tasks SET fails = {failed} WHERE session = :session AND task = :task",  # noqa: S608 - constant text
                    values,
                )
                records.number_change(execute, values)
            return bool(changed)

        ended: bool = self._do(record)
        return ended

    def trim(self, session: str) -> None:
        """Forget all but the latest `max_runs` runs of a session; those on their way are kept."""
        statement = (
            "DELETE FROM redengine_runs WHERE session = :session AND action <> 'run' AND started < "
            "(SELECT started FROM redengine_runs WHERE session = :session "
            "ORDER BY started DESC LIMIT 1 OFFSET :kept)"
        )
        kept = max(0, (self.max_runs or 0) - 1)
        self._do(lambda execute: execute(statement, {"session": session, "kept": kept}))

    # --- the living and the dead ---

    def _give_sign_of_life(self, execute: Execute, now: float) -> None:
        if abs(now - self._beat) < BEAT:
            return
        owner = self.owner
        values = {"owner": owner.id, "host": owner.host, "pid": owner.pid, "since": owner.since, "beat": now}
        if not execute("UPDATE redengine_owners SET beat = :beat WHERE owner = :owner", values).changed:
            execute(
                "INSERT INTO redengine_owners (owner, host, pid, since, beat) "
                "VALUES (:owner, :host, :pid, :since, :beat)",
                values,
            )
        self._beat = now

    def recover(self, session: str, now: float) -> list[RunRecord]:
        """See `History`."""

        def read(execute: Execute) -> tuple[Any, Any]:
            self._give_sign_of_life(execute, now)
            live = execute(
                f"SELECT {_RUN} FROM redengine_runs WHERE action = 'run' AND session = :session",  # noqa: S608 - constant text
                {"session": session},
            )
            owners = execute("SELECT owner, host, pid, since, beat FROM redengine_owners")
            return live.rows, owners.rows

        live, owners = self._do(read)
        alive = {row[0] for row in owners if Owner(*row[:4]).alive(row[4], now)} | {self.owner.id}
        lost = [run for run in (RunRecord(*row) for row in live) if run.owner not in alive]
        for run in lost:
            run.action, run.ended = "crash", now
            run.error = "The process that ran it ended before it did."
        ours = [run for run in lost if self._finish(run)]
        dead = [row[0] for row in owners if row[0] not in alive]
        if dead:
            self._do(lambda execute: _drop_owners(execute, dead))
        return ours

    def others(self, now: float) -> bool:
        """Whether other schedulers that are alive use the same database; also gives a sign of life."""

        def read(execute: Execute) -> Sequence[Sequence[Any]]:
            self._give_sign_of_life(execute, now)
            return execute("SELECT owner, host, pid, since, beat FROM redengine_owners").rows

        return any(row[0] != self.owner.id and Owner(*row[:4]).alive(row[4], now) for row in self._do(read))

    # --- orders from the command line ---

    def order(self, session: str, task: str, wish: str, now: float) -> None:
        """Leave a wish ("run", "pause", "resume") for the session's schedulers."""
        from uuid import uuid4  # noqa: PLC0415 - the command line only

        values = {"order_id": uuid4().hex, "session": session, "task": task, "wish": wish, "made": now}
        paused = {"pause": 1, "resume": 0}.get(wish)

        def record(execute: Execute) -> None:
            if paused is None:
                execute(
                    "INSERT INTO redengine_orders (order_id, session, task, wish, made) "
                    "VALUES (:order_id, :session, :task, :wish, :made)",
                    values,
                )
                return
            values["paused"] = paused
            changed = execute(
                "UPDATE redengine_tasks SET paused = :paused WHERE session = :session AND task = :task",
                values,
            ).changed
            if not changed:
                execute(
                    "INSERT INTO redengine_tasks (session, task, run_id, due, fails, paused) "
                    "VALUES (:session, :task, '', 0, 0, :paused)",
                    values,
                )

        self._do(record)

    def orders(self, session: str) -> dict[str, str]:
        """See `History`."""
        statement = "SELECT order_id, task FROM redengine_orders WHERE session = :session ORDER BY made"
        return dict(self._do(lambda execute: execute(statement, {"session": session})).rows)

    def drop_order(self, order: str) -> bool:
        """See `History`."""
        return bool(self._do(lambda execute: execute(_DROP_ORDER, {"order_id": order})).changed)

    def paused(self, session: str) -> frozenset[str]:
        """See `History`."""
        statement = "SELECT task FROM redengine_tasks WHERE session = :session AND paused = 1"
        rows = self._do(lambda execute: execute(statement, {"session": session})).rows
        return frozenset(row[0] for row in rows)

    def sessions(self) -> list[str]:
        """The names of all sessions in the database."""
        rows = self._do(
            lambda execute: execute("SELECT DISTINCT session FROM redengine_tasks ORDER BY session")
        ).rows
        return [row[0] for row in rows]

    def close(self) -> None:
        """See `History`; the scheduler gives no sign of life any more."""
        with self._lock:
            if self._database is None:
                return
            if self._beat != float("-inf"):
                self._do(lambda execute: _drop_owners(execute, [self.owner.id]))
            self._database.close()
            self._database = None
            self._beat = float("-inf")


def _make(database: Database, statement: str) -> None:
    # By itself: it locks a table even where there is nothing to make, and writers do so in another order.
    with database.transaction() as execute:
        execute(statement)


def _final(query: Query) -> frozenset[str] | None:
    """The actions that rows may have; every run has had a start."""
    return None if query.actions is None or "run" in query.actions else query.actions


def _values(run: RunRecord) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _RUN.split(", ")}


def _drop_owners(execute: Execute, owners: Iterable[str]) -> None:
    for owner in owners:
        execute("DELETE FROM redengine_owners WHERE owner = :owner", {"owner": owner})
