"""When the index is read and when it is built."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import KnowledgeError
from bot.knowledge.build import answerer, ensure_index, index_folder, is_current, off_topic_texts
from bot.knowledge.index import MANIFEST, read_manifest
from bot.settings import Settings
from tests.knowledge.fakes import OFF_TOPIC, WordEncoder, project, put, write

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
    (home / "internal.json").write_bytes(b'{"articles": [')


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


def test_off_topic_texts_are_the_bots_own_examples(settings: Settings) -> None:
    assert off_topic_texts(settings) == OFF_TOPIC


@pytest.mark.parametrize("content", [None, "", "nlu: [", "nlu:\n- intent: x\n", "- a", "nlu: 5"])
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
    assert strict.thresholds[0] >= mild.thresholds[0]
    linked = answerer(settings.replace(server__base_url="https://help.example/"), index, encoder)
    assert linked.link(linked.articles()[0]).startswith("https://help.example/help/")
