"""What the desk's pages say, in each of the team's languages.

Texts stand in `texts/<language>/<section>.toml`. A template reads them as `t.<section>.<key>`; a key that is missing is
an error. A text with places, as in "{count} open", is filled in by the filter `fill`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tomllib

from bot.errors import RefillError

TEXTS = Path(__file__).parent / "texts"


class Words(SimpleNamespace):
    """Texts of a language, or of a section, by name."""

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


def _words(table: dict[str, Any]) -> Words:
    return Words(**{key: _words(value) if isinstance(value, dict) else value for key, value in table.items()})


@functools.cache
def words(language: str) -> Words:
    """All sections of a language, one of `bot.settings.LANGUAGES`."""
    files = sorted((TEXTS / language).glob("*.toml"))
    return _words({file.stem: tomllib.loads(file.read_text("utf-8")) for file in files})


def sentence(error: RefillError, t: Words) -> str:
    """What an error says in a language; in English where its rule has no text there."""
    text = getattr(t.rules, error.rule, "")
    if not text:
        return str(error)
    values = dict(error.values)
    for name, table in (("queue", t.queues), ("tag", t.inbox.tags)):
        if name in values:
            values[name] = getattr(table, str(values[name]), values[name])
    return fill(text, **values)


def fill(text: str, **values: object) -> str:
    """A text with its places filled in."""
    return text.format_map(values)
