"""An article is edited and indexed by another process while customers ask: no question fails, the answer changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.encoder.encoder import Encoder
from bot.settings import Settings, load_settings
from bot.tagging.tagger import Tagger
from tests.conftest import Product, start_product
from tests.scenarios.conftest import Visit
from tests.scenarios.visitor import texts

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]

QUESTION = "Can I still sell when the internet is down?"
BEFORE, AFTER = "for up to 72 hours without internet", "for up to 31 days without internet"
SHARED = (".venv-rasa", "actions", "bot", "config.yml", "credentials.yml", "data", "domain.yml", "endpoints.yml")


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Path:
    """A project with some of the English articles, and all else as in this one."""
    encoders = [f"models/{folder.name}" for folder in settings.models.glob("encoder*")]
    for name in (*SHARED, "models/rasa", *encoders):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(settings.path(name))
    # Vectors of this project's texts: what is new is encoded all the same.
    shutil.copytree(settings.models / "index" / "vectors", tmp_path / "models" / "index" / "vectors")
    articles = tmp_path / "knowledge_base" / "public" / "en"
    articles.mkdir(parents=True)
    shipped = sorted((settings.knowledge_folder / "public" / "en").glob("*.md"))
    for file in [*shipped[:20], settings.knowledge_folder / "public" / "en" / "offline-mode.md"]:
        shutil.copy(file, articles)
    return tmp_path


@pytest.fixture
def product(root: Path, encoder: Encoder, tagger: Tagger) -> Iterator[Product]:
    """The product on that project."""
    from bot.knowledge import build

    settings = load_settings(root, environ={})
    answerer = build.answerer(settings, build.ensure_index(settings, encoder).index, encoder)
    yield from start_product(settings, encoder, answerer, tagger, root / "refill.db")


def test_an_edited_article_is_answered_with_after_refill_index(root: Path, product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    assert BEFORE in texts(guest.say(QUESTION))
    file = root / "knowledge_base" / "public" / "en" / "offline-mode.md"
    file.write_text(file.read_text("utf-8").replace(BEFORE, AFTER), "utf-8")
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "index"],
        env={**os.environ, "REFILL_ROOT": str(root)},
        stderr=subprocess.PIPE,
        text=True,
    ) as rebuild:
        end = time.monotonic() + 120
        while AFTER not in (said or [""])[-1] and time.monotonic() < end and not rebuild.poll():
            said.append(texts(visit(product, "en").say(QUESTION)))
        report = rebuild.communicate(timeout=60)[1]
    assert rebuild.returncode == 0, report
    assert "Encoding texts" in report
    assert AFTER in said[-1]
    assert all(BEFORE in text or AFTER in text for text in said)
    assert AFTER in guest.http.get("/help/offline-mode").text
