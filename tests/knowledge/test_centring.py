"""Taking a language's own direction out of vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.encoder.encoder import Vectors
from bot.knowledge.centring import MIN_TEXTS, Centres, fit_centres, from_arrays, slices, to_arrays


def cloud(count: int, language_axis: int, seed: int = 0) -> Vectors:
    """Unit vectors that share a strong direction, as texts of one language do, and differ in the last four."""
    vectors = np.zeros((count, 8), dtype=np.float32)
    vectors[:, language_axis] = 3
    vectors[:, 4:] = np.random.default_rng(seed).normal(size=(count, 4))
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def none() -> tuple[Vectors, list[str]]:
    return np.zeros((0, 0), dtype=np.float32), []


def test_the_means_are_those_of_each_language_and_of_all() -> None:
    english, thai = cloud(30, 0), cloud(25, 1)
    vectors = np.concatenate([english, thai])
    centres = fit_centres((vectors, ["en"] * 30 + ["th"] * 25), none(), none())
    assert {key for key in centres.means if key[0] == "query"} == {("query", ""), ("query", "en"), ("query", "th")}
    assert np.allclose(centres.means["query", "en"], english.mean(axis=0))
    assert np.allclose(centres.means["query", "th"], thai.mean(axis=0))
    assert np.allclose(centres.means["query", ""], vectors.mean(axis=0))


def test_texts_of_two_languages_come_together() -> None:
    english, thai = cloud(40, 0, seed=1), cloud(40, 1, seed=1)
    languages = ["en"] * 40 + ["th"] * 40
    both = np.concatenate([english, thai])
    centred = fit_centres((both, languages), none(), none()).apply(both, languages, "query")
    same_meaning = (centred[:40] * centred[40:]).sum(axis=1)
    assert float((english * thai).sum(axis=1).mean()) < 0.5
    assert float(same_meaning.mean()) > 0.9
    assert np.allclose(np.linalg.norm(centred, axis=1), 1, atol=1e-5)
    assert centred.dtype == np.float32


def test_questions_and_passages_have_means_of_their_own() -> None:
    centres = fit_centres((cloud(20, 0), ["en"] * 20), (cloud(20, 1), ["en"] * 20), none())
    assert not np.allclose(centres.means["query", "en"], centres.means["passage", "en"])


def test_few_texts_tell_no_mean() -> None:
    few = MIN_TEXTS - 1
    vectors = cloud(few + MIN_TEXTS, 0)
    centres = fit_centres((vectors, ["tr"] * few + ["en"] * MIN_TEXTS), none(), none())
    assert {key for key in centres.means if key[0] == "query"} == {("query", ""), ("query", "en")}
    assert fit_centres((vectors[:few], ["en"] * few), none(), none()).means == {}


def test_too_few_passages_take_the_means_of_questions() -> None:
    centres = fit_centres((cloud(20, 0), ["en"] * 20), (cloud(3, 1), ["en"] * 3), none())
    for language in ("", "en"):
        assert np.array_equal(centres.means["passage", language], centres.means["query", language])


def test_other_texts_count_like_questions_and_stand_for_a_language_the_articles_lack() -> None:
    others = (np.concatenate([cloud(20, 0, 2), cloud(20, 1, 3)]), ["en"] * 20 + ["th"] * 20)
    questions = (cloud(60, 2), ["en"] * 60)
    centres = fit_centres(questions, none(), others)
    english = np.concatenate([questions[0], others[0][:20]])
    assert np.allclose(centres.means["query", "en"], english.mean(axis=0))
    assert np.allclose(centres.means["query", "th"], others[0][20:].mean(axis=0))


def test_other_texts_tell_nothing_of_passages() -> None:
    passages = (cloud(20, 3), ["en"] * 20)
    centres = fit_centres(none(), passages, (cloud(20, 0), ["en"] * 20))
    assert np.allclose(centres.means["passage", "en"], passages[0].mean(axis=0))


def test_a_language_without_a_mean_takes_that_of_all() -> None:
    vectors = cloud(20, 0)
    centres = fit_centres((vectors, ["en"] * 20), none(), none())
    assert np.allclose(centres.apply(vectors, ["zh"] * 20, "query"), centres.apply(vectors, ["en"] * 20, "query"))


def test_without_means_vectors_stay_as_they_are() -> None:
    vectors = cloud(3, 0)
    assert Centres({}).apply(vectors, ["en"] * 3, "query") is vectors
    empty = none()[0]
    assert fit_centres((vectors, ["en"] * 3), none(), none()).apply(empty, [], "query") is empty


def test_a_vector_at_the_centre_is_no_division_by_zero() -> None:
    centre = cloud(1, 0)
    centres = Centres({("query", ""): centre[0]})
    assert np.array_equal(centres.apply(centre, ["en"], "query"), np.zeros((1, 8), dtype=np.float32))


PARTS = (5, 3)


def joined(count: int, seed: int = 0) -> Vectors:
    """Vectors of two parts, each of unit length."""
    vectors = np.random.default_rng(seed).normal(loc=1, size=(count, sum(PARTS))).astype(np.float32)
    for part in slices(PARTS):
        vectors[:, part] /= np.linalg.norm(vectors[:, part], axis=1, keepdims=True)
    return vectors


def test_slices_are_where_the_parts_stand() -> None:
    assert slices(PARTS) == [slice(0, 5), slice(5, 8)]
    assert slices(()) == []


def test_each_part_is_centred_by_itself() -> None:
    vectors, languages = joined(30), ["en"] * 30
    centred = fit_centres((vectors, languages), none(), none(), PARTS).apply(vectors, languages, "query")
    for part in slices(PARTS):
        own = vectors[:, part]
        alone = fit_centres((own, languages), none(), none()).apply(own, languages, "query")
        assert np.allclose(centred[:, part], alone, atol=1e-6)
        assert np.allclose(np.linalg.norm(centred[:, part], axis=1), 1, atol=1e-5)


def test_a_part_that_cannot_read_a_text_stays_zero() -> None:
    vectors, languages = joined(30), ["en"] * 30
    centres = fit_centres((vectors, languages), none(), none(), PARTS)
    unread = joined(2, seed=1)
    unread[0, slices(PARTS)[1]] = 0
    found = centres.apply(unread, ["zh", "zh"], "query")
    lengths = [np.linalg.norm(found[:, part], axis=1).tolist() for part in slices(PARTS)]
    assert lengths[0] == pytest.approx([1, 1], abs=1e-5)
    assert lengths[1] == pytest.approx([0, 1], abs=1e-5)
    assert not found[0, slices(PARTS)[1]].any()


@pytest.mark.parametrize("role", ["query", "passage"])
@pytest.mark.parametrize("parts", [(), (8,), PARTS])
def test_arrays_and_back(tmp_path: Path, role: str, parts: tuple[int, ...]) -> None:
    centres = Centres({(role, ""): cloud(1, 0)[0], (role, "zh"): cloud(1, 1)[0]}, parts)
    np.savez(tmp_path / "c.npz", allow_pickle=False, **to_arrays(centres))
    with np.load(tmp_path / "c.npz") as arrays:
        back = from_arrays(dict(arrays))
    assert back.parts == parts
    assert set(back.means) == set(centres.means)
    assert all(np.array_equal(back.means[key], mean) for key, mean in centres.means.items())
