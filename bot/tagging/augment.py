"""More examples made of the team's own: two messages in one, and Turkish as it is typed without its letters.

Nothing is invented: each part is an example, and what is made of it carries what its parts carry. Only what the head
learns from is augmented, never what it is measured or calibrated on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.tagging.examples import Example
from bot.tagging.tags import SENTIMENTS, TAGS

# Two messages in one: so many for a hundred examples, of parts that are not longer (in characters).
_JOINED = 15
_LONGEST = {"zh": 40, "th": 90}
_LONGEST_LATIN = 100
# What stands between two parts. A capital shows that the first keeps its full stop.
_BETWEEN = {
    "en": (" ", ", and ", ". By the way, ", " and also ", " - ", ". Also: ", ", oh and ", "\n"),
    "zh": ("，", "。", "，另外", "。对了，", "，还有", " "),
    "tr": (" ", ", ayrıca ", ". Bu arada ", " ve ", ", bir de ", ". Bir de "),
    "th": (" ", " แล้วก็ ", " อีกอย่าง ", " และ ", "\n"),
}
_ENDS = " .。!！\n"
_WITHOUT_MARKS = str.maketrans("çğıöşüÇĞİÖŞÜâî", "cgiosuCGIOSUai")


def augmented(examples: Sequence[Example], seed: int = 0) -> list[Example]:
    """Examples beside these, the same for the same ones."""
    rng = random.Random(seed)  # noqa: S311  (no secret)
    whole = [example for example in examples if len(example.known) > len(TAGS)]
    return [*_joined(whole, rng), *_typed_plainly(whole, rng)]


def _joined(examples: Sequence[Example], rng: random.Random) -> Iterator[Example]:
    """Pairs of short examples of a language, mostly of one that has a tag and one that has another."""
    by_language: dict[str, list[Example]] = {}
    for example in examples:
        if len(example.text) <= _LONGEST.get(example.language, _LONGEST_LATIN) and "\n" not in example.text:
            by_language.setdefault(example.language, []).append(example)
    for language, short in sorted(by_language.items()):
        count = _JOINED * sum(example.language == language for example in examples) // 100
        for _ in range(count):
            yield _join(rng.choice(short), rng.choice(short), rng.choice(_BETWEEN[language]))


def _join(first: Example, second: Example, between: str) -> Example:
    # A question keeps its mark; anything else is cut before a comma or conjunction.
    head = first.text.rstrip(_ENDS if between[0] not in " \n" else " ") or first.text
    shift = len(head) + len(between)
    evidence = {
        tag: tuple(
            (start + by, min(end, limit) + by)
            for example, by, limit in ((first, 0, len(head)), (second, shift, len(second.text)))
            if tag in example.tags
            for start, end in example.evidence.get(tag, ((0, len(example.text)),))
            if start < limit
        )
        for tag in first.tags | second.tags
    }
    return Example(
        head + between + second.text,
        first.language,
        first.tags | second.tags,
        first.urgent or second.urgent,
        SENTIMENTS[1],
        evidence,
        first.group,
        # The feeling of two messages is not that of either.
        frozenset({*TAGS, "urgent"}),
    )


def _typed_plainly(examples: Sequence[Example], rng: random.Random) -> Iterator[Example]:
    """Half of the Turkish examples as phones without a Turkish keyboard give them; places stay as they are."""
    for example in examples:
        plain = example.text.translate(_WITHOUT_MARKS)
        if example.language == "tr" and plain != example.text and rng.random() < 0.5:
            yield replace(example, text=plain)
