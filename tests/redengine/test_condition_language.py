"""Condition text: what each item means, how items combine, and what is said about mistakes."""

from __future__ import annotations

import contextlib
import gc
import inspect
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionkit_redengine import FuncTask
from sessionkit_redengine.conditions import (
    All,
    AlwaysFalse,
    AlwaysTrue,
    Any,
    Condition,
    DependFailure,
    DependFinish,
    DependSuccess,
    DependTerminate,
    Every,
    IsEnv,
    IsPeriod,
    Not,
    OnEvent,
    ParamExists,
    SchedulerCycles,
    SchedulerStarted,
    TaskExecutable,
    TaskFailed,
    TaskFinished,
    TaskInacted,
    TaskRunning,
    TaskStarted,
    TaskSucceeded,
    TaskTerminated,
    parse_condition,
    parse_time,
)
from sessionkit_redengine.conditions.items import rows
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods import (
    AllPeriods,
    Always,
    AnyPeriod,
    Cron,
    TimeDelta,
    TimeOfDay,
    TimeOfHour,
    TimeOfMinute,
    TimeOfMonth,
    TimeOfSecond,
    TimeOfWeek,
    TimeOfYear,
)

ITEMS = {
    # once in each cycle
    "secondly": TaskExecutable(TimeOfSecond()),
    "minutely": TaskExecutable(TimeOfMinute()),
    "hourly": TaskExecutable(TimeOfHour()),
    "daily": TaskExecutable(TimeOfDay()),
    "run daily": TaskExecutable(TimeOfDay()),
    "weekly": TaskExecutable(TimeOfWeek()),
    "monthly": TaskExecutable(TimeOfMonth()),
    "yearly": TaskExecutable(TimeOfYear()),
    # once in each window
    "minutely between 15 and 30": TaskExecutable(TimeOfMinute("15", "30")),
    "minutely before 30.5": TaskExecutable(TimeOfMinute(None, "30.5")),
    "hourly on 30:00": TaskExecutable(TimeOfHour.on("30:00")),
    "hourly after 15:00": TaskExecutable(TimeOfHour("15:00", None)),
    "hourly between 1 quarter and 2 quarter": TaskExecutable(TimeOfHour("1 quarter", "2 quarter")),
    "daily between 10:00 and 12:00": TaskExecutable(TimeOfDay("10:00", "12:00")),
    "daily between 22:00 and 02:00": TaskExecutable(TimeOfDay("22:00", "02:00")),
    "daily before 3 PM": TaskExecutable(TimeOfDay(None, "15:00")),
    "daily after 10:00:15": TaskExecutable(TimeOfDay("10:00:15", None)),
    "daily on 10:00": TaskExecutable(TimeOfDay.on("10:00")),
    "daily at 10:00": TaskExecutable(TimeOfDay.on("10:00")),
    "daily starting 10:00": TaskExecutable(TimeOfDay.starting("10:00")),
    "weekly on Monday": TaskExecutable(TimeOfWeek.on("Mon")),
    "weekly between mon 10:00 and FRI": TaskExecutable(TimeOfWeek("Mon 10:00", "Fri")),
    "monthly on 31st": TaskExecutable(TimeOfMonth.on("31st")),
    "monthly on last": TaskExecutable(TimeOfMonth.on("last")),
    "monthly starting 3. 12:00": TaskExecutable(TimeOfMonth.starting("3. 12:00")),
    "monthly before 5": TaskExecutable(TimeOfMonth(None, "5th")),
    "yearly between Jan and Mar 15th": TaskExecutable(TimeOfYear("January", "Mar 15")),
    # intervals and cron
    "every 10 minutes": Every(600),
    "every 1 hour 30 min": Every(5_400),
    "every 2 days, 3 hours": Every(183_600),
    "every 1h30m": Every(5_400),
    "every 10s": Every(10),
    "every 100 ms": Every(0.1),
    "every 01:30:00": Every(5_400),
    "every 1 week": Every(604_800),
    "cron 0/20 * * * *": TaskExecutable(Cron("0/20 * * * *")),
    "cron 0 6 * Jan-Mar Mon-Fri": TaskExecutable(Cron("0 6 * Jan-Mar Mon-Fri")),
    "cron @daily": TaskExecutable(Cron("@daily")),
    # the clock in a window
    "time of second before 0.5": IsPeriod(TimeOfSecond(None, "0.5")),
    "time of minute between 10 and 20": IsPeriod(TimeOfMinute("10", "20")),
    "time of hour after 45:00": IsPeriod(TimeOfHour("45:00", None)),
    "time of day between 10:00 and 12:00": IsPeriod(TimeOfDay("10:00", "12:00")),
    "time of week on Sat": IsPeriod(TimeOfWeek.on("Sat")),
    "time of month on 1st": IsPeriod(TimeOfMonth.on("1st")),
    "time of year on Dec": IsPeriod(TimeOfYear.on("Dec")),
    # other tasks
    "after task 'x'": DependSuccess("x"),
    "after task 'x' succeeded": DependSuccess("x"),
    "after task 'x' failed": DependFailure("x"),
    "after task 'x' finished": DependFinish("x"),
    "after task 'x' terminated": DependTerminate("x"),
    "after tasks 'x', 'y'": All(DependSuccess("x"), DependSuccess("y")),
    "after tasks 'x','y' failed": All(DependFailure("x"), DependFailure("y")),
    "after any tasks 'x', 'y', 'z' finished": Any(DependFinish("x"), DependFinish("y"), DependFinish("z")),
    "task 'x' is running": TaskRunning("x"),
    "while task 'x' is running": TaskRunning("x"),
    "has started": TaskStarted(),
    "has succeeded": TaskSucceeded(),
    "task 'x' has failed": TaskFailed("x"),
    "task 'x' has finished today": TaskFinished("x", TimeOfDay()),
    "task 'x' has terminated this week": TaskTerminated("x", TimeOfWeek()),
    "has inacted this month": TaskInacted(None, TimeOfMonth()),
    "has started this minute before 30": TaskStarted(None, TimeOfMinute(None, "30")),
    "task 'x' has succeeded this hour after 30:00": TaskSucceeded("x", TimeOfHour("30:00", None)),
    "task 'x' has succeeded today between 10:00 and 12:00": TaskSucceeded("x", TimeOfDay("10:00", "12:00")),
    "task 'x' has succeeded this week on Mon": TaskSucceeded("x", TimeOfWeek.on("Mon")),
    "task 'x' has succeeded today starting 10:00": TaskSucceeded("x", TimeOfDay.starting("10:00")),
    "task 'x' has failed past 2 hours": TaskFailed("x", TimeDelta(7_200)),
    "has failed in past 2 hours": TaskFailed(None, TimeDelta(7_200)),
    # the scheduler, parameters, events
    "scheduler has 3 cycles": SchedulerCycles(comparison=("==", 3)),
    "scheduler has more than 3 cycles": SchedulerCycles() > 3,
    "scheduler has less than 3 cycles": SchedulerCycles() < 3,
    "scheduler has run over 10 minutes": Not(SchedulerStarted(600)),
    "scheduler started 10 minutes ago": SchedulerStarted(600),
    "env 'prod'": IsEnv("prod"),
    "param 'x' exists": ParamExists("x"),
    "param 'x' is 'v'": ParamExists(x="v"),
    "on event 'topic=a.b'": OnEvent("topic=a.b"),
    "on event 'topic=a' from 'review'": OnEvent("topic=a", "review"),
    # constants
    "true": AlwaysTrue(),
    "always true": AlwaysTrue(),
    "always": AlwaysTrue(),
    "false": AlwaysFalse(),
    "always false": AlwaysFalse(),
    "never": AlwaysFalse(),
}


