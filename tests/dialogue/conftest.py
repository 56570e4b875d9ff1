"""A project in a folder of its own, with a model that is only bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bot.settings import Settings, load_settings

MODEL = b"a model"


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """A project as far as training and running Rasa look at it."""
    for name, content in {
        "config.yml": "pipeline: []",
        "domain.yml": "intents: []",
        "data/nlu/greet.yml": "nlu: []",
        "data/rules/greet.yml": "rules: []",
        "bot/nlu/tokenizer.py": "pass",
        "requirements/rasa.txt": "rasa==3.6.21",
        "models/rasa/model.json": json.dumps({"sha256": hashlib.sha256(MODEL).hexdigest(), "inputs": ""}),
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
    (tmp_path / "models" / "rasa" / "refill.tar.gz").write_bytes(MODEL)
    return load_settings(tmp_path, {})
