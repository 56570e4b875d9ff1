"""When people work: opening hours in a time zone, and time that counts only while it is open.

A span stands for the clock on the wall. It opens at the first moment the clock shows its start or later, and closes at
the first moment the clock shows its end or later. So of an hour that the clock shows twice the first one counts, and an
hour that it skips has no length. A span over midnight belongs to the day it begins on, and falls out with that day.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = tuple[int, int]

_DAY = 24 * 60
_WEEK = 7 * _DAY
_SPAN = re.compile(r"(\d\d):([0-5]\d)\s*-\s*(\d\d):([0-5]\d)", re.ASCII)
_LEAP_YEAR = 2024


def parse_spans(text: str) -> tuple[Span, ...]:
    """Read the hours of a day: `09:00-12:00, 13:00-18:00`, `22:00-02:00`, `00:00-24:00`; nothing: closed.

    Returns:
        Start and end of each span in minutes since midnight; an end after midnight is greater than 1440.

    Raises:
        ValueError: It is written in another way.
    """
    spans = []
    for part in text.split(",") if text.strip() else ():
        found = _SPAN.fullmatch(part.strip())
        start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (_DAY, 0)
        if start >= _DAY or end > _DAY:
            raise ValueError('spans such as "09:00-12:00, 13:00-18:00", or "" for a day that is closed')
        if start == end:
            raise ValueError('spans whose end is not their start; the whole day is "00:00-24:00"')
        spans.append((start, end if end > start else end + _DAY))
    return tuple(spans)


@dataclass(frozen=True)
class Hours:
    """Opening hours.

    Attributes:
        zone: Whose clock they follow.
        week: The spans of each day, Monday first, in minutes since midnight; see `parse_spans`.
        holidays: Days that are closed.
        yearly: Month and day of those that are closed every year.

    Raises:
        ValueError: They never open, or spans overlap; its text says what must be there instead.
    """

    zone: ZoneInfo
    week: tuple[tuple[Span, ...], ...] = (((0, _DAY),),) * 7
    holidays: frozenset[dt.date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise ValueError(f"the spans of 7 days, not of {len(self.week)}")
        spans = sorted((day * _DAY + a, day * _DAY + b) for day, spans in enumerate(self.week) for a, b in spans)
        if not spans:
            raise ValueError("at least one span in the week, or left out: always open")
        following = (*spans, (spans[0][0] + _WEEK, spans[0][1] + _WEEK))
        if any(end > start for (_, end), (start, _) in pairwise(following)):
            raise ValueError("spans that do not overlap, also where one reaches over midnight")
        first = dt.date(_LEAP_YEAR, 1, 1)
        if all((day.month, day.day) in self.yearly for day in (first + dt.timedelta(n) for n in range(366))):
            raise ValueError("days that leave at least one open in the year")

    def is_open(self, at: dt.datetime) -> bool:
        """Whether it is open at a moment; the moment it closes no longer is."""
        moment = _utc(at)
        opens, _ = next(self._from(moment))
        return opens <= moment

    def next_opening(self, at: dt.datetime) -> dt.datetime:
        """When it opens next, in UTC; the moment itself while it is open."""
        moment = _utc(at)
        opens, _ = next(self._from(moment))
        return max(opens, moment)

    def add(self, start: dt.datetime, amount: dt.timedelta) -> dt.datetime:
        """The first moment, in UTC, at which an amount of open time has passed since a start.

        Raises:
            ValueError: The amount is negative.
        """
        if amount < dt.timedelta(0):
            raise ValueError(f"The amount must not be negative. It is {amount}.")
        moment = _utc(start)
        spans = self._from(moment)
        while amount:
            opens, closes = next(spans)
            begins = max(opens, moment)
            moment = min(begins + amount, closes)
            amount -= moment - begins
        return moment

    def between(self, a: dt.datetime, b: dt.datetime) -> dt.timedelta:
        """The open time from a to b; negative where b is before a."""
        first, last = _utc(a), _utc(b)
        if last < first:
            return -self.between(last, first)
        total = dt.timedelta(0)
        for opens, closes in self._from(first):
            if opens >= last:
                break
            total += min(closes, last) - max(opens, first)
        return total

    def _from(self, moment: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """Opening and closing, in UTC, of the spans that close after a moment in UTC, in order, without end."""
        # A span may have begun the day before.
        day = moment.astimezone(self.zone).date() - dt.timedelta(days=1)
        while True:
            if day not in self.holidays and (day.month, day.day) not in self.yearly:
                for start, end in sorted(self.week[day.weekday()]):
                    opens, closes = _moment(self.zone, day, start), _moment(self.zone, day, end)
                    if opens < closes and closes > moment:
                        yield opens, closes
            day += dt.timedelta(days=1)


def _utc(at: dt.datetime) -> dt.datetime:
    """A moment in UTC: between times of one zone, Python reckons by the clock on the wall.

    Raises:
        ValueError: It has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"The moment {at} must have a time zone.")
    return at.astimezone(dt.UTC)


@lru_cache(maxsize=4096)
def _moment(zone: ZoneInfo, day: dt.date, minute: int) -> dt.datetime:
    """The first moment, in UTC, at which the clock of a zone shows so many minutes after a day's midnight, or later."""
    shown = dt.datetime.combine(day, dt.time(), zone) + dt.timedelta(minutes=minute)
    moment = shown.astimezone(dt.UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None):
        return moment
    # The clock skips it: look for the jump, within the jump's length before.
    before = shown.utcoffset() or dt.timedelta(0)
    length = int(((shown.replace(fold=1).utcoffset() or dt.timedelta(0)) - before).total_seconds())
    seconds = range(-length, 1)
    after = bisect_left(
        seconds, True, key=lambda second: (moment + dt.timedelta(seconds=second)).astimezone(zone).utcoffset() != before
    )
    return moment + dt.timedelta(seconds=seconds[after])
