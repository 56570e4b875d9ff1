"""Patterns of pages. The browser's tests judge the same cases by the widget's own rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.success.invitations.pages import LONGEST_PATTERN, fits, is_pattern

CASES = json.loads((Path(__file__).parent / "pages.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['patterns']} {case['page'][:40]}")
def test_pattern(case: dict[str, object]) -> None:
    assert fits(case["patterns"], case["page"]) is case["fits"]  # type: ignore[arg-type]


def test_what_a_pattern_may_be() -> None:
    assert all(map(is_pattern, ("/", "/*", "/a b".replace(" ", "%20"), "https://*.example.com/*", "http://x/")))
    assert not any(map(is_pattern, ("", "pricing", "*", "//a b", "ftp://x/", "/" + "x" * LONGEST_PATTERN)))
