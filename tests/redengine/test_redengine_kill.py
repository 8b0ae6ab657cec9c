"""Schedulers are killed in the middle of runs, alone and beside others: each run is known, none double."""

from __future__ import annotations

import json
import os
from itertools import pairwise

import pytest
from redengine_nursery import Nursery, wait_until

from sessionkit_redengine import doorbell

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")


def tasks(count, **fields):
    given = {"start_cond": "every 20 ms", "missed": "all", **fields}
    return {f"t{number}": given for number in range(count)}


def assert_no_due_time_was_lost(known, names, step=0.02):
    """Each due time follows the one before."""
    for name in names:
        dues = sorted(run.due for (task, _), run in known.items() if task == name)
        assert {round(later - earlier, 6) for earlier, later in pairwise(dues)} <= {step}


def kill_and_restart(nursery, kills, work):
    """Kill a scheduler `kills` times, each time after another number of steps of its runs."""
    for kill in range(kills):
        scheduler = nursery.start(json.dumps(work))
        nursery.wait_for_lines(1 + kill * 7 % 23)
        nursery.kill(scheduler)
    known = nursery.check()
    assert len(known) >= kills
    assert_no_due_time_was_lost(known, work)
    return [run.action for run in known.values()].count("crash")


def test_kill_and_restart_fifty_times(tmp_path):
    with Nursery(tmp_path, str(tmp_path / "runs.db")) as nursery:
        assert kill_and_restart(nursery, 50, tasks(4)) > 10


def test_kill_and_restart_with_sqlalchemy(tmp_path):
    pytest.importorskip("sqlalchemy")
    with Nursery(tmp_path, f"sqlite:///{tmp_path / 'runs.db'}") as nursery:
        assert kill_and_restart(nursery, 5, tasks(3)) > 0


def test_kill_and_restart_with_postgres(tmp_path, new_postgres_url):
    with Nursery(tmp_path, new_postgres_url()) as nursery:
        assert kill_and_restart(nursery, 5, tasks(3)) > 0


def test_kill_and_restart_where_tasks_have_processes(tmp_path):
    with Nursery(tmp_path, str(tmp_path / "runs.db"), "process") as nursery:
        assert kill_and_restart(nursery, 3, tasks(2)) > 0


@pytest.mark.parametrize("kind", ["sqlite", "url", "postgres"])
def test_two_schedulers_share_the_work_and_one_is_killed(tmp_path, kind, request):
    if kind == "url":
        pytest.importorskip("sqlalchemy")
    history = {"sqlite": f"{tmp_path}/runs.db", "url": f"sqlite:///{tmp_path}/runs.db"}.get(kind)
    history = history or request.getfixturevalue("new_postgres_url")()
    work = json.dumps(tasks(4))
    with Nursery(tmp_path, history) as nursery:
        schedulers = [nursery.start(work) for _ in range(2)]

        def runs_of(pid):
            return [line for line in nursery.lines() if line[3] == str(pid)]

        wait_until(lambda: all(len(runs_of(pid)) > 20 for pid in schedulers))
        nursery.kill(schedulers[0])
        nursery.wait_for_lines(20)  # the other one goes on
        third = nursery.start(work)
        wait_until(lambda: len(runs_of(third)) > 10)
        nursery.end(schedulers[1])
        nursery.end(third)
        known = nursery.check()
        assert_no_due_time_was_lost(known, json.loads(work))


def test_what_a_killed_scheduler_held_is_run_on_by_the_other(tmp_path):
    history = str(tmp_path / "runs.db")
    held = {"held": {"func": "hang", "start_cond": "every 1 second", "timeout": "never"}}
    with Nursery(tmp_path, history) as nursery:
        holder = nursery.start(json.dumps(held))
        nursery.wait_for_lines(1)
        other = nursery.start(json.dumps({**held, **tasks(1)}))
        nursery.wait_for_lines(30)
        assert [line[3] for line in nursery.lines() if line[1] == "held"] == [str(holder)]
        nursery.kill(holder)
        assert doorbell.ring(history) >= 1  # or ten seconds later
        wait_until(lambda: [line[3] for line in nursery.lines() if line[1] == "held"][1:] == [str(other)])
        nursery.kill(other)
        known = nursery.check()
        assert [run.action for (task, _), run in known.items() if task == "held"] == ["crash", "crash"]
