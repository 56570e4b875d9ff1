"""Opening hours: what is open when, and reckoning in open time, held against a count of the minutes on the clock."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.handoff.hours import Hours, Span, parse_spans

UTC = dt.UTC
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
NONE: tuple[Span, ...] = ()
ISTANBUL, BERLIN, NEW_YORK = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")

# Weeks around the hour the clocks change, of zones that jump by 60 and by 30 minutes, at night and at midnight, skip a
# whole day, or never jump; and days around a leap day.
WEEKS = [
    ("Europe/Istanbul", dt.date(2026, 3, 26)),
    ("Europe/Istanbul", dt.date(2016, 3, 24)),
    ("Europe/Berlin", dt.date(2026, 3, 26)),
    ("Europe/Berlin", dt.date(2026, 10, 22)),
    ("America/New_York", dt.date(2026, 3, 5)),
    ("America/New_York", dt.date(2026, 10, 29)),
    ("Asia/Bangkok", dt.date(2028, 2, 26)),
    ("Australia/Lord_Howe", dt.date(2026, 4, 2)),
    ("Australia/Lord_Howe", dt.date(2026, 10, 1)),
    ("America/Santiago", dt.date(2026, 4, 2)),
    ("America/Santiago", dt.date(2026, 9, 3)),
    ("America/Havana", dt.date(2026, 10, 29)),
    ("Pacific/Apia", dt.date(2011, 12, 28)),
]
DAYS_COUNTED = 9


@lru_cache
def clock(zone: str, first: dt.date) -> tuple[list[dt.datetime], list[dt.datetime]]:
    """Each minute of some days, in UTC; and the furthest the zone's clock on the wall had come by then."""
    begin = dt.datetime.combine(first, dt.time(), UTC)
    minutes = [begin + MINUTE * n for n in range(DAYS_COUNTED * 24 * 60)]
    furthest: list[dt.datetime] = []
    for moment in minutes:
        shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        furthest.append(max(shown, furthest[-1]) if furthest else shown)
    return minutes, furthest


def open_minutes(hours: Hours, first: dt.date) -> list[bool]:
    """Whether each minute of these days is open: from when the clock has come to a span's start until to its end."""
    minutes, furthest = clock(hours.zone.key, first)
    found = [False] * len(minutes)
    for offset in range(-3, DAYS_COUNTED + 2):
        day = first + DAY * offset
        if day in hours.holidays or (day.month, day.day) in hours.yearly:
            continue
        midnight = dt.datetime.combine(day, dt.time())
        for start, end in hours.week[day.weekday()]:
            a, b = (bisect_left(furthest, midnight + MINUTE * minute) for minute in (start, end))
            found[a:b] = [True] * (b - a)
    return found


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Hours, dt.date]:
    """Random hours in a week of WEEKS; some days have one span, or two, or one over midnight."""
    zone, first = draw(st.sampled_from(WEEKS))
    days: list[tuple[Span, ...]] = []
    for _ in range(7):
        cuts = sorted(draw(st.lists(st.integers(0, 96), min_size=4, max_size=4, unique=True)))
        a, b, c, d = (cut * 15 for cut in cuts)
        # What reaches over midnight ends before the next day's first span can begin.
        shapes: list[tuple[Span, ...]] = [NONE, ((a + 120, b + 120),), ((a, b), (c, d)), ((c, 24 * 60),)]
        days.append(draw(st.sampled_from(shapes)))
    if draw(st.booleans()):
        days = [((22 * 60, 26 * 60),) if day == NONE else day for day in days]
    holidays = draw(st.frozensets(st.integers(0, DAYS_COUNTED).map(lambda n: first + DAY * n), max_size=2))
    yearly = draw(st.sampled_from([frozenset[tuple[int, int]](), frozenset({(2, 29), (10, 25)})]))
    try:
        return Hours(ZoneInfo(zone), tuple(days), holidays, yearly), first
    except ValueError:
        always = ((0, 24 * 60),)
        return Hours(ZoneInfo(zone), (always,) * 7, holidays, yearly), first


random_cases = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@random_cases
@given(weeks(), st.integers(0, 7 * 24 * 60), st.integers(0, 7 * 24 * 60))
def test_it_agrees_with_a_count_of_minutes(week: tuple[Hours, dt.date], a: int, b: int) -> None:
    hours, first = week
    minutes, _ = clock(hours.zone.key, first)
    counted = open_minutes(hours, first)
    a, b = sorted((a, b))
    assert [hours.is_open(minutes[n]) for n in (a, b)] == [counted[a], counted[b]]
    assert hours.between(minutes[a], minutes[b]) == MINUTE * sum(counted[a:b])
    if True in counted[a:]:
        assert hours.next_opening(minutes[a]) == minutes[counted.index(True, a)]
    passed = sum(counted[a:b])
    if passed:
        last = max(n for n in range(a, b) if counted[n])
        assert hours.add(minutes[a], MINUTE * passed) == minutes[last + 1]


