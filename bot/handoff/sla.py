"""Clocks of what is promised: they run while the queue works, and warn before the end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from bot.handoff.hours import Hours

State = Literal["ok", "warning", "breached", "met", "missed"]


@dataclass(frozen=True)
class Clock:
    """When people are warned, and when the promise is broken; in UTC."""

    warn_at: dt.datetime
    due_at: dt.datetime


def clock(start: dt.datetime, target: dt.timedelta, hours: Hours, warn: float) -> Clock:
    """Start a clock.

    Args:
        start: When it begins to run, with a time zone.
        target: Open time until it is due, not negative.
        hours: It stands still outside.
        warn: Share of the target after which people are warned, from 0 to 1.

    Raises:
        ValueError: One of them is not so.
    """
    if not 0 <= warn <= 1:
        raise ValueError(f"The share must be from 0 to 1. It is {warn}.")
    return Clock(hours.add(start, target * warn), hours.add(start, target))


def state(clock: Clock, now: dt.datetime, stopped_at: dt.datetime | None = None) -> State:
    """How a clock stands.

    Args:
        clock: The clock.
        now: With a time zone.
        stopped_at: When what was promised was done; None while it is not.

    Returns:
        `met` or `missed` once it was stopped: by the due time, or later. Before that `ok`, `warning` from `warn_at`
        on, `breached` from `due_at` on.
    """
    if stopped_at is not None:
        return "met" if stopped_at <= clock.due_at else "missed"
    if now >= clock.due_at:
        return "breached"
    return "warning" if now >= clock.warn_at else "ok"


def remaining(clock: Clock, now: dt.datetime, hours: Hours) -> dt.timedelta:
    """Open time left until a clock is due; negative by the open time it is over."""
    return hours.between(now, clock.due_at)
