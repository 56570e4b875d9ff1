"""Labelled messages as `benchmarks.tagging` holds them: with what the encoder read of each, once for all folds."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Encoder, Reading, Vectors
from bot.knowledge.vectors import StoredEncoder
from bot.tagging.build import Progress, is_held_out
from bot.tagging.evaluate import Labelled
from bot.tagging.examples import Example
from bot.tagging.tags import TAGS

# Counted like a tag where examples are drawn.
_NONE = "none"


@dataclass(frozen=True)
class Corpus:
    """Examples with their states and vectors.

    Attributes:
        examples: Messages with their tags.
        readings: Of each, as `Encoder.read` gives them.
        vectors: The main encoder's, of unit length, shape (examples, dimensions).
    """

    examples: Sequence[Example]
    readings: Sequence[tuple[Reading, ...]]
    vectors: Vectors

    def part(self, rows: Sequence[int]) -> Corpus:
        """Some of it."""
        return Corpus([self.examples[row] for row in rows], [self.readings[row] for row in rows], self.vectors[rows])

    @property
    def learnt(self) -> Corpus:
        """Without what is kept for calibration, the same examples as in the product."""
        return self.part([row for row, example in enumerate(self.examples) if not is_held_out(example)])

    @property
    def kept(self) -> Corpus:
        """What is kept for calibration."""
        return self.part([row for row, example in enumerate(self.examples) if is_held_out(example)])

    @property
    def true(self) -> NDArray[np.bool_]:
        """Which tags each message carries and whether it is urgent, shape (examples, TAGS and urgent)."""
        return np.array([[*(name in one.tags for name in TAGS), one.urgent] for one in self.examples], dtype=np.bool_)

    @property
    def languages(self) -> list[str]:
        """Of each message."""
        return [example.language for example in self.examples]


def read_corpus(examples: Sequence[Example], encoder: Encoder, stored: StoredEncoder, progress: Progress) -> Corpus:
    """Read messages.

    Args:
        examples: At least one.
        encoder: Gives states.
        stored: Gives vectors, and keeps them.
        progress: Called with the stage (`reading`, `encoding`), steps done now and in all.
    """
    texts = [example.text for example in examples]
    readings = encoder.read_all(texts, lambda more: progress("reading", more, len(texts)))
    missing = stored.count_new(("query", text) for text in texts)
    vectors = stored.encode(texts, "query", lambda more: progress("encoding", more, missing))
    return Corpus(examples, readings, np.array(vectors))


def as_example(message: Labelled) -> Example:
    """A held-out message; its sentiment is not known and not scored."""
    return Example(message.text, message.lang, frozenset([*message.topics, *message.signals]), message.urgent)


def group_of(example: Example) -> str:
    """What cross-validation keeps together."""
    return example.group or example.text


def names_of(example: Example) -> frozenset[str]:
    """Its tags; `none` if it has none."""
    return example.tags or frozenset([_NONE])


def at_most(examples: Sequence[Example], count: int, seed: int = 0) -> list[int]:
    """Rows drawn so that each tag, and none, has about `count` examples, or all it has.

    An example is taken while one of its tags is short, so what often stands beside others gets some more.
    """
    rows = list(range(len(examples)))
    random.Random(seed).shuffle(rows)
    taken: Counter[str] = Counter()
    found = []
    for row in rows:
        names = names_of(examples[row])
        if any(taken[name] < count for name in names):
            taken.update(names)
            found.append(row)
    return sorted(found)


def examples_per_tag(examples: Sequence[Example]) -> float:
    """The mean over tags."""
    return sum(len(example.tags) for example in examples) / len(TAGS)


def digest(examples: Sequence[Example]) -> str:
    """Changes when texts or tags do."""
    found = hashlib.sha256()
    for example in examples:
        found.update(f"{example.language}\0{example.text}\0{sorted(example.tags)}\0".encode())
    return found.hexdigest()[:16]
