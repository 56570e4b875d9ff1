"""The Rasa components, run once in Rasa's own runtime by rasa_side.py; what they did is asserted here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bot.dialogue.training import rasa_environment, rasa_python
from bot.settings import Settings

pytestmark = [pytest.mark.rasa, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "rasa_side.py"


@pytest.fixture(scope="module")
def done(settings: Settings) -> dict[str, Any]:
    """What the script printed."""
    environment = {**rasa_environment("http://127.0.0.1:9", 1), "PYTHONPATH": str(settings.root)}
    ran = subprocess.run(
        [rasa_python(settings), str(SCRIPT)],
        cwd=settings.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return result


# Tokens --------------------------------------------------------------------------------------------------------------


def texts() -> dict[str, str]:
    """The script's TEXTS, read without importing it: it needs Rasa."""
    import ast

    for node in ast.parse(SCRIPT.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "TEXTS":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise AssertionError("rasa_side.py has no TEXTS")


TEXTS = texts()


@pytest.mark.parametrize("name", TEXTS)
def test_offsets_point_at_the_token(done: dict[str, Any], name: str) -> None:
    tokens = done["tokens"][name]
    assert tokens
    assert [TEXTS[name][start:end] for _, start, end in tokens] == [token for token, _, _ in tokens]
    ends = [0, *(end for _, _, end in tokens)]
    assert all(previous <= start < end for previous, (_, start, end) in zip(ends, tokens, strict=False))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("english", ["I", "don't", "want", "e-mail", "it's", "12.5", "percent"]),
        ("turkish", ["İstanbul'daki", "kasayı", "iade", "etmek", "istiyorum"]),
        ("chinese", ["怎么", "给", "顾客", "退款"]),
        ("thai", ["ฉัน", "จะ", "คืนเงิน", "ให้", "ลูกค้า"]),
        ("mixed", ["Crema", "收银机", "กับ", "iPad2"]),
        ("marks", ["b", "refund", "b", "user@crema.example"]),
        ("decomposed", ["cafe\u0301", "s\u0327ey"]),
        ("nul", ["a", "b"]),
        ("right to left", ["abc", "مرحبا"]),
        ("one", ["a"]),
    ],
)
def test_words_of_each_language(done: dict[str, Any], name: str, words: list[str]) -> None:
    assert [token for token, _, _ in done["tokens"][name]] == words


@pytest.mark.parametrize("name", ["emoji", "punctuation", "space"])
def test_a_text_without_a_word_is_one_token(done: dict[str, Any], name: str) -> None:
    assert done["tokens"][name] == [[TEXTS[name], 0, len(TEXTS[name])]]


# Context -------------------------------------------------------------------------------------------------------------


def values(entities: list[dict[str, Any]]) -> dict[str, Any]:
    return {entity["entity"]: entity["value"] for entity in entities}


def test_listed_scalars_become_entities(done: dict[str, Any]) -> None:
    found = done["context"]["scalars"]
    assert values(found) == {"language": "th", "turn": 3, "sure": True}
    assert {entity["extractor"] for entity in found} == {"ContextExtractor"}


def test_what_is_not_listed_does_not_pass(done: dict[str, Any]) -> None:
    assert values(done["context"]["not listed"]) == {"language": "th"}


@pytest.mark.parametrize("name", ["no scalars", "no slots", "empty", "none"])
def test_nothing_else_passes(done: dict[str, Any], name: str) -> None:
    assert done["context"][name] == []


def test_entities_found_before_are_kept(done: dict[str, Any]) -> None:
    assert values(done["context"]["kept"]) == {"city": "x", "language": "th", "turn": 3, "sure": True}


# Trackers ------------------------------------------------------------------------------------------------------------


def test_the_store_forgets_the_one_used_longest_ago(done: dict[str, Any]) -> None:
    assert done["trackers"]["kept"] == ["two", "three"]
    assert done["trackers"]["after_use"] == ["two", "four"]
    assert done["trackers"]["gone"]


def test_the_store_gives_back_what_it_kept(done: dict[str, Any]) -> None:
    assert done["trackers"]["text"] == "from two"


def test_the_store_deletes(done: dict[str, Any]) -> None:
    assert done["trackers"]["after_delete"] == ["four"]


def test_the_store_keeps_at_least_one(done: dict[str, Any]) -> None:
    assert done["trackers"]["refused"] == "ValueError: limit must be at least 1. Currently, it is 0."


# Features ------------------------------------------------------------------------------------------------------------


def test_vectors_come_from_the_encoder_and_are_scaled(done: dict[str, Any]) -> None:
    assert done["features"]["features"] == [[[4.0, 0.0, 2.0]], None, [[6.0, 2.0, 2.0]], None]
    assert done["features"]["dtype"] == "float32"


def test_one_call_asks_for_all_texts_as_queries(done: dict[str, Any]) -> None:
    assert done["features"]["first"] == {"path": "/encode", "texts": ["ab", "退款吗"], "role": "query"}


def test_training_examples_go_in_batches_and_keep_their_order(done: dict[str, Any]) -> None:
    assert [call["texts"] for call in done["features"]["calls"]] == [2, 256, 44]
    assert done["features"]["trained"] == [2.0 * number for number in range(1, 301)]


def test_no_message_no_call(done: dict[str, Any]) -> None:
    assert done["features"]["calls after nothing"] == len(done["features"]["calls"])


@pytest.mark.parametrize("name", ["away", "failing", "no width"])
def test_an_encoder_that_does_not_answer_is_named(done: dict[str, Any], name: str) -> None:
    assert done["features"][name].startswith("RasaException: The encoder at http://127.0.0.1:")
    assert "/encode does not answer" in done["features"][name]


def test_an_answer_of_another_size_is_named(done: dict[str, Any]) -> None:
    assert done["features"]["too few bytes"].startswith("RasaException: The encoder at ")


def test_options_are_validated(done: dict[str, Any]) -> None:
    refused = done["features"]["refused"]
    assert refused["scale 0.5"] == refused["timeout 0.5"] == ""
    for name in ("scale", "timeout"):
        for value in (0, -1):
            message = f"InvalidConfigException: {name} must be greater than 0. Currently, it is {value}."
            assert refused[f"{name} {value}"] == message


def test_the_script_does_not_leave_the_environment_of_the_tests_changed() -> None:
    assert "REFILL_ENCODER_URL" not in os.environ
