"""The team's own examples, `data/tags/<language>/*.yml`: messages, the tags they carry, the words that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bot.errors import TaggingError
from bot.settings import LANGUAGES
from bot.tagging.tags import SENTIMENTS, SIGNALS, TAGS, TOPICS

# The same as yaml.safe_load, several times faster where libyaml is there.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEYS = {"text", "topics", "signals", "urgent", "sentiment", "evidence", "source", "group"}


@dataclass(frozen=True)
class Example:
    """A message and what it carries.

    Attributes:
        text: What was written.
        language: One of LANGUAGES.
        tags: Topics and signals.
        urgent: Whether it is.
        sentiment: `negative`, `neutral` or `positive`.
        evidence: For a tag, stretches of the text (start, end) that carry it; without, the whole text does.
        group: Examples of one group are rewordings; cross-validation keeps them together.
        known: What is known to be there or not: tags, `urgent`, `sentiment`. Everything, but for corrections.
    """

    text: str
    language: str
    tags: frozenset[str]
    urgent: bool = False
    sentiment: str = "neutral"
    evidence: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    group: str = ""
    known: frozenset[str] = frozenset({*TAGS, "urgent", "sentiment"})


def load_examples(folder: Path) -> list[Example]:
    """All examples below a folder, in the order of files.

    Raises:
        TaggingError: A file breaks a rule; the message names file, entry and rule.
    """
    examples: list[Example] = []
    for language in LANGUAGES:
        for file in sorted((folder / language).glob("*.yml")):
            examples.extend(_read(file, language))
    if not examples:
        raise TaggingError(f"There are no examples in {folder}.", "Restore data/tags; docs/tagging.md tells its form.")
    twins = [text for text, count in Counter(e.text.casefold().strip() for e in examples).items() if count > 1]
    if twins:
        raise TaggingError(f"Examples occur twice: {twins[0]!r}.", "Remove one of them from data/tags.")
    return examples


def _read(file: Path, language: str) -> Iterator[Example]:
    place = f"{language}/{file.name}"
    try:
        entries = yaml.load(file.read_text("utf-8"), Loader=_LOADER)  # noqa: S506  (a safe one)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TaggingError(f"{place} cannot be read: {error}.", "Correct the line named.") from error
    if not isinstance(entries, list):
        raise TaggingError(f"{place} must be a list of examples.", "docs/tagging.md tells the form.")
    for number, entry in enumerate(entries, 1):
        yield _example(entry, language, file.stem, f"{place}, example {number}")


def _example(entry: Any, language: str, stem: str, place: str) -> Example:
    def wrong(rule: str) -> TaggingError:
        return TaggingError(f"{place}: {rule}.", "docs/tagging.md tells the form.")

    if not isinstance(entry, dict):
        raise wrong("it must be a mapping with 'text'")
    if unknown := set(entry) - _KEYS:
        raise wrong(f"there is no key {', '.join(sorted(map(repr, unknown)))}")
    text = entry.get("text")
    if not isinstance(text, str) or not text.strip():
        raise wrong("'text' must be a text")
    names: list[str] = []
    for key, allowed in (("topics", TOPICS), ("signals", SIGNALS)):
        values = entry.get(key) or []
        if not isinstance(values, list) or not set(map(str, values)) <= set(allowed):
            raise wrong(f"'{key}' must be a list of {', '.join(allowed)}. Currently, it is {values!r}")
        names.extend(values)
    urgent = entry.get("urgent", False)
    if not isinstance(urgent, bool):
        raise wrong(f"'urgent' must be true or false. Currently, it is {urgent!r}")
    sentiment = entry.get("sentiment") or "neutral"
    if sentiment not in SENTIMENTS:
        raise wrong(f"'sentiment' must be one of {', '.join(SENTIMENTS)}. Currently, it is {sentiment!r}")
    return Example(
        text,
        language,
        frozenset(names),
        urgent,
        sentiment,
        _evidence(entry.get("evidence") or {}, text, names, wrong),
        f"{language}/{stem}/{entry['group']}" if entry.get("group") else "",
    )


def _evidence(raw: Any, text: str, names: Sequence[str], wrong: Any) -> dict[str, tuple[tuple[int, int], ...]]:
    if not isinstance(raw, dict):
        raise wrong("'evidence' must be a mapping from tags to words of the text")
    found = {}
    for name, quotes in raw.items():
        if name not in names:
            raise wrong(f"'evidence' names {name!r}, which the message does not carry")
        spans = []
        for quote in quotes if isinstance(quotes, list) else [quotes]:
            start = text.find(quote) if isinstance(quote, str) and quote.strip() else -1
            if start < 0:
                raise wrong(f"the evidence of {name} is not in the text: {quote!r}")
            spans.append((start, start + len(quote)))
        found[name] = tuple(spans)
    return found
