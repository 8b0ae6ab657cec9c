"""Wake-ups that were lost once: each found by the model of the scheduler, in its shortest form."""

from __future__ import annotations

import pytest

from sessionkit_redengine import FuncTask


def make(session, name, start_cond="false", **fields):
    return FuncTask(int, session=session, name=name, start_cond=start_cond, **fields)


def test_a_place_goes_to_the_next_when_the_first_that_waits_is_not_to_run_any_more(live):
    session, held, step = live(capacity=1)
    for name, start_cond in (("a", "daily"), ("b", "param 'mode' is 'b'"), ("c", "daily")):
        make(session, name, start_cond)
    session.parameters["mode"] = "b"
    step()
    assert held.names == ["a"]
    del session.parameters["mode"]
    held.finish()
    step()
    assert held.names == ["c"]


def test_a_task_waits_for_one_place_only(live):
    session, _, step = live(capacity=1)
    make(session, "a", "daily")
    make(session, "b", "daily | param 'mode' exists")
    make(session, "c", "daily")
    step()
    session.parameters["mode"] = "x"  # has it planned again
    step()
    (queue,) = session.scheduler.launcher._queued.values()
    assert [task.name for task in queue] == ["b", "c"]


@pytest.mark.parametrize("how", ["disabled", "on hold"])
def test_what_waits_for_a_place_and_is_stopped_does_not_start(live, how):
    session, held, step = live(capacity=1)
    make(session, "a", "daily")
    late = make(session, "b", "daily")
    step()
    if how == "disabled":
        late.disabled = True
    else:
        session.scheduler.on_hold = True
    step()
    held.finish()
    step()
    assert held.names == []
    late.disabled = session.scheduler.on_hold = False
    step()
    assert held.names == ["b"]


def test_startup_tasks_that_wait_for_a_place_get_one(live):
    session, held, step = live(capacity=1)
    make(session, "a", on_startup=True)
    make(session, "b", on_startup=True)
    step()
    held.finish()
    step()
    assert held.names == ["b"]


def test_a_task_that_is_replaced_while_it_runs_is_due_when_that_run_ends_and_not_polled(live):
    session, held, step = live(task_pre_exist="replace")
    make(session, "a", "every 1 minute", timeout="never")
    step()
    make(session, "a", "every 30 seconds")
    assert step() == float("inf")
    step(45.5)
    held.finish()
    step()
    assert held.names == ["a"]


def test_an_end_condition_on_a_tasks_own_runs_hears_of_them(live):
    session, held, step = live()
    task = make(session, "a", multilaunch=True, end_cond="has failed")
    step()
    task.run()
    task.run()
    step()
    held.finish("fail")
    step()
    assert held.names == []


def test_catching_up_does_not_wait_for_a_date_that_the_clock_was_set_back_from(live, clock):
    session, held, step = live()
    make(session, "a")
    make(session, "b", "daily | after task 'a'", missed="all")
    step(7_200)
    held.finish()
    step()
    clock.jump(-3_600)
    step()
    session["a"].run()
    step(600)
    held.finish()
    step()
    assert held.names == ["b"]


def test_what_ends_the_scheduler_or_disables_another_comes_before_what_is_due_at_once(make_session):
    session = make_session()
    ran = []
    FuncTask(lambda: session["b"].__setattr__("disabled", True), session=session, name="a", start_cond="true")
    FuncTask(lambda: ran.append("b"), session=session, name="b", start_cond="true")
    FuncTask(session.shut_down, session=session, name="c", start_cond="true")
    FuncTask(lambda: ran.append("d"), session=session, name="d", start_cond="true")
    session.start()
    assert ran == []


def test_an_order_from_the_command_line_does_not_take_the_place_of_a_retry(live, tmp_path):
    session, held, step = live(history=tmp_path / "runs.db")
    make(session, "a", "daily", retries=1, retry_delay="1 hour")
    step()
    held.finish("fail")
    step()
    session.history.order(session.name, "a", "run", session.clock.time())
    session.scheduler.others.look_again()
    step()
    assert held.names == ["a"]
    held.finish()
    step()
    step(3_600)
    assert held.names == ["a"]


def test_a_new_time_zone_moves_the_end_of_what_runs(live):
    session, held, step = live()
    make(session, "a", "daily", end_cond="time of day after 12:00", timeout="never")
    step(36_000)
    assert held.names == ["a"]
    session.config.timezone = "Asia/Tokyo"
    step()
    assert held.names == []


@pytest.mark.parametrize("done", ["past 20 seconds", "this minute"])
def test_a_task_that_makes_up_for_all_sees_what_others_did_since_its_latest_due_time(live, done):
    session, held, step = live()
    make(session, "other")
    make(session, "a", f"cron * * * * * & task 'other' has started {done}", missed="all")
    for seconds in (0, 85):
        step(seconds)
        session["other"].run()
        step()
        assert sorted(held.names) == ["a", "other"]
        held.finish()
        held.finish()
        step()
