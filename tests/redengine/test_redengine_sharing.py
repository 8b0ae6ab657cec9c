"""Two schedulers on one history, in turns: what one of them knows may be older than what the other did."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, nullcontext
from itertools import pairwise

import pytest

from sessionkit_redengine import FuncTask
from sessionkit_redengine.history import Query, RunRecord, open_database, sqlite
from sessionkit_redengine.others import Others


@pytest.fixture
def two(live, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)
    monkeypatch.setattr(Others, "tell", lambda _: None)  # doorbells ring at a moment of their own

    def begin(start_cond, capacity=None, **fields):
        made = [live(capacity, history=tmp_path / "runs.db") for _ in range(2)]
        for session, _, _ in made:
            FuncTask(int, session=session, name="task", start_cond=start_cond, **fields)
        return made

    return begin


def locked(path):
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    return closing(lock)


def dues(session):
    return [run.due for run in session.get_task_log("task") if run.action == "run"]


def go(held, step, seconds):
    """Let time pass; what runs ends at once."""
    step(seconds)
    while held.held:
        held.finish()
        step()


@pytest.mark.parametrize("before", [0, 2])
def test_a_run_put_off_is_not_told_from_what_another_scheduler_has_run_meanwhile(two, before):
    (first, held, step), (_, others, step_other) = two("every 1 minute", missed="all")
    go(held, step, 0)
    for _ in range(before):
        go(held, step, 60)
    go(others, step_other, 0)
    with locked(first.history.where):
        step(60)  # it cannot claim, and will try again
    assert not held.held
    for _ in range(3):
        go(others, step_other, 60)
    first.scheduler.others.look_again()
    go(held, step, 150)
    found = dues(first)
    assert len(found) > before + 5
    assert {round(later - earlier) for earlier, later in pairwise(found)} == {60}


def test_a_retry_that_another_scheduler_has_overtaken_is_owed_no_more(two):
    (first, held, step), (_, others, step_other) = two("every 1 minute", retries=1, retry_delay="2 minutes")
    go(held, step, 0)
    step(60)
    held.finish("fail")
    step()  # the retry is owed in two minutes
    go(others, step_other, 60)
    first.scheduler.others.look_again()
    go(others, step_other, 60)
    first.scheduler.others.look_again()
    found = dues(first)
    step()
    assert dues(first) == found
    assert not held.held


def test_what_waits_for_a_place_is_not_told_from_what_another_scheduler_has_run_meanwhile(two):
    (first, held, step), (second, others, step_other) = two("every 20 seconds", capacity=1, missed="all")
    for session, name in ((first, "this"), (second, "that")):
        FuncTask(int, session=session, name=name, start_cond="daily", priority=1)
    step_other()  # "that" has its one place, and the task waits for it
    step(50)  # as it does here, where it never ran, and is due now
    others.finish()
    step_other()  # there it was due before
    assert others.names == ["task"]
    others.finish()
    second.scheduler.read_inbox()
    first.scheduler.others.look_again()
    go(held, step, 0)
    found = dues(first)
    assert len(found) == 3
    assert {round(later - earlier) for earlier, later in pairwise(found)} == {20}


def test_a_retry_is_owed_by_all_so_that_it_outlives_the_scheduler_whose_run_failed(two):
    (first, held, step), (_, others, step_other) = two("daily", retries=1, retry_delay="10 minutes")
    step()
    step_other(10)
    held.finish("fail")
    step()
    step_other(10)  # and nobody hears of the first any more
    step_other(590)
    assert others.names == ["task"]
    others.finish()
    step_other()
    step()  # it was but held up
    assert not held.held
    assert [run.action for run in first.get_task_log("task")] == ["run", "fail", "run", "success"]


def test_a_scheduler_that_came_and_went_is_heard_of(two):
    (first, _, step), _ = two("daily")
    FuncTask(int, session=first, name="after", start_cond="after task 'task' failed")
    first["task"].disabled = True
    step()
    with closing(open_database(first.history.where)) as another:
        run = RunRecord(first.name, "task", "1", first.clock.time(), first.clock.time())
        assert another.claim(run, "")
        run.action, run.ended = "fail", first.clock.time()
        another.finish(run)
    step(10)
    assert first["task"].status == "fail"
    assert first["after"].status == "run"


def test_runs_that_end_at_one_instant_are_all_heard_of(two):
    (_, held, step), (second, _, step_other) = two("every 1 minute", multilaunch=True)
    step()
    step(60)
    step_other()
    assert len(second["task"].state.running) == 2
    for left in (1, 0):
        held.finish()
        step()
        second.scheduler.others.look_again()
        step_other()
        assert len(second["task"].state.running) == left


# --- orders from the command line ---


def order(session):
    session.history.order(session.name, "task", "run", session.clock.time())
    session.scheduler.others.look_again()


@pytest.mark.parametrize("works", range(9))
def test_an_order_is_carried_out_wherever_the_history_fails(two, works):
    (first, held, step), _ = two("false")
    step()
    order(first)
    usable, path = first.history._do, first.history.where
    done = []

    def do(work):
        done.append(work)
        with locked(path) if len(done) > works else nullcontext():
            return usable(work)

    first.history._do = do
    step()
    first.history._do = usable
    step(10)
    step(10)
    while held.held:
        held.finish()
        step()
    assert len(dues(first)) == 1


def test_an_order_does_not_die_with_the_scheduler_that_was_to_carry_it_out(two):
    (first, held, step), (_, others, step_other) = two("false", capacity=1)
    FuncTask(int, session=first, name="busy", start_cond="daily")
    step()
    order(first)
    step()  # there is no place
    assert held.names == ["busy"]
    step_other(10)  # and nobody hears of the first any more
    assert others.names == ["task"]
    others.finish()
    step_other()
    go(held, step, 0)  # it was but held up
    assert len(dues(first)) == 1


def test_an_order_is_carried_out_by_one(two):
    (first, held, step), (second, others, step_other) = two("false")
    step()
    step_other()
    order(first)
    second.scheduler.others.look_again()
    step()
    step_other()
    assert [held.names, others.names] == [["task"], []]
    held.finish()
    step()
    step_other(10)
    assert others.names == []


def test_an_order_that_nobody_can_carry_out_is_reported_once(two):
    (first, _, step), (second, _, step_other) = two("false")
    step()
    first.history.order(first.name, "unknown", "run", first.clock.time())
    for _ in range(3):
        step_other(10)
        step()
    problems = [text for text in (*first.problems, *second.problems) if "'unknown'" in text]
    assert len(problems) == 1


# --- the end ---


def test_an_end_that_could_not_be_recorded_is_recorded_when_the_scheduler_ends(
    make_session, tmp_path, monkeypatch
):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)
    session = make_session(history=tmp_path / "runs.db")
    lock = ExitStack()

    @FuncTask(session=session, name="task", start_cond="every 1 minute")
    def work():
        lock.enter_context(locked(tmp_path / "runs.db"))
        session.shut_down()

    session.hook_shutdown()(lambda _: lock.close())
    session.start()
    assert any("not recorded yet" in problem for problem in session.problems)
    with closing(open_database(str(tmp_path / "runs.db"))) as history:
        assert [run.action for run in history.runs(session.name, Query())] == ["success"]


def test_a_history_that_somebody_empties_stops_no_task(two):
    (first, held, step), _ = two("every 1 minute")
    go(held, step, 0)
    go(held, step, 60)
    with closing(sqlite3.connect(first.history.where)) as other:
        for table in ("runs", "tasks", "last"):
            other.execute(f"DELETE FROM redengine_{table}")
        other.commit()
    go(held, step, 60)
    go(held, step, 60)
    assert dues(first)


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_writer_does_not_hold_the_lock_until_the_disk_has_turned(tmp_path, form):
    if "://" in form:
        pytest.importorskip("sqlalchemy")
    path = tmp_path / "runs.db"
    with closing(open_database(form.format(path))) as history:
        history.states("session")
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_only_what_has_changed_is_read_again(two, monkeypatch):
    made = (first, held, step), (_, others, step_other) = two("every 1 hour")
    for session, _, _ in made:
        for name in "abc":
            FuncTask(int, session=session, name=name, start_cond="daily")
    go(held, step, 0)
    go(held, step, 20)
    read, changes = [], first.history.changes

    def look(*given):
        read.append(changes(*given))
        return read[-1]

    monkeypatch.setattr(first.history, "changes", look)
    go(held, step, 20)
    go(others, step_other, 3_600)
    go(held, step, 20)
    go(held, step, 20)
    assert [len(states) for states, _ in read] == [1, 2, 1]
    assert first["task"].state.last_due == dues(first)[-1]


# --- tasks that come and go ---


def test_a_task_made_late_knows_what_others_have_done_since_the_history_was_read(two):
    (first, held, step), (second, others, step_other) = two("every 1 hour")
    FuncTask(int, session=second, name="late", start_cond="daily")
    go(held, step, 0)
    go(others, step_other, 10)
    go(held, step, 10)
    task = FuncTask(int, session=first, name="late", start_cond="daily")
    assert task.status == "success"
    go(held, step, 10)
    assert len(list(first.history.runs(first.name, Query("late")))) == 1


def test_a_task_removed_and_made_again_has_done_what_was_done(two):
    (first, held, step), _ = two("daily")
    go(held, step, 0)
    first.remove_task("task")
    task = FuncTask(int, session=first, name="task", start_cond="daily")
    assert task.status == "success"
