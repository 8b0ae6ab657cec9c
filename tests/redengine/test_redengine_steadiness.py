"""Nothing that fails beside the tasks stops the scheduler: full disks, locked files, conditions, loggers."""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
from contextlib import closing
from itertools import pairwise

import pytest

from sessionkit_redengine import FuncTask, HistoryError
from sessionkit_redengine.arguments import FuncArg, TerminationFlag
from sessionkit_redengine.errors import ConditionError
from sessionkit_redengine.history import MemoryHistory, Query, RunRecord, open_database, sqlite
from sessionkit_redengine.history.owner import Owner


def run_for(session, duration):
    session.config.shut_cond = f"scheduler has run over {duration}"
    session.start()


def at_cycles(session, clock, **steps):
    """Have functions called when the clock has come so many seconds far: `s10=...`."""
    start = clock.time()
    todo = sorted((int(name[1:]), step) for name, step in steps.items())

    @session.hook_scheduler_cycle()
    def step(scheduler):
        while todo and clock.time() - start >= todo[0][0]:
            todo.pop(0)[1]()


def full(history):
    """Leave the history's file no page to grow by: SQLite then says that the disk is full."""
    connection = history._database._connection
    connection.execute("CREATE TABLE IF NOT EXISTS filler (text TEXT)")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        fill_up(connection)


def fill_up(connection):
    while True:
        connection.execute("INSERT INTO filler VALUES (?)", ("x" * 10,))


def room(history):
    connection = history._database._connection
    connection.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_delays_runs_and_loses_none(make_session, clock, tmp_path):
    session = make_session(history=tmp_path / "runs.db")
    runs = []
    FuncTask(
        lambda: runs.append(clock.time()),
        session=session,
        name="a",
        start_cond="every 10 seconds",
        missed="all",
        parameters={},
    )
    other = []
    FuncTask(lambda: other.append(1) or "x" * 5, session=session, name="b", start_cond="every 1 second")
    at_cycles(session, clock, s60=lambda: full(session.history), s120=lambda: room(session.history))
    run_for(session, "5 minutes")
    assert any("full" in problem for problem in session.problems)
    assert not session.scheduler.launcher.unwritten
    log = list(session.history.runs(session.name, Query("a")))
    assert len(log) == len(runs) == 30
    assert {run.action for run in log} == {"success"}
    assert {round(later.due - run.due) for run, later in pairwise(log)} == {10}
    assert len(list(session.get_task_log("b", "success"))) == len(other)


def test_a_locked_file_delays_runs_and_loses_none(make_session, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)
    session = make_session(history=tmp_path / "runs.db")
    runs = []
    FuncTask(
        lambda: runs.append(clock.time()),
        session=session,
        name="a",
        start_cond="every 1 second",
        missed="all",
    )
    with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as other:
        at_cycles(
            session,
            clock,
            s10=lambda: other.execute("BEGIN IMMEDIATE"),
            s30=lambda: other.execute("COMMIT"),
        )
        run_for(session, "1 minute")
    assert any("locked" in problem for problem in session.problems)
    log = list(session.history.runs(session.name, Query("a")))
    assert len(log) == len(runs) == 60
    assert {run.action for run in log} == {"success"}


