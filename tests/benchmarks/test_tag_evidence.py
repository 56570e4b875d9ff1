"""Quotes against the words people named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from benchmarks.tag_evidence import Agreement, Overlap, agreement, compare, overlap
from bot.tagging.examples import Example
from bot.tagging.tagger import Tagger
from tests.tagging.fakes import word_tagger

TEXT = "The printer is dead, and we open two more cafés."


def place(text: str, words: str) -> tuple[int, int]:
    start = text.index(words)
    return start, start + len(words)


def against(quote: str, named: Iterable[str], text: str = TEXT) -> Overlap:
    return overlap(text, place(text, quote), [place(text, words) for words in named])


@pytest.mark.parametrize(
    ("quote", "named", "f1", "nested"),
    [
        ("The printer is dead", ["The printer is dead"], 1.0, True),
        ("The printer is dead,", ["The printer is dead"], 1.0, True),
        ("printer is dead", ["The printer is dead"], 6 / 7, True),
        ("The printer is dead, and we", ["is dead"], 4 / 8, True),
        ("is dead, and we", ["and we open two"], 4 / 8, False),
        ("two more", ["The printer is dead"], 0.0, False),
        ("The printer is dead, and we open", ["printer", "open"], 4 / 9, True),
    ],
)
def test_words_are_compared_by_their_place(quote: str, named: list[str], f1: float, nested: bool) -> None:
    found = against(quote, named)
    assert found.f1 == pytest.approx(f1)
    assert found.nested is nested


def test_the_same_word_elsewhere_does_not_count() -> None:
    text = "no milk, no sugar"
    assert overlap(text, (0, 2), [(9, 11)]) == Overlap(0.0, False)


@pytest.mark.parametrize(
    ("text", "words"), [("打印机坏了，想开新店", "打印机坏"), ("เครื่องพิมพ์เสีย อยากเปิดสาขา", "เครื่องพิม")]
)
def test_scripts_without_spaces_are_compared_by_characters(text: str, words: str) -> None:
    found = against(words, [text[:5]], text)
    both = min(len(words), 5)
    assert found.f1 == pytest.approx(2 * both / (len(words) + 5))
    assert found.nested


def test_only_tags_said_rightly_with_named_words_are_compared() -> None:
    printer, cafés = place(TEXT, "The printer is dead"), place(TEXT, "open two more")
    examples = [
        Example(TEXT, "en", frozenset(["defect", "expansion"]), evidence={"defect": (printer,), "expansion": (cafés,)}),
        Example("printer again", "en", frozenset(["defect"])),
        Example("打印机", "zh", frozenset(["defect"]), evidence={"defect": ((0, 3),)}),
    ]

    class Fake:
        tag: Any = staticmethod(word_tagger({"printer": "defect", "dead": "outage", "打印机": "defect"}))

    found = agreement(compare(cast(Tagger, Fake()), examples))

    assert {language: part.quotes for language, part in found.items()} == {"all": 2, "en": 1, "zh": 1}
    assert found["zh"] == Agreement(1.0, 1.0, 1.0, 1)
    assert found["en"].f1 == pytest.approx(0.4)
    assert found["en"].whole_f1 == pytest.approx(8 / 14)
    assert found["all"].f1 == pytest.approx((0.4 + 1) / 2)
    assert found["all"].nested == 1
