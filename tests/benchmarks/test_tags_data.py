"""The held-out messages for tags: as many as the page says, and not among what the tagger learns from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bot.settings import LANGUAGES
from bot.tagging.evaluate import Labelled, read_labelled
from bot.tagging.examples import load_examples
from bot.tagging.tags import SIGNALS, TOPICS
from tests.test_benchmark_data import bare

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def messages() -> list[Labelled]:
    return read_labelled(ROOT / "benchmarks" / "data" / "tags.jsonl")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_mixture(messages: list[Labelled], language: str) -> None:
    part = [message for message in messages if message.lang == language]
    assert len(part) == 120
    assert sum(bool(message.topics) for message in part) == 66
    assert sum(bool(message.signals) for message in part) == 56
    assert sum(bool(message.topics and message.signals) for message in part) == 25
    assert sum(not message.topics and not message.signals for message in part) == 23
    assert sum(message.urgent for message in part) == 12


def test_every_tag_occurs_often_enough(messages: list[Labelled]) -> None:
    counts = Counter[str](name for message in messages for name in (*message.topics, *message.signals))
    assert all(36 <= counts[name] <= 55 for name in TOPICS)
    assert all(20 <= counts[name] <= 25 for name in SIGNALS)


def test_no_text_stands_twice_or_is_learnt_from(messages: list[Labelled]) -> None:
    known = {bare(example.text) for example in load_examples(ROOT / "data" / "tags")}
    texts = Counter(bare(message.text) for message in messages)
    assert [text for text, times in texts.items() if times > 1] == []
    # A greeting of a word is anybody's.
    assert [text for text in texts if text in known and len(text) > 5] == []
