"""Stock Rasa's intent classifier: the pipeline `rasa init` writes, trained and asked through the `rasa` command."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bot.dialogue.training import rasa_environment, rasa_python
from bot.knowledge.examples import Example
from bot.settings import Settings

_OUTSIDE = "outside"
_CONFIG = {
    "recipe": "default.v1",
    "assistant_id": "stock",
    "language": "en",
    "pipeline": [
        {"name": "WhitespaceTokenizer"},
        {"name": "RegexFeaturizer"},
        {"name": "LexicalSyntacticFeaturizer"},
        {"name": "CountVectorsFeaturizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
        {"name": "DIETClassifier", "epochs": 100, "constrain_similarities": True},
    ],
}


def guess(
    settings: Settings, folder: Path, train: Sequence[Example], test: Sequence[Example]
) -> list[tuple[str | None, float]]:
    """Train on examples and ask for the intent of each test text, with its confidence.

    Args:
        settings: Tell where Rasa's runtime is.
        folder: Scratch; emptied first.
        train: Examples out of scope are left out.
        test: In any scope.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # A slash in an intent's name means something to Rasa, so labels are numbered.
    labels = sorted({example.label for example in train if example.label})
    names = {label: f"label_{number}" for number, label in enumerate(labels)}
    learnt = [(names[example.label], _line(example.text)) for example in train if example.label and example.text]
    asked = [(names.get(example.label or "", _OUTSIDE), _line(example.text)) for example in test if example.text]
    _write(folder / "config.yml", _CONFIG)
    _write(folder / "domain.yml", {"version": "3.1", "intents": [*names.values(), _OUTSIDE]})
    _write(folder / "train.yml", _nlu(learnt))
    _write(folder / "test.yml", _nlu(asked))
    _rasa(settings, folder, "train", "nlu", "--nlu", "train.yml", "--fixed-model-name", "stock", "--out", "models")
    _rasa(
        settings,
        folder,
        *("test", "nlu", "--nlu", "test.yml", "--model", "models/stock.tar.gz", "--out", "results"),
        *("--successes", "--no-plot", "--domain", "domain.yml"),
    )
    titles = {name: label for label, name in names.items()}
    said: dict[str, tuple[str | None, float]] = {}
    for name in ("intent_successes.json", "intent_errors.json"):
        for entry in json.loads((folder / "results" / name).read_text("utf-8")):
            found = entry["intent_prediction"]
            said[entry["text"]] = titles.get(found["name"]), float(found["confidence"])
    return [said.get(_line(example.text), (None, 0.0)) for example in test]


def _line(text: str) -> str:
    """A text as an example in Rasa's format, where brackets mark entities."""
    return " ".join(text.translate(dict.fromkeys(map(ord, "[]{}"), " ")).split())


def _nlu(examples: Sequence[tuple[str, str]]) -> dict[str, Any]:
    blocks: dict[str, list[str]] = {}
    for name, text in examples:
        blocks.setdefault(name, []).append(f"- {text}\n")
    return {"version": "3.1", "nlu": [{"intent": name, "examples": "".join(lines)} for name, lines in blocks.items()]}


def _write(file: Path, content: Any) -> None:
    file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")


def _rasa(settings: Settings, folder: Path, *arguments: str) -> None:
    command = [str(rasa_python(settings)), "-m", "rasa", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=rasa_environment("http://127.0.0.1:9", 2), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"rasa {arguments[0]} failed: {done.stderr[-2000:]}")
