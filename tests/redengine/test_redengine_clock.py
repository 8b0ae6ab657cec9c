"""A clock that is set, forward or back, little or much, while the scheduler runs or while it does not."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from redengine_times import instant

from sessionkit_redengine import FuncTask, TaskTerminationException
from sessionkit_redengine.arguments import TerminationFlag
from sessionkit_redengine.periods import Cron, TimeOfDay, TimeOfHour, TimeOfMinute, TimeOfMonth

HOUR = 3_600.0


def shown(at):
    return datetime.fromtimestamp(at, ZoneInfo("UTC")).strftime("%d %H:%M")


class Setter:
    """A session whose clock is set once, by a task at a time of the first day; tells when others ran."""

    def __init__(self, session, clock, by, at):
        self.session = session
        self.clock = clock
        self.runs = {}
        start = clock.monotonic()
        done = []

        def set_clock():
            if not done:
                done.append(clock.jump(by))

        self.elapsed = lambda: clock.monotonic() - start
        FuncTask(set_clock, session=session, name="admin", start_cond=f"daily after {at}", priority=-1)

    def add(self, condition, **fields):
        ran = self.runs[condition] = []
        FuncTask(
            lambda: ran.append((shown(self.clock.time()), self.elapsed())),
            session=self.session,
            name=condition,
            start_cond=condition,
            **fields,
        )
        return ran

    def run(self, duration):
        self.session.config.shut_cond = f"scheduler has run over {duration}"
        self.session.start()


@pytest.fixture
def setter(make_session, clock):
    return lambda by, at: Setter(make_session(), clock, by, at)


def wall(ran):
    return [when for when, _ in ran]


def gaps(ran):
    return [later - earlier for (_, earlier), (_, later) in pairwise(ran)]


@pytest.mark.parametrize("minutes", [1, 10, 59, 60, 61, 100, 179, 180])
def test_set_back_within_the_day_no_date_is_done_twice_and_no_beat_is_lost(setter, minutes):
    world = setter(-minutes * 60, "05:30:01")
    dates = [world.add(text) for text in ("daily", "daily after 05:00", "daily between 04:00 and 04:30")]
    dates += [world.add("cron 15 5 * * *"), world.add("weekly on Thu"), world.add("monthly")]
    hourly = [world.add(text) for text in ("hourly", "hourly on 30:00", "cron 15 * * * *")]
    minutely = [world.add("minutely"), world.add("cron * * * * *")]
    every = world.add("every 20 minutes")
    world.run("40 hours")
    assert [len(ran) for ran in dates] == [2, 2, 2, 2, 1, 1]
    assert {when for ran in dates for when in wall(ran)[:1]} <= {
        "01 00:00",
        "01 05:00",
        "01 04:00",
        "01 05:15",
    }
    for ran in hourly:  # never sooner than an hour after the latest, and no two are lost
        assert HOUR <= max(gaps(ran)) < 2 * HOUR
        assert min(gaps(ran)) >= HOUR
    for ran in minutely:
        assert 60 <= min(gaps(ran)) <= max(gaps(ran)) < 120
    assert set(gaps(every)) == {1_200.0}


@pytest.mark.parametrize("days", [1, 3, 365, 20_000])
def test_set_back_to_another_time_all_goes_on_by_it(setter, days):
    world = setter(-days * 86_400, "05:30")
    daily, at_five, at_six = (world.add(f"daily{when}") for when in ("", " on 05:00", " on 06:00"))
    hourly, every = world.add("hourly"), world.add("every 20 minutes")
    world.run("3 days")
    assert {elapsed % 86_400 for _, elapsed in daily} == {0.0}
    assert len(daily) == 3
    assert [elapsed / HOUR for _, elapsed in at_five] == [5, 29, 53]
    assert [elapsed / HOUR for _, elapsed in at_six] == [6, 30, 54]
    assert set(gaps(hourly)) == {HOUR}
    assert set(gaps(every)) == {1_200.0}


@pytest.mark.parametrize("hours", [1, 8, 24 * 40])
@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_set_forward_what_was_due_meanwhile_follows_the_policy(setter, hours, missed):
    world = setter(hours * HOUR, "05:30")
    at_six = world.add("daily between 06:00 and 06:15", missed=missed)
    world.session["daily between 06:00 and 06:15"].state.start("before", 0.0, instant("2025-12-31T06:00"))
    world.session["daily between 06:00 and 06:15"].state.finish("before", "success", 0.0)
    every = world.add("every 10 hours")
    world.run(f"{hours + 20} hours")
    skipped = hours // 24 + (hours % 24 >= 1)
    later = 1 if hours >= 12 else 0
    expected = {"skip": 0, "once": 1, "all": skipped}[missed]
    assert len(at_six) == expected + later
    assert len(every) == 3


def test_retries_dependencies_and_the_age_of_the_scheduler_count_elapsed_time(setter, clock):
    world = setter(-3 * HOUR, "05:30")
    failing = []

    def fail():
        failing.append((shown(clock.time()), world.elapsed()))
        raise ValueError

    FuncTask(
        fail,
        session=world.session,
        name="a",
        start_cond="daily on 05:25",
        retries=1,
        retry_delay="10 minutes",
    )
    old = world.add("scheduler has run over 7 hours & daily on 04:00")
    world.run("8 hours")
    assert [elapsed for _, elapsed in failing] == [5 * HOUR + 1_500, 5 * HOUR + 2_100]
    assert [elapsed / HOUR for _, elapsed in old] == [7.0]


@pytest.mark.parametrize("hours", [1, 3, 100])
def test_what_waits_for_a_task_runs_once_after_each_of_its_runs(setter, clock, hours):
    """The clock is set between the two, and while the first one runs."""
    world = setter(-hours * HOUR, "05:30")
    order = []
    slow = iter([False, True])

    def first():
        order.append("first")
        if next(slow, False):
            clock.jump(-hours * HOUR)
            clock.advance(60)

    FuncTask(first, session=world.session, name="first", start_cond="every 5 hours")
    held = "after task 'first' & ~task 'first' has started past 45 minutes"
    FuncTask(lambda: order.append("held"), session=world.session, name="held", start_cond=held)
    FuncTask(
        lambda: order.append("then"), session=world.session, name="then", start_cond="after task 'first'"
    )
    FuncTask(lambda: order.append("last"), session=world.session, name="last", start_cond="after task 'then'")
    world.run("16 hours")
    assert order == ["first", "then", "last", "held"] * 4


@pytest.mark.parametrize("hours", [-3, -100, 8])
def test_a_timeout_is_time_that_the_run_has_had(make_session, clock, hours):
    session = make_session(execution="thread")
    flags = []

    def work(flag=TerminationFlag()):
        flags.append(flag)
        flag.wait(30)
        raise TaskTerminationException

    FuncTask(work, session=session, name="a", start_cond="true", timeout="1 hour")
    seen = []
    steps = iter(
        [lambda: clock.jump(hours * HOUR), lambda: clock.advance(1_800), lambda: clock.advance(1_801)]
    )

    @session.hook_scheduler_cycle()
    def step(scheduler):
        yield
        if not flags:
            return
        seen.append(flags[0].is_set())
        move = next(steps, None)
        if move is None:
            session.shut_down(force=True)
        else:
            move()

    session.start()
    assert seen == [False, False, False, True]
    assert session["a"].status == "terminate"


def test_a_start_and_an_end_keep_their_order_when_the_clock_is_set_between(make_session, clock):
    session = make_session()
    task = FuncTask(
        lambda: (clock.advance(5), clock.jump(-7_200), clock.advance(5)), session=session, name="a"
    )
    session.run("a")
    assert (task.last_success - task.last_run).total_seconds() == 10


class TestWhileNoSchedulerRuns:
    @pytest.fixture
    def day(self, make_session, clock, tmp_path):
        def run(hours, runs):
            session = make_session(
                history=tmp_path / "runs.db", shut_cond=f"scheduler has run over {hours} hours"
            )
            for text in runs:
                FuncTask(
                    lambda text=text: runs[text].append(clock.monotonic() / HOUR),
                    session=session,
                    name=text,
                    start_cond=text,
                )
            session.start()
            session.close()

        return run

    @pytest.mark.parametrize("days", [2, 400])
    def test_set_back_to_another_time(self, day, clock, days):
        runs = {text: [] for text in ("daily", "hourly", "every 2 hours", "after task 'daily'")}
        day(5.5, runs)
        clock.jump(-days * 86_400)
        day(30, runs)
        assert runs["daily"] == [0, 24]
        assert runs["after task 'daily'"] == [0, 24]
        # Nothing was left that tells how long the scheduler ran after its last run.
        assert {later - earlier for earlier, later in pairwise(runs["hourly"])} <= {1, 2}
        assert len(runs["hourly"]) >= 35
        assert set(map(round, (later - earlier for earlier, later in pairwise(runs["every 2 hours"])))) == {2}

    def test_set_back_within_the_day(self, day, clock):
        runs = {text: [] for text in ("daily after 04:00", "hourly", "after task 'daily after 04:00'")}
        day(5.5, runs)
        clock.jump(-2 * HOUR)
        day(26, runs)
        assert runs["daily after 04:00"] == [4, 30]  # not again at four o'clock, which comes twice
        assert len(runs["after task 'daily after 04:00'"]) == 2
        assert max(later - earlier for earlier, later in pairwise(runs["hourly"])) <= 2

    def test_clocks_of_machines_may_differ_a_little(self, day, clock):
        runs = {"hourly": []}
        day(5.001, runs)
        clock.jump(-15)  # to just before five o'clock
        day(0.5, runs)
        assert len(runs["hourly"]) == 6


@pytest.mark.parametrize(
    ("period", "cycle"),
    [
        (TimeOfMinute("10", "20"), 60),
        (TimeOfHour(), 3_600),
        (TimeOfDay(), float("inf")),
        (TimeOfMonth.on("last"), float("inf")),
        (Cron("*/5 * * * *"), 60),
        (Cron("30 */2 * * *"), 3_600),
        (Cron("0 30 * * * *"), 3_600),
        (Cron("30 2 * * *"), float("inf")),
        (Cron("@hourly"), 3_600),
        (Cron("@daily"), float("inf")),
    ],
    ids=str,
)
def test_what_belongs_to_a_date(period, cycle):
    assert period.cycle == cycle
