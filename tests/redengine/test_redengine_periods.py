"""Where the windows of periods lie: wraps, month ends, leap days, and both clock changes in several zones."""

from __future__ import annotations

import math
import pickle
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redengine_times import instant

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.errors import ParserError
from sessionkit_redengine.periods import (
    Always,
    Cron,
    TimeDelta,
    TimeOfDay,
    TimeOfHour,
    TimeOfMinute,
    TimeOfMonth,
    TimeOfSecond,
    TimeOfWeek,
    TimeOfYear,
    seconds,
)
from sessionkit_redengine.periods.durations import spelled
from sessionkit_redengine.periods.zones import local_zone, zone_of


def windows(period, since, count, zone="UTC"):
    """The next windows as wall times with their offset."""
    place = ZoneInfo(zone)
    at = instant(since, zone)
    found = []
    while len(found) < count:
        span = period.span(at, place)
        if span.inside:
            found.append(
                tuple(
                    datetime.fromtimestamp(edge, place).isoformat()[5:] for edge in (span.start, span.until)
                )
            )
        at = span.until
    return found


UTC_WINDOWS = [
    (TimeOfSecond("0.25", "0.5"), "2026-01-01T00:00", "01-01T00:00:00.250000", "01-01T00:00:00.500000"),
    (TimeOfMinute("15", "30.5"), "2026-01-01T00:00", "01-01T00:00:15", "01-01T00:00:30.500000"),
    (TimeOfMinute("45", "15"), "2026-01-01T00:00:20", "01-01T00:00:45", "01-01T00:01:15"),
    (TimeOfMinute.on("30"), "2026-01-01T00:00", "01-01T00:00:30", "01-01T00:00:31"),
    (TimeOfHour(), "2026-01-01T00:30", "01-01T00:00:00", "01-01T01:00:00"),
    (TimeOfHour.on("30:00"), "2026-01-01T00:00", "01-01T00:30:00", "01-01T00:31:00"),
    (TimeOfHour("1 quarter", "2 quarter"), "2026-01-01T00:40", "01-01T01:00:00", "01-01T01:30:00"),
    (TimeOfHour.on("4 quarter"), "2026-01-01T00:00", "01-01T00:45:00", "01-01T01:00:00"),
    (TimeOfHour.starting("15:00"), "2026-01-01T00:00", "12-31T23:15:00", "01-01T00:15:00"),
    (TimeOfDay("10:00", "12:00"), "2026-01-01T11:00", "01-01T10:00:00", "01-01T12:00:00"),
    (TimeOfDay("10:00", "12:00"), "2026-01-01T12:00", "01-02T10:00:00", "01-02T12:00:00"),
    (TimeOfDay("22:00", "02:00"), "2026-01-01T01:00", "12-31T22:00:00", "01-01T02:00:00"),
    (TimeOfDay("22:00", "02:00"), "2026-01-01T02:00", "01-01T22:00:00", "01-02T02:00:00"),
    (TimeOfDay.on("10:30"), "2026-01-01T00:00", "01-01T10:30:00", "01-01T11:30:00"),
    (TimeOfDay("9 AM", "12 pm"), "2026-01-01T00:00", "01-01T09:00:00", "01-01T12:00:00"),
    (TimeOfDay(None, "24:00"), "2026-01-01T05:00", "01-01T00:00:00", "01-02T00:00:00"),
    (TimeOfDay("10:00", "10:00"), "2026-01-01T05:00", "12-31T10:00:00", "01-01T10:00:00"),
    (TimeOfWeek("Mon", "Fri"), "2026-01-03T00:00", "01-05T00:00:00", "01-10T00:00:00"),
    (TimeOfWeek("Mon", "Fri 18:00"), "2026-01-03T00:00", "01-05T00:00:00", "01-09T18:00:00"),
    (TimeOfWeek("Sat", "Tue"), "2026-01-07T00:00", "01-10T00:00:00", "01-14T00:00:00"),
    (TimeOfWeek.on("Mon 10:00"), "2026-01-01T00:00", "01-05T10:00:00", "01-05T11:00:00"),
    (TimeOfMonth.on("31"), "2026-02-01T00:00", "03-31T00:00:00", "04-01T00:00:00"),
    (TimeOfMonth.on("last"), "2026-02-01T00:00", "02-28T00:00:00", "03-01T00:00:00"),
    (TimeOfMonth.on("last"), "2028-02-01T00:00", "02-29T00:00:00", "03-01T00:00:00"),
    (TimeOfMonth("29th", "31st"), "2026-02-01T00:00", "03-29T00:00:00", "04-01T00:00:00"),
    (TimeOfMonth("5th", "31st"), "2026-02-01T00:00", "02-05T00:00:00", "03-01T00:00:00"),
    (TimeOfMonth("25th", "5th"), "2026-02-10T00:00", "02-25T00:00:00", "03-06T00:00:00"),
    (TimeOfMonth.starting("31st"), "2026-03-05T00:00", "01-31T00:00:00", "03-31T00:00:00"),
    (TimeOfYear.on("Feb 29th"), "2026-01-01T00:00", "02-29T00:00:00", "03-01T00:00:00"),
    (TimeOfYear("Nov", "Feb"), "2026-01-15T00:00", "11-01T00:00:00", "03-01T00:00:00"),
    (TimeOfYear.on("Dec last 12:00"), "2026-01-15T00:00", "12-31T12:00:00", "12-31T13:00:00"),
    (TimeOfYear.starting("Feb 29th"), "2026-01-15T00:00", "02-29T00:00:00", "02-29T00:00:00"),
    (Cron("30 3 * * *"), "2026-01-01T00:00", "01-01T03:30:00", "01-01T03:31:00"),
    (Cron("0 0 31 * *"), "2026-02-01T00:00", "03-31T00:00:00", "03-31T00:01:00"),
    (Cron("0 0 29 2 *"), "2026-02-01T00:00", "02-29T00:00:00", "02-29T00:01:00"),
    (Cron("0 0 1 * Mon"), "2026-01-02T00:00", "01-05T00:00:00", "01-05T00:01:00"),
    (Cron("0 0 * * 7"), "2026-01-01T00:00", "01-04T00:00:00", "01-04T00:01:00"),
    (Cron("*/10 * * * * *"), "2026-01-01T00:00:05", "01-01T00:00:10", "01-01T00:00:11"),
    (
        TimeOfWeek("Mon", "Fri") & TimeOfDay("9:00", "17:00"),
        "2026-01-03T00:00",
        "01-05T09:00:00",
        "01-05T17:00:00",
    ),
]


