"""What conditions say at an instant, and until when: always what asking each second would say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redengine_times import instant
from redengine_world import NOON, World

from sessionkit_redengine.builders import failed, running, started, succeeded
from sessionkit_redengine.conditions import (
    All,
    Any,
    Every,
    FuncCond,
    OnEvent,
    Retry,
    SchedulerCycles,
    TaskExecutable,
    TaskReturned,
    TaskStarted,
    parse_condition,
)
from sessionkit_redengine.conditions.base import next_true
from sessionkit_redengine.errors import ParserError, TaskNotFound
from sessionkit_redengine.history.state import TaskState
from sessionkit_redengine.periods import TimeDelta, TimeOfDay


@pytest.fixture
def world():
    return World()


# Each row: the condition, then what it says at instants of 10 June when the task last ran (as due) then.
ONCE = [
    ("daily", None, {"00:00": True, "23:59:59": True}),
    ("daily", "2026-06-10T00:00", {"00:00": False, "12:00": False, "23:59:59": False}),
    ("daily", "2026-06-09T23:59:59", {"00:00": True, "12:00": True}),
    (
        "daily between 10:00 and 12:00",
        None,
        {"09:59:59": False, "10:00": True, "11:59:59": True, "12:00": False},
    ),
    ("daily between 10:00 and 12:00", "2026-06-10T09:00", {"10:00": True}),
    ("daily between 10:00 and 12:00", "2026-06-10T10:00", {"10:00": False, "11:59:59": False}),
    ("daily between 22:00 and 02:00", "2026-06-09T23:00", {"01:59": False, "02:00": False, "22:00": True}),
    ("daily between 22:00 and 02:00", "2026-06-09T21:00", {"01:59": True, "02:00": False}),
    ("daily before 10:00", "2026-06-09T05:00", {"00:00": True, "09:59:59": True, "10:00": False}),
    ("daily after 10:00", "2026-06-09T12:00", {"09:00": False, "10:00": True, "23:59:59": True}),
    ("daily on 10:00", "2026-06-09T10:00", {"09:59": False, "10:00": True, "10:59:59": True, "11:00": False}),
    ("daily starting 10:00", "2026-06-09T10:00", {"09:59:59": False, "10:00": True}),
    ("hourly", "2026-06-10T11:30", {"11:59:59": False, "12:00": True}),
    ("hourly between 45:00 and 15:00", "2026-06-10T11:50", {"12:14": False, "12:15": False, "12:45": True}),
    ("minutely", "2026-06-10T12:00:30", {"12:00:59": False, "12:01": True}),
    ("minutely on 30", "2026-06-10T12:00:30", {"12:00:30": False, "12:01:29": False, "12:01:30": True}),
    ("weekly", "2026-06-07T23:00", {"00:00": True, "12:00": True}),
    ("weekly", "2026-06-08T00:00", {"12:00": False}),
    ("weekly on Wed", "2026-06-03T12:00", {"00:00": True, "23:59:59": True}),
    ("weekly on Thu", None, {"12:00": False}),
    ("weekly between Mon and Wed", None, {"23:59:59": True}),
    ("weekly between Mon and Wed 12:00", None, {"11:59:59": True, "12:00": False}),
    ("monthly", "2026-05-31T23:59:59", {"12:00": True}),
    ("monthly on 10th", "2026-05-10T12:00", {"00:00": True, "23:59:59": True}),
    ("monthly before 10th", None, {"23:59:59": True}),
    ("yearly", "2026-01-01T00:00", {"12:00": False}),
    ("yearly on Jun", "2025-06-30T12:00", {"12:00": True}),
    ("every 10 minutes", None, {"12:00": True}),
    ("every 10 minutes", "2026-06-10T11:55", {"12:04:59": False, "12:05": True, "23:00": True}),
    ("cron 0 12 * * *", None, {"11:59:59": False, "12:00": True, "12:00:59": True, "12:01": False}),
    ("cron 0 12 * * *", "2026-06-10T12:00", {"12:00:59": False}),
    ("time of day between 10:00 and 12:00", "2026-06-10T11:00", {"11:00": True, "12:00": False}),
    ("time of week on Wed", None, {"00:00": True, "23:59:59": True}),
    ("time of month after 11th", None, {"23:59:59": False}),
    ("~daily", "2026-06-10T00:00", {"12:00": True}),
]


@pytest.mark.parametrize(("condition", "due", "expected"), ONCE)
def test_time_conditions(world, condition, due, expected):
    if due is not None:
        world.ran(at=instant(due))
    said = {time: world.says(condition, instant(f"2026-06-10T{time}")) for time in expected}
    assert said == expected


@pytest.mark.parametrize("action", ["success", "fail", "terminate", "inaction", "crash", None])
def test_a_run_uses_up_its_window_however_it_ends(world, action):
    world.ran(at=NOON - 60, action=action)
    assert world.says("daily") is False


def test_a_run_belongs_to_the_window_in_which_it_was_due(world):
    world.ran(at=instant("2026-06-10T00:30"), due=instant("2026-06-09T23:00"), took=3_600)
    assert world.says("daily") is True


@pytest.mark.parametrize(("based", "first"), [("run", 30), ("success", 40), ("fail", 35), ("finish", 50)])
def test_every_counts_from_what_it_is_based_on(world, based, first):
    world.ran(at=NOON + 5, action="fail", took=10)
    world.ran(at=NOON + 10, action="success", took=10)
    world.ran(at=NOON + 10, action="terminate", took=20)
    assert next_true(Every(20, based=based), world, NOON + 11) == NOON + first


def test_every_refuses_other_bases():
    with pytest.raises(ParserError, match="counted from"):
        Every(10, based="start")


DEPENDS = [
    ("after task 'x'", [], False),
    ("after task 'x'", [("x", 10, "success")], True),
    ("after task 'x'", [("x", 10, "fail")], False),
    ("after task 'x' failed", [("x", 10, "fail")], True),
    ("after task 'x' failed", [("x", 10, "crash")], True),
    ("after task 'x' finished", [("x", 10, "terminate")], False),
    ("after task 'x' finished", [("x", 10, "inaction")], False),
    ("after task 'x' finished", [("x", 10, "fail")], True),
    ("after task 'x' terminated", [("x", 10, "terminate")], True),
    ("after task 'x'", [("x", 10, "success"), (None, 20, "fail")], False),
    ("after task 'x'", [("x", 10, "success"), (None, 20, "success"), ("x", 30, "success")], True),
    ("after tasks 'x', 'y'", [("x", 10, "success")], False),
    ("after tasks 'x', 'y'", [("x", 10, "success"), ("y", 11, "success")], True),
    ("after tasks 'x', 'y'", [("x", 10, "success"), (None, 15, "success"), ("y", 21, "success")], False),
    ("after any tasks 'x', 'y'", [("y", 10, "success")], True),
    ("after any tasks 'x', 'y' failed", [("y", 10, "success")], False),
]


@pytest.mark.parametrize(("condition", "runs", "expected"), DEPENDS)
def test_conditions_on_other_tasks(world, condition, runs, expected):
    for name in ("x", "y"):
        world.tasks[name] = TaskState()
    for name, at, action in runs:
        world.ran(name, at=NOON + at, action=action)
    assert world.says(condition, NOON + 100) is expected
    assert world.says(condition, NOON + 100 + 30 * 86_400) is expected  # it does not expire


def test_a_success_to_come_is_not_known_before(world):
    world.ran("x", at=NOON)
    assert next_true(parse_condition("after task 'x'"), world, NOON - 60) == NOON


def test_a_task_that_does_not_exist_is_an_error(world):
    with pytest.raises(TaskNotFound):
        world.says("after task 'nobody'")


HAS = [
    ("task 'x' has succeeded", NOON - 86_400 * 40, True),
    ("task 'x' has failed", NOON, False),
    ("task 'x' has started today", instant("2026-06-09T23:59:59"), False),
    ("task 'x' has started today", instant("2026-06-10T00:00"), True),
    ("task 'x' has succeeded today between 10:00 and 11:00", instant("2026-06-10T10:30"), True),
    ("task 'x' has succeeded today between 10:00 and 11:00", instant("2026-06-10T11:00"), False),
    ("task 'x' has succeeded today between 10:00 and 11:00", instant("2026-06-09T10:30"), False),
    ("task 'x' has succeeded today after 13:00", instant("2026-06-09T14:00"), False),
    ("task 'x' has succeeded this hour", instant("2026-06-10T11:59"), False),
    ("task 'x' has succeeded this week on Mon", instant("2026-06-08T10:00"), True),
    ("task 'x' has succeeded this week on Tue", instant("2026-06-08T10:00"), False),
    ("task 'x' has succeeded this month", instant("2026-06-01T00:00"), True),
    ("task 'x' has finished past 1 hour", NOON - 3_599, True),
    ("task 'x' has finished past 1 hour", NOON - 3_600, False),
]


@pytest.mark.parametrize(("condition", "at", "expected"), HAS)
def test_conditions_on_what_a_task_has_done(world, condition, at, expected):
    world.ran("x", at=at)
    assert world.says(condition) is expected


def test_a_count_slides_out_of_its_time_exactly(world):
    for second in (0, 10, 20):
        world.ran("x", at=NOON + second, action="fail")
    world.now = NOON + 20
    often = failed("x").past("1 minute") >= 2
    assert next_true(~often, world, world.now) == NOON + 70


def test_counts_compare(world):
    for hour in range(3):
        world.ran("x", at=NOON - 3_600 * hour, action="fail")
    world.ran("x", at=NOON - 86_400 * 2, action="fail")
    count = failed("x").today
    assert [
        world.says(count >= 3),
        world.says(count > 3),
        world.says(count == 3),
        world.says(count != 3),
    ] == [*(True, False, True, False)]
    assert world.says(count < 4) is True
    assert world.says(failed("x").ever <= 3) is False
    assert world.says(started("x").past("30 min") == 1) is True
    assert world.says(succeeded("x").ever == 0) is True


def test_has_looks_into_the_tasks_own_period(world):
    world.conditions["x"] = parse_condition("daily & true")
    world.ran("x", at=instant("2026-06-09T12:00"))
    assert world.says("task 'x' has succeeded") is False
    world.ran("x", at=NOON)
    assert world.says("task 'x' has succeeded") is True


def test_running(world):
    assert world.says(running()) is False
    world.ran(at=NOON, action=None)
    assert world.says(running()) is True
    assert next_true(running().more_than("10 minutes"), world, NOON) == NOON + 600
    assert next_true(~running().less_than(60), world, NOON) == NOON + 60


def test_retry(world):
    assert world.says(Retry(1)) is False
    world.ran(at=NOON, action="fail")
    assert world.says(Retry(1)) is True
    world.ran(at=NOON, action="fail")
    assert world.says(Retry(1)) is False


def test_the_scheduler(world):
    assert (
        world.says("scheduler has run over 1 minute") is True
    )  # one that does not run is not in its first minute
    world.started = NOON
    assert next_true(parse_condition("scheduler has run over 1 minute"), world, NOON) == NOON + 60
    assert world.says("scheduler started 1 minute ago") is True
    world.cycles = 4
    assert world.says(SchedulerCycles() >= 4) is True
    assert next_true(SchedulerCycles() > 4, world, NOON) == NOON + 1  # to be looked at again
    assert world.says("scheduler has less than 4 cycles") is False


def test_parameters(world):
    world.parameters.update(env="prod", port=80)
    assert world.says("env 'prod'") is True
    assert world.says("env 'test'") is False
    assert world.says("param 'port' exists & param 'port' is '80'") is True
    assert world.says("param 'nothing' exists") is False
    assert world.says("param 'nothing' is 'x'") is False


def test_a_function_is_asked_when_the_rest_is_true(world):
    asked = []
    condition = All(TaskExecutable(TimeOfDay("13:00", None)), FuncCond(lambda: bool(asked.append(1))))
    assert next_true(condition, world, NOON) == NOON + 3_600
    world.now = NOON + 3_600
    assert next_true(condition, world, world.now) == world.now + 1
    assert next_true(~FuncCond(lambda: False), world, world.now) == world.now
    assert world.says(FuncCond(lambda number: number > 2)(3)) is True


def test_what_a_function_will_say_is_neither_yes_nor_no(world):
    asked = FuncCond(lambda: True)
    beside = parse_condition("time of day after 11:00")
    for condition in (~asked, ~All(beside, asked), ~Any(~beside, asked), All(beside, ~asked)):
        assert world.says(condition) is False
        assert next_true(condition, world, NOON) == NOON + 1  # to be asked again


def test_what_another_task_returned(world):
    world.ran("market", at=NOON)
    condition = TaskReturned("market", 600)
    assert world.says(condition) is False
    world.returns["market"] = True
    assert world.says(condition) is True
    assert world.says(condition, NOON + 600) is False


def test_events(world):
    condition = OnEvent("topic=a")
    assert world.says(condition) is False
    world.events = 1
    assert world.says(condition) is True


def test_a_sliding_time_is_no_period_to_run_in():
    with pytest.raises(ParserError, match="slides"):
        TaskExecutable(TimeDelta(10))


def test_conditions_that_exclude_each_other_are_walked_only_so_far(world):
    never = parse_condition("time of minute before 10 & time of minute after 20")
    assert NOON < next_true(never, world, NOON) < math.inf  # when to walk on
    assert next_true(parse_condition("daily & false"), world, NOON) == math.inf
    rare = parse_condition("time of minute between 10 and 20 & time of month on 31st & time of day on 23:00")
    assert next_true(rare, world, NOON) == instant("2026-07-31T23:00:10")


# --- next_due is what asking each second would say ---

LEAVES = st.sampled_from(
    [
        *("minutely", "hourly", "minutely between 10 and 20", "hourly between 59:30 and 02:00", "daily"),
        *("daily before 12:30", "every 90 seconds", "every 25 min", "cron */7 * * * *", "cron 30 12 * * *"),
        *("time of minute after 45", "time of hour between 10:00 and 20:00", "time of day after 12:20"),
        *("after task 'x'", "after task 'x' failed", "task 'x' has succeeded past 10 minutes"),
        *("task 'x' has failed this hour", "has started this minute", "scheduler has run over 20 minutes"),
        *("task 'x' has started today between 12:00 and 12:10", "true", "false"),
    ]
).map(parse_condition)
CONDITIONS = st.recursive(
    LEAVES | st.just(TaskStarted("x", TimeDelta(300)) >= 2),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(*parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Any(*parts)),
        inner.map(lambda part: ~part),
    ),
    max_leaves=5,
)
RUNS = st.lists(
    st.tuples(st.sampled_from([None, "x"]), st.integers(-3_000, 0), st.sampled_from(["success", "fail"])),
    max_size=4,
)


@settings(max_examples=90, deadline=None)
@given(
    condition=CONDITIONS,
    runs=RUNS,
    zone=st.sampled_from(["UTC", "Europe/Helsinki", "Asia/Kathmandu"]),
    minute=st.integers(0, 59),
)
def test_the_next_due_instant_is_the_first_second_that_is_true(condition, runs, zone, minute):
    now = NOON + 60 * minute
    world = World(now, zone)
    world.tasks["x"] = TaskState()
    world.started = now - 30
    for name, ago, action in sorted(runs, key=lambda run: run[1]):
        world.ran(name, at=now + ago, action=action)
    due = next_true(condition, world, now)
    horizon = min(due, now + 3_600)
    seconds = range(int(now), int(horizon) + 1)
    true = [at for at in seconds if condition.state(world, float(at))[0]]
    assert true == ([due] if due <= now + 3_600 else [])


# The same around clock changes, where what the wall shows is left out or comes twice.
NIGHTLY = st.sampled_from(
    [
        *(
            "daily",
            "daily between 02:30 and 03:30",
            "daily after 03:15",
            "daily starting 03:00",
            "daily at 01:45",
        ),
        *("daily between 23:00 and 02:10", "hourly", "hourly on 30:00", "hourly between 50:00 and 20:00"),
        *("minutely on 30", "every 1 hour", "every 37 minutes", "cron 30 2 * * *", "cron */30 * * * *"),
        *("cron 15 1-4 * * *", "time of day between 02:45 and 03:10", "time of hour after 40:00"),
        *("time of week on Sun", "weekly after Sun 02:30", "monthly on 25th", "has started past 90 minutes"),
        *("has started today before 02:30", "has started this hour", "daily at 01:45"),
    ]
).map(parse_condition)
COMBINED = st.recursive(
    NIGHTLY,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda parts: parts[0] & parts[1]),
        st.tuples(inner, inner).map(lambda parts: parts[0] | parts[1]),
        inner.map(lambda part: ~part),
    ),
    max_leaves=4,
)


@settings(max_examples=70, deadline=None)
@given(
    condition=COMBINED,
    zone=st.sampled_from(["Europe/Helsinki", "America/New_York", "Australia/Lord_Howe"]),
    date=st.sampled_from(
        ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"]
    ),
    minute=st.integers(0, 240),
    ago=st.integers(0, 90_000),
)
def test_also_where_the_clock_changes(condition, zone, date, minute, ago):
    now = instant(f"{date}T00:00", zone) + 60 * minute
    world = World(now, zone)
    world.ran(at=now - ago)
    due = next_true(condition, world, now)
    horizon = min(due, now + 7_200)
    found = [at for at in range(int(now), int(horizon) + 1) if condition.state(world, float(at))[0]]
    assert found == ([due] if due <= now + 7_200 else [])
