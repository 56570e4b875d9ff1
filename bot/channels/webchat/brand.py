"""The colours of the chat, made from one brand colour so that everything stays readable whatever that is.

Text has a contrast of at least 4.5 with what it stands on, in light and dark (WCAG 2.2, 1.4.3); the accent keeps that
with every surface of the chat, so controls in it are well above the 3 they need (1.4.11). Hue and chroma stay the
brand's, as far as a screen can show them; the lightness moves (OKLCH).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coloraide import Color

DEFAULT_COLOR = "#0f5c43"
TEXT = 4.5
# A little more than is needed: what is written in hexadecimal is rounded.
_WANTED = TEXT + 0.05
_STEP = 0.005
_WHITE, _BLACK = "#ffffff", "#000000"

Look = Literal["light", "dark"]

# What accents and text stand on in the widget's style sheets.
SURFACES: dict[Look, tuple[str, ...]] = {
    "light": ("#ffffff", "#f2f5f2", "#f0f4f1"),
    "dark": ("#0f1513", "#151d1a", "#19221e", "#242f2a", "#222d28"),
}
# The usual text, and the quieter one.
INKS: dict[Look, tuple[str, str]] = {"light": ("#15201b", "#54625b"), "dark": ("#e8eeea", "#a2b0a8")}
_ON_ACCENT: dict[Look, str] = {"light": "#ffffff", "dark": "#08150f"}


@dataclass(frozen=True)
class Palette:
    """CSS custom properties by their names, as `--accent`, for a light and a dark look."""

    light: dict[str, str]
    dark: dict[str, str]


def palette(brand: str) -> Palette:
    """The colours that depend on the brand's.

    Args:
        brand: As in `#0f5c43`.
    """
    return Palette(_colors(brand, "light"), _colors(brand, "dark"))


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2, from 1 to 21."""
    return float(Color(one).contrast(other, method="wcag21"))


def _colors(brand: str, look: Look) -> dict[str, str]:
    """The properties of one look.

    --brand, --on-brand: a surface in the brand's own colour, and text on it.
    --accent, --accent-strong, --on-accent: links and controls, pressed or pointed at, and text on both.
    --wash: a quiet surface; the usual text and the accent can be read on it.
    --mine, --on-mine: what the customer wrote.
    """
    dark = look == "dark"
    wash = _shade(brand, 0.29 if dark else 0.945, 0.03)
    surfaces = (*SURFACES[look], wash)
    # In the dark, what is barely readable is no pleasure: start from a bright shade.
    start = max(_lightness(brand), 0.78) if dark else _lightness(brand)
    accent = _readable(brand, start, _STEP if dark else -_STEP, surfaces)
    strong = _readable(accent, _lightness(accent) + (0.05 if dark else -0.07), _STEP if dark else -_STEP, surfaces)
    mine = _readable(brand, 0.43, -_STEP, (_WHITE,)) if dark else accent
    return {
        "--brand": brand,
        "--on-brand": _WHITE if contrast(brand, _WHITE) >= TEXT else _BLACK,
        "--accent": accent,
        "--accent-strong": strong,
        "--on-accent": _ON_ACCENT[look],
        "--wash": wash,
        "--mine": mine,
        "--on-mine": _WHITE,
    }


def _lightness(color: str) -> float:
    return float(Color(color).convert("oklch")["lightness"])


def _shade(color: str, lightness: float, most_chroma: float = 1.0) -> str:
    """A colour in another lightness, from 0 to 1, with no more chroma than given and a screen can show."""
    made = Color(color).convert("oklch")
    made["lightness"] = min(max(lightness, 0.0), 1.0)
    made["chroma"] = min(made["chroma"], most_chroma)
    return made.fit("srgb", method="oklch-chroma").convert("srgb").to_string(hex=True)


def _readable(color: str, lightness: float, step: float, surfaces: tuple[str, ...]) -> str:
    """The first shade, from a lightness on, that can be read on all surfaces."""
    if lightness == _lightness(color) and all(contrast(color, surface) >= _WANTED for surface in surfaces):
        return color
    made = _shade(color, lightness)
    while 0 <= lightness + step <= 1 and any(contrast(made, surface) < _WANTED for surface in surfaces):
        lightness += step
        made = _shade(color, lightness)
    return made
