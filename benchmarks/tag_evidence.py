"""How well the words shown for a tag agree with the words that people named."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.tagging.examples import Example
from bot.tagging.tagger import Tagger

# A word; where a script has no spaces, a character.
_TOKEN = re.compile(r"[\u0e00-\u0e7f\u3400-\u9fff]|[^\W\u0e00-\u0e7f\u3400-\u9fff]+")
Place = tuple[int, int]


@dataclass(frozen=True)
class Overlap:
    """A quote against the words named.

    Attributes:
        f1: Of their tokens, by place.
        nested: Whether one holds all of the other.
    """

    f1: float
    nested: bool


@dataclass(frozen=True)
class Agreement:
    """Means over quotes.

    Attributes:
        f1: Of the quotes shown.
        nested: Share of quotes that contain the words named or lie within them.
        whole_f1: F1 if the whole message were shown.
        quotes: How many; tags said rightly, of messages where people named the words.
    """

    f1: float
    nested: float
    whole_f1: float
    quotes: int


def overlap(text: str, quote: Place, named: Iterable[Place]) -> Overlap:
    """Compare stretches of a text, each from start to end in characters."""
    tokens = [match.span() for match in _TOKEN.finditer(text)]

    def inside(places: Iterable[Place]) -> set[int]:
        return {
            number
            for start, end in places
            for number, (begin, stop) in enumerate(tokens)
            if begin < end and stop > start
        }

    shown, wanted = inside([quote]), inside(named)
    both = len(shown & wanted)
    f1 = 2 * both / (len(shown) + len(wanted)) if shown or wanted else 0.0
    return Overlap(f1, bool(both) and (shown <= wanted or wanted <= shown))


Found = tuple[str, Overlap, Overlap]


def compare(tagger: Tagger, examples: Sequence[Example]) -> list[Found]:
    """Language, the quote's overlap and the whole message's, for each tag said rightly whose words are named."""
    found = []
    for example in examples:
        if not example.evidence:
            continue
        for tag in tagger.tag(example.text, example.language).tags:
            if named := example.evidence.get(tag.name):
                shown = overlap(example.text, (tag.start, tag.end), named)
                found.append((example.language, shown, overlap(example.text, (0, len(example.text)), named)))
    return found


def agreement(found: Sequence[Found]) -> dict[str, Agreement]:
    """Means over all (`all`) and over each language; nothing where there are no quotes."""
    parts: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        parts["all"].append(one)
        parts[one[0]].append(one)
    return {
        language: Agreement(
            fmean(shown.f1 for _, shown, _ in part),
            fmean(shown.nested for _, shown, _ in part),
            fmean(whole.f1 for _, _, whole in part),
            len(part),
        )
        for language, part in parts.items()
    }