@random_cases
@given(
    weeks(), st.timedeltas(dt.timedelta(0), 7 * DAY), st.timedeltas(dt.timedelta(0), 9 * DAY), st.timedeltas(-DAY, DAY)
)
def test_reckoning_there_and_back(
    week: tuple[Hours, dt.date], since: dt.timedelta, amount: dt.timedelta, other: dt.timedelta
) -> None:
    hours, first = week
    start = dt.datetime.combine(first, dt.time(), UTC) + since
    end = hours.add(start, amount)
    assert end >= start + amount
    assert end.tzinfo is UTC
    assert hours.between(start, end) == amount
    assert hours.between(end, start) == -amount
    assert hours.between(start, end + other) == amount + hours.between(end, end + other)
    assert hours.add(start, amount + MINUTE) > end
    assert hours.add(start + abs(other), amount) >= end
    assert hours.add(hours.add(start, amount / 2), amount - amount / 2) == end
    assert hours.is_open(hours.next_opening(start))


def at(zone: ZoneInfo, text: str, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def hours_of(zone: ZoneInfo, *holidays: dt.date, **days: str) -> Hours:
    week = tuple(parse_spans(days.get(day, "")) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    return Hours(zone, week, frozenset(holidays))


OFFICE = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-12:00, 13:00-18:00")


def test_a_week_at_the_office() -> None:
    """2026-12-24 is a Thursday; Friday is a holiday."""
    hours = hours_of(ISTANBUL, dt.date(2026, 12, 25), **OFFICE)
    before = at(ISTANBUL, "2026-12-24T17:30")
    assert hours.is_open(before)
    assert not hours.is_open(at(ISTANBUL, "2026-12-24T18:00"))
    assert not hours.is_open(at(ISTANBUL, "2026-12-24T12:30"))
    assert hours.next_opening(before) == before
    assert hours.next_opening(at(ISTANBUL, "2026-12-24T18:00")) == at(ISTANBUL, "2026-12-28T09:00")
    assert hours.add(before, dt.timedelta(minutes=30)) == at(ISTANBUL, "2026-12-24T18:00")
    assert hours.add(before, dt.timedelta(minutes=31)) == at(ISTANBUL, "2026-12-28T09:01")
    assert hours.add(at(ISTANBUL, "2026-12-26T11:00"), dt.timedelta(0)) == at(ISTANBUL, "2026-12-26T11:00")
    assert hours.between(before, at(ISTANBUL, "2026-12-28T13:30")) == dt.timedelta(hours=4)


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    """2026-07-03 is a Friday; the Saturday is a holiday."""
    hours = hours_of(BERLIN, dt.date(2026, 7, 4), fri="22:00-02:00", sat="22:00-02:00")
    assert hours.is_open(at(BERLIN, "2026-07-04T01:59"))
    assert not hours.is_open(at(BERLIN, "2026-07-04T23:00"))
    assert not hours.is_open(at(BERLIN, "2026-07-05T01:00"))
    assert hours.next_opening(at(BERLIN, "2026-07-04T02:00")) == at(BERLIN, "2026-07-10T22:00")


def test_time_of_one_zone_is_not_reckoned_by_its_wall_clock() -> None:
    """In the night to 2026-03-29 the hour from 2 to 3 is skipped; to 2026-10-25 it comes twice."""
    always = Hours(BERLIN)
    assert always.between(at(BERLIN, "2026-03-29T01:00"), at(BERLIN, "2026-03-29T04:00")) == dt.timedelta(hours=2)
    assert always.between(at(BERLIN, "2026-10-25T01:00"), at(BERLIN, "2026-10-25T04:00")) == dt.timedelta(hours=4)
    twice = at(BERLIN, "2026-10-25T02:30"), at(BERLIN, "2026-10-25T02:30", fold=1)
    assert always.between(*twice) == dt.timedelta(hours=1)
    assert always.between(*reversed(twice)) == -dt.timedelta(hours=1)


def test_hours_in_the_night_of_the_jump() -> None:
    hours = hours_of(BERLIN, sun="02:30-06:00")
    spring, autumn = at(BERLIN, "2026-03-29T00:00"), at(BERLIN, "2026-10-25T00:00")
    assert hours.next_opening(spring) == at(BERLIN, "2026-03-29T03:00")
    assert hours.between(spring, spring + DAY) == dt.timedelta(hours=3)
    assert hours.next_opening(autumn) == dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert hours.between(autumn, autumn + DAY) == dt.timedelta(hours=4.5)
    skipped = hours_of(BERLIN, sun="02:00-03:00")
    assert skipped.next_opening(spring) == at(BERLIN, "2026-04-05T02:00")


def test_a_leap_day() -> None:
    """2028-02-29 is a Tuesday."""
    hours = Hours(NEW_YORK, yearly=frozenset({(2, 29)}))
    assert hours.next_opening(at(NEW_YORK, "2028-02-29T00:00")) == at(NEW_YORK, "2028-03-01T00:00")
    assert hours.between(at(NEW_YORK, "2028-02-28T12:00"), at(NEW_YORK, "2028-03-01T12:00")) == DAY
    assert hours.between(at(NEW_YORK, "2027-02-28T12:00"), at(NEW_YORK, "2027-03-01T12:00")) == DAY


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", ()),
        ("  ", ()),
        ("09:00-18:00", ((540, 1080),)),
        ("13:00 - 18:00,09:00-12:00", ((780, 1080), (540, 720))),
        ("22:00-02:00", ((1320, 1560),)),
        ("22:00-00:00", ((1320, 1440),)),
        ("00:00-24:00", ((0, 1440),)),
    ],
)
def test_spans(text: str, spans: tuple[Span, ...]) -> None:
    assert parse_spans(text) == spans


