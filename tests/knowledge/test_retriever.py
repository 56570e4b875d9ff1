"""Ranking subjects, on shelves with vectors made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
import pytest

from bot.encoder.encoder import Vectors
from bot.knowledge.article import Article
from bot.knowledge.index import Shelf
from bot.knowledge.retriever import Candidate, chunk_scores, rank
from bot.knowledge.splitter import Chunk
from tests.knowledge.fakes import article

QUERY = np.array([1, 0, 0], dtype=np.float32)


def at(cosine: float) -> Vectors:
    """A unit vector with this cosine to QUERY."""
    return np.array([cosine, np.sqrt(1 - cosine**2), 0], dtype=np.float32)


def shelf(*rows: tuple[Article, Sequence[float], Sequence[float]]) -> Shelf:
    """A shelf of articles with the cosines of their questions and of their chunks to QUERY."""
    questions, chunks = faiss.IndexFlatIP(3), faiss.IndexFlatIP(3)
    question_texts: list[tuple[int, str]] = []
    chunk_texts: list[tuple[int, Chunk]] = []
    for number, (one, question_cosines, chunk_cosines) in enumerate(rows):
        for cosine in question_cosines:
            questions.add(at(cosine).reshape(1, -1))
            question_texts.append((number, f"{one.id} {cosine}"))
        for cosine in chunk_cosines:
            chunks.add(at(cosine).reshape(1, -1))
            chunk_texts.append((number, Chunk("", f"{one.id} {cosine}")))
    return Shelf(tuple(row[0] for row in rows), questions, tuple(question_texts), chunks, tuple(chunk_texts))


def order(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.subject for candidate in candidates]


THREE = shelf(
    (article("a"), [0.9, 0.1], [0.2, 0.3]),
    (article("b"), [0.5], [0.8]),
    (article("c"), [0.2], [0.1]),
)


def test_scores_are_the_best_of_each_kind_weighted() -> None:
    candidates = {candidate.subject: candidate for candidate in rank([THREE], QUERY, 0.75)}
    assert candidates["a"].question_score == pytest.approx(0.9)
    assert candidates["a"].chunk_score == pytest.approx(0.3)
    assert candidates["a"].score == pytest.approx(0.75 * 0.9 + 0.25 * 0.3)
    assert candidates["b"].score == pytest.approx(0.75 * 0.5 + 0.25 * 0.8)


@pytest.mark.parametrize(
    ("weight", "expected"), [(1.0, ["a", "b", "c"]), (0.5, ["b", "a", "c"]), (0.0, ["b", "a", "c"])]
)
def test_the_weight_decides_between_questions_and_chunks(weight: float, expected: list[str]) -> None:
    assert order(rank([THREE], QUERY, weight)) == expected


def test_equal_scores_are_ordered_by_subject() -> None:
    twins = shelf((article("z"), [0.5], [0.5]), (article("m"), [0.5], [0.5]))
    assert order(rank([twins], QUERY, 0.5)) == ["m", "z"]


def test_an_article_and_its_translations_are_one_subject() -> None:
    translated = shelf(
        (article("a"), [0.4], [0.4]),
        (article("a-th", language="th", translation_of="a"), [0.9], [0.2]),
        (article("b"), [0.8], [0.3]),
    )
    first, second = rank([translated], QUERY, 0.5)
    assert (first.subject, second.subject) == ("a", "b")
    assert first.question_score == pytest.approx(0.9)
    assert first.chunk_score == pytest.approx(0.4)


def test_shelves_are_searched_together_and_only_these() -> None:
    inside = shelf((article("secret", audience="internal"), [0.95], [0.95]))
    assert order(rank([THREE, inside], QUERY, 0.5)) == ["secret", "b", "a", "c"]
    assert order(rank([THREE], QUERY, 0.5)) == ["b", "a", "c"]


def test_skipped_questions_do_not_count() -> None:
    candidates = {candidate.subject: candidate for candidate in rank([THREE], QUERY, 1.0, skip_questions={(0, 0)})}
    assert candidates["a"].question_score == pytest.approx(0.1)
    assert candidates["b"].question_score == pytest.approx(0.5)


def test_skipping_is_by_shelf_and_row() -> None:
    inside = shelf((article("secret", audience="internal"), [0.95], [0.95]))
    skipped = rank([THREE, inside], QUERY, 1.0, skip_questions={(1, 0)})
    assert skipped[0].subject == "a"
    assert skipped[0].question_score == pytest.approx(0.9)


def test_skipped_subjects_are_not_found() -> None:
    assert order(rank([THREE], QUERY, 1.0, skip_subjects={"a", "c"})) == ["b"]
    assert rank([THREE], QUERY, 1.0, skip_subjects={"a", "b", "c"}) == []


def test_depth_bounds_what_is_looked_at() -> None:
    first, second = rank([THREE], QUERY, 0.5, depth=1)
    assert (first.subject, second.subject) == ("a", "b")
    # What was not among the nearest is taken to be as near as the last that was.
    assert first.chunk_score == second.chunk_score == pytest.approx(0.8)
    assert first.question_score == second.question_score == pytest.approx(0.9)


def test_hits_count_the_ten_nearest_questions() -> None:
    many = shelf((article("a"), [0.99 - number / 100 for number in range(7)], [0.1]), (article("b"), [0.5] * 6, [0.2]))
    hits = {candidate.subject: candidate.question_hits for candidate in rank([many], QUERY, 0.5)}
    assert hits == {"a": 7, "b": 3}


def test_empty_shelves_give_nothing() -> None:
    assert rank([shelf()], QUERY, 0.5) == []
    assert rank([], QUERY, 0.5) == []
    assert order(rank([shelf(), THREE], QUERY, 1.0)) == ["a", "b", "c"]


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_the_weight_is_a_share(weight: float) -> None:
    with pytest.raises(ValueError, match=r"question_weight must be from 0 to 1\. Currently, it is"):
        rank([THREE], QUERY, weight)


def test_chunk_scores_are_those_of_one_article_in_order() -> None:
    scored = chunk_scores(THREE, THREE.articles[0], QUERY)
    assert [chunk.text for chunk, _ in scored] == ["a 0.2", "a 0.3"]
    assert [score for _, score in scored] == pytest.approx([0.2, 0.3])
