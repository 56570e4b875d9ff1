"""Rasa's own tests on the trained model: data is consistent, stories are taken as written, intents recognised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.dialogue.training import rasa_python, run_rasa, verified_model
from bot.encoder.encoder import Encoder
from bot.serve import encoder_server
from bot.settings import Settings

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]


@pytest.fixture(scope="module")
def encoder_url(encoder: Encoder) -> Iterator[str]:
    """The encoder, served as Rasa's pipeline wants it."""
    with encoder_server(encoder) as url:
        yield url


def _rasa(settings: Settings, url: str, *arguments: str) -> list[str]:
    return run_rasa(settings, [str(rasa_python(settings)), "-m", "rasa", *arguments], url)


def test_data_is_consistent(settings: Settings, encoder_url: str) -> None:
    data = ("--data", "data/nlu", "data/rules", "data/stories")
    lines = _rasa(settings, encoder_url, "data", "validate", "--domain", "domain.yml", *data)
    assert any("No story structure conflicts found" in line for line in lines)


def test_stories_are_taken_as_written(settings: Settings, encoder_url: str, tmp_path: Path) -> None:
    _rasa(
        settings,
        encoder_url,
        *("test", "core", "--model", str(verified_model(settings)), "--stories", "tests/data/test_stories.yml"),
        *("--e2e", "--endpoints", "endpoints.yml", "--out", str(tmp_path), "--fail-on-prediction-errors"),
    )
    report = json.loads((tmp_path / "story_report.json").read_text("utf-8"))
    assert report["conversation_accuracy"]["total"] == 9
    assert report["conversation_accuracy"]["correct"] == 9


@pytest.fixture(scope="module")
def report(settings: Settings, encoder_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`rasa test nlu` on texts held out from training, in four languages."""
    out = tmp_path_factory.mktemp("nlu")
    _rasa(
        settings,
        encoder_url,
        *("test", "nlu", "--model", str(verified_model(settings)), "--nlu", "tests/data/nlu_test.yml"),
        *("--out", str(out), "--no-plot"),
    )
    found: dict[str, Any] = json.loads((out / "intent_report.json").read_text("utf-8"))
    return found


def test_intents_are_recognised(report: dict[str, Any]) -> None:
    assert report["weighted avg"]["f1-score"] >= 0.85


def test_a_wish_for_a_person_is_recognised(report: dict[str, Any]) -> None:
    assert report["request_human"]["recall"] >= 0.9
    assert report["request_human"]["precision"] >= 0.9
