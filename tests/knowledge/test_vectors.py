"""Vectors on disk: no text twice, no vector of another encoder, nothing lost when a build is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.encoder.encoder import Role, Vectors
from bot.errors import KnowledgeError
from bot.knowledge import vectors
from bot.knowledge.vectors import StoredEncoder, count_new, tidy
from tests.knowledge.fakes import WordEncoder

TEXTS = [f"text {number}" for number in range(20)]


class Tiny:
    """Vectors of a few numbers made from the text; keeps what it was asked."""

    def __init__(self, fingerprint: str = "tiny", dimensions: int = 3) -> None:
        self.fingerprint = fingerprint
        self.dimensions = dimensions
        self.asked: list[tuple[str, Role]] = []

    @property
    def parts(self) -> tuple[int, ...]:
        """One."""
        return (self.dimensions,)

    def encode(self, texts: Sequence[str], role: Role, progress: Callable[[int], None] | None = None) -> Vectors:
        """Shape (len(texts), dimensions)."""
        self.asked += [(text, role) for text in texts]
        if progress:
            progress(len(texts))
        return np.array([self.vector(text, role) for text in texts], dtype=np.float32)

    def vector(self, text: str, role: Role) -> list[float]:
        """What a text becomes."""
        value = sum(map(ord, text)) + (0.5 if role == "query" else 0)
        return [value + place for place in range(self.dimensions)]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few texts are several batches."""
    monkeypatch.setattr(vectors, "_BATCH", 4)
    monkeypatch.setattr(vectors, "_BLOCK", 3)


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    first, again = Tiny(), Tiny()
    made = StoredEncoder(first, tmp_path).encode([*TEXTS, TEXTS[0]], "query")
    found = StoredEncoder(again, tmp_path).encode([*TEXTS, TEXTS[0]], "query")
    assert first.asked == [(text, "query") for text in TEXTS]
    assert again.asked == []
    assert np.array_equal(made, found)
    assert np.array_equal(found, Tiny().encode([*TEXTS, TEXTS[0]], "query"))
    assert found.dtype == np.float32


def test_only_new_texts_are_encoded(tmp_path: Path) -> None:
    StoredEncoder(Tiny(), tmp_path).encode(TEXTS, "query")
    encoder = Tiny()
    stored = StoredEncoder(encoder, tmp_path)
    assert stored.count_new([("query", "new"), ("query", "new"), ("query", TEXTS[3])]) == 1
    reported: list[int] = []
    stored.encode([TEXTS[3], "new", TEXTS[5]], "query", reported.append)
    assert encoder.asked == [("new", "query")]
    assert reported == [1]


def test_roles_are_kept_apart(tmp_path: Path) -> None:
    encoder = Tiny()
    stored = StoredEncoder(encoder, tmp_path)
    query, passage = stored.encode(["a"], "query"), stored.encode(["a"], "passage")
    assert not np.array_equal(query, passage)
    assert encoder.asked == [("a", "query"), ("a", "passage")]


def test_encoders_are_kept_apart(tmp_path: Path) -> None:
    StoredEncoder(Tiny("one"), tmp_path).encode(TEXTS, "query")
    other = Tiny("other")
    assert StoredEncoder(other, tmp_path).count_new([("query", TEXTS[0])]) == 1


def test_a_file_under_another_encoders_name_is_not_used(tmp_path: Path) -> None:
    one, other = StoredEncoder(Tiny("one"), tmp_path), StoredEncoder(Tiny("other"), tmp_path)
    one.encode(TEXTS, "query")
    one.file.rename(other.file)
    assert len(StoredEncoder(Tiny("other"), tmp_path)) == 0


def test_no_texts_are_no_vectors(tmp_path: Path) -> None:
    assert StoredEncoder(Tiny(), tmp_path).encode([], "query").shape == (0, 0)


def test_lone_surrogates_are_taken(tmp_path: Path) -> None:
    assert StoredEncoder(Tiny(), tmp_path).encode(["a\ud800"], "query").shape == (1, 3)


def test_it_goes_on_after_a_cut_at_any_byte(tmp_path: Path) -> None:
    stored = StoredEncoder(Tiny(), tmp_path)
    expected = stored.encode(TEXTS[:6], "query")
    whole = stored.file.read_bytes()
    for size in range(len(whole)):
        stored.file.write_bytes(whole[:size])
        encoder = Tiny()
        resumed = StoredEncoder(encoder, tmp_path)
        kept = len(resumed)
        assert np.array_equal(resumed.encode(TEXTS[:6], "query"), expected)
        assert [text for text, _ in encoder.asked] == TEXTS[kept:6]
        assert stored.file.read_bytes() == whole


