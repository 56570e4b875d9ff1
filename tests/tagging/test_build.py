"""When the tagger is trained, what is recorded, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.errors import RefillError, TaggingError
from bot.settings import Settings, load_settings
from bot.tagging import build
from bot.tagging.build import GRAPH, MANIFEST, ensure_tagger, is_current, load_tagger, tagger_folder, train
from bot.tagging.examples import load_examples
from bot.tagging.recipe import Recipe

if TYPE_CHECKING:
    from bot.encoder.encoder import Encoder
    from bot.tagging.tagger import Tagger

pytestmark = pytest.mark.encoder


@pytest.fixture
def copied(settings: Settings, tagger: Tagger, tmp_path: Path) -> Settings:
    """A project of the test's own with the shipped tagger."""
    shutil.copytree(tagger_folder(settings), tmp_path / "models" / "tagger")
    shutil.copytree(settings.path("data", "tags"), tmp_path / "data" / "tags")
    (tmp_path / "models" / "encoder").symlink_to(settings.models / "encoder")
    return load_settings(tmp_path, {})


def test_the_shipped_tagger_is_current(copied: Settings, encoder: Encoder) -> None:
    assert is_current(copied, encoder.fingerprint)
    assert not is_current(copied, "another encoder")
    assert load_tagger(copied, encoder).version == json.loads((tagger_folder(copied) / MANIFEST).read_text())["version"]


def test_an_edited_example_makes_it_out_of_date(copied: Settings, encoder: Encoder) -> None:
    file = copied.path("data", "tags", "en", "none.yml")
    file.write_text(file.read_text("utf-8") + '- text: "Lovely weather over here."\n', "utf-8")
    assert not is_current(copied, encoder.fingerprint)


def test_no_tagger(copied: Settings, encoder: Encoder) -> None:
    shutil.rmtree(tagger_folder(copied))
    with pytest.raises(TaggingError, match=r"There is no tagger\. Run `refill train`\."):
        load_tagger(copied, encoder)


def test_another_graph_is_not_loaded(copied: Settings, encoder: Encoder) -> None:
    (tagger_folder(copied) / GRAPH).write_bytes(b"something else")
    with pytest.raises(TaggingError, match="is not the one trained here"):
        load_tagger(copied, encoder)


def test_a_damaged_record_means_training(copied: Settings, encoder: Encoder) -> None:
    (tagger_folder(copied) / MANIFEST).write_text("{", "utf-8")
    assert not is_current(copied, encoder.fingerprint)


@pytest.fixture
def small(copied: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With few examples and a short training."""
    monkeypatch.setattr(build, "Recipe", lambda: Recipe(epochs=1))
    for file in copied.path("data", "tags").rglob("*.yml"):
        if file.stem not in ("defect", "expansion", "none") or file.parent.name != "th":
            file.unlink()
    return copied


@pytest.mark.slow
def test_it_is_trained_once_and_the_one_before_stays_until_the_new_one_is_complete(
    small: Settings, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_tagger(small, encoder).version
    stages: list[str] = []

    def fail(*arguments: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr("bot.tagging.head.export", fail)
        with pytest.raises(OSError, match="disk full"):
            ensure_tagger(small, encoder)
    assert load_tagger(small, encoder).version == before
    after = ensure_tagger(small, encoder, progress=lambda stage, done, total: stages.append(stage))
    assert after.version != before
    assert list(dict.fromkeys(stages)) == ["reading", "training"]
    stages.clear()
    assert ensure_tagger(small, encoder, progress=lambda stage, *_: stages.append(stage)).version == after.version
    assert stages == []
    corrections = load_examples(build.examples_folder(small))[:3]
    ensure_tagger(small, encoder, True, corrections)
    assert build.manifest(small)["corrections"] == 3


@pytest.mark.slow
def test_corrections_are_learnt_and_what_they_changed_is_shown(
    small: Settings, encoder: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    from bot.cli import _train_with_corrections

    with pytest.raises(RefillError, match="There are no corrections yet"):
        _train_with_corrections(small, encoder)
    correct_a_message(small)
    _train_with_corrections(small, encoder)
    shown = capsys.readouterr().out
    assert "trained on 1 corrected messages too" in shown
    assert "corrected tags right" in shown
    assert build.manifest(small)["corrections"] == 1


def correct_a_message(settings: Settings) -> None:
    """A customer's message with a tag that a person added."""
    from sqlalchemy.orm import Session

    from bot.conversation.corrections import correct
    from bot.conversation.store import ConversationStore
    from bot.handoff.cli import database

    with database(settings) as engine:
        store = ConversationStore(engine)
        conversation_id, _ = store.create("webchat", "public", "en")
        store.add_customer_message(conversation_id, "a", "The drawer jams and we open two more.", {})
        with Session(engine) as session, session.begin():
            correct(session, conversation_id, 1, "defect", "add", "ada", "The drawer jams")


@pytest.mark.slow
def test_calibration_sees_only_what_was_held_out(small: Settings, encoder: Encoder) -> None:
    examples = load_examples(build.examples_folder(small))
    trained = train(examples, small.models / "encoder", encoder)
    assert trained.held_out == tuple(example for example in examples if build.is_held_out(example))
    assert trained.logits.shape[0] == len(trained.held_out)
    assert 0.2 < trained.calibration.topic < 0.7
