"""Which of Refill's languages a text is in: by script where that tells, by lingua otherwise."""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

from bot.settings import LANGUAGES

if TYPE_CHECKING:
    from lingua import LanguageDetector

_SURE = 0.85
_SHORT = 4
_SENTENCE = 3


def script_language(text: str) -> str | None:
    """zh or th when at least a fifth of the letters are of their script."""
    letters = [character for character in text if character.isalpha() or unicodedata.category(character) == "Mn"]
    thai = sum("\u0e00" <= character <= "\u0e7f" for character in letters)
    han = sum("\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" for character in letters)
    if max(thai, han) * 5 < max(len(letters), 1):
        return None
    return "th" if thai >= han else "zh"


@functools.lru_cache(maxsize=1)
def _detector() -> LanguageDetector:
    from lingua import Language, LanguageDetectorBuilder

    return LanguageDetectorBuilder.from_languages(Language.ENGLISH, Language.TURKISH).build()


def detect(text: str, current: str | None = None) -> str:
    """The language of a text, one of LANGUAGES.

    Args:
        text: What a person wrote; any length.
        current: The conversation's language so far. It is kept when the text is too short or mixed to tell
            ("ok", "menu", a number).

    Returns:
        A language code; without current and without evidence, the first of LANGUAGES.
    """
    script = script_language(text)
    if script:
        return script
    letters = sum(character.isalpha() for character in text)
    if letters:
        best = _detector().compute_language_confidence_values(text[:400])[0]
        words = len(text.split())
        sure = best.value >= _SURE and letters >= _SHORT
        # A sentence tells by itself; so do two Latin words where another script was written before.
        if current is None or sure or words >= _SENTENCE or (words > 1 and current in ("zh", "th")):
            return best.language.iso_code_639_1.name.lower()
    return current or LANGUAGES[0]
