"""When the index is read and when it is built."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from bot.encoder.encoder import Encoder
from bot.errors import KnowledgeError
from bot.knowledge.build import (
    Background,
    answerer,
    assemble,
    background,
    build_lock,
    current_answerer,
    ensure_index,
    index_folder,
    is_current,
)
from bot.knowledge.index import MANIFEST, read_manifest
from bot.settings import Settings
from tests.knowledge.fakes import OFF_TOPIC, WordEncoder, article, project, put, write

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WORDS = ("milk", "cups", "beans", "foam", "grinder", "napkin")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of six public articles and one internal one, indexed."""
    for word in WORDS:
        put(tmp_path, word, f"All about {word}.", title=f"The {word}", questions=f'["where is {word}", "more {word}"]')
    put(tmp_path, "rules", "Only leads.", audience="internal", title="Rules")
    made = project(tmp_path)
    assert ensure_index(made, WordEncoder()).rebuilt
    return made


def rebuilt(settings: Settings, encoder: WordEncoder | None = None) -> bool:
    return ensure_index(settings, encoder or WordEncoder()).rebuilt


def test_what_is_current_is_read_without_encoding(settings: Settings) -> None:
    encoder = WordEncoder()
    built = ensure_index(settings, encoder)
    assert not built.rebuilt
    assert built.articles == 7
    assert encoder.encoded == []
    assert is_current(settings)


def test_force_builds_in_any_case(settings: Settings) -> None:
    encoder = WordEncoder()
    assert ensure_index(settings, encoder, force=True).rebuilt
    assert "more milk" in encoder.encoded


def test_a_changed_article_is_built_anew(settings: Settings) -> None:
    put(settings.root, "milk", "Something new about milk.", title="The milk")
    assert not is_current(settings)
    encoder = WordEncoder()
    built = ensure_index(settings, encoder)
    assert built.rebuilt
    found = answerer(settings, built.index, encoder).find("milk")
    assert found is not None
    assert found.body == "Something new about milk."
    assert is_current(settings)


def test_a_new_and_a_removed_article_are_built_anew(settings: Settings) -> None:
    file = put(settings.root, "sugar")
    assert rebuilt(settings)
    file.unlink()
    assert rebuilt(settings)
    assert not rebuilt(settings)


def test_other_off_topic_examples_are_built_anew(settings: Settings) -> None:
    project(settings.root, off_topic=OFF_TOPIC[1:])
    assert not is_current(settings)
    assert rebuilt(settings)


def test_another_encoder_is_built_anew(settings: Settings) -> None:
    assert rebuilt(settings, WordEncoder("another"))
    assert not rebuilt(settings, WordEncoder("another"))
    assert read_manifest(index_folder(settings))["encoder"] == "another"


def damage_file(folder: Path) -> None:
    home = folder / str(read_manifest(folder)["folder"])
    data = bytearray((home / "public.chunks.faiss").read_bytes())
    data[-1] ^= 1
    (home / "public.chunks.faiss").write_bytes(data)


def cut_file(folder: Path) -> None:
    home = folder / str(read_manifest(folder)["folder"])
    (home / "internal.articles.jsonl").write_bytes(b'{"id": [')


def lose_files(folder: Path) -> None:
    shutil.rmtree(folder / str(read_manifest(folder)["folder"]))


def lose_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def break_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes()[:-40])


def older_format(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["format"] -= 1
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    "damage", [damage_file, cut_file, lose_files, lose_manifest, break_manifest, older_format, shutil.rmtree]
)
def test_a_damaged_index_is_built_anew(settings: Settings, damage: Callable[[Path], None]) -> None:
    damage(index_folder(settings))
    encoder = WordEncoder()
    built = ensure_index(settings, encoder)
    assert built.rebuilt
    assert answerer(settings, built.index, encoder).decide("where is foam").article_id == "foam"
    assert not rebuilt(settings)


def test_broken_articles_are_named_each_time(settings: Settings) -> None:
    write(settings.root, "public/en/bad.md", "no front matter")
    for expected in (True, False):
        # A broken article changes nothing of what is indexed.
        built = ensure_index(settings, WordEncoder(), force=expected)
        assert [error.file.name for error in built.errors] == ["bad.md"]
        assert built.articles == 7
        assert built.rebuilt is expected


