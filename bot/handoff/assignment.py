"""Who gets a case, who is next in line, and how long that may take. Nothing is read or stored here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from bot.handoff.queues import PRIORITIES, Queue

FEWEST_WAITS = 5
_RANK: dict[str, int] = {priority: rank for rank, priority in enumerate(PRIORITIES)}


@dataclass(frozen=True)
class Candidate:
    """Somebody of the team who might take a case.

    Attributes:
        languages: They speak; none named: those of the queue.
        load: Open cases they have.
        capacity: Open cases at the same time; None: as many as the queue says.
        last_assigned_at: When they got their last case; None: never.
    """

    id: str
    email: str
    role: str
    languages: Collection[str]
    load: int
    capacity: int | None
    last_assigned_at: dt.datetime | None
    online: bool

    def takes(self, language: str, queue: Queue) -> bool:
        """Whether they can be given a case now: online, a member, below capacity, and they speak its language."""
        capacity = queue.capacity if self.capacity is None else self.capacity
        return (
            self.online and queue.has(self) and self.load < capacity and language in (self.languages or queue.languages)
        )


def choose(people: Sequence[Candidate], language: str, queue: Queue) -> str | None:
    """Id of the person who gets a case; None if nobody can take it: it stays in the queue.

    That is the one with the fewest open cases; among several, who got one longest ago, or never.
    """
    never = dt.datetime.min.replace(tzinfo=dt.UTC)
    able = [person for person in people if person.takes(language, queue)]
    best = min(able, key=lambda person: (person.load, person.last_assigned_at or never, person.id), default=None)
    return best.id if best else None


@dataclass(frozen=True)
class Waiting:
    """A case that waits in a queue.

    Attributes:
        number: Of the case.
        priority: One of `bot.handoff.queues.PRIORITIES`.
        since: When it came.
    """

    number: int
    priority: str
    since: dt.datetime

    @property
    def rank(self) -> tuple[int, dt.datetime, int]:
        """Smaller is sooner: the more urgent, then the older."""
        return _RANK[self.priority], self.since, self.number


def position(number: int, waiting: Iterable[Waiting]) -> int | None:
    """A case's place in its queue's line, from 1; None if it does not wait.

    Args:
        number: Of the case.
        waiting: All that wait in the queue, in any order.

    Raises:
        KeyError: One has a priority that does not exist.
    """
    line = sorted(waiting, key=lambda one: one.rank)
    return next((place for place, one in enumerate(line, 1) if one.number == number), None)


def expected_wait(position: int, members_online: int, recent_waits: Sequence[dt.timedelta]) -> dt.timedelta | None:
    """How long a customer will probably wait for a person.

    The members who are online take as many cases at a time as they are. So somebody in place p waits p / members
    rounds, rounded up. A round takes the median of the recent waits.

    Args:
        position: In the line, from 1.
        members_online: Members of the queue who are online.
        recent_waits: In open time, from the hand-off to a person's first word.

    Returns:
        The wait in open time; None without a basis: nobody is online, or there are fewer than FEWEST_WAITS waits.

    Raises:
        ValueError: The position is less than 1.
    """
    if position < 1:
        raise ValueError(f"The position must be 1 or more. It is {position}.")
    if members_online < 1 or len(recent_waits) < FEWEST_WAITS:
        return None
    usual = dt.timedelta(seconds=median(wait.total_seconds() for wait in recent_waits))
    return usual * ceil(position / members_online)
