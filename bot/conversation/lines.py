"""Check the short texts that name people and companies."""

from __future__ import annotations

import unicodedata

from bot.errors import InvalidInput


def one_line(value: str, name: str, longest: int) -> str:
    """A short text without the space around it.

    Args:
        value: As it was given.
        name: What it is, for the error.
        longest: In characters.

    Raises:
        InvalidInput: It is empty, too long, or holds what does not belong in a line.
    """
    text = value.strip()
    if not 1 <= len(text) <= longest:
        raise InvalidInput(f"'{name}' must have 1 to {longest} characters. Currently, it has {len(text)}.")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise InvalidInput(f"'{name}' must be one line of text. Currently, it is {text!r}.")
    return text
