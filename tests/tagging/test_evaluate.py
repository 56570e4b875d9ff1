"""Labelled messages are checked before anything is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.errors import TaggingError
from bot.tagging.evaluate import read_labelled

GOOD = {
    "id": "a",
    "lang": "en",
    "text": "No milk",
    "reactive": True,
    "topics": ["defect"],
    "signals": [],
    "urgent": False,
}


def write(tmp_path: Path, *lines: object) -> Path:
    file = tmp_path / "tags.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    return file


def test_messages_are_read_and_empty_lines_passed_over(tmp_path: Path) -> None:
    found = read_labelled(write(tmp_path, GOOD, "", {**GOOD, "id": "b", "lang": "th"}))
    assert [(message.id, message.lang, message.topics) for message in found] == [
        ("a", "en", ["defect"]),
        ("b", "th", ["defect"]),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2"),
        ({**GOOD, "lang": "de"}, "line 2: lang"),
        ({**GOOD, "topics": ["defekt"]}, r"line 2: topics\.0"),
        ({**GOOD, "reactive": False}, "'reactive' must be true exactly when there are topics"),
        ({**GOOD, "text": ""}, "line 2: text"),
        ({key: value for key, value in GOOD.items() if key != "urgent"}, "line 2: urgent"),
        (GOOD, "the id 'a' twice"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named(tmp_path: Path, line: object, message: str) -> None:
    with pytest.raises(TaggingError, match=message):
        read_labelled(write(tmp_path, GOOD, line))


def test_no_file_and_no_messages(tmp_path: Path) -> None:
    with pytest.raises(TaggingError, match="cannot be read"):
        read_labelled(tmp_path / "none.jsonl")
    with pytest.raises(TaggingError, match="has no messages"):
        read_labelled(write(tmp_path, ""))


def test_the_held_out_set_is_in_order() -> None:
    found = read_labelled(Path(__file__).parents[2] / "benchmarks" / "data" / "tags.jsonl")
    assert len(found) == 480
    assert {message.lang for message in found} == {"en", "zh", "tr", "th"}
