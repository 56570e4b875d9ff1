"""Taggers that need no model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bot.tagging.tags import SENTIMENTS, TAGS, Sentiment, Tag, Tagged

URGENT = "urgent"
MODEL = "words"


def word_tagger(
    rules: Mapping[str, str | tuple[str, float]], model: str = MODEL, probability: float = 0.9
) -> Callable[[str, str], Tagged]:
    """A tagger that goes by single words, in any language.

    `word_tagger({"printer": "defect", "perhaps": ("renewal", 0.4), "now": "urgent", "awful": "negative"})`.

    Args:
        rules: What a word stands for, small letters, anywhere in the text: a tag's name, `urgent`, a sentiment, or one
            of these with a probability. The word's first place is the evidence; of two words for one tag the more
            probable counts, then the first in the text.
        model: Version it gives itself.
        probability: Of what has none of its own.

    Raises:
        ValueError: A rule names something that does not exist.
    """
    known = {*TAGS, *SENTIMENTS, URGENT}
    parsed = {word: rule if isinstance(rule, tuple) else (rule, probability) for word, rule in rules.items()}
    unknown = {name for name, _ in parsed.values()} - known
    if unknown:
        raise ValueError(f"Rules must name tags, sentiments or '{URGENT}'. Currently, they name {sorted(unknown)}.")

    def tag(text: str, language: str) -> Tagged:
        found: dict[str, Tag] = {}
        urgency = 0.01
        sentiment: Sentiment = "neutral"
        for word, (name, likely) in parsed.items():
            match = re.search(re.escape(word), text, re.IGNORECASE)
            if match is None:
                continue
            if name == URGENT:
                urgency = max(urgency, likely)
            elif name in SENTIMENTS:
                sentiment = next(one for one in SENTIMENTS if one == name)
            else:
                one = Tag(name, likely, match.start(), match.end(), match.group())
                if name not in found or (-likely, one.start) < (-found[name].probability, found[name].start):
                    found[name] = one
        ordered = sorted(found.values(), key=lambda one: (not one.is_topic, -one.probability, one.start))
        return Tagged(tuple(ordered), urgency >= 0.5, urgency, sentiment, language, model)

    return tag