def test_a_transaction_that_cannot_be_committed_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)
    database = sqlite.SqliteDatabase(str(tmp_path / "a.db"))
    with database.transaction() as execute:
        execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        execute("CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    database._connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as execute:
        execute("INSERT INTO child VALUES (1)")
    with database.transaction() as execute:
        assert execute("SELECT * FROM child").rows == []
    database.close()


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_several_open_a_new_file_at_once(tmp_path, form):
    if "://" in form:
        pytest.importorskip("sqlalchemy")
    for number in range(20):
        path = form.format(tmp_path / f"{number}.db")
        barrier = threading.Barrier(4)
        errors = []

        def use(path=path, barrier=barrier, errors=errors):
            history = open_database(path)
            barrier.wait(60)
            try:
                history.states("s")
            except HistoryError as error:
                errors.append(error)
            history.close()

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []


@pytest.fixture
def unreadable(tmp_path, clock):
    """A history in which another scheduler has a run on its way; it cannot be used while `broken` is set."""
    history = open_database(str(tmp_path / "runs.db"))
    with closing(open_database(str(tmp_path / "runs.db"))) as another:
        assert another.claim(RunRecord("redengine", "elsewhere", "1", clock.time(), clock.time()), "")
        usable = history._do

        def do(work):
            if history.broken:
                raise HistoryError("the cable is out")
            return usable(work)

        history.broken, history._do = False, do
        yield history


def test_a_history_that_cannot_be_read_is_read_later(make_session, clock, unreadable):
    session = make_session(history=unreadable, force_status_from_logs=True)
    runs = []
    FuncTask(lambda: runs.append(1), session=session, name="a", start_cond="every 1 minute")
    counted = "every 1 minute & has succeeded past 1 hour | ~has started"
    FuncTask(lambda: runs.append(2), session=session, name="b", start_cond=counted)
    FuncTask(int, session=session, name="elsewhere", start_cond="daily")
    broken = {
        "s600": lambda: setattr(unreadable, "broken", True),
        "s1200": lambda: setattr(unreadable, "broken", False),
    }
    at_cycles(session, clock, **broken)
    run_for(session, "30 minutes")
    assert 20 <= runs.count(1) <= 21
    assert 20 <= runs.count(2) <= 21
    assert any("the cable is out" in problem for problem in session.problems)


def test_it_ends_the_scheduler_where_that_is_wanted(make_session, clock, unreadable):
    session = make_session(history=unreadable, silence_task_logging=False)
    FuncTask(int, session=session, name="elsewhere", start_cond="daily")
    at_cycles(session, clock, s600=lambda: setattr(unreadable, "broken", True))
    with pytest.raises(HistoryError, match="cable"):
        run_for(session, "30 minutes")
    unreadable.broken = False


class Raising(logging.Handler):
    def emit(self, record):
        raise OSError("No space left on device")


@pytest.fixture
def broken_loggers():
    names = ("sessionkit_redengine.task", "sessionkit_redengine.scheduler")
    handler = Raising()
    for name in names:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    yield
    for name in names:
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_loggers_that_raise_stop_nothing(make_session, clock, broken_loggers):
    session = make_session()
    runs = []
    FuncTask(lambda: runs.append(1), session=session, name="a", start_cond="every 1 minute")
    FuncTask(lambda: clock.advance(300), session=session, name="late", start_cond="hourly on 05:00")
    FuncTask(int, session=session, name="missed", start_cond="hourly between 06:00 and 07:00")
    FuncTask(int, session=session, name="waits", start_cond="after task 'nobody'")
    run_for(session, "20 minutes")
    assert len(runs) >= 15
    assert any("log of task 'a'" in problem for problem in session.problems)
    assert any("log of the scheduler" in problem for problem in session.problems)


def test_what_fails_of_a_task_fails_its_run_only(make_session, clock, caplog):
    caplog.set_level(logging.INFO)
    session = make_session(func_run_id=lambda task, parameters: 1 / 0)

    def never():
        raise LookupError("no such thing")

    runs = []
    FuncTask(lambda: runs.append(1), session=session, name="fine", start_cond="every 1 minute")
    argument = FuncTask(lambda x: x, session=session, name="argument", start_cond="daily")
    argument.parameters = {"x": FuncArg(never)}
    FuncTask(int, session=session, name="format", start_cond="daily", fmt_log_message="{nothing}")
    FuncTask(int, session=session, name="ends", start_cond="daily", end_cond=condition(session, never))
    FuncTask(int, session=session, name="startup", start_cond=condition(session, never), on_startup=True)
    FuncTask(int, session=session, name="shutdown", start_cond=condition(session, never), on_shutdown=True)
    run_for(session, "10 minutes")
    assert len(runs) == 10
    assert session["argument"].status == "fail"
    assert session["format"].status == session["ends"].status == "success"
    assert session["startup"].status is None
    assert session["shutdown"].status is None
    told = "\n".join(session.problems)
    for part in ("func_run_id", "log of task 'format'", "task 'startup'", "task 'shutdown'"):
        assert part in told
    session.run("fine", "startup", obey_cond=True)


def condition(session, function):
    from sessionkit_redengine.conditions import FuncCond

    return FuncCond(function)


def test_a_failing_end_condition_ends_nothing(make_session):
    session = make_session(execution="thread")
    asked, told = [], []

    def never():
        asked.append(1)
        raise LookupError("no such thing")

    def work(flag=TerminationFlag()):
        told.append(flag.wait(0.2))

    task = FuncTask(work, session=session, name="a", end_cond=condition(session, never))
    session.run("a")
    assert (task.status, told) == ("success", [False])
    assert asked
    assert "no such thing" in session.problems[0]


def test_a_failing_condition_of_a_startup_task_ends_the_scheduler_where_that_is_wanted(make_session):
    session = make_session(silence_cond_check=False)
    FuncTask(int, session=session, name="a", start_cond=condition(session, lambda: 1 / 0), on_startup=True)
    with pytest.raises(ConditionError, match="division"):
        session.start()


# --- what is known of the past costs the same however long it was ---


def test_last_states_ask_the_history_nothing(make_session, unreadable):
    session = make_session(history=unreadable)
    task = FuncTask(int, session=session, name="a")
    session.run("a")
    unreadable.broken = True
    assert task.status == "success"
    assert task.last_run <= task.last_success
    assert (task.last_fail, task.last_terminate, task.last_inaction, task.last_crash) == (None,) * 4
    assert bool(task) is False
    unreadable.broken = False


def filled(history, count):
    seen = ""
    for number in range(count):
        name = f"{number % 5}"
        run = RunRecord("s", name, f"{number:06}", float(number), float(number))
        history.claim(run, seen)
        run.ended, run.action = number + 0.5, "success"
        history.finish(run)
    return history


@pytest.mark.parametrize("query", [{"limit": 5}, {"task_name": "3", "limit": 5}, {"task_name": "nobody"}])
def test_the_latest_of_a_log_in_memory_cost_the_same_in_a_long_one(query):
    def cost(count):
        history, calls = filled(MemoryHistory(), count), 0

        def counted(frame, event, argument):
            nonlocal calls
            # The collector may run what earlier tests have left, whenever it likes.
            calls += "sessionkit_redengine" in frame.f_code.co_filename

        sys.setprofile(counted)
        found = list(history.runs("s", Query(**query)))
        sys.setprofile(None)
        assert len(found) == (0 if query.get("task_name") == "nobody" else 5)
        return calls

    assert cost(5_000) == cost(50) > 0


def test_memory_forgets_by_task_too():
    history = filled(MemoryHistory(max_runs=8), 100)
    for name in "01234":
        history.claim(RunRecord("s", "x", f"x{name}", 1e6, 1e6), "")
    assert [len(list(history.runs("s", Query(name)))) for name in "01234x"] == [0, 0, 1, 1, 1, 5]
    assert len(list(history.runs("s", Query()))) == 8


@pytest.mark.parametrize(
    "query", [{"limit": 5}, {"task_name": "3", "limit": 5}, {"task_name": "3"}, {"run_id": "000003"}, {}]
)
def test_a_log_in_a_database_is_read_along_an_index(tmp_path, query):
    history = open_database(str(tmp_path / "runs.db"))
    history.states("s")
    statements = []
    history._database._connection.set_trace_callback(statements.append)
    list(history.runs("s", Query(**query)))
    history._database._connection.set_trace_callback(None)
    select = next(statement for statement in statements if statement.startswith("SELECT"))
    plan = history._database._connection.execute(f"EXPLAIN QUERY PLAN {select}").fetchall()
    told = " ".join(str(row[-1]) for row in plan)
    assert "SEARCH" in told
    assert "INDEX" in told
    assert "TEMP B-TREE FOR ORDER BY" not in told
    history.close()


# --- a scheduler that died beside this one ---


@pytest.mark.parametrize("retries", [0, 1])
def test_what_another_scheduler_left_when_it_died_is_taken_over(make_session, clock, tmp_path, retries):
    path = tmp_path / "runs.db"
    session = make_session(history=path)
    runs = []
    FuncTask(
        lambda: runs.append(clock.time()), session=session, name="a", start_cond="daily", retries=retries
    )
    then = []
    FuncTask(lambda: then.append(1), session=session, name="then", start_cond="after task 'a' failed")
    start = clock.time()
    alive = Owner.here()

    def claimed_elsewhere():
        other = open_database(str(path))
        other.owner = alive
        assert other.claim(RunRecord("redengine", "a", "lost", clock.time(), clock.time()), runs_id())
        other._database.close()

    def runs_id():
        return session["a"].state.run_id

    def dies():
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "UPDATE redengine_owners SET pid = 4194305, since = '0' WHERE owner = ?", (alive.id,)
            )
            connection.commit()

    at_cycles(session, clock, s60=claimed_elsewhere, s600=dies)
    FuncTask(int, session=session, name="beat", start_cond="every 5 seconds")
    run_for(session, "20 minutes")
    log = [(record.action, round(record.created - start)) for record in session.get_task_log("a")]
    (_, crashed) = next(line for line in log if line[0] == "crash")
    assert 600 <= crashed <= 620
    assert len(runs) == 1 + retries
    assert len(then) == 1
    assert [action for action, _ in log].count("crash") == 1
    assert any("was running when its process ended" in problem for problem in session.problems)
