"""Writing the index in one step, and refusing to read one that is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from bot.knowledge.centring import Centres
from bot.knowledge.index import (
    FORMAT,
    MANIFEST,
    Index,
    IndexDamaged,
    count_texts,
    embed,
    passage_text,
    read_index,
    read_manifest,
    write_index,
)
from bot.knowledge.splitter import Chunk
from tests.knowledge.fakes import DIMENSIONS, WordEncoder, article, index_of

FILES = (
    "public.json",
    "public.questions.faiss",
    "public.chunks.faiss",
    "internal.json",
    "internal.questions.faiss",
    "internal.chunks.faiss",
    "centres.npz",
)
ARTICLES = (
    article("refund-a-sale", "Opening.\n\n## Steps\n\nOne."),
    article("refund-a-sale-th", "คืนเงิน", language="th", translation_of="refund-a-sale"),
    article("rules", "Only leads.", audience="internal", title="Refund rules"),
)
CENTRES = Centres({("query", ""): np.linspace(-1, 1, DIMENSIONS, dtype=np.float32)})


def written(folder: Path, index: Index | None = None) -> Path:
    """Write an index; the folder with its files."""
    made = index or index_of(*ARTICLES)
    write_index(folder, made.shelves, CENTRES, made.calibration, "words", "knowledge")
    return folder / str(read_manifest(folder)["folder"])


def refused(folder: Path, encoder: str = "words") -> IndexDamaged:
    with pytest.raises(IndexDamaged) as caught:
        read_index(folder, encoder)
    assert caught.value.remedy == "Run `refill index`."
    return caught.value


def test_what_was_written_is_read(tmp_path: Path) -> None:
    made = index_of(*ARTICLES)
    home = written(tmp_path, made)
    back = read_index(tmp_path, "words")
    assert back.build == home.name
    assert back.calibration == json.loads(json.dumps(made.calibration))
    assert np.array_equal(back.centres.means["query", ""], CENTRES.means["query", ""])
    for audience, shelf in made.shelves.items():
        found = back.shelves[audience]
        assert found.articles == shelf.articles
        assert found.question_texts == shelf.question_texts
        assert found.chunk_texts == shelf.chunk_texts
        for mine, theirs in ((found.questions, shelf.questions), (found.chunks, shelf.chunks)):
            assert np.array_equal(mine.reconstruct_n(0, mine.ntotal), theirs.reconstruct_n(0, theirs.ntotal))


def test_audiences() -> None:
    made = index_of(*ARTICLES)
    assert made.for_audience("public") == (made.shelves["public"],)
    assert made.for_audience("internal") == (made.shelves["public"], made.shelves["internal"])
    assert {a.audience for shelf in made.for_audience("public") for a in shelf.articles} == {"public"}


def test_titles_and_questions_are_embedded_once_each() -> None:
    encoder = WordEncoder()
    one = article("a", "Body.", title="Same", questions='["Same", "Other", "Other"]')
    embedded = embed([one], encoder)
    assert [text for _, text in embedded.question_texts] == ["Same", "Other"]
    assert encoder.encoded == ["Same", "Other", "Same\nBody."]
    assert count_texts([one]) == 3
    assert embedded.question_languages == ["en", "en"]


def test_a_passage_is_encoded_with_its_title_and_heading() -> None:
    one = article("a", title="Title")
    assert passage_text(one, Chunk("Heading", "Text")) == "Title\nHeading\nText"
    assert passage_text(one, Chunk("", "Text")) == "Title\nText"


def test_empty_shelves_are_written_and_read(tmp_path: Path) -> None:
    written(tmp_path, index_of(article("a")))
    assert read_index(tmp_path, "words").shelves["internal"].articles == ()


# Damage --------------------------------------------------------------------------------------------------------------


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 0x10
    file.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found(tmp_path: Path, name: str) -> None:
    home = written(tmp_path)
    size = (home / name).stat().st_size
    for place in (0, size // 2, size - 1):
        flip(home / name, place)
        assert f"{name} is damaged" in refused(tmp_path).message
        flip(home / name, place)
    assert read_index(tmp_path, "words").build == home.name


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_or_gone_is_found(tmp_path: Path, name: str) -> None:
    home = written(tmp_path)
    whole = (home / name).read_bytes()
    (home / name).write_bytes(whole[: len(whole) // 2])
    assert f"{name} is damaged" in refused(tmp_path).message
    (home / name).unlink()
    assert name in refused(tmp_path).message


def test_the_files_are_those_that_are_checked(tmp_path: Path) -> None:
    home = written(tmp_path)
    assert sorted(read_manifest(tmp_path)["files"]) == sorted(FILES) == sorted(file.name for file in home.iterdir())


def test_no_index(tmp_path: Path) -> None:
    assert "There is no index" in refused(tmp_path).message


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"not json"])
def test_a_manifest_that_is_no_json(tmp_path: Path, content: bytes) -> None:
    written(tmp_path)
    (tmp_path / MANIFEST).write_bytes(content)
    assert "damaged manifest" in refused(tmp_path).message


@pytest.mark.parametrize("content", ["[]", "{}", "null", f'{{"format": {FORMAT - 1}}}', f'{{"format": {FORMAT + 1}}}'])
def test_another_format(tmp_path: Path, content: str) -> None:
    written(tmp_path)
    (tmp_path / MANIFEST).write_text(content, "utf-8")
    assert f"this version reads {FORMAT}" in refused(tmp_path).message


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize("key", ["encoder", "folder", "calibration", "files"])
def test_a_manifest_that_lacks_a_key(tmp_path: Path, key: str) -> None:
    written(tmp_path)
    changed(tmp_path, lambda manifest: manifest.pop(key))
    assert "The index in" in refused(tmp_path).message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("folder", 3),
        ("folder", "build-gone"),
        ("files", 3),
        ("files", {}),
    ],
)
def test_a_manifest_with_other_values(tmp_path: Path, key: str, value: object) -> None:
    written(tmp_path)
    changed(tmp_path, lambda manifest: manifest.update({key: value}))
    assert "is damaged" in refused(tmp_path).message


def test_a_flipped_digit_of_the_calibration_is_found(tmp_path: Path) -> None:
    written(tmp_path)
    changed(tmp_path, lambda manifest: manifest["calibration"].update(top=[9.0] * 9))
    refused(tmp_path)


def test_a_calibration_without_a_part_is_found(tmp_path: Path) -> None:
    written(tmp_path)
    changed(tmp_path, lambda manifest: manifest["calibration"].pop("top"))
    refused(tmp_path)


def test_another_encoder(tmp_path: Path) -> None:
    written(tmp_path)
    assert "built with another encoder" in refused(tmp_path, "another").message


# In one step ---------------------------------------------------------------------------------------------------------


def test_a_new_index_replaces_the_old_one(tmp_path: Path) -> None:
    old = written(tmp_path)
    new = written(tmp_path, index_of(article("another")))
    assert old != new
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([MANIFEST, new.name])
    assert [a.id for a in read_index(tmp_path, "words").shelves["public"].articles] == ["another"]


@pytest.mark.parametrize("failing", ["write_index", "replace"])
def test_a_write_that_fails_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    old = written(tmp_path)

    def fail(*arguments: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(faiss if failing == "write_index" else os, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            write_index(tmp_path, index_of(article("new")).shelves, CENTRES, {}, "words", "knowledge")
    assert read_index(tmp_path, "words").build == old.name
    new = written(tmp_path)
    assert [path.name for path in tmp_path.glob("build-*")] == [new.name]


def test_the_manifest_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    real = os.replace

    def watch(source: Path, target: Path) -> None:
        home = tmp_path / str(json.loads(source.read_text("utf-8"))["folder"])
        seen.append(sorted(file.name for file in home.iterdir()))
        assert not target.exists()
        real(source, target)

    monkeypatch.setattr(os, "replace", watch)
    written(tmp_path)
    assert seen == [sorted(FILES)]
