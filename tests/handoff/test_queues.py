"""Queues and service levels as refill.toml sets them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.errors import NotFound, SettingsError
from bot.handoff.hours import Hours
from bot.handoff.queues import PRIORITIES, QUEUES, Queues, SlaTargets, queues
from bot.people.roles import ROLES
from bot.settings import LANGUAGES, load_settings

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Person:
    email: str
    role: str


TEAM = [Person(f"{role}@example.com", role) for role in ROLES]


def read(root: Path, toml: str = "") -> Queues:
    (root / "refill.toml").write_text(toml, "utf-8")
    return queues(load_settings(root, {}))


def targets(first_response: int, resolution: int) -> SlaTargets:
    return SlaTargets(dt.timedelta(minutes=first_response), dt.timedelta(minutes=resolution))


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    found = read(tmp_path)
    for name in QUEUES:
        queue = found.queue(name)
        assert (queue.name, queue.emails, queue.languages, queue.capacity) == (name, None, LANGUAGES, 6)
        assert (queue.assignment, queue.hours) == ("pull", Hours(ZoneInfo("UTC")))
    assert found.warn == 0.8
    assert [found.sla(priority) for priority in PRIORITIES] == [
        targets(15, 240),
        targets(60, 480),
        targets(240, 1440),
        targets(480, 2880),
    ]


def test_everything_set(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [queues.support]
        members = ["Ada@Example.com"]
        languages = ["en", "tr"]
        capacity = 3
        assignment = "push"
        time_zone = "Europe/Istanbul"
        hours = { mon = "09:00-12:00, 13:00-18:00", fri = "22:00-02:00", sat = "" }
        holidays = ["2026-12-25", 2027-01-02, "01-01", "02-29"]
        """,
    )
    queue = found.queue("support")
    assert (queue.emails, queue.languages, queue.capacity) == (frozenset({"ada@example.com"}), ("en", "tr"), 3)
    assert queue.assignment == "push"
    assert queue.hours == Hours(
        ZoneInfo("Europe/Istanbul"),
        (((540, 720), (780, 1080)), (), (), (), ((1320, 1560),), (), ()),
        frozenset({dt.date(2026, 12, 25), dt.date(2027, 1, 2)}),
        frozenset({(1, 1), (2, 29)}),
    )
    assert found.queue("success") == read(tmp_path).queue("success")


def test_an_always_open_queue_has_holidays_too(tmp_path: Path) -> None:
    hours = (
        read(tmp_path, 'queues.success = { time_zone = "Asia/Bangkok", holidays = ["12-31"] }').queue("success").hours
    )
    moment = dt.datetime(2026, 12, 30, 16, 59, tzinfo=dt.UTC)
    assert (hours.is_open(moment), hours.is_open(moment + dt.timedelta(minutes=1))) == (True, False)


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("agent", {"support"}),
        ("success_manager", {"success", "account_management"}),
        ("lead", set(QUEUES)),
        ("administrator", set(QUEUES)),
        ("guest", set()),
    ],
)
def test_members_by_role(tmp_path: Path, role: str, names: set[str]) -> None:
    assert read(tmp_path).of(Person("x@example.com", role)) == names


def test_members_by_name(tmp_path: Path) -> None:
    found = read(tmp_path, '[queues.support]\nmembers = ["Lead@example.com", "success_manager@example.com"]\n')
    assert [person.role for person in found.members("support", TEAM)] == ["success_manager", "lead"]
    assert [person.role for person in found.members("success", TEAM)] == ["success_manager", "lead", "administrator"]
    assert found.of(Person("LEAD@EXAMPLE.COM", "agent")) == {"support"}


def test_a_queue_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no queue 'sales'\. Take one of support, success, account_management"):
        read(tmp_path).queue("sales")
    with pytest.raises(NotFound):
        read(tmp_path).members("sales", TEAM)


