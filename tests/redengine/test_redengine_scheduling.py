"""When tasks run: at their due times, in order, again after failures, and after time was lost."""

from __future__ import annotations

import gc
import resource
import sys
import tracemalloc
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from redengine_times import instant

from sessionkit_redengine import FuncTask, TaskInactionException
from sessionkit_redengine.errors import ConditionError
from sessionkit_redengine.history import MemoryHistory, Query, open_database


def record(session, clock, name, start_cond, *, runs=None, fail=lambda: False, **fields):
    """A task that notes when it ran."""
    kept = [] if runs is None else runs

    def work():
        kept.append(clock.time())
        if fail():
            raise ValueError("told to")

    FuncTask(work, session=session, name=name, start_cond=start_cond, **fields)
    return kept


def run_for(session, duration):
    session.config.shut_cond = f"scheduler has run over {duration}"
    session.start()


def test_a_year_of_a_thousand_tasks_runs_each_at_its_due_time(make_session, clock):
    place = ZoneInfo("Europe/Helsinki")
    clock.jump(instant("2026-01-01T00:00", "Europe/Helsinki") - clock.time())
    session = make_session(timezone="Europe/Helsinki")
    ran = Counter()
    late = []
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    for number in range(1_000):
        hour, minute, day = number % 23, number * 7 % 60, number % 7
        weekly = number % 5 == 0

        def work(number=number, expected=(day if weekly else day + 1, hour, minute), weekly=weekly):
            ran[number] += 1
            shown = datetime.fromtimestamp(clock.time(), place)
            date = shown.weekday() if weekly else shown.day
            if (date, shown.hour, shown.minute) != expected and shown.hour != 4:
                late.append(
                    (number, shown)
                )  # at four o'clock run those of three o'clock, which is left out once

        date = f"time of week on {days[day]}" if weekly else f"time of month on {day + 1}"
        condition = f"daily on {hour}:{minute:02} & {date}"
        FuncTask(work, session=session, name=str(number), start_cond=condition)
    run_for(session, "365 days")
    assert late == []
    assert set(ran.values()) == {12, 52, 53}
    assert len(ran) == 1_000
    assert not session.problems


