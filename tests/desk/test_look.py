"""The desk's colours can be told apart, in light and dark: WCAG 2.2, level AA."""

from __future__ import annotations

import re

import pytest

from bot.desk.pages import STATIC

SHEET = (STATIC / "desk.css").read_text("utf-8")
TOKENS = dict(re.findall(r"^\s+--([\w-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\);", SHEET, re.MULTILINE))
GROUNDS = ("ground", "raised", "tint")
TEXTS = [
    *((ink, ground) for ink in ("ink", "soft", "accent", "danger") for ground in GROUNDS),
    ("accent-strong", "wash"),
    ("ink", "wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    *((name, f"{name}-wash") for name in ("danger", "warn", "good", "note")),
    *(("ink", f"{name}-wash") for name in ("danger", "warn", "good", "note")),
]
# Borders of controls, and the ring around what has the focus.
SHAPES = [
    *(("edge", ground) for ground in GROUNDS),
    *(("accent", ground) for ground in GROUNDS),
    ("note-edge", "raised"),
]


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, section 'relative luminance')."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str, scheme: int) -> float:
    """Contrast ratio of two tokens, 1 to 21."""
    high, low = sorted((luminance(TOKENS[name].split(", ")[scheme]) for name in (first, second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_and_controls_stand_out(scheme: int) -> None:
    texts = {pair: round(contrast(*pair, scheme), 2) for pair in TEXTS}
    shapes = {pair: round(contrast(*pair, scheme), 2) for pair in SHAPES}
    assert {pair: ratio for pair, ratio in texts.items() if ratio < 4.5} == {}
    assert {pair: ratio for pair, ratio in shapes.items() if ratio < 3} == {}
