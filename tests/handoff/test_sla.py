"""Clocks of what is promised."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from bot.handoff.hours import Hours, parse_spans
from bot.handoff.sla import Clock, clock, remaining, state

ZONE = ZoneInfo("Europe/Istanbul")
OFFICE = Hours(ZONE, (parse_spans("09:00-18:00"),) * 5 + ((),) * 2)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def friday() -> Clock:
    """Four hours from a Friday, 16:00: two that day, two on Monday."""
    return clock(at("2026-07-03T16:00"), 4 * HOUR, OFFICE, 0.75)


def test_a_clock_stands_still_outside_the_hours() -> None:
    assert friday() == Clock(at("2026-07-06T10:00"), at("2026-07-06T11:00"))
    assert clock(at("2026-07-04T12:00"), 4 * HOUR, OFFICE, 0.5) == Clock(at("2026-07-06T11:00"), at("2026-07-06T13:00"))
    start = at("2026-07-04T12:00")
    assert clock(start, 4 * HOUR, Hours(ZONE), 0.5) == Clock(start + 2 * HOUR, start + 4 * HOUR)


@pytest.mark.parametrize(
    ("now", "expected", "left"),
    [
        ("2026-07-03T16:00", "ok", 4 * HOUR),
        ("2026-07-05T00:00", "ok", 2 * HOUR),
        ("2026-07-06T09:59:59", "ok", HOUR + SECOND),
        ("2026-07-06T10:00", "warning", HOUR),
        ("2026-07-06T10:59:59", "warning", SECOND),
        ("2026-07-06T11:00", "breached", 0 * HOUR),
        ("2026-07-06T12:00", "breached", -HOUR),
        ("2026-07-06T23:00", "breached", -7 * HOUR),
    ],
)
def test_a_clock_that_runs(now: str, expected: str, left: dt.timedelta) -> None:
    assert state(friday(), at(now)) == expected
    assert remaining(friday(), at(now), OFFICE) == left


@pytest.mark.parametrize(
    ("stopped_at", "expected"),
    [
        ("2026-07-03T16:00", "met"),
        ("2026-07-06T10:30", "met"),
        ("2026-07-06T11:00", "met"),
        ("2026-07-06T11:00:01", "missed"),
    ],
)
def test_a_clock_that_was_stopped_stays_as_it_was(stopped_at: str, expected: str) -> None:
    for now in (stopped_at, "2026-07-30T00:00"):
        assert state(friday(), at(now), at(stopped_at)) == expected


@pytest.mark.parametrize("warn", [-0.1, 1.1, float("nan")])
def test_a_share_outside_its_range_is_refused(warn: float) -> None:
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        clock(at("2026-07-03T16:00"), HOUR, OFFICE, warn)


def test_a_negative_target_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        clock(at("2026-07-03T16:00"), -HOUR, OFFICE, 0.5)