@pytest.mark.parametrize("text", ITEMS)
def test_an_item_means(text):
    assert parse_condition(text) == ITEMS[text]


def test_every_row_of_the_language_is_tested():
    shapes = [re.sub(r"'[^']*'", "\x01", text) for text in ITEMS]
    untested = [row.example for row in rows() if not any(row.pattern.fullmatch(shape) for shape in shapes)]
    assert untested == ["has failed past 1 hour"]  # "past 1 hour" is an error by itself


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("true | false & false", Any(AlwaysTrue(), All(AlwaysFalse(), AlwaysFalse()))),
        ("(true | false) & false", All(Any(AlwaysTrue(), AlwaysFalse()), AlwaysFalse())),
        ("~daily & true", All(Not(ITEMS["daily"]), AlwaysTrue())),
        ("~(daily & true)", Not(All(ITEMS["daily"], AlwaysTrue()))),
        ("~~daily", ITEMS["daily"]),
        ("true & (false & daily)", All(AlwaysTrue(), AlwaysFalse(), ITEMS["daily"])),
        ("  daily\n &\n true ", All(ITEMS["daily"], AlwaysTrue())),
        ("daily   after  10:00", TaskExecutable(TimeOfDay("10:00", None))),
        ("((((true))))", AlwaysTrue()),
    ],
)
def test_operators_bind_as_not_and_or(text, meaning):
    assert parse_condition(text) == meaning


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("after task 'a & b | ~c (d)'", "a & b | ~c (d)"),
        ('after task "it\'s done"', "it's done"),
        ("after task 'it''s done'", "it's done"),
        ("after task '  two  spaces '", "  two  spaces "),
        ("after task 'jobs.clean:main'", "jobs.clean:main"),
    ],
)
def test_quotes_protect_everything_between_them(text, name):
    assert parse_condition(text) == DependSuccess(name)