@pytest.mark.parametrize(("period", "since", "start", "end"), UTC_WINDOWS, ids=str)
def test_the_next_window(period, since, start, end):
    place = ZoneInfo("UTC")
    assert [tuple(edge.removesuffix("+00:00") for edge in windows(period, since, 1)[0])] == [(start, end)]
    # Half open: in it at its first instant, out at its last.
    at = instant(since)
    span = period.span(at, place)
    while not span.inside:
        span = period.span(span.until, place)
    assert period.span(span.until - 1e-3, place).inside
    following = period.span(span.until, place)
    assert not following.inside or following.start == span.until


# In spring an hour is left out, in autumn one comes twice; Lord Howe Island moves by half an hour, and
# in Cairo the hour after midnight is the one.
CHANGES = [
    (
        "Europe/Helsinki",
        TimeOfDay("03:00", "04:00"),
        "2026-03-29T00:00",
        "T04:00:00+03:00",
        "T05:00:00+03:00",
    ),
    (
        "Europe/Helsinki",
        TimeOfDay("03:30", "03:45"),
        "2026-03-29T00:00",
        "T04:30:00+03:00",
        "T04:45:00+03:00",
    ),
    (
        "Europe/Helsinki",
        TimeOfDay("02:00", "05:00"),
        "2026-03-29T00:00",
        "T02:00:00+02:00",
        "T05:00:00+03:00",
    ),
    (
        "Europe/Helsinki",
        TimeOfDay("03:15", "03:30"),
        "2026-10-25T00:00",
        "T03:15:00+03:00",
        "T03:30:00+03:00",
    ),
    (
        "Europe/Helsinki",
        TimeOfDay("03:00", "04:00"),
        "2026-10-25T00:00",
        "T03:00:00+03:00",
        "T04:00:00+02:00",
    ),
    ("Europe/Helsinki", TimeOfDay(), "2026-03-29T12:00", "T00:00:00+02:00", "T00:00:00+03:00"),
    ("Europe/Helsinki", TimeOfDay(), "2026-10-25T12:00", "T00:00:00+03:00", "T00:00:00+02:00"),
    ("Europe/Helsinki", TimeOfHour(), "2026-10-25T03:30", "T03:00:00+03:00", "T03:00:00+02:00"),
    ("Europe/Helsinki", TimeOfHour(), "second 2026-10-25T03:30", "T03:00:00+02:00", "T04:00:00+02:00"),
    ("Europe/Helsinki", Cron("30 3 * * *"), "2026-03-29T00:00", "T04:00:00+03:00", "T04:01:00+03:00"),
    ("Europe/Helsinki", Cron("30 3 * * *"), "2026-10-25T00:00", "T03:30:00+03:00", "T03:31:00+03:00"),
    (
        "America/New_York",
        TimeOfDay("02:00", "03:00"),
        "2026-03-08T00:00",
        "T03:00:00-04:00",
        "T04:00:00-04:00",
    ),
    ("America/New_York", TimeOfDay.on("02:30"), "2026-03-08T00:00", "T03:30:00-04:00", "T04:30:00-04:00"),
    (
        "America/New_York",
        TimeOfDay("01:30", "01:45"),
        "2026-11-01T00:00",
        "T01:30:00-04:00",
        "T01:45:00-04:00",
    ),
    ("America/New_York", TimeOfWeek.on("Sun"), "2026-11-01T00:00", "T00:00:00-04:00", "T00:00:00-05:00"),
    ("America/New_York", TimeOfMonth(), "2026-03-08T00:00", "T00:00:00-05:00", "T00:00:00-04:00"),
    (
        "Australia/Lord_Howe",
        TimeOfDay("02:00", "02:30"),
        "2026-10-04T00:00",
        "T02:30:00+11:00",
        "T03:00:00+11:00",
    ),
    (
        "Australia/Lord_Howe",
        TimeOfDay("01:30", "02:00"),
        "2026-04-05T00:00",
        "T01:30:00+11:00",
        "T02:00:00+10:30",
    ),
    ("Africa/Cairo", TimeOfDay(), "2026-04-24T12:00", "T01:00:00+03:00", "T00:00:00+03:00"),
    ("Africa/Cairo", TimeOfDay("00:15", "00:30"), "2026-04-23T12:00", "T01:15:00+03:00", "T01:30:00+03:00"),
]


