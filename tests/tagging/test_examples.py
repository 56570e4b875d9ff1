"""The shipped examples, and what is refused in any."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bot.errors import TaggingError
from bot.settings import LANGUAGES, Settings
from bot.tagging.build import HELD_OUT, examples_folder, is_held_out
from bot.tagging.examples import Example, load_examples
from bot.tagging.tags import TAGS


@pytest.fixture(scope="module")
def shipped(settings: Settings) -> list[Example]:
    return load_examples(examples_folder(settings))


def test_every_tag_has_enough_examples_in_every_language(shipped: list[Example]) -> None:
    counts = Counter((example.language, tag) for example in shipped for tag in example.tags)
    for language in LANGUAGES:
        least = 60 if language == "en" else 25
        poor = {tag: counts[language, tag] for tag in TAGS if counts[language, tag] < least}
        assert not poor, f"{language}: {poor}"


def test_there_are_messages_with_nothing_urgent_ones_and_feelings(shipped: list[Example]) -> None:
    for language in LANGUAGES:
        part = [example for example in shipped if example.language == language]
        assert sum(not example.tags for example in part) >= 80
        assert sum(example.urgent for example in part) >= 40
        assert sum(len(example.tags) > 1 for example in part) >= 80
        assert {example.sentiment for example in part} == {"negative", "neutral", "positive"}


def test_evidence_is_within_the_text(shipped: list[Example]) -> None:
    named = [example for example in shipped if example.evidence]
    assert len(named) > len(shipped) / 4
    for example in named:
        assert set(example.evidence) <= example.tags
        assert all(0 <= start < end <= len(example.text) for spans in example.evidence.values() for start, end in spans)


def test_the_same_share_is_held_out_every_time_and_groups_stay_together(shipped: list[Example]) -> None:
    share = sum(map(is_held_out, shipped)) / len(shipped)
    assert abs(share - 1 / HELD_OUT) < 0.03
    sides = {example.group: is_held_out(example) for example in shipped if example.group}
    assert all(is_held_out(example) is sides[example.group] for example in shipped if example.group)


def write(folder: Path, text: str, language: str = "en", name: str = "a.yml") -> Path:
    file = folder / language / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return folder


def test_an_example_is_read_whole(tmp_path: Path) -> None:
    write(
        tmp_path,
        '- text: "No milk, and we open two more."\n  topics: [defect]\n  signals: [expansion]\n  urgent: true\n'
        "  sentiment: negative\n  group: milk\n  source: employee\n"
        '  evidence: {defect: "No milk", expansion: ["we open", "two more"]}\n',
    )
    (example,) = load_examples(tmp_path)
    assert example.tags == {"defect", "expansion"}
    assert (example.language, example.urgent, example.sentiment, example.group) == ("en", True, "negative", "en/a/milk")
    assert example.evidence == {"defect": ((0, 7),), "expansion": ((13, 20), (21, 29))}
    assert example.known == {*TAGS, "urgent", "sentiment"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text: x", "must be a list of examples"),
        ("- just words", r"en/a\.yml, example 1: it must be a mapping"),
        ("- text: ''", "'text' must be a text"),
        ("- text: a\n- text: b\n  topics: [defekt]", r"example 2: 'topics' must be a list of how_to"),
        ("- text: a\n  signals: defect", "'signals' must be a list"),
        ("- text: a\n  urgent: maybe", "'urgent' must be true or false"),
        ("- text: a\n  sentiment: happy", "'sentiment' must be one of negative, neutral, positive"),
        ("- text: a\n  mood: bad", "there is no key 'mood'"),
        ("- text: a\n  topics: [defect]\n  evidence: {defect: b}", "the evidence of defect is not in the text: 'b'"),
        ("- text: a\n  evidence: {defect: a}", "names 'defect', which the message does not carry"),
        ("- text: a\n  evidence: a", "'evidence' must be a mapping"),
        ("- text: [", "cannot be read"),
    ],
)
def test_what_breaks_a_rule_is_named_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(TaggingError, match=message):
        load_examples(write(tmp_path, content))


def test_the_same_message_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "- text: No milk")
    with pytest.raises(TaggingError, match="occur twice: 'no milk'"):
        load_examples(write(tmp_path, "- text: no MILK", name="b.yml"))


def test_no_examples_at_all(tmp_path: Path) -> None:
    with pytest.raises(TaggingError, match="There are no examples"):
        load_examples(tmp_path)
