"""Patterns of pages, such as `/pricing*`. The widget judges them in the browser by the same rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

LONGEST_PATTERN = 200
RULE = (
    'a pattern of paths that begins with "/", or of whole addresses that begins with "http://" or "https://", '
    f"with * for any characters, at most {LONGEST_PATTERN} characters and without spaces"
)
_PATTERN = re.compile(r"(/|https?://)\S*")


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern of pages; see RULE."""
    return len(text) <= LONGEST_PATTERN and _PATTERN.fullmatch(text) is not None


def fits(patterns: Sequence[str], page: str) -> bool:
    """Whether a page is meant by one of the patterns; by no patterns, every page is.

    A pattern of paths is held against the path alone, a slash at the end does not count. A pattern of addresses is held
    against the address with its query, without what follows `#`.

    Args:
        patterns: Valid ones.
        page: Its address.
    """
    address = urlsplit(page)
    path = _without_slash(address.path)
    whole = address._replace(fragment="").geturl()
    return not patterns or any(
        _like(_without_slash(pattern), path) if pattern.startswith("/") else _like(pattern, whole)
        for pattern in patterns
    )


def _without_slash(path: str) -> str:
    return path.rstrip("/") or "/"


def _like(pattern: str, text: str) -> bool:
    """Whether a text is as the pattern says; each part is looked for once, so that no pattern is slow."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    last = rest.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in rest:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