@pytest.mark.parametrize("place", [64, 66, 81, 85, 95])
def test_a_damaged_record_is_encoded_again(tmp_path: Path, place: int) -> None:
    stored = StoredEncoder(Tiny(), tmp_path)
    expected = stored.encode(TEXTS, "query")
    data = bytearray(stored.file.read_bytes())
    data[place] ^= 0x10
    stored.file.write_bytes(data)
    encoder = Tiny()
    assert np.array_equal(StoredEncoder(encoder, tmp_path).encode(TEXTS, "query"), expected)
    assert encoder.asked == [(TEXTS[0], "query")]


@pytest.mark.parametrize("place", [0, 8, 40])
def test_a_damaged_header_is_a_new_file(tmp_path: Path, place: int) -> None:
    stored = StoredEncoder(Tiny(), tmp_path)
    stored.encode(TEXTS, "query")
    data = bytearray(stored.file.read_bytes())
    data[place] ^= 0x10
    stored.file.write_bytes(data)
    resumed = StoredEncoder(Tiny(), tmp_path)
    assert np.array_equal(resumed.encode(TEXTS, "query"), Tiny().encode(TEXTS, "query"))
    assert len(StoredEncoder(Tiny(), tmp_path)) == len(TEXTS)


def test_other_dimensions_are_refused(tmp_path: Path) -> None:
    StoredEncoder(Tiny(), tmp_path).encode(TEXTS, "query")
    with pytest.raises(KnowledgeError, match="vectors of 5 dimensions, and 3 before") as caught:
        StoredEncoder(Tiny(dimensions=5), tmp_path).encode(["new"], "query")
    assert caught.value.remedy == "Run `refill index --force`."


def test_what_is_cleared_is_encoded_again(tmp_path: Path) -> None:
    encoder = Tiny(dimensions=5)
    StoredEncoder(Tiny(), tmp_path).encode(TEXTS, "query")
    stored = StoredEncoder(encoder, tmp_path)
    stored.clear()
    assert stored.encode(TEXTS, "query").shape == (20, 5)
    assert len(encoder.asked) == 20


def test_a_little_waste_stays_and_much_is_dropped(tmp_path: Path) -> None:
    StoredEncoder(Tiny(), tmp_path).encode(TEXTS, "query")
    for used, left in ((TEXTS[:16], 20), (TEXTS[:15], 15)):
        stored = StoredEncoder(Tiny(), tmp_path)
        stored.encode(used, "query")
        stored.drop_unused()
        assert len(stored) == len(StoredEncoder(Tiny(), tmp_path)) == left
    encoder = Tiny()
    stored = StoredEncoder(encoder, tmp_path)
    assert np.array_equal(stored.encode(TEXTS[:15], "query"), Tiny().encode(TEXTS[:15], "query"))
    assert encoder.asked == []


def test_it_can_be_used_after_dropping(tmp_path: Path) -> None:
    StoredEncoder(Tiny(), tmp_path).encode(TEXTS, "query")
    stored = StoredEncoder(Tiny(), tmp_path)
    stored.encode(TEXTS[10:], "query")
    stored.drop_unused()
    assert np.array_equal(stored.encode(TEXTS, "query"), Tiny().encode(TEXTS, "query"))


def test_tidying_removes_what_is_of_no_use(tmp_path: Path) -> None:
    StoredEncoder(Tiny("old"), tmp_path).encode(TEXTS, "query")
    (tmp_path / "half.new").write_bytes(b"x")
    in_use = [StoredEncoder(Tiny(name), tmp_path) for name in ("one", "two")]
    for stored in in_use:
        stored.encode(TEXTS, "query")
    tidy(tmp_path, in_use)
    assert set(tmp_path.iterdir()) == {stored.file for stored in in_use}


def test_it_says_of_its_encoder_what_that_says(tmp_path: Path) -> None:
    stored = StoredEncoder(Tiny("name", 4), tmp_path)
    assert (stored.fingerprint, stored.parts) == ("name", (4,))


def test_other_encoders_report_every_text() -> None:
    assert count_new(WordEncoder(), [("query", "a"), ("query", "a")]) == 2
