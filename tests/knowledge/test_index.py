"""Writing the index in one step, and refusing to read one that is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from bot.knowledge import index as module
from bot.knowledge import nearest
from bot.knowledge.article import Article
from bot.knowledge.centring import Centres
from bot.knowledge.head import Head
from bot.knowledge.index import (
    FORMAT,
    MANIFEST,
    Index,
    IndexDamaged,
    embed,
    passage_text,
    read_index,
    read_manifest,
    texts_of,
    write_index,
)
from bot.knowledge.keywords import terms
from bot.knowledge.splitter import Chunk
from bot.settings import LANGUAGES
from tests.knowledge.fakes import DIMENSIONS, WordEncoder, article, index_of, shelf_of

HEAD = Head(("refund-a-sale", "rules"), np.ones((DIMENSIONS, 2), np.float32), np.zeros(2, np.float32))
SHELF_FILES = (
    "articles.jsonl",
    "questions.faiss",
    "question_texts.jsonl",
    "question_vectors.npy",
    "question_words.npz",
    "question_languages.npy",
    "chunks.faiss",
    "chunk_texts.jsonl",
    "chunk_vectors.npy",
    "chunk_words.npz",
    "sentence_vectors.npy",
    "sentence_starts.npy",
)
FILES = (
    *(f"{audience}.{name}" for audience in ("public", "internal") for name in SHELF_FILES),
    "internal.head.npz",
    "centres.npz",
)
ARTICLES = (
    article("refund-a-sale", "Opening.\n\n## Steps\n\nOne."),
    article("refund-a-sale-th", "คืนเงิน", language="th", translation_of="refund-a-sale"),
    article("rules", "Only leads.", audience="internal", title="Refund rules"),
)
CENTRES = Centres({("query", ""): np.linspace(-1, 1, DIMENSIONS, dtype=np.float32)}, (DIMENSIONS,))


def made_of(*articles: Article) -> Index:
    """An index with centres and, for employees, a classifier."""
    return replace(index_of(*articles), centres=CENTRES, heads={"public": None, "internal": HEAD})


def written(folder: Path, index: Index | None = None) -> Path:
    """Write an index; the folder with its files."""
    write_index(folder, index or made_of(*ARTICLES), "words", "knowledge")
    return folder / str(read_manifest(folder)["folder"])


def refused(folder: Path, encoder: str = "words") -> IndexDamaged:
    with pytest.raises(IndexDamaged) as caught:
        read_index(folder, encoder)
    assert caught.value.remedy == "Run `refill index`."
    return caught.value


def test_what_was_written_is_read(tmp_path: Path) -> None:
    made = made_of(*ARTICLES)
    home = written(tmp_path, made)
    back = read_index(tmp_path, "words")
    assert back.build == home.name
    assert back.calibration == json.loads(json.dumps(made.calibration))
    assert np.array_equal(back.centres.means["query", ""], CENTRES.means["query", ""])
    assert back.centres.parts == (DIMENSIONS,)
    assert back.heads["public"] is None
    head = back.heads["internal"]
    assert head is not None
    assert (head.subjects, head.weights.tolist()) == (HEAD.subjects, HEAD.weights.tolist())
    for audience, shelf in made.shelves.items():
        found = back.shelves[audience]
        assert found.articles == shelf.articles
        assert found.question_texts == shelf.question_texts
        assert found.chunk_texts == shelf.chunk_texts
        for mine, theirs in ((found.questions, shelf.questions), (found.chunks, shelf.chunks)):
            assert np.array_equal(mine.reconstruct_n(0, mine.ntotal), theirs.reconstruct_n(0, theirs.ntotal))
        for name in (*VECTORS, "question_languages", "sentence_starts"):
            assert np.array_equal(getattr(found, name), getattr(shelf, name)), name
        for name in ("question_words", "chunk_words"):
            shares = [getattr(each, name).scores(terms("refund leads")) for each in (found, shelf)]
            assert np.array_equal(*shares), name


VECTORS = ("question_vectors", "chunk_vectors", "sentence_vectors")


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_16_bit_floats_that_several_processes_share(tmp_path: Path, name: str) -> None:
    written(tmp_path)
    shelf = read_index(tmp_path, "words").shelves["public"]
    vectors = getattr(shelf, name)
    assert vectors.dtype == np.float16
    assert isinstance(vectors, np.memmap)
    exact = shelf.questions.reconstruct_n(0, shelf.questions.ntotal)
    assert np.allclose(shelf.question_vectors, exact, atol=1e-3)


def test_each_chunk_has_its_sentences() -> None:
    body = "The first sentence is long enough to stand alone. The second one is long enough as well.\n\n## Part\n\nOne."
    shelf = shelf_of(article("a", body, title="T"), article("b", "Another article has one sentence."))
    assert shelf.sentence_starts.tolist() == [0, 2, 3, 4]
    first = WordEncoder().encode(["The first sentence is long enough to stand alone."], "passage")[0]
    assert (shelf.sentence_vectors @ first).argmax() == 0


def test_very_many_chunks_have_no_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SENTENCES_UP_TO", 1)
    assert len(shelf_of(article("a"), article("b")).sentence_vectors) == 0
    assert len(shelf_of(article("a")).sentence_vectors) == 1


def test_a_question_has_the_language_it_is_written_in() -> None:
    one = article("a", title="Refund a sale", questions='["怎么退款", "คืนเงินยังไง", "parayı nasıl iade ederim"]')
    assert [LANGUAGES[code] for code in shelf_of(one).question_languages] == ["en", "zh", "th", "tr"]


def test_the_search_index_holds_the_main_encoders_part() -> None:
    embedded = embed(texts_of([article("a")]), WordEncoder())
    shelf = embedded.shelf(Centres({}, (100, DIMENSIONS - 100)))
    assert (shelf.questions.d, shelf.chunks.d) == (100, 100)
    assert shelf.question_vectors.shape == (2, DIMENSIONS)
    assert np.allclose(shelf.questions.reconstruct_n(0, 2), embedded.questions[:, :100])


def test_audiences() -> None:
    made = index_of(*ARTICLES)
    assert made.for_audience("public") == (made.shelves["public"],)
    assert made.for_audience("internal") == (made.shelves["public"], made.shelves["internal"])
    assert {a.audience for shelf in made.for_audience("public") for a in shelf.articles} == {"public"}


def test_titles_and_questions_are_embedded_once_each() -> None:
    encoder = WordEncoder()
    one = article("a", "Body.", title="Same", questions='["Same", "Other", "Other"]')
    embedded = embed(texts_of([one]), encoder)
    assert [text for _, text in embedded.question_texts] == ["Same", "Other"]
    assert encoder.encoded == ["Same\nBody.", "Body.", "Same", "Other"]
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
    changed(tmp_path, lambda manifest: manifest["calibration"]["public"].update(top=[9.0] * 9))
    refused(tmp_path)


def test_a_calibration_without_a_part_is_found(tmp_path: Path) -> None:
    written(tmp_path)
    changed(tmp_path, lambda manifest: manifest["calibration"]["internal"].pop("top"))
    refused(tmp_path)


def test_another_encoder(tmp_path: Path) -> None:
    written(tmp_path)
    assert "built with another encoder" in refused(tmp_path, "another").message


def test_large_files_are_hashed_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = written(tmp_path)
    monkeypatch.setattr(module, "HASHED_AT_READING", 1)
    flip(home / "public.chunks.faiss", (home / "public.chunks.faiss").stat().st_size - 1)
    assert read_index(tmp_path, "words").build == home.name
    with pytest.raises(IndexDamaged, match=r"public\.chunks\.faiss is damaged"):
        read_index(tmp_path, "words", thorough=True)
    (home / "public.chunks.faiss").write_bytes(b"")
    assert "public.chunks.faiss is damaged" in refused(tmp_path).message


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
            write_index(tmp_path, index_of(article("new")), "words", "knowledge")
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


def test_a_reader_overtaken_by_a_build_reads_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    real = nearest.read
    news: list[Path] = []

    def overtaken(file: Path) -> faiss.Index:
        if not news:
            news.append(written(tmp_path, index_of(article("new"))))
        return real(file)

    monkeypatch.setitem(module.PARTS, "questions", replace(module.PARTS["questions"], read=overtaken))
    assert read_index(tmp_path, "words").build == news[0].name


def test_what_is_read_outlives_its_files(tmp_path: Path) -> None:
    written(tmp_path)
    old = read_index(tmp_path, "words").shelves["public"]
    written(tmp_path, index_of(article("another")))
    assert np.isfinite(old.questions.reconstruct_n(0, old.questions.ntotal)).all()


def test_how_vectors_are_searched_stands_in_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "EXACT_LIMIT", 1)
    made = index_of(*ARTICLES)
    assert made.shelves["public"].searches["questions"].kind == "approximate"
    assert made.shelves["internal"].searches["chunks"].kind == "exact"
    written(tmp_path, made)
    found = read_manifest(tmp_path)["searches"]["public"]["questions"]
    back = read_index(tmp_path, "words").shelves["public"]
    questions: Any = back.questions
    assert back.searches == made.shelves["public"].searches
    assert found["probes"] == back.searches["questions"].probes == questions.nprobe


def test_every_part_of_a_shelf_is_a_field() -> None:
    stored = {each.name for each in fields(module.Shelf)} - {"searches"}
    assert set(module.PARTS) == stored


def test_chunk_rows_are_those_of_the_article() -> None:
    made = shelf_of(article("a", "One.\n\n## H\n\nTwo."), article("b", "Three."), article("c", "Four."))
    assert [list(made.chunk_rows(one)) for one in made.articles] == [[0, 1], [2], [3]]


def test_texts_with_line_separators_are_read_as_written(tmp_path: Path) -> None:
    made = index_of(article("a", "One\u2028two\u0085three.", title='"T\u2028t"', questions='["q\u2028q"]'))
    written(tmp_path, made)
    back = read_index(tmp_path, "words").shelves["public"]
    assert back.articles == made.shelves["public"].articles
    assert back.chunk_texts == made.shelves["public"].chunk_texts
    assert back.question_texts == made.shelves["public"].question_texts
