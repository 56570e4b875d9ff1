"""Two taggers, before and after, counted on the same messages."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bot.settings import Settings, load_settings
from bot.tagging.build import is_held_out
from bot.tagging.compare import Compared, compare
from bot.tagging.examples import Example
from bot.tagging.tagger import Tagger, Weighed
from bot.tagging.tags import TAGS


class Hears:
    """Hears one tag in each message that has a word."""

    def __init__(self, word: str, tag: str) -> None:
        self.word, self.tag = word, tag

    def weigh(self, text: str, language: str) -> Weighed:
        carried = np.array([name == self.tag and self.word in text for name in (*TAGS, "urgent")])
        return Weighed(carried.astype(float), carried, np.zeros((0, 2), np.int64), np.zeros((0, len(TAGS)), np.float32))


def pick(prefix: str, held_out: bool) -> str:
    """A text that is held out, or is not."""
    texts = (f"{prefix} {number}" for number in range(1000))
    return next(text for text in texts if is_held_out(Example(text, "en", frozenset())) is held_out)


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    folder = tmp_path / "data" / "tags" / "en"
    folder.mkdir(parents=True)
    lines = [f'- text: "{pick("broken drawer", True)}"\n  topics: [defect]', f'- text: "{pick("hello", False)}"']
    (folder / "a.yml").write_text("\n".join(lines), "utf-8")
    return load_settings(tmp_path, {})


def test_what_was_held_out_is_counted_apart(project: Settings) -> None:
    known = frozenset({"defect"})
    corrections = [
        Example(pick("jammed", True), "en", known, known=known),
        Example(pick("jammed shut", False), "en", known, known=known),
        Example(pick("broken heart", False), "en", frozenset(), known=known),
    ]
    before, after = cast(Tagger, Hears("broken", "defect")), cast(Tagger, Hears("jammed", "defect"))
    found = {row.what: row for row in compare(before, after, project, corrections)}
    topics = found["F1 of topics, examples held out"]
    assert (topics.before, topics.after, topics.count) == (1.0, 0.0, 1)
    held_out, learnt = found["corrected tags right, held out"], found["corrected tags right, learnt from"]
    assert (held_out.before, held_out.after, held_out.count) == (0.0, 1.0, 1)
    assert (learnt.before, learnt.after, learnt.count) == (0.0, 1.0, 2)
    assert found["F1 of signals, examples held out"].before is None


def test_nothing_to_count_is_shown_as_a_dash() -> None:
    assert Compared.shown(None) == "–"
    assert Compared.shown(0.5) == "0.500"