@pytest.mark.parametrize("zone", ["Europe/Helsinki", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    "condition", ["daily", "daily after 02:15", "daily between 03:00 and 03:30", "cron 30 2 * * *"]
)
def test_daily_happens_once_on_every_date(make_session, clock, zone, condition):
    clock.jump(instant("2026-01-01T00:00", zone) - clock.time())
    session = make_session(timezone=zone)
    runs = record(session, clock, "a", condition)
    run_for(session, "364 days 22 hours")
    dates = [datetime.fromtimestamp(at, ZoneInfo(zone)).date() for at in runs]
    assert dates == [datetime(2026, 1, 1).date() + timedelta(days=day) for day in range(365)]


def test_every_counts_elapsed_time_over_clock_changes(make_session, clock):
    clock.jump(instant("2026-03-28T00:10", "Europe/Helsinki") - clock.time())
    session = make_session(timezone="Europe/Helsinki")
    runs = record(session, clock, "a", "every 1 hour")
    run_for(session, "3 days")
    assert {later - earlier for earlier, later in pairwise(runs)} == {3_600.0}
    assert len(runs) == 72


def test_every_does_not_drift_when_runs_take_time(make_session, clock):
    session = make_session()
    runs = []

    def work():
        runs.append(clock.time())
        clock.advance(0.4)

    FuncTask(work, session=session, name="a", start_cond="every 1 second")
    start = clock.time()
    run_for(session, "1 minute")
    assert [at - start for at in runs] == [float(second) for second in range(len(runs))]


def test_tasks_due_at_once_start_by_priority_then_in_the_order_of_their_making(make_session, clock):
    session = make_session()
    order = []
    for name, priority in [("a", 0), ("b", 5), ("c", 0), ("d", -1), ("e", 5), ("f", 2.5)]:
        FuncTask(
            lambda name=name: order.append(name),
            session=session,
            name=name,
            start_cond="daily",
            priority=priority,
        )
    run_for(session, "25 hours")
    assert order == list("befacd") * 2


def test_task_priority_of_the_configuration_is_the_default(make_session):
    session = make_session(task_priority=7)
    FuncTask(print, session=session, name="a")
    FuncTask(print, session=session, name="b", priority=0)
    assert [task.priority for task in session.tasks] == [7, 0]


def test_a_chain_of_tasks_follows_each_other(make_session, clock):
    session = make_session()
    order = []
    FuncTask(lambda: order.append("c"), session=session, name="c", start_cond="after tasks 'a', 'b'")
    FuncTask(lambda: order.append("b"), session=session, name="b", start_cond="after task 'a'")
    FuncTask(lambda: order.append("a"), session=session, name="a", start_cond="daily after 10:00")
    run_for(session, "3 days")
    assert order == ["a", "b", "c"] * 3


def test_a_failed_run_is_tried_again_as_often_and_as_late_as_it_says(make_session, clock):
    session = make_session()
    start = clock.time()
    always = record(session, clock, "always", "daily", fail=lambda: True, retries=2, retry_delay="10 minutes")
    never = record(session, clock, "never", "daily", fail=lambda: True)
    second = record(session, clock, "second", "daily", fail=lambda: len(second) == 1, retries=5)
    run_for(session, "25 hours")
    assert [at - start for at in always] == [0, 600, 1_200, 86_400, 87_000, 87_600]
    assert [at - start for at in never] == [0, 86_400]
    assert [at - start for at in second] == [0, 0, 86_400]


def test_a_retry_does_not_move_the_beat(make_session, clock):
    session = make_session()
    start = clock.time()
    runs = record(session, clock, "a", "every 1 hour", fail=lambda: len(runs) == 1, retries=1, retry_delay=60)
    run_for(session, "150 minutes")
    assert [at - start for at in runs] == [0, 60, 3_600, 7_200]


def test_inaction_is_neither_success_nor_failure(make_session, clock):
    session = make_session()

    def nothing():
        raise TaskInactionException

    task = FuncTask(nothing, session=session, name="a", start_cond="daily", retries=3)
    runs = record(session, clock, "b", "after task 'a' finished")
    run_for(session, "1 hour")
    assert task.status == "inaction"
    assert len(list(session.get_task_log("a", "inaction"))) == 1
    assert runs == []


class TestMissedRuns:
    """The scheduler is held up, from 09:00 to 15:30, by one task that sleeps."""

    @pytest.fixture
    def held(self, make_session, clock):
        session = make_session()
        clock.jump(9 * 3_600)

        def hold(condition, missed):
            FuncTask(lambda: clock.advance(6.5 * 3_600), session=session, name="hold", start_cond="daily")
            due = []
            task = FuncTask(
                lambda: due.append((task_due(session), clock.time())),
                session=session,
                name="a",
                start_cond=condition,
                missed=missed,
            )
            # It has run before, so that nothing is owed at the start.
            task.state.start("before", clock.time(), clock.time())
            task.state.finish("before", "success", clock.time())
            run_for(session, "10 hours")
            return [
                tuple(datetime.fromtimestamp(at, ZoneInfo("UTC")).strftime("%H:%M") for at in run)
                for run in due
            ]

        def task_due(session):
            return session.scheduler.launcher.alive[-1].due

        return hold

    @pytest.mark.parametrize(
        ("missed", "expected"),
        [
            ("skip", []),
            ("once", [("10:00", "15:30")]),
            ("all", [("10:00", "15:30")]),
        ],
    )
    def test_a_window_that_passed(self, held, missed, expected):
        assert held("daily between 10:00 and 12:00", missed) == expected

    @pytest.mark.parametrize(
        ("missed", "expected"),
        [
            ("skip", [("16:00", "16:00"), ("17:00", "17:00"), ("18:00", "18:00")]),
            ("once", [("10:00", "15:30"), ("16:00", "16:00"), ("17:00", "17:00"), ("18:00", "18:00")]),
            (
                "all",
                [(f"{hour}:00", "15:30") for hour in range(10, 16)]
                + [(f"{hour}:00", f"{hour}:00") for hour in range(16, 19)],
            ),
        ],
    )
    def test_times_of_cron_that_passed(self, held, missed, expected):
        assert held("cron 0 * * * *", missed) == expected

    @pytest.mark.parametrize(
        ("missed", "first"),
        [
            ("skip", [("15:30", "15:30"), ("16:30", "16:30")]),
            ("all", [(f"{hour}:00", "15:30") for hour in range(10, 16)] + [("16:00", "16:00")]),
        ],
    )
    def test_an_interval_that_passed_several_times(self, held, missed, first):
        assert held("every 1 hour", missed)[: len(first)] == first


def test_a_missed_due_time_is_told(make_session, clock):
    session = make_session()
    told = []
    session.event_hub.subscribe(
        "topic=redengine.task.missed", lambda event: told.append(event["data"]["task"])
    )
    FuncTask(lambda: clock.advance(7_200), session=session, name="hold", start_cond="daily")
    record(session, clock, "a", "daily between 01:00 and 01:30")
    run_for(session, "3 hours")
    assert told == ["a"]


def test_a_clock_set_back_repeats_nothing_and_delays_nothing(make_session, clock):
    session = make_session()
    daily = record(session, clock, "daily", "daily")
    hourly = record(session, clock, "hourly", "every 1 hour")
    elapsed = []
    FuncTask(
        lambda: elapsed.append(clock.monotonic()), session=session, name="elapsed", start_cond="every 1 hour"
    )
    set_back = []

    def set_clock():
        if not set_back:
            set_back.append(1)
            clock.jump(-3 * 3_600)

    FuncTask(set_clock, session=session, name="admin", start_cond="daily after 05:30")
    run_for(session, "20 hours")
    assert len(daily) == 1
    assert len(hourly) == 20
    assert {later - earlier for earlier, later in pairwise(elapsed)} == {3_600.0}


def test_a_machine_that_slept_goes_on_where_it_should(make_session, clock):
    session = make_session()
    daily = record(session, clock, "daily", "daily after 10:00")
    sleeps = []

    def sleep():
        if not sleeps:
            sleeps.append(1)
            clock.jump(8 * 3_600)  # the wall clock goes on, the monotonic one stands

    FuncTask(sleep, session=session, name="lid", start_cond="daily after 05:00")
    run_for(session, "40 hours")
    assert [datetime.fromtimestamp(at, ZoneInfo("UTC")).strftime("%d %H:%M") for at in daily] == [
        "01 13:00",
        "02 10:00",
    ]


def test_a_failing_condition_counts_as_false_and_is_reported_once(make_session, clock):
    session = make_session()

    @session_condition(session, "goes wrong")
    def goes_wrong():
        raise ValueError("no such disk")

    broken = record(session, clock, "broken", "goes wrong")
    fine = record(session, clock, "fine", "every 1 minute")
    run_for(session, "10 minutes")
    assert broken == []
    assert len(fine) == 10
    assert [problem for problem in session.problems if "no such disk" in problem] == list(session.problems)
    assert len(session.problems) == 1


def session_condition(session, syntax):
    from sessionkit_redengine.builders import condition

    return condition(syntax, session=session)


def test_a_failing_condition_ends_the_scheduler_where_that_is_wanted(make_session):
    session = make_session(silence_cond_check=False)

    @session_condition(session, "goes wrong")
    def goes_wrong():
        raise ValueError("no such disk")

    FuncTask(print, session=session, name="a", start_cond="goes wrong")
    with pytest.raises(ConditionError, match="no such disk"):
        session.start()
    assert not session.scheduler.is_alive


def test_a_condition_that_waits_for_nobody_is_reported_at_the_start(make_session):
    session = make_session(shut_cond="true")
    FuncTask(print, session=session, name="a", start_cond="daily & after task 'nobody'")
    session.start()
    assert any("'a' waits for task 'nobody'" in problem for problem in session.problems)


def test_a_task_that_does_not_exist_costs_nothing_until_it_does(make_session, clock):
    session = make_session()
    start = clock.time()
    runs = record(session, clock, "a", "after task 'late' | ~task 'late' has started & false")
    ended = record(session, clock, "b", "every 7 hours", end_cond="task 'late' has failed")
    late = []
    FuncTask(
        lambda: late.extend(record(session, clock, "late", "daily after 06:00", runs=late) or ()),
        session=session,
        name="maker",
        start_cond="yearly after Jan 1st 05:00",
    )
    FuncTask(
        lambda: session.remove_task("late"), session=session, name="remover", start_cond="cron 0 1 2 1 *"
    )
    cycles = []
    session.hook_scheduler_cycle()(lambda scheduler: cycles.append(clock.time()))
    run_for(session, "40 hours")
    assert [at - start for at in late] == [at - start for at in runs] == [6 * 3_600]
    assert len(ended) == 6
    assert len(cycles) < 40
    assert [problem for problem in session.problems if "'a' waits for task 'late'" in problem]
    assert session["maker"].status == session["remover"].status == "success"


def test_a_function_is_asked_each_second_while_it_matters(make_session, clock):
    session = make_session()
    asked = []

    @session_condition(session, "disk has room")
    def disk_has_room():
        asked.append(clock.time())
        return len(asked) > 5

    runs = record(session, clock, "a", "daily after 01:00 & disk has room")
    start = clock.time()
    run_for(session, "2 hours")
    assert runs[0] - start == 3_600 + 5
    assert asked[0] - start == 3_600


def test_a_parameter_that_changes_wakes_who_waits_for_it(make_session, clock):
    session = make_session(parameters={"mode": "test"})
    runs = record(session, clock, "a", "daily & param 'mode' is 'live'")

    def change():
        session.parameters["mode"] = "live"

    FuncTask(change, session=session, name="b", start_cond="daily after 10:00")
    start = clock.time()
    run_for(session, "20 hours")
    assert [at - start for at in runs] == [36_000]


def test_fields_that_change_take_effect_at_once(make_session, clock):
    session = make_session()
    runs = record(session, clock, "a", "every 1 hour")
    task = session["a"]
    steps = iter(
        [("disabled", True), ("disabled", False), ("start_cond", "every 30 minutes"), ("force_run", True)]
    )

    def step():
        setattr(task, *next(steps, ("description", "done")))

    FuncTask(step, session=session, name="step", start_cond="cron 30 */4 * * *")
    start = clock.time()
    run_for(session, "13 hours")
    hours = [(at - start) / 3_600 for at in runs]
    assert hours == [0, 4.5, 5.5, 6.5, 7.5, 8.5, *(8.5 + half / 2 for half in range(1, 9)), 12.5]


def test_only_what_was_asked_for_runs(make_session, clock):
    session = make_session()
    runs = {name: record(session, clock, name, "always true") for name in "abc"}
    session.run("a", "c")
    assert {name: len(done) for name, done in runs.items()} == {"a": 1, "b": 0, "c": 1}
    session.run("b", obey_cond=True)
    assert len(runs["b"]) == 1
    session["b"].start_cond = "false"
    session.run("b", obey_cond=True)
    assert len(runs["b"]) == 1
    with pytest.raises(KeyError, match="nobody"):
        session.run("nobody")


def test_nothing_new_starts_on_hold(make_session, clock):
    session = make_session()
    runs = record(session, clock, "a", "every 1 minute")
    FuncTask(
        lambda: setattr(session.scheduler, "on_hold", True),
        session=session,
        name="hold",
        start_cond="daily after 00:05",
    )
    run_for(session, "10 minutes")
    assert len(runs) == 6


def test_cycle_sleep_is_the_least_time_between_cycles(make_session, clock):
    session = make_session(cycle_sleep=0.5)
    runs = record(session, clock, "a", "always true")
    run_for(session, "10 seconds")
    assert len(runs) == 20


def test_second_by_second_tasks_keep_memory_flat(make_session):
    history = MemoryHistory(max_runs=500)
    session = make_session(history=history)
    for number in range(10):
        FuncTask(int, session=session, name=str(number), start_cond="every 1 second")
    FuncTask(
        int, session=session, name="counts", start_cond="task '1' has failed past 1 hour | every 1 second"
    )
    run_for(session, "5 minutes")  # from here on all histories are full
    gc.collect()
    tracemalloc.start()
    run_for(session, "1 minute")
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    run_for(session, "5 minutes")
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000  # of 3,300 runs
    assert len(list(history.runs(session.name, Query()))) == 500


def resident():
    """Bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux tells it")
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_hour_of_second_by_second_tasks_keeps_memory_flat(make_session, tmp_path, kind):
    """The 36,000 runs of the second half hour (7,200 with SQLite) leave nothing behind."""
    count = {"memory": 20, "sqlite": 4}[kind]
    history = (
        MemoryHistory() if kind == "memory" else open_database(str(tmp_path / "runs.db"), max_runs=1_000)
    )
    session = make_session(history=history)
    ran = Counter()
    for number in range(count):
        FuncTask(
            lambda number=number: ran.update([number]),
            session=session,
            name=str(number),
            start_cond=f"every 1 second | task '{(number + 1) % count}' has failed past 1 hour",
        )
    run_for(session, "15 minutes")  # all that is bounded is full from here on: counts, logs, series
    tracemalloc.start()
    run_for(session, "15 minutes")  # and all that it has was traced
    gc.collect()
    traced, had = tracemalloc.get_traced_memory()[0], resident()
    run_for(session, "30 minutes")
    gc.collect()
    grown, more = tracemalloc.get_traced_memory()[0] - traced, resident() - had
    tracemalloc.stop()
    assert min(ran.values()) >= 3_600
    # What counting looks back at, two lists for each task, swings between 1,024 and 2,048 floats of 32 bytes.
    assert grown < count * 2 * 1_024 * 32
    assert more < 4_000_000


def test_an_idle_cycle_looks_at_nothing(make_session, clock):
    session = make_session()
    looked = []
    from sessionkit_redengine.conditions import Condition

    class Watched(Condition):
        def state(self, view, at):
            looked.append(at)
            return (False, float("inf"))

    for number in range(50):
        FuncTask(int, session=session, name=str(number), start_cond=Watched())
    runs = record(session, clock, "a", "every 1 minute")
    run_for(session, "1 hour")
    assert len(runs) == 60
    assert len(looked) <= 150
