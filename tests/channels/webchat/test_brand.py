"""Colours made from the brand's: readable whatever it is."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.webchat.brand import DEFAULT_COLOR, INKS, SURFACES, TEXT, Look, contrast, palette
from bot.channels.webchat.bundle import WIDGET

COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize("look", get_args(Look))
@settings(max_examples=60, deadline=None)
@given(COLORS)
def test_text_can_be_read_with_every_brand_colour(look: Look, color: str) -> None:
    assert_readable(look, color)


@pytest.mark.parametrize("look", get_args(Look))
@pytest.mark.parametrize("color", [DEFAULT_COLOR, "#ffff00", "#ffffff", "#000000", "#ff0000", "#0000ff", "#777777"])
def test_text_can_be_read_with_awkward_brand_colours(look: Look, color: str) -> None:
    assert_readable(look, color)


def assert_readable(look: Look, color: str) -> None:
    """Every text of the chat has the contrast it needs."""
    made = getattr(palette(color), look)
    pairs = [("--accent", surface) for surface in (*SURFACES[look], made["--wash"], made["--on-accent"])]
    pairs += [("--accent-strong", surface) for _, surface in pairs]
    pairs += [("--mine", made["--on-mine"]), *(("--wash", ink) for ink in INKS[look]), ("--brand", made["--on-brand"])]
    low = {(name, other): contrast(made[name], other) for name, other in pairs if contrast(made[name], other) < TEXT}
    assert low == {}


def test_a_brand_colour_that_can_be_read_stays_as_it_is() -> None:
    assert palette("#0f5c43").light["--accent"] == "#0f5c43"
    assert palette("#0f5c43").light["--brand"] == "#0f5c43"


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize(("look", "place"), [("light", 0), ("dark", 1)])
def test_surfaces_and_inks_are_those_of_the_style_sheets(look: Look, place: int) -> None:
    """The colours above are only right for what the widget really stands on."""
    css = (WIDGET / "launcher.css").read_text("utf-8")
    used = {name: re.findall(rf"--{name}: (#[0-9a-f]{{6}});", css) for name in ("ground", "tint", "raised", "bot")}
    assert {colors[place] for colors in used.values()} <= set(SURFACES[look])
    inks = [re.findall(rf"--{name}: (#[0-9a-f]{{6}});", css)[place] for name in ("ink", "soft")]
    assert tuple(inks) == INKS[look]