@pytest.mark.parametrize(("zone", "period", "since", "start", "end"), CHANGES, ids=str)
def test_windows_at_clock_changes(zone, period, since, start, end):
    (found,) = windows(period, since, 1, zone)
    assert (found[0][5:], found[1][5:]) == (start, end)


ZONES = ("Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata")


# Also where the hour is midnight's, the change is by two hours, or there are four in a year.
ODD_ZONES = ("America/Havana", "America/Santiago", "Antarctica/Troll", "Africa/Casablanca", "Asia/Beirut")


@pytest.mark.parametrize("zone", ZONES + ODD_ZONES)
@pytest.mark.parametrize(
    "period",
    [
        *(TimeOfDay(), TimeOfDay("02:15", "02:20"), TimeOfDay("03:30", None), TimeOfDay("00:00", "00:10")),
        *(TimeOfDay("23:30", "01:30"), TimeOfDay.starting("02:30"), TimeOfDay.on("01:45")),
    ],
    ids=str,
)
def test_a_daily_window_begins_once_on_every_date(zone, period):
    place = ZoneInfo(zone)
    at, end = instant("2025-12-31T12:00", zone), instant("2027-01-01T12:00", zone)
    starts = []
    while at < end:
        span = period.span(at, place)
        if span.inside:
            starts.append(span.start)
        at = span.until
    dates = [datetime.fromtimestamp(start, place).date() for start in dict.fromkeys(starts)]
    year = [day for day in dates if day.year == 2026]
    assert year == [datetime(2026, 1, 1).date() + timedelta(days=day) for day in range(365)]


def test_a_date_that_a_country_left_out_is_nobodys():
    """Samoa went from 29 to 31 December 2011."""
    found = [
        start[:5] for start, _ in windows(TimeOfDay("10:00", "12:00"), "2011-12-28T00:00", 4, "Pacific/Apia")
    ]
    assert found == ["12-28", "12-29", "12-31", "01-01"]


