"""Queues and service levels as `[queues.*]` and `[sla]` of refill.toml set them. Everything has a default."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from bot.dialogue.turn import Queue as QueueName
from bot.errors import NotFound, SettingsError
from bot.handoff.contact import EMAIL
from bot.handoff.hours import Day, Hours, Span, parse_spans
from bot.settings import LANGUAGES, Settings

Priority = Literal["urgent", "high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
QUEUES: tuple[QueueName, ...] = get_args(QueueName)
Assignment = Literal["pull", "push"]

_DAYS: tuple[Day, ...] = get_args(Day)
_OF_ROLE: dict[str, tuple[QueueName, ...]] = {
    "agent": ("support",),
    "success_manager": ("success", "account_management"),
    "lead": QUEUES,
    "administrator": QUEUES,
}
_FIRST_RESPONSE: dict[Priority, int] = {"urgent": 15, "high": 60, "normal": 240, "low": 480}
_RESOLUTION: dict[Priority, int] = {"urgent": 240, "high": 480, "normal": 1440, "low": 2880}
_MINUTES = f'minutes from 1 to 525600 by priority ({", ".join(PRIORITIES)}), as in "urgent = 15"'
_RULES = {
    "queues": f"tables named {', '.join(QUEUES)}",
    "members": 'a list of e-mail addresses, as in ["ada@example.com"]',
    "languages": f"a list out of {', '.join(LANGUAGES)}",
    "capacity": "a whole number from 1 to 1000",
    "assignment": "pull or push",
    "time_zone": 'the name of a time zone, as in "Europe/Istanbul"',
    "hours": 'spans by day (mon to sun), as in { mon = "09:00-12:00, 13:00-18:00" }',
    "holidays": 'a list of days, as in "2026-12-25", or "12-25" for every year',
    "warn": "greater than 0 and less than 1",
    "first_response": _MINUTES,
    "resolution": _MINUTES,
    "plans": "tables named after the plans, each with first_response, resolution or both",
}


class HasRole(Protocol):
    """Somebody of the team, as far as queues are concerned."""

    @property
    def email(self) -> str:
        """By which queues name their members."""

    @property
    def role(self) -> str:
        """One of `bot.people.roles.ROLES`."""


P = TypeVar("P", bound=HasRole)


@dataclass(frozen=True)
class Queue:
    """Where work waits for people, and for whom.

    Attributes:
        emails: Of its members, in lower case; None for everybody whose role fits.
        languages: What it speaks; so do members who name none of their own.
        capacity: Open cases a member takes at the same time.
        assignment: Members take cases (`pull`), or get them (`push`).
        hours: When it works; clocks stand still outside.
    """

    name: QueueName
    emails: frozenset[str] | None
    languages: tuple[str, ...]
    capacity: int
    assignment: Assignment
    hours: Hours

    def has(self, person: HasRole) -> bool:
        """Whether somebody is a member."""
        if self.emails is not None:
            return person.email.lower() in self.emails
        return self.name in _OF_ROLE.get(person.role, ())


@dataclass(frozen=True)
class SlaTargets:
    """What is promised, in open time."""

    first_response: dt.timedelta
    resolution: dt.timedelta


class Queues:
    """All queues, and what is promised.

    Attributes:
        warn: Share of the promised time after which people are warned.
        names: Of all queues.
    """

    def __init__(self, found: Iterable[Queue], sla: SlaTable) -> None:
        self._queues: dict[str, Queue] = {queue.name: queue for queue in found}
        self._sla = sla
        self.warn = sla.warn
        self.names: tuple[str, ...] = tuple(self._queues)

    def queue(self, name: str) -> Queue:
        """A queue by its name.

        Raises:
            NotFound: There is none.
        """
        if name not in self._queues:
            raise NotFound(f"There is no queue '{name}'.", f"Take one of {', '.join(self._queues)}.")
        return self._queues[name]

    def members(self, name: str, people: Iterable[P]) -> list[P]:
        """Those of the people who are members of a queue, in their order.

        Raises:
            NotFound: There is no such queue.
        """
        queue = self.queue(name)
        return [person for person in people if queue.has(person)]

    def of(self, person: HasRole) -> frozenset[str]:
        """Names of the queues somebody is a member of."""
        return frozenset(queue.name for queue in self._queues.values() if queue.has(person))

    def sla(self, priority: str, plan: str | None = None) -> SlaTargets:
        """What is promised to a customer.

        Args:
            priority: One of PRIORITIES.
            plan: The account's, in capitals or not; what refill.toml says nothing of for it holds as for everybody.

        Raises:
            KeyError: There is no such priority.
        """
        special = self._sla.plans.get((plan or "").strip().casefold(), _NO_PLAN)
        return SlaTargets(
            _minutes(priority, special.first_response, self._sla.first_response, _FIRST_RESPONSE),
            _minutes(priority, special.resolution, self._sla.resolution, _RESOLUTION),
        )


def _minutes(priority: str, *tables: Mapping[Priority, int]) -> dt.timedelta:
    """What the first table that has a priority says of it."""
    found = [minutes for table in tables for name, minutes in table.items() if name == priority]
    if not found:
        raise KeyError(priority)
    return dt.timedelta(minutes=found[0])


def queues(settings: Settings) -> Queues:
    """Read the queues and service levels.

    Raises:
        SettingsError: A key or value is not valid; names it and its rule.
    """
    tables = {name: settings.section(name) for name in ("queues", "sla")}
    try:
        read = _Tables.model_validate(tables)
    except ValidationError as error:
        raise _problem(error) from error
    return Queues((table.queue(name) for name, table in read.queues.by_name()), read.sla)


def default_queues() -> Queues:
    """The queues and service levels that hold where refill.toml says nothing."""
    return Queues((table.queue(name) for name, table in _QueueTables().by_name()), SlaTable())


def _problem(error: ValidationError) -> SettingsError:
    """What people read about the first problem."""
    first = error.errors(include_url=False)[0]
    keys = [str(key) for key in first["loc"] if isinstance(key, str) and key != "[key]"]
    name = ".".join(keys)
    if first["type"] == "extra_forbidden":
        return SettingsError(f"refill.toml has unknown settings: {name}.", "docs/settings.md lists all.")
    known = [_RULES[key] for key in keys if key in _RULES]
    rule = str(first["ctx"]["error"]) if first["type"] == "value_error" else known[-1]
    return SettingsError(
        f"Setting '{name}' has value {first['input']!r} in refill.toml. It must be {rule}.",
        "Correct it there; docs/settings.md shows an example.",
    )


# The shape of the tables ----------------------------------------------------------------------------------------------


def _address(value: str) -> str:
    if not EMAIL.fullmatch(value):
        raise ValueError("an e-mail address")
    return value.lower()


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"one of {', '.join(LANGUAGES)}")
    return value


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(value) if isinstance(value, str) else ZoneInfo("")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(_RULES["time_zone"]) from error


def _spans(value: object) -> tuple[Span, ...]:
    return parse_spans(value if isinstance(value, str) else "?")


def _holiday(value: object) -> dt.date | tuple[int, int]:
    """A day, or the month and day of one that comes back every year."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    text = value if isinstance(value, str) else ""
    try:
        if re.fullmatch(r"\d\d-\d\d", text, re.ASCII):
            day = dt.date.fromisoformat(f"2024-{text}")
            return day.month, day.day
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError('a day such as "2026-12-25", or "12-25" for every year')


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class QueueTable(_Table):
    """`[queues.<name>]`."""

    members: Annotated[list[Annotated[str, AfterValidator(_address)]], Field(min_length=1)] | None = None
    languages: list[Annotated[str, AfterValidator(_language)]] = Field(default=[*LANGUAGES], min_length=1)
    capacity: int = Field(6, ge=1, le=1000)
    assignment: Assignment = "pull"
    time_zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("UTC")
    hours: dict[Day, Annotated[tuple[Span, ...], BeforeValidator(_spans)]] | None = None
    holidays: list[Annotated[dt.date | tuple[int, int], BeforeValidator(_holiday)]] = []

    @field_validator("hours")
    @classmethod
    def _opens(cls, value: dict[Day, tuple[Span, ...]] | None) -> dict[Day, tuple[Span, ...]] | None:
        if value is not None:
            Hours(ZoneInfo("UTC"), _week(value))
        return value

    @field_validator("holidays")
    @classmethod
    def _leaves_days(cls, value: list[dt.date | tuple[int, int]]) -> list[dt.date | tuple[int, int]]:
        Hours(ZoneInfo("UTC"), yearly=frozenset(day for day in value if isinstance(day, tuple)))
        return value

    def queue(self, name: QueueName) -> Queue:
        """The queue it describes."""
        always = Hours(self.time_zone).week
        return Queue(
            name,
            None if self.members is None else frozenset(self.members),
            tuple(self.languages),
            self.capacity,
            self.assignment,
            Hours(
                self.time_zone,
                always if self.hours is None else _week(self.hours),
                frozenset(day for day in self.holidays if isinstance(day, dt.date)),
                frozenset(day for day in self.holidays if isinstance(day, tuple)),
            ),
        )