def test_service_levels_by_priority_and_plan(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [sla]
        warn = 0.5
        [sla.first_response]
        urgent = 10
        [sla.resolution]
        low = 6000
        [sla.plans.Enterprise.first_response]
        urgent = 5
        [sla.plans."Team 2".resolution]
        urgent = 60
        """,
    )
    assert found.warn == 0.5
    assert found.sla("urgent") == found.sla("urgent", "basic") == found.sla("urgent", "") == targets(10, 240)
    assert found.sla("low") == targets(480, 6000)
    assert found.sla("urgent", "enterprise") == found.sla("urgent", " ENTERPRISE ") == targets(5, 240)
    assert found.sla("low", "enterprise") == targets(480, 6000)
    assert found.sla("urgent", "team 2") == targets(10, 60)
    with pytest.raises(KeyError, match="asap"):
        found.sla("asap")


def test_the_example_in_the_shipped_file_is_valid(tmp_path: Path) -> None:
    shipped = (ROOT / "refill.toml").read_text("utf-8")
    example = shipped[shipped.index("# [queues.support]") :].splitlines()
    lines = [line.removeprefix("# ") for line in example if line.startswith("# [") or " = " in line]
    found = read(tmp_path, "\n".join(lines))
    assert found.queue("support").hours.zone == ZoneInfo("Europe/Istanbul")
    assert found.sla("urgent", "enterprise") == targets(5, 240)
    assert found.sla("urgent") == read(tmp_path).sla("urgent")


def test_the_examples_in_the_documentation_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    examples = [block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if re.search("queues|sla", block)]
    assert len(examples) == 2
    found = read(tmp_path, "\n".join(examples))
    assert found.queue("support").assignment == "push"
    assert found.sla("urgent", "enterprise") == targets(5, 240)


UNKNOWN = {
    "queues.sales": "[queues.sales]",
    "queues.open": "[queues]\nopen = true",
    "queues.support.capcity": "[queues.support]\ncapcity = 1",
    "sla.warm": "[sla]\nwarm = 0.5",
    "sla.plans.pro.warn": "[sla.plans.pro]\nwarn = 0.5",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_settings_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, UNKNOWN[name])
    assert caught.value.message == f"refill.toml has unknown settings: {name}."
    assert "docs/settings.md" in caught.value.remedy


EVERY_DAY = ", ".join(f"'{dt.date(2024, 1, 1) + dt.timedelta(day):%m-%d}'" for day in range(366))
MINUTES = "minutes from 1 to 525600 by priority (urgent, high, normal, low)"
A_DAY = 'a day such as "2026-12-25", or "12-25" for every year'
A_SPAN = 'spans such as "09:00-12:00, 13:00-18:00"'
A_ZONE = "the name of a time zone"
WRONG = [
    ("queues.support", "3", "tables named support, success, account_management"),
    ("queues.support.capacity", "0", "a whole number from 1 to 1000"),
    ("queues.support.capacity", "1001", "a whole number from 1 to 1000"),
    ("queues.support.capacity", "'3'", "a whole number from 1 to 1000"),
    ("queues.support.capacity", "true", "a whole number from 1 to 1000"),
    ("queues.success.capacity", "2.5", "a whole number from 1 to 1000"),
    ("queues.support.members", "'ada@example.com'", "a list of e-mail addresses"),
    ("queues.support.members", "[]", "a list of e-mail addresses"),
    ("queues.support.members", "['ada']", "an e-mail address"),
    ("queues.support.members", "[3]", "a list of e-mail addresses"),
    ("queues.support.languages", "['fr']", "one of en, zh, tr, th"),
    ("queues.support.languages", "[]", "a list out of en, zh, tr, th"),
    ("queues.support.assignment", "'auto'", "pull or push"),
    ("queues.support.time_zone", "'Mars/Base'", A_ZONE),
    ("queues.support.time_zone", "'Europe'", A_ZONE),
    ("queues.support.time_zone", "'../zone'", A_ZONE),
    ("queues.support.time_zone", "''", A_ZONE),
    ("queues.support.time_zone", "3", A_ZONE),
    ("queues.support.hours", "'09:00-18:00'", "spans by day (mon to sun)"),
    ("queues.support.hours", "{}", "at least one span in the week"),
    ("queues.support.hours", "{ mon = '', tue = '' }", "at least one span in the week"),
    ("queues.support.hours", "{ sun = '22:00-02:00', mon = '01:00-03:00' }", "spans that do not overlap"),
    ("queues.support.hours.mon", "'9-5'", A_SPAN),
    ("queues.support.hours.mon", "9", A_SPAN),
    ("queues.support.hours.mon", "'09:00-09:00'", "spans whose end is not their start"),
    ("queues.support.hours.monday", "'09:00-10:00'", "spans by day (mon to sun)"),
    ("queues.support.holidays", "'12-25'", "a list of days"),
    ("queues.support.holidays", "['25.12.']", A_DAY),
    ("queues.support.holidays", "['02-30']", A_DAY),
    ("queues.support.holidays", "['2026-02-29']", A_DAY),
    ("queues.support.holidays", "['20261225']", A_DAY),
    ("queues.support.holidays", "[3]", A_DAY),
    ("queues.support.holidays", "[2026-12-25T00:00:00]", A_DAY),
    ("queues.support.holidays", f"[{EVERY_DAY}]", "days that leave at least one open"),
    ("sla.warn", "1", "greater than 0 and less than 1"),
    ("sla.warn", "0", "greater than 0 and less than 1"),
    ("sla.warn", "nan", "greater than 0 and less than 1"),
    ("sla.warn", "'0.5'", "greater than 0 and less than 1"),
    ("sla.resolution", "60", MINUTES),
    ("sla.first_response.urgent", "0", MINUTES),
    ("sla.first_response.urgent", "525601", MINUTES),
    ("sla.first_response.high", "1.5", MINUTES),
    ("sla.first_response.asap", "1", MINUTES),
    ("sla.plans", "3", "tables named after the plans"),
    ("sla.plans.pro", "3", "tables named after the plans"),
    ("sla.plans", "{ pro = {}, PRO = {} }", "plans whose names differ in more than capitals"),
    ("sla.plans.pro.resolution.low", "-1", MINUTES),
]


@pytest.mark.parametrize(("name", "value", "rule"), WRONG)
def test_a_wrong_value_is_named_with_its_rule(tmp_path: Path, name: str, value: str, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"{name} = {value}")
    assert caught.value.message.startswith(f"Setting '{name}' has value ")
    assert f" in refill.toml. It must be {rule}" in caught.value.message
    assert "docs/settings.md" in caught.value.remedy
