"""`[invitations.<name>]` of refill.toml: what is read, and what is said of mistakes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, load_settings
from bot.success.invitations.offers import Limits, invitations
from bot.success.invitations.rules import LONGEST_TEXT, invitation_rules


def settings(table: dict[str, Any]) -> Settings:
    """Settings whose file has these invitations."""
    return load_settings(Path("/nowhere"), {}).with_section("invitations", table)


def test_file(tmp_path: Path) -> None:
    (tmp_path / "refill.toml").write_text(
        """
        [webchat]
        invitation_pause_hours = 12
        not_now_days = 90
        [invitations.prices]
        tr = " Sorunuz mu var? "
        en = "Any question?"
        pages = ["/pricing*", "https://shop.example.com/*"]
        after = 20
        every_days = 3
        most = 2
        from = 2026-11-01
        until = 2026-12-01
        [invitations.prices.segment]
        identified = true
        plans = ["Business "]
        stages = ["adoption"]
        accounts = ["acme"]
        languages = ["en", "tr"]
        returning = false
        [invitations.hello]
        en = "Hello"
        """,
        "utf-8",
    )
    found = invitations(load_settings(tmp_path, {}))
    assert found.limits == Limits(12, 90)
    prices, hello = found.rules
    assert (prices.name, hello.name) == ("prices", "hello")
    assert list(prices.texts.items()) == [("tr", "Sorunuz mu var?"), ("en", "Any question?")]
    assert (prices.pages, prices.after) == (["/pricing*", "https://shop.example.com/*"], 20)
    assert (prices.every_days, prices.most, prices.enabled) == (3, 2, True)
    assert (prices.first_day, prices.last_day) == (dt.date(2026, 11, 1), dt.date(2026, 12, 1))
    assert (prices.segment.plans, prices.segment.returning) == (["business"], False)
    assert (hello.pages, hello.after, hello.every_days, hello.most, hello.first_day) == ([], 10, 7, 3, None)
    assert not hello.segment.needs_account


def test_nothing_is_configured() -> None:
    assert invitation_rules(settings({})) == ()
    assert invitation_rules(load_settings()) == ()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"Big": {"en": "x"}}, "'invitations.Big' in refill.toml has no valid name"),
        ({"page": {"en": "x"}}, "'invitations.page' in refill.toml has no valid name"),
        ({"a" * 31: {"en": "x"}}, "has no valid name"),
        ({"a": "x"}, "'invitations.a' in refill.toml must be a table"),
        ({"a": {}}, "'invitations.a' in refill.toml has no text"),
        ({"a": {"de": "x"}}, "'invitations.a' in refill.toml has no text"),
        ({"a": {"en": " "}}, r"'invitations.a.en' has value ' ' in refill.toml. It must be a text of 1 to"),
        ({"a": {"en": "x" * (LONGEST_TEXT + 1)}}, "invitations.a.en"),
        ({"a": {"en": "a\x00b"}}, "invitations.a.en"),
        ({"a": {"en": 5}}, "invitations.a.en"),
        ({"a": {"en": "x", "page": ["/"]}}, "unknown settings: invitations.a.page"),
        ({"a": {"en": "x", "name": "b"}}, "unknown settings: invitations.a.name"),
        ({"a": {"en": "x", "first_day": 1}}, "unknown settings: invitations.a.first_day"),
        ({"a": {"en": "x", "pages": ["pricing"]}}, "invitations.a.pages.*begins with"),
        ({"a": {"en": "x", "pages": "/pricing"}}, "invitations.a.pages"),
        ({"a": {"en": "x", "pages": ["/"] * 21}}, "invitations.a.pages"),
        ({"a": {"en": "x", "after": -1}}, r"invitations.a.after' has value -1 .* seconds from 0 to 3600"),
        ({"a": {"en": "x", "after": "10"}}, "invitations.a.after"),
        ({"a": {"en": "x", "most": 0}}, "invitations.a.most"),
        ({"a": {"en": "x", "every_days": 0}}, "invitations.a.every_days"),
        ({"a": {"en": "x", "from": "2026-11-01"}}, "invitations.a.from.*a day without quotes"),
        ({"a": {"en": "x", "enabled": "no"}}, "invitations.a.enabled.*true or false"),
        (
            {"a": {"en": "x", "from": dt.date(2026, 12, 1), "until": dt.date(2026, 11, 1)}},
            "'invitations.a' is not valid in refill.toml. It must be a day 'from' that is not later",
        ),
        ({"a": {"en": "x", "segment": {"plan": ["x"]}}}, "unknown settings: invitations.a.segment.plan"),
        (
            {"a": {"en": "x", "segment": {"stages": ["churned"]}}},
            "invitations.a.segment.stages.*list out of onboarding",
        ),
        ({"a": {"en": "x", "segment": {"languages": ["de"]}}}, "invitations.a.segment.languages"),
        ({"a": {"en": "x", "segment": {"accounts": ["a b"]}}}, "invitations.a.segment.accounts"),
        (
            {"a": {"en": "x", "segment": {"identified": False, "plans": ["free"]}}},
            "'invitations.a.segment' is not valid in refill.toml. It must be without plans",
        ),
    ],
)
def test_mistake(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        invitation_rules(settings(table))
    assert caught.value.remedy