def _week(hours: Mapping[Day, tuple[Span, ...]]) -> tuple[tuple[Span, ...], ...]:
    """The spans of each day; a day that is not named is closed."""
    return tuple(hours.get(day, ()) for day in _DAYS)


class _QueueTables(_Table):
    support: QueueTable = QueueTable()
    success: QueueTable = QueueTable()
    account_management: QueueTable = QueueTable()

    def by_name(self) -> list[tuple[QueueName, QueueTable]]:
        return [(name, getattr(self, name)) for name in QUEUES]


Minutes = dict[Priority, Annotated[int, Field(ge=1, le=525600)]]


class PlanTable(_Table):
    """`[sla.plans.<plan>]`: where it differs from what holds for everybody."""

    first_response: Minutes = {}
    resolution: Minutes = {}


_NO_PLAN = PlanTable()


class SlaTable(PlanTable):
    """`[sla]`."""

    warn: float = Field(0.8, gt=0, lt=1)
    plans: dict[str, PlanTable] = {}

    @field_validator("plans")
    @classmethod
    def _by_folded_name(cls, value: dict[str, PlanTable]) -> dict[str, PlanTable]:
        folded = {name.strip().casefold(): table for name, table in value.items()}
        if len(folded) < len(value):
            raise ValueError("plans whose names differ in more than capitals")
        return folded


class _Tables(_Table):
    queues: _QueueTables
    sla: SlaTable