@pytest.mark.parametrize(
    "text",
    ["9-18", "9:00-18:00", "09:00", "09:00-25:00", "09:00-24:01", "24:00-02:00", "09:60-10:00", ",", "٠٩:00-10:00"],
)
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match='spans such as "09:00-12:00, 13:00-18:00"'):
        parse_spans(text)


def test_the_order_of_spans_does_not_matter() -> None:
    hours = hours_of(BERLIN, mon="13:00-18:00, 09:00-12:00")
    assert hours.next_opening(at(BERLIN, "2026-07-06T00:00")) == at(BERLIN, "2026-07-06T09:00")


@pytest.mark.parametrize("text", ["09:00-09:00", "00:00-00:00"])
def test_spans_without_length_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match='the whole day is "00:00-24:00"'):
        parse_spans(text)


@pytest.mark.parametrize(
    "days",
    [
        {"mon": "09:00-12:00, 11:59-13:00"},
        {"mon": "22:00-02:00", "tue": "01:59-03:00"},
        {"sun": "22:00-02:00", "mon": "00:00-03:00"},
        {"wed": "10:00-09:00, 08:00-11:00"},
    ],
)
def test_hours_that_overlap_are_refused(days: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="spans that do not overlap"):
        hours_of(BERLIN, **days)


def test_hours_that_touch_are_one() -> None:
    hours = hours_of(BERLIN, sun="22:00-02:00", mon="02:00-03:00")
    late = at(BERLIN, "2026-07-05T23:00")
    assert hours.add(late, dt.timedelta(hours=4)) == at(BERLIN, "2026-07-06T03:00")


def test_hours_that_never_open_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one span in the week"):
        hours_of(BERLIN)
    first = dt.date(2024, 1, 1)
    yearly = frozenset((day.month, day.day) for day in (first + DAY * n for n in range(366)))
    with pytest.raises(ValueError, match="at least one open in the year"):
        Hours(BERLIN, yearly=yearly)
    for left, opens in (((2, 29), "2028-02-29"), ((12, 31), "2026-12-31")):
        hours = Hours(BERLIN, yearly=yearly - {left})
        assert hours.next_opening(at(BERLIN, "2026-01-01T00:00")) == at(BERLIN, f"{opens}T00:00")
    with pytest.raises(ValueError, match="not of 1"):
        Hours(BERLIN, (NONE,))


def test_what_makes_no_sense_is_refused() -> None:
    always = Hours(BERLIN)
    with pytest.raises(ValueError, match="must not be negative"):
        always.add(at(BERLIN, "2026-07-06T00:00"), -MINUTE)
    naive = dt.datetime(2026, 7, 6)  # noqa: DTZ001
    for ask in (always.is_open, always.next_opening, lambda moment: always.add(moment, MINUTE)):
        with pytest.raises(ValueError, match="must have a time zone"):
            ask(naive)
