"""Each time of the condition language, in three zones, on ordinary and on difficult dates.

What is expected is worked out here from the calendar alone: each row says in which windows it is true, as
what the wall shows. A window that a clock change leaves out comes as long after the change; of an hour that
comes twice the first one counts.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from redengine_world import World

from sessionkit_redengine.conditions import parse_condition
from sessionkit_redengine.conditions.base import next_true

ZONES = ("Europe/Helsinki", "America/New_York", "Australia/Lord_Howe")
_DATES = {
    "an ordinary midnight": "2026-06-10",
    "a month of 28 days ends": "2026-02-28",
    "a month of 30 days ends": "2026-04-30",
    "a month of 31 days ends": "2026-07-31",
    "a year ends": "2026-12-31",
    "a leap day": "2028-02-29",
    "no leap day": "2027-02-28",
    "Helsinki goes forward": "2026-03-29",
    "Helsinki goes back": "2026-10-25",
    "New York goes forward": "2026-03-08",
    "New York goes back": "2026-11-01",
    "Lord Howe goes forward": "2026-10-04",
    "Lord Howe goes back": "2026-04-05",
}
OCCASIONS = {occasion: date.fromisoformat(day) for occasion, day in _DATES.items()}
DAY = timedelta(days=1)


# Dates on which windows begin that are looked at: of those that begin each day, the ones around occasions.
RARE = [date(2023, 1, 1) + number * DAY for number in range(10 * 366)]
OFTEN = sorted({day + number * DAY for day in OCCASIONS.values() for number in range(-10, 11)})


def at(day, hour=0, minute=0, second=0):
    return datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute, seconds=second)


def next_month(day):
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def on_weekday(number, start, end):
    """A window that begins on a weekday (0 is Monday); `start` and `end` are hours after its midnight."""
    return lambda day: (at(day, start), at(day, end)) if day.weekday() == number else None


def on_day(wanted, end):
    """A window from a day of the month until `end(day)`."""
    return lambda day: (at(day), at(end(day))) if day.day == wanted else None


def next_31st(day):
    following = next_month(day)
    while (following + 30 * DAY).month != following.month:
        following = next_month(following)
    return following + 30 * DAY


def next_year(day):
    return date(day.year + 1, 1, 1)


#: By text: the window that begins on a date, as what the wall shows at its start and end, or None.
DATED = {
    "daily": lambda day: (at(day), at(day + DAY)),
    "daily between 10:00 and 12:00": lambda day: (at(day, 10), at(day, 12)),
    "daily between 22:00 and 02:00": lambda day: (at(day, 22), at(day, 26)),
    "daily between 02:15 and 02:45": lambda day: (at(day, 2, 15), at(day, 2, 45)),
    "daily between 01:30 and 03:30": lambda day: (at(day, 1, 30), at(day, 3, 30)),
    "daily between 10:00:15 and 3 PM": lambda day: (at(day, 10, 0, 15), at(day, 15)),
    "daily before 10:00": lambda day: (at(day), at(day, 10)),
    "daily before 02:30": lambda day: (at(day), at(day, 2, 30)),
    "daily after 10:00": lambda day: (at(day, 10), at(day + DAY)),
    "daily after 03:30": lambda day: (at(day, 3, 30), at(day + DAY)),
    "daily on 10:00": lambda day: (at(day, 10), at(day, 11)),
    "daily at 01:45": lambda day: (at(day, 1, 45), at(day, 2, 45)),
    "daily starting 10:00": lambda day: (at(day, 10), at(day, 34)),
    "daily starting 02:30": lambda day: (at(day, 2, 30), at(day, 26, 30)),
    "weekly": on_weekday(0, 0, 168),
    "weekly between Mon and Fri": on_weekday(0, 0, 120),
    "weekly between Sat 22:00 and Sun 02:30": on_weekday(5, 22, 26.5),
    "weekly between Sun and Tue": on_weekday(6, 0, 72),
    "weekly before Wed": on_weekday(0, 0, 72),
    "weekly before Wed 12:00": on_weekday(0, 0, 60),
    "weekly after Fri 18:00": on_weekday(4, 18, 72),
    "weekly on Sunday": on_weekday(6, 0, 24),
    "weekly at Sun 02:00": on_weekday(6, 2, 3),
    "weekly starting Thu": on_weekday(3, 0, 168),
    "monthly": on_day(1, next_month),
    "monthly between 25th and 5th": on_day(25, lambda day: next_month(day) + 5 * DAY),
    "monthly between 10th and 31st": on_day(10, next_month),
    "monthly before 5th": on_day(1, lambda day: day + 5 * DAY),
    "monthly after 15.": on_day(15, next_month),
    "monthly on 29th": on_day(29, lambda day: day + DAY),
    "monthly on 31st": on_day(31, lambda day: day + DAY),
    "monthly on last": lambda day: (at(day), at(day + DAY)) if next_month(day) == day + DAY else None,
    "monthly at 1st 02:30": lambda day: (at(day, 2, 30), at(day, 3, 30)) if day.day == 1 else None,
    "monthly starting 31st": on_day(31, next_31st),
    "yearly": lambda day: (at(day), at(next_year(day))) if (day.month, day.day) == (1, 1) else None,
    "yearly on Feb 29th": lambda day: (at(day), at(day + DAY)) if (day.month, day.day) == (2, 29) else None,
    "yearly on Mar": lambda day: (at(day), at(day + 31 * DAY)) if (day.month, day.day) == (3, 1) else None,
    "yearly between Nov and Feb last": lambda day: (
        (at(day), at(date(day.year + 1, 3, 1))) if (day.month, day.day) == (11, 1) else None
    ),
    "yearly after Dec 24th 18:00": lambda day: (
        (at(day, 18), at(next_year(day))) if (day.month, day.day) == (12, 24) else None
    ),
    "yearly before Apr": lambda day: (
        (at(day), at(date(day.year, 5, 1))) if (day.month, day.day) == (1, 1) else None
    ),
    "yearly starting Jul": lambda day: (
        (at(day), at(date(day.year + 1, 7, 1))) if (day.month, day.day) == (7, 1) else None
    ),
}
UNITS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}


def offset(instant, zone):
    return datetime.fromtimestamp(instant, ZoneInfo(zone)).utcoffset().total_seconds()


def instant_of(shown, zone):
    """The first instant at which the wall shows this; in an hour left out, as long after the change."""
    as_utc = shown.replace(tzinfo=timezone.utc).timestamp()
    before, after = (offset(as_utc + hours * 3_600, zone) for hours in (-36, 36))
    for instant in sorted({as_utc - before, as_utc - after}):
        if instant + offset(instant, zone) == as_utc:
            return instant
    return as_utc - before


@cache
def windows_of(row, zone):
    """All windows that matter for the occasions, as instants."""
    found = []
    for day in RARE if row(date(2026, 6, 2)) is None else OFTEN:
        window = row(day)
        if window:
            left, right = (instant_of(edge, zone) for edge in window)
            found.append((left, right if right > left else left + (window[1] - window[0]).total_seconds()))
    return found


def near(windows, day, zone, days=4):
    """Those of some windows that are around a date, and the next one."""
    middle = instant_of(at(day), zone)
    last = next(number for number, window in enumerate(windows) if window[0] > middle + days * 86_400)
    return [window for window in windows[: last + 1] if window[1] >= middle - days * 86_400]


def looked_at(windows, day, zone):
    """The edges of windows around a date, the second before each, and the middle of each window."""
    middle = instant_of(at(day), zone)
    points = {left + shift for left, _ in windows for shift in (-1, 0, 1)}
    points |= {right + shift for _, right in windows for shift in (-1, 0, 1)}
    points |= {(left + right) // 2 for left, right in windows}
    points |= {middle + hours * 3_600 for hours in range(-2, 27)}
    return sorted(point for point in points if abs(point - middle) < 3 * 86_400)


def is_in(windows, instant):
    return any(left <= instant < right for left, right in windows)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", DATED)
def test_in_its_windows_and_only_there(text, zone):
    unit, _, window = text.partition(" ")
    inside = parse_condition(f"time of {UNITS[unit]} {window}") if window else None
    once = parse_condition(text)
    for occasion, day in OCCASIONS.items():
        windows = near(windows_of(DATED[text], zone), day, zone)
        world = World(instant_of(at(day), zone), zone)
        for point in looked_at(windows, day, zone):
            shown = f"{occasion}: {datetime.fromtimestamp(point, ZoneInfo(zone))}"
            assert world.says(once, point) is is_in(windows, point), shown
            if inside is not None:
                assert world.says(inside, point) is is_in(windows, point), shown
                assert world.says(~inside, point) is not is_in(windows, point), shown


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", DATED)
def test_once_in_each_window(text, zone):
    once = parse_condition(text)
    for occasion, day in OCCASIONS.items():
        windows = near(windows_of(DATED[text], zone), day, zone)
        for (left, right), (following, _) in pairwise(windows):
            world = World(left, zone)
            assert next_true(once, world, left) == left
            world.ran(at=left)
            assert world.says(once, right - 1) is (following <= right - 1), occasion
            assert next_true(once, world, left) == following, occasion


CRON = {
    "cron 30 2 * * *": lambda day: [(2, 30)],
    "cron 0 12 * * *": lambda day: [(12, 0)],
    "cron 0 0 1 * *": lambda day: [(0, 0)] if day.day == 1 else [],
    "cron 0 0 31 * *": lambda day: [(0, 0)] if day.day == 31 else [],
    "cron 15 1 29 2 *": lambda day: [(1, 15)] if (day.month, day.day) == (2, 29) else [],
    "cron 59 23 * * Sun": lambda day: [(23, 59)] if day.weekday() == 6 else [],
    "cron 0 6 1 * 7": lambda day: [(6, 0)] if day.weekday() == 6 or day.day == 1 else [],
    "cron 30 1,2 * Mar,Oct Mon-Sun": lambda day: [(1, 30), (2, 30)] if day.month in (3, 10) else [],
    "cron @monthly": lambda day: [(0, 0)] if day.day == 1 else [],
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", CRON)
def test_cron_at_times_of_the_day(text, zone):
    """A time left out comes right after the change; one that comes twice, the first time."""
    condition = parse_condition(text)
    for occasion, day in OCCASIONS.items():
        days = [day + number * DAY for number in range(-3, 62)]
        dues = [change_or(at(day, *time), zone) for day in days for time in CRON[text](day)]
        world = World(instant_of(at(days[0]), zone), zone)
        for due in sorted(set(dues)):
            assert next_true(condition, world, world.now) == due, occasion
            assert world.says(condition, due + 59) is True
            world.ran(at=due)
            world.now = due


def change_or(shown, zone):
    """The instant of a wall time; the clock change where it is left out."""
    instant = instant_of(shown, zone)
    if datetime.fromtimestamp(instant, ZoneInfo(zone)).replace(tzinfo=None) == shown:
        return instant
    return next(
        at
        for at in range(int(instant) - 7_200, int(instant) + 1, 60)
        if offset(at, zone) != offset(at - 60, zone)
    )


#: By text: what the wall shows while it is true (hour, minute, second).
WITHIN = {
    "time of hour between 15:00 and 30:00": lambda shown: 15 <= shown.minute < 30,
    "time of hour between 45:30 and 10:00": lambda shown: (
        shown.minute < 10 or (shown.minute, shown.second) >= (45, 30)
    ),
    "time of hour before 20:00": lambda shown: shown.minute < 20,
    "time of hour after 3 quarter": lambda shown: shown.minute >= 30,
    "time of minute between 10 and 20": lambda shown: 10 <= shown.second < 20,
    "time of minute between 50 and 5": lambda shown: shown.second < 5 or shown.second >= 50,
    "time of minute after 30": lambda shown: shown.second >= 30,
    "time of minute before 30": lambda shown: shown.second < 30,
    "cron */10 * * * *": lambda shown: shown.minute % 10 == 0,
    "cron 5 * * * *": lambda shown: shown.minute == 5,
    "cron * * * * *": lambda shown: True,
    "hourly on 20:00": lambda shown: shown.minute == 20,
    "hourly between 55:00 and 05:00": lambda shown: shown.minute >= 55 or shown.minute < 5,
    "minutely on 30": lambda shown: shown.second == 30,
    "minutely between 58 and 2.5": lambda shown: shown.second >= 58 or shown.second <= 2,
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", WITHIN)
def test_within_hours_what_the_wall_shows_counts(text, zone):
    """Also in an hour that comes twice, both times."""
    condition = parse_condition(text)
    for occasion, day in OCCASIONS.items():
        since = int(instant_of(at(day, 1), zone))
        world = World(since, zone)
        for point in (*range(since - 60, since + 60), *range(since, since + 4 * 3_600, 29)):
            shown = datetime.fromtimestamp(point, ZoneInfo(zone))
            assert world.says(condition, point) is WITHIN[text](shown), f"{occasion}: {shown}"


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("hourly", 1.0),
        ("hourly on 20:00", 1.0),
        ("cron 20 * * * *", 1.0),
        ("minutely", 1 / 60),
        ("every 1 hour", 1.0),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Helsinki", "America/New_York"])
def test_what_comes_each_hour_comes_in_every_hour_there_is(text, hours, zone):
    condition = parse_condition(text)
    for day in OCCASIONS.values():
        start = instant_of(at(day), zone)
        world = World(start, zone)
        due = next_true(condition, world, start)
        for _ in range(30):
            world.ran(at=due)
            following = next_true(condition, world, due)
            assert following == due + hours * 3_600
            due = following


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("interval", ["10 minutes", "1 hour", "90 minutes", "24 hours", "7 days"])
def test_intervals_are_elapsed_time(interval, zone):
    condition = parse_condition(f"every {interval}")
    for day in OCCASIONS.values():
        start = instant_of(at(day, 1, 30), zone)
        world = World(start, zone)
        world.ran(at=start)
        due = start + condition.interval
        assert next_true(condition, world, start) == due
        assert [world.says(condition, due + shift) for shift in (-1, 0, 1)] == [False, True, True]


HAS = {
    "today": lambda day: (at(day), at(day + DAY)),
    "today between 02:15 and 02:45": DATED["daily between 02:15 and 02:45"],
    "today before 02:30": DATED["daily before 02:30"],
    "this month": DATED["monthly"],
    "this week": DATED["weekly"],
    "this week on Sun": DATED["weekly on Sunday"],
    "this year": DATED["yearly"],
    "this month on last": DATED["monthly on last"],
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("present", HAS)
def test_what_has_happened_in_the_present_window(present, zone):
    """It counts from the first to the last instant of the window, and until the cycle is over."""
    condition = parse_condition(f"task 'x' has succeeded {present}")
    for occasion, day in OCCASIONS.items():
        windows = windows_of(HAS[present], zone)
        for left, right in near(windows, day, zone, 1):
            for happened, counts in ((left - 1, False), (left, True), (right - 1, True), (right, False)):
                world = World(right - 1, zone)
                world.ran("x", at=happened)
                seen = max(happened, right - 1)
                expected = counts or (seen >= right and is_in(windows, seen) and is_in(windows, happened))
                assert world.says(condition, seen) is expected, f"{occasion}: {present}"