def test_progress_reaches_its_total(settings: Settings) -> None:
    steps: list[tuple[str, int, int]] = []
    ensure_index(settings, WordEncoder(), force=True, progress=lambda *step: steps.append(step))
    assert {stage for stage, _, _ in steps} == {"encoding", "calibrating"}
    for stage in ("encoding", "calibrating"):
        done = sum(step for name, step, _ in steps if name == stage)
        assert {total for name, _, total in steps if name == stage} == {done}


def test_the_background_is_the_bots_own_examples(settings: Settings) -> None:
    assert background(settings) == Background(OFF_TOPIC, OFF_TOPIC)
    other = settings.path("data", "nlu", "greet.yml")
    other.write_text("nlu:\n- intent: greet\n  examples: |\n    - hello\n    - hello\n    - hi there\n", "utf-8")
    assert background(settings) == Background(OFF_TOPIC, ("hello", "hi there", *OFF_TOPIC))
    assert rebuilt(settings)
    assert not rebuilt(settings)


def test_without_examples_of_what_is_off_topic_there_is_no_background(settings: Settings) -> None:
    settings.path("data", "nlu", "out_of_scope.yml").unlink()
    with pytest.raises(KnowledgeError, match=r"out_of_scope\.yml cannot be read"):
        background(settings)


def test_messages_in_general_tell_the_means_of_questions() -> None:
    messages = tuple(f"greetings number {number}" for number in range(30))
    shipped, bare = (
        assemble([article("milk")], Background((), texts), WordEncoder()).centres.means for texts in (messages, ())
    )
    assert ("query", "en") in shipped
    assert bare == {}


def test_the_vectors_are_what_retrieval_reads_texts_with(tmp_path: Path) -> None:
    """An encoder with companions is indexed with them."""
    put(tmp_path, "milk", "All about milk.")
    alone = Encoder(cast("SentenceTransformer", None), "alone")
    companions = WordEncoder("joined")
    alone.joined = companions
    assert ensure_index(project(tmp_path), alone).rebuilt
    assert "All about milk." in companions.encoded
    assert read_manifest(index_folder(project(tmp_path)))["encoder"] == "joined"
    assert current_answerer(project(tmp_path), alone).decide("all about milk").article_id == "milk"


@pytest.mark.parametrize("content", [None, "", "nlu: [", "nlu:\n- 5\n", "- a", "nlu: 5"])
def test_off_topic_examples_that_cannot_be_read_are_named(settings: Settings, content: str | None) -> None:
    file = settings.path("data", "nlu", "out_of_scope.yml")
    file.unlink()
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(KnowledgeError, match=r"out_of_scope\.yml cannot be read") as caught:
        ensure_index(settings, WordEncoder())
    assert "restore it" in caught.value.remedy


def test_the_answerer_follows_the_settings(settings: Settings) -> None:
    encoder = WordEncoder()
    index = ensure_index(settings, encoder).index
    strict = answerer(settings.replace(answering__answer_precision=0.999), index, encoder)
    mild = answerer(settings.replace(answering__answer_precision=0.3), index, encoder)
    assert strict.thresholds()[0] > mild.thresholds()[0]
    linked = answerer(settings.replace(server__base_url="https://help.example/"), index, encoder)
    assert linked.link(linked.articles()[0]).startswith("https://help.example/help/")


# Only what is new is encoded ------------------------------------------------------------------------------------------


def encoded(settings: Settings) -> list[str]:
    """What a build encodes."""
    encoder = WordEncoder()
    assert ensure_index(settings, encoder).rebuilt
    return encoder.encoded


def test_editing_an_article_encodes_only_its_new_texts(settings: Settings) -> None:
    put(settings.root, "milk", "Other words.", title="The milk", questions='["where is milk", "is there milk"]')
    assert set(encoded(settings)) - {"Other words."} == {"The milk\nOther words.", "is there milk"}


def test_taking_an_article_away_encodes_nothing(settings: Settings) -> None:
    settings.path("knowledge_base", "public", "en", "milk.md").unlink()
    assert encoded(settings) == []


def test_losing_the_index_encodes_nothing(settings: Settings) -> None:
    (index_folder(settings) / MANIFEST).unlink()
    assert encoded(settings) == []


