"""Who gets a case, who is next in line, and how long that may take."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.handoff.assignment import FEWEST_WAITS, Candidate, Waiting, choose, expected_wait, position
from bot.handoff.queues import Queue, queues
from bot.settings import load_settings

NOON = dt.datetime(2026, 7, 6, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def support(tmp_path: Path, **table: Any) -> Queue:
    settings = load_settings(tmp_path, {}).with_section("queues", {"support": table})
    return queues(settings).queue("support")


def person(name: str, **changes: Any) -> Candidate:
    facts: Mapping[str, Any] = {
        "email": f"{name}@example.com",
        "role": "agent",
        "languages": ("en",),
        "load": 0,
        "capacity": None,
        "last_assigned_at": NOON,
        "online": True,
    }
    return Candidate(name, **{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ada"),
        ({"online": False}, None),
        ({"role": "success_manager"}, None),
        ({"role": "lead"}, "ada"),
        ({"languages": ("tr", "th")}, None),
        ({"languages": ("tr", "en")}, "ada"),
        ({"languages": ()}, "ada"),
        ({"load": 5}, "ada"),
        ({"load": 6}, None),
        ({"load": 6, "capacity": 7}, "ada"),
        ({"load": 2, "capacity": 2}, None),
        ({"capacity": 0}, None),
    ],
)
def test_who_can_take_a_case(tmp_path: Path, changes: Mapping[str, Any], expected: str | None) -> None:
    assert choose([person("ada", **changes)], "en", support(tmp_path)) == expected


def test_members_by_name(tmp_path: Path) -> None:
    queue = support(tmp_path, members=["Bob@example.com"], languages=["tr"])
    people = [person("ada"), person("bob", role="success_manager", languages=())]
    assert choose(people, "tr", queue) == "bob"
    assert choose(people, "en", queue) is None
    assert choose([], "tr", queue) is None


def test_the_least_loaded_then_who_has_waited_longest_gets_it(tmp_path: Path) -> None:
    line = [
        person("new", load=1, last_assigned_at=None),
        person("ann", load=1, last_assigned_at=NOON - 2 * MINUTE),
        person("zoe", load=1, last_assigned_at=NOON - 2 * MINUTE),
        person("bob", load=1),
        person("carl", load=2, last_assigned_at=None),
    ]
    for people in itertools.permutations(line):
        assert choose(people, "en", support(tmp_path)) == "new"
    for first in range(len(line)):
        assert choose(line[first:][::-1], "en", support(tmp_path)) == line[first].id


def test_the_place_in_the_line() -> None:
    line = [
        Waiting(9, "urgent", NOON),
        Waiting(3, "high", NOON - 5 * MINUTE),
        Waiting(4, "normal", NOON - 9 * MINUTE),
        Waiting(1, "normal", NOON - MINUTE),
        Waiting(2, "normal", NOON - MINUTE),
        Waiting(5, "low", NOON - 99 * MINUTE),
    ]
    for waiting in itertools.permutations(line):
        assert [position(one.number, waiting) for one in line] == [1, 2, 3, 4, 5, 6]
    assert position(7, line) is None
    with pytest.raises(KeyError, match="asap"):
        position(1, [*line, Waiting(8, "asap", NOON)])


WAITS = [minutes * MINUTE for minutes in (4, 100, 6, 2, 5)]


@pytest.mark.parametrize(
    ("place", "online", "minutes"), [(1, 1, 5), (3, 1, 15), (1, 3, 5), (3, 3, 5), (4, 3, 10), (7, 3, 15)]
)
def test_the_expected_wait(place: int, online: int, minutes: int) -> None:
    assert expected_wait(place, online, WAITS) == minutes * MINUTE


def test_of_an_even_number_of_waits_the_middle_counts() -> None:
    assert expected_wait(1, 1, [*WAITS, 6 * MINUTE]) == 5.5 * MINUTE


def test_without_a_basis_nothing_is_said() -> None:
    assert expected_wait(1, 0, WAITS) is None
    assert expected_wait(1, 1, []) is None
    assert expected_wait(1, 1, WAITS[: FEWEST_WAITS - 1]) is None


def test_there_is_no_place_before_the_first() -> None:
    with pytest.raises(ValueError, match="It is 0"):
        expected_wait(0, 1, WAITS)