def brute(period, since, until, zone):
    """Whether one is in the period, second by second."""
    place = ZoneInfo(zone)
    fresh = pickle.loads(pickle.dumps(period))  # nothing remembered
    return [fresh.span(float(at), place).inside for at in range(since, until)]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    period=st.sampled_from(
        [period for period, *_ in UTC_WINDOWS if not isinstance(period, TimeOfSecond)]
        + [TimeOfHour("45:00", "15:00"), TimeOfHour.starting("20:00"), Cron("*/7 * * * *")]
    ),
    around=st.sampled_from(
        ["2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-04", "2026-10-25"]
    ),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_a_span_holds_exactly_until_it_says(zone, period, around, hour, minute):
    place = ZoneInfo(zone)
    since = int(instant(f"{around}T{hour:02}:{minute:02}", zone))
    truth = brute(period, since, since + 5_400, zone)
    at = float(since)
    while at < since + 5_400:
        span = period.span(at, place)
        first, last = math.ceil(at - since), math.ceil(min(span.until - since, 5_400))
        assert set(truth[first:last]) <= {span.inside}
        assert span.until > at
        at = span.until


@settings(max_examples=80, deadline=None)
@given(
    start=st.integers(0, 86_399),
    end=st.integers(0, 86_399),
    at=st.integers(0, 10 * 86_400),
)
def test_a_time_of_day_is_what_the_wall_shows(start, end, at):
    def shown(second):
        return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"

    period = TimeOfDay(shown(start), shown(end))
    now = at % 86_400
    expected = start <= now < end if start < end else now >= start or now < end
    assert period.span(1_767_225_600.0 + at, timezone.utc).inside == expected


def test_rolling_forward_and_back():
    period = TimeOfDay("10:00", "12:00")
    before, inside = datetime(2026, 1, 1, 9), datetime(2026, 1, 1, 11)
    assert period.rollforward(before) == (datetime(2026, 1, 1, 10), datetime(2026, 1, 1, 12))
    assert period.rollforward(inside) == (inside, datetime(2026, 1, 1, 12))
    assert period.rollback(before) == (datetime(2025, 12, 31, 10), datetime(2025, 12, 31, 12))
    assert period.rollback(inside) == (datetime(2026, 1, 1, 10), inside)
    assert inside in period
    assert before not in period
    aware = before.replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    assert period.rollforward(aware).left == aware.replace(hour=10)
    assert TimeOfYear.on("Feb 29th").rollback(before).left == datetime(2024, 2, 29)
    with pytest.raises(ValueError, match="no window"):
        (TimeOfDay("10:00", "11:00") & TimeOfDay("12:00", "13:00")).rollforward(datetime(9985, 1, 1))


def test_periods_compare_hash_and_pickle_by_what_they_mean():
    assert TimeOfDay("10:00", None) == TimeOfDay("10 AM", None)
    assert TimeOfDay("10:00", None) != TimeOfDay(None, "10:00")
    for period in (
        TimeOfWeek.on("Mon"),
        Cron("0 0 * * *"),
        TimeDelta(5),
        Always(),
        TimeOfDay() | TimeOfHour(),
    ):
        copy = pickle.loads(pickle.dumps(period))
        assert copy == period
        assert hash(copy) == hash(period)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (0.5, 0.5),
        (timedelta(minutes=1), 60.0),
        ("10 minutes", 600.0),
        ("1 hour and 30 min", 5_400.0),
        ("2 days, 3 hours", 183_600.0),
        ("1h30m", 5_400.0),
        ("1.5 h", 5_400.0),
        ("100 ms", 0.1),
        ("250 us", 250e-6),
        ("01:30:00", 5_400.0),
        ("00:10", 600.0),
        ("1 week", 604_800.0),
        ("never", float("inf")),
    ],
)
def test_a_duration_in_seconds(value, expected):
    assert seconds(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value", ["", "ten minutes", "10", "10 parsecs", "0 s", 0, -1, float("nan"), True, None]
)
def test_what_is_no_duration(value):
    with pytest.raises(ParserError):
        seconds(value)


def test_a_duration_for_people():
    assert [spelled(value) for value in (0.25, 5, 90, 5_400, 90_061)] == [
        "250ms",
        "5s",
        "1m 30s",
        "1h 30m",
        "1d 1h 1m 1s",
    ]


def test_zones(monkeypatch):
    assert zone_of("Europe/Helsinki").utcoffset(datetime(2026, 7, 1)) == timedelta(hours=3)
    with pytest.raises(ConfigurationError, match="Nowhere"):
        zone_of("Nowhere/City")
    with pytest.raises(ConfigurationError, match="tzinfo"):
        zone_of(3)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert local_zone() == ZoneInfo("Asia/Tokyo")
