"""What training on corrections changed: two taggers on examples neither was trained on, and on the corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bot.tagging.build import examples_folder, is_held_out
from bot.tagging.examples import Example, load_examples
from bot.tagging.metrics import Bools, f1
from bot.tagging.tagger import Tagger
from bot.tagging.tags import TAGS, TOPICS

if TYPE_CHECKING:
    from bot.settings import Settings


@dataclass(frozen=True)
class Compared:
    """One measure, before and after.

    Attributes:
        what: Of what.
        before: None where there is nothing to count.
        after: The same.
        count: Messages it was measured on.
    """

    what: str
    before: float | None
    after: float | None
    count: int

    @staticmethod
    def shown(value: float | None) -> str:
        """A share as it is printed."""
        return "–" if value is None else f"{value:.3f}"


def compare(before: Tagger, after: Tagger, settings: Settings, corrections: Sequence[Example]) -> list[Compared]:
    """Measure two taggers.

    Corrections that were learnt from tell little of the new one, so those kept from training are counted apart.
    """
    kept = [example for example in load_examples(examples_folder(settings)) if is_held_out(example)]
    rows = [
        ("F1 of topics, examples held out", kept, slice(0, len(TOPICS))),
        ("F1 of signals, examples held out", kept, slice(len(TOPICS), len(TAGS))),
    ]
    found = [
        Compared(what, _f1(before, part, columns), _f1(after, part, columns), len(part)) for what, part, columns in rows
    ]
    for what, wanted in (("corrected tags right, held out", True), ("corrected tags right, learnt from", False)):
        part = [example for example in corrections if is_held_out(example) is wanted]
        found.append(Compared(what, _right(before, part), _right(after, part), len(part)))
    return found


def _said(tagger: Tagger, examples: Sequence[Example]) -> tuple[Bools, Bools, Bools]:
    """What the tagger says, what is true and what is known; each of shape (examples, TAGS)."""
    said = [tagger.weigh(example.text, example.language).carried[: len(TAGS)] for example in examples]
    true = [[name in example.tags for name in TAGS] for example in examples]
    known = [[name in example.known for name in TAGS] for example in examples]
    shape = (len(examples), len(TAGS))
    return np.array(said).reshape(shape), np.array(true).reshape(shape), np.array(known).reshape(shape)


def _f1(tagger: Tagger, examples: Sequence[Example], columns: slice) -> float | None:
    said, true, _ = _said(tagger, examples)
    return f1(said[:, columns], true[:, columns])


def _right(tagger: Tagger, examples: Sequence[Example]) -> float | None:
    said, true, known = _said(tagger, examples)
    return float((said == true)[known].mean()) if known.any() else None