def test_an_apostrophe_inside_a_word_is_no_quote():
    with pytest.raises(ParserError, match="no such condition"):
        parse_condition("it's monday")


MISTAKES = {
    "": 0,
    "   ": 3,
    "daily &": 7,
    "& daily": 0,
    "daily & & true": 8,
    "daily |": 7,
    "~": 1,
    "(daily": 6,
    "daily)": 5,
    "()": 1,
    "daily (true)": 6,
    "daily foo": 0,
    "true & dayly": 7,
    "daily between 10:00": 0,
    "daily after 25:00": 12,
    "daily after 10:61": 12,
    "daily after 13 PM": 12,
    "true & weekly on Foo": 17,
    "monthly on 32": 11,
    "monthly on 0": 11,
    "yearly on Feb 30th": 10,
    "minutely before 61": 16,
    "every foo": 6,
    "every 0 seconds": 6,
    "every 10": 6,
    "cron 61 * * * *": 5,
    "cron * * * *": 5,
    "cron 0 0 30 2 *": 5,
    "after task 'x": 11,
    "after task x": 0,
    "past 2 hours": 0,
    "daily after '10:00'": 0,
    "on event 'topic='": 10,
    "Daily": 0,
    "daily and true": 0,
    # at the operand that is wrong, not where the same characters come first
    "daily between 10:00 and 1": 24,
    "true & daily  between   10:00   and    1": 39,
    "time of week between Mon and Mo": 29,
    "task 'x 1 foo' has failed past 1 foo": 31,
    "true & on event 'topic='": 17,
    # numbers beyond all bounds
    "every never": 6,
    "has failed past never": 16,
    f"every {'9' * 400} s": 6,
    f"every {'9' * 5_000}:00": 6,
    # characters with a meaning of our own
    "env \x01": 4,
    "after tasks 'x', \x01": 17,
    "scheduler has 1234567890123456 cycles": 0,
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_kind_of_error_that_points_at_it(text):
    with pytest.raises(ParserError) as caught:
        parse_condition(text)
    assert caught.value.text == text
    assert caught.value.position == MISTAKES[text]
    if text.strip():
        assert f"{' ' * MISTAKES[text]}^" in str(caught.value)


@pytest.mark.parametrize("text", [None, 3, b"daily", ["daily"]])
def test_what_is_no_text_is_no_condition(text):
    with pytest.raises(ParserError, match="text or a condition object"):
        parse_condition(text)


def test_depth_and_length_are_bounded():
    assert parse_condition("(" * 100 + "true" + ")" * 100) == AlwaysTrue()
    with pytest.raises(ParserError, match="deeper"):
        parse_condition("(" * 101 + "true" + ")" * 101)
    with pytest.raises(ParserError, match="too long"):
        parse_condition("true & " * 20_000 + "true")


# Each text is as hostile at any length: what doubles must cost no more than twice as much, and no stack.
HOSTILE = {
    "brackets": lambda length: "(" * length,
    "inverted brackets": lambda length: "~(" * (length // 2),
    "opposites": lambda length: "~" * (length - 5) + " true",
    "conjunction": lambda length: "true & " * (length // 7 - 1) + "true",
    "alternatives": lambda length: "(true | false & true) | " * (length // 24 - 1) + "true",
    "one word": lambda length: "a" * length,
    "quotes": lambda length: "'" * length,
    "doubled quotes": lambda length: "env 'x" + "''" * (length // 2 - 5) + "'",
    "many names": lambda length: "after tasks " + "'x', " * (length // 5 - 4) + "'x'",
    "many ands": lambda length: "daily between" + " and " * (length // 5 - 4),
    "many times": lambda length: "daily between " + "10:00 " * (length // 6 - 4) + "and 1",
    "many agos": lambda length: "scheduler started " + "ago " * (length // 4 - 6),
    "many units": lambda length: "every " + "1s" * (length // 2 - 4),
    "many digits": lambda length: "every " + "9" * (length - 9) + ":00",
    "spaces": lambda length: "every " + " " * (length - 8) + "x",
    "cron": lambda length: "cron " + "1," * (length // 2 - 8) + "1 * * * *",
    "wrong cron": lambda length: "cron " + "*/5," * (length // 4 - 6) + " * * * *",
    "events": lambda length: "on event '" + "(" * (length - 12) + "'",
}


def calls_of_parsing(text):
    """How much work parsing is, counted where no clock disturbs: the calls of functions it makes."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # it would run what earlier tests have left
    sys.setprofile(count)
    try:
        with contextlib.suppress(ParserError):
            parse_condition(text)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_work_grows_no_faster_than_hostile_text(text):
    short, long = (calls_of_parsing(text(length)) for length in (4_000, 16_000))
    assert long <= 4.5 * short + 1_000


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_needs_no_stack(text):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 700)
    try:
        with contextlib.suppress(ParserError):
            assert isinstance(parse_condition(text(90_000)), Condition)
    finally:
        sys.setrecursionlimit(limit)


def test_the_deepest_text_can_be_used_as_any(session):
    parsed = parse_condition("~(true & " * 100 + "daily" + ")" * 100)
    task = FuncTask(print, session=session, name="a", start_cond=parsed)
    assert bool(task) is True
    assert task.next_due is not None
    assert hash(parsed) == hash(parse_condition(" " + "~(true & " * 100 + "daily" + ")" * 100))
    assert parse_condition("~(true & " * 100 + "daily " + ")" * 100) == parsed
    assert repr(parsed).count("~") == 100
    assert parsed.keys() == {("task", None)}


@given(st.text(alphabet="daily after task'\"&|~() 10:sMon\n,", max_size=60))
def test_any_text_is_a_condition_or_a_parser_error(text):
    with contextlib.suppress(ParserError):
        assert isinstance(parse_condition(text), Condition)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("time of day after 10:00", TimeOfDay("10:00", None)),
        (
            "time of day between 10:00 and 12:00 & time of week on Mon",
            AllPeriods((TimeOfDay("10:00", "12:00"), TimeOfWeek.on("Mon"))),
        ),
        ("always | past 2 hours", AnyPeriod((Always(), TimeDelta(7_200)))),
        ("every 10 min", TimeDelta(600)),
        ("never", AnyPeriod(())),
    ],
)
def test_time_text_is_a_period(text, period):
    assert parse_time(text) == period


@pytest.mark.parametrize("text", ["daily", "~always", "after task 'x'", ""])
def test_time_text_has_no_other_conditions(text):
    with pytest.raises(ParserError):
        parse_time(text)


def test_conditions_added_to_a_session_come_first(session):
    session.add_condition_parser(
        {
            "is it time": AlwaysTrue(),
            "daily": AlwaysFalse(),
            re.compile(r"at least (\d+) files"): lambda count: ParamExists(files=count),
            re.compile(r"room on (?P<disk>\w+)"): lambda disk: ParamExists(disk, "env"),
        }
    )
    parsed = session.parse_condition("is it time & daily & at least 3 files & room on srv & hourly")
    assert parsed == All(
        AlwaysTrue(), AlwaysFalse(), ParamExists(files="3"), ParamExists("srv", "env"), ITEMS["hourly"]
    )
    assert parse_condition("daily") == ITEMS["daily"]
