"""A look at a shared history reads what has changed since the one before, and misses nothing."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest

from sessionkit_redengine import HistoryError
from sessionkit_redengine.history import MemoryHistory, RunRecord, TaskState, open_database
from sessionkit_redengine.history.owner import Owner

NAMES = [f"t{number}" for number in range(6)]


@pytest.fixture(params=["sqlite", "url", "postgres"])
def where(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("new_postgres_url")()
    if request.param == "url":
        pytest.importorskip("sqlalchemy")
    return ("sqlite:///{}" if request.param == "url" else "{}").format(tmp_path / "runs.db")


@pytest.fixture
def opened():
    """Histories of one place, which are closed in the end."""
    with ExitStack() as stack:

        def make(where, count=2):
            return [stack.enter_context(closing(open_database(str(where)))) for _ in range(count)]

        yield make


def begin(history, task, run_id, seen="", at=1.0):
    run = RunRecord("s", task, run_id, at, at)
    assert history.claim(run, seen)
    return run


def end(history, run, action="success"):
    run.action, run.ended = action, run.started + 1
    history.finish(run)


def filled(history):
    for name in NAMES:
        end(history, begin(history, name, f"{name}-1"))


def told(states):
    """What records say."""
    return {
        name: (state.run_id, state.status, state.last, state.fails, state.running, state.last_due)
        for name, state in states.items()
    }


def test_a_look_reads_what_has_changed_since_the_one_before(where, opened):
    one, two = opened(where)
    filled(one)
    states, mark = two.changes("s")
    assert sorted(states) == NAMES
    for task, change in (("t3", "start"), ("t3", "end"), ("t4", "start"), ("t4", "end")):
        if change == "start":
            run = begin(one, task, f"{task}-2", f"{task}-1", 5.0)
        else:
            end(one, run, "fail")
        latest = mark[1]
        states, mark = two.changes("s", mark)
        assert set(states) == {latest, task}
        assert told(states) == {name: told(two.states("s"))[name] for name in states}
    assert set(two.changes("s", mark)[0]) == {"t4"}
    assert two.changes("another") == ({}, None)


def test_a_crash_that_somebody_marks_is_a_change(where, opened):
    one, two, dead = opened(where, 3)
    filled(one)
    dead.owner = Owner("dead", one.owner.host, 2**22 + 1, "0")
    begin(dead, "t5", "lost", "t5-1", 5.0)
    _, mark = two.changes("s")
    assert [run.run_id for run in one.recover("s", 9.0)] == ["lost"]
    states, _ = two.changes("s", mark)
    assert (states["t5"].status, states["t5"].fails) == ("crash", 1)


@pytest.mark.parametrize(
    "tables", [("runs", "last", "tasks"), ("runs", "last", "tasks", "changes"), ("changes",)]
)
def test_a_history_that_was_emptied_is_read_as_a_whole(where, opened, tables):
    one, two = opened(where)
    filled(one)
    _, mark = two.changes("s")
    for table in tables:
        one._do(lambda execute, table=table: execute(f"DELETE FROM redengine_{table}"))
    if "tasks" in tables:
        assert two.changes("s", mark) == ({}, None)
        filled(one)
        assert set(two.changes("s", mark)[0]) == set(NAMES)
    else:
        begin(one, "t1", "t1-2", "t1-1")
        assert "t1" in two.changes("s", mark)[0]


@pytest.mark.parametrize("later", [0, 3, 5])
def test_a_file_that_was_restored_is_read_as_a_whole(tmp_path, opened, later):
    (one, two), path = opened(tmp_path / "runs.db"), tmp_path / "runs.db"
    filled(one)
    with closing(sqlite3.connect(path)) as file, closing(sqlite3.connect(tmp_path / "old.db")) as copy:
        file.backup(copy)
        for name in ("t2", "t5"):
            end(one, begin(one, name, f"{name}-2", f"{name}-1"), "fail")
        _, mark = two.changes("s")
        copy.backup(file)
    for name in NAMES[:later]:
        end(one, begin(one, name, f"{name}-3", f"{name}-1"))
    states, _ = two.changes("s", mark)
    assert told(states) == told(one.states("s"))
    assert states["t5"].run_id == "t5-1"


def test_a_history_without_numbered_changes_is_an_error(tmp_path, opened):
    with closing(sqlite3.connect(tmp_path / "runs.db")) as old:
        old.execute("CREATE TABLE redengine_tasks (session, task, run_id, due, fails, paused)")
    with pytest.raises(HistoryError, match="no such column: changed"):
        opened(tmp_path / "runs.db", 1)[0].states("s")


def test_many_who_write_at_once_are_all_heard_of(where, opened):
    """Whatever is read while they write, and however little of it at a time."""
    *writers, reader = opened(where, 4)
    known, mark = reader.changes("s")

    def write(number):
        seen = dict.fromkeys(NAMES[number::3], "")
        for turn in range(4):
            for name, before in seen.items():
                run = begin(writers[number], name, f"{name}-{turn}", before, float(turn))
                end(writers[number], run, "success" if turn % 3 else "fail")
                seen[name] = run.run_id

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    while True:
        last = not any(thread.is_alive() for thread in threads)
        found, mark = reader.changes("s", mark)
        known |= found
        if last:
            break
    assert sorted(known) == NAMES
    assert told(known) == told(reader.states("s"))


@contextmanager
def held_up(history):
    """Have the history's next transaction wait before it is committed; gives what lets it go on."""
    do, reached, go_on = history._do, threading.Event(), threading.Event()

    def slow(work):
        def waiting(execute):
            result = work(execute)
            reached.set()
            assert go_on.wait(20)
            return result

        return do(waiting)

    history._do = slow
    yield reached, go_on
    history._do = do


def test_a_change_that_is_committed_after_those_begun_later_is_not_missed(opened, new_postgres_url):
    one, two, reader = opened(new_postgres_url(), 3)
    filled(one)
    two.states("s")
    _, mark = reader.changes("s")

    def work():
        for name in ("t2", "t3"):
            begin(two, name, f"{name}-2", f"{name}-1")

    with held_up(one) as (reached, go_on):
        slow = threading.Thread(target=begin, args=(one, "t1", "t1-2", "t1-1"))
        slow.start()
        assert reached.wait(20)
        quick = threading.Thread(target=work)
        quick.start()
        quick.join(0.2)  # it waits for the slow one
        first, mark = reader.changes("s", mark)
        go_on.set()
        slow.join()
        quick.join()
    second, _ = reader.changes("s", mark)
    assert {state.run_id for state in (first | second).values()} >= {"t1-2", "t2-2", "t3-2"}


def test_a_store_of_ones_own_is_read_as_a_whole():
    class Own(MemoryHistory):
        def states(self, session):
            return {session: TaskState()}

    states, mark = Own().changes("s")
    assert list(states) == ["s"]
    assert list(Own().changes("s", mark)[0]) == ["s"]
