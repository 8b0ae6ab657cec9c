"""Two schedulers on one history, in turns: what one of them knows may be older than what the other did."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest

from sessionkit_redengine import FuncTask
from sessionkit_redengine.history import open_database, sqlite


@pytest.fixture
def two(live, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)

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
    first.scheduler.others._rung()
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
    first.scheduler.others._rung()
    go(others, step_other, 60)
    first.scheduler.others._rung()
    found = dues(first)
    step()
    assert dues(first) == found
    assert not held.held


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
