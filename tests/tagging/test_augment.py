"""Examples made of examples carry what their parts carry, at the right places."""

from __future__ import annotations

import pytest

from bot.settings import Settings
from bot.tagging.augment import augmented
from bot.tagging.build import examples_folder, is_held_out
from bot.tagging.examples import Example, load_examples
from bot.tagging.tags import TAGS


@pytest.fixture(scope="module")
def shipped(settings: Settings) -> list[Example]:
    return [example for example in load_examples(examples_folder(settings)) if not is_held_out(example)]


def test_it_is_the_same_every_time_and_adds_less_than_half(shipped: list[Example]) -> None:
    made = augmented(shipped)
    assert made == augmented(shipped)
    assert len(shipped) / 8 < len(made) < len(shipped) / 2
    assert {example.language for example in made} == {"en", "zh", "tr", "th"}


def test_evidence_stays_with_its_words(shipped: list[Example]) -> None:
    by_text = {example.text: example for example in shipped}
    joined = [example for example in augmented(shipped) if "sentiment" not in example.known]
    assert joined
    for example in joined:
        assert set(example.evidence) == example.tags
        second = next(text for text in by_text if example.text.endswith(text))
        assert by_text[second].tags <= example.tags
        for spans in example.evidence.values():
            for start, end in spans:
                assert 0 <= start < end <= len(example.text)
                assert example.text[start:end].strip()


def test_two_messages_in_one() -> None:
    parts = [
        Example("The till froze again.", "en", frozenset({"defect"}), urgent=True, sentiment="negative"),
        Example("we open two more", "en", frozenset({"expansion"}), evidence={"expansion": ((3, 16),)}),
    ] * 40
    both = [example for example in augmented(parts) if len(example.tags) == 2]
    assert both
    for example in both:
        quotes = {tag: example.text[start:end] for tag, ((start, end),) in example.evidence.items()}
        assert quotes["defect"].rstrip(".") == "The till froze again"
        assert quotes["expansion"] == "open two more"
        assert example.urgent
        assert example.known == {*TAGS, "urgent"}


def test_turkish_without_its_letters_says_the_same() -> None:
    parts = [Example("Şube açıyoruz, çünkü iş büyüdü", "tr", frozenset({"expansion"}), sentiment="positive")] * 40
    plain = [example for example in augmented(parts) if example.text == "Sube aciyoruz, cunku is buyudu"]
    assert plain
    assert {(example.tags, example.sentiment) for example in plain} == {(frozenset({"expansion"}), "positive")}


def test_corrections_are_left_as_they_are() -> None:
    known = frozenset({"defect"})
    assert augmented([Example("Yazıcı bozuk", "tr", known, known=known)] * 40) == []