def test_an_edited_index_is_what_a_new_one_would_be(settings: Settings) -> None:
    put(settings.root, "milk", "Other words.", title="The milk", questions='["where is milk"]')
    edited = ensure_index(settings, WordEncoder()).index
    anew = ensure_index(settings, WordEncoder(), force=True).index
    assert edited.calibration == anew.calibration
    for audience, shelf in anew.shelves.items():
        other = edited.shelves[audience]
        assert other.question_texts == shelf.question_texts
        count = shelf.questions.ntotal
        assert np.array_equal(other.questions.reconstruct_n(0, count), shelf.questions.reconstruct_n(0, count))


def test_vectors_of_texts_that_are_gone_are_dropped(settings: Settings) -> None:
    def size() -> int:
        (file,) = (index_folder(settings) / "vectors").iterdir()
        return file.stat().st_size

    before = size()
    for edition in range(20):
        put(settings.root, "milk", f"Edition {edition}.", title=f"Milk {edition}", questions=f'["milk {edition}"]')
        ensure_index(settings, WordEncoder())
    assert size() < 1.3 * before


def test_another_encoders_vectors_are_removed(settings: Settings) -> None:
    (one,) = (index_folder(settings) / "vectors").iterdir()
    rebuilt(settings, WordEncoder("another"))
    (other,) = (index_folder(settings) / "vectors").iterdir()
    assert one != other


IN_ANOTHER_PROCESS = """
import os, signal, sys
from pathlib import Path
from bot.knowledge import vectors
from bot.knowledge.build import ensure_index
from bot.settings import load_settings
from tests.knowledge.fakes import WordEncoder

vectors._BATCH = 2
encoder = WordEncoder()
killed_after = int(sys.argv[2])

class Killed:
    fingerprint = encoder.fingerprint
    parts = encoder.parts
    def encode(self, texts, role, progress=None):
        if killed_after and len(encoder.encoded) >= killed_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return encoder.encode(texts, role, progress)

built = ensure_index(load_settings(Path(sys.argv[1]), environ={}), Killed())
print(int(built.rebuilt), len(encoder.encoded))
"""


def start(settings: Settings, killed_after: int = 0) -> subprocess.Popen[str]:
    """Build the index in another process; it kills itself after so many texts."""
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(settings.root), str(killed_after)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_build_that_was_killed_goes_on_where_it_stopped(settings: Settings) -> None:
    whole = len(set(encoded(forget(settings))))
    killed = start(forget(settings), killed_after=10)
    assert killed.wait(60) == -signal.SIGKILL
    killed.communicate()
    rest = encoded(settings)
    assert len(rest) == whole - 10
    assert not rebuilt(settings)


def forget(settings: Settings) -> Settings:
    """Remove the index and every vector."""
    shutil.rmtree(index_folder(settings))
    return settings


@pytest.mark.slow
def test_of_two_builds_at_once_one_builds_and_the_other_reads(settings: Settings) -> None:
    forget(settings)
    both = [start(settings) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].split() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert [line[0] for line in said] == ["0", "1"]
    assert said[0][1] == "0"
    assert not rebuilt(settings)


def test_a_build_waits_for_the_one_under_way(settings: Settings) -> None:
    put(settings.root, "milk", "Something new.", title="The milk")
    stages: list[str] = []
    with build_lock(settings, lambda *step: None):
        waiting = threading.Thread(
            target=ensure_index,
            args=(settings, WordEncoder()),
            kwargs={"progress": lambda *step: stages.append(step[0])},
        )
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        assert stages == ["waiting"]
    waiting.join(20)
    assert stages[:2] == ["waiting", "waiting"]
    assert not rebuilt(settings)


def test_who_waited_builds_from_the_articles_as_they_are_then(settings: Settings) -> None:
    put(settings.root, "milk", "Edition 1.", title="The milk")
    with build_lock(settings, lambda *step: None):
        waiting = threading.Thread(target=ensure_index, args=(settings, WordEncoder()))
        waiting.start()
        waiting.join(0.5)
        put(settings.root, "milk", "Edition 2.", title="The milk")
    waiting.join(20)
    assert not rebuilt(settings)
