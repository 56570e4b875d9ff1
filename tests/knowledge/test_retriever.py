"""Ranking subjects, on shelves with vectors made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import faiss
import numpy as np
import pytest

from bot.encoder.encoder import Vectors
from bot.knowledge import nearest
from bot.knowledge.article import Article
from bot.knowledge.head import FLOOR
from bot.knowledge.index import Half, Shelf
from bot.knowledge.keywords import Keywords, terms
from bot.knowledge.retriever import (
    ACROSS,
    ENGLISH,
    SAME,
    SENTENCE,
    WORDS,
    Candidate,
    Mix,
    Query,
    chunk_scores,
    mixed,
    rank,
    similarities,
)
from bot.knowledge.splitter import Chunk
from bot.settings import LANGUAGES
from tests.knowledge.fakes import article

VECTOR = np.array([1, 0, 0], dtype=np.float32)
EVEN = Mix(0.5, 0.0)
# Vectors are kept in 16 bits.
NEAR = 1e-3


def asking(
    text: str = "", vector: Vectors = VECTOR, language: str = "en", head: Mapping[str, float] | None = None
) -> Query:
    """A question with a vector of one part; its text is for keyword search only."""
    return Query(vector, (len(vector),), language, tuple(terms(text)), head or {})


ASKED = asking()


def at(cosine: float) -> Vectors:
    """A unit vector with this cosine to VECTOR."""
    return np.array([cosine, np.sqrt(1 - cosine**2), 0], dtype=np.float32)


def stacked(cosines: Sequence[float]) -> Vectors:
    """Unit vectors, shape (cosines, 3)."""
    return np.stack([at(cosine) for cosine in cosines]) if cosines else np.zeros((0, 3), dtype=np.float32)


def shelf_from(
    articles: Sequence[Article],
    questions: tuple[Vectors, Sequence[tuple[int, str]]],
    chunks: tuple[Vectors, Sequence[tuple[int, Chunk]]],
    sentences: Sequence[Sequence[float]] = (),
    indexes: tuple[faiss.Index, faiss.Index] | None = None,
) -> Shelf:
    """A shelf of vectors and the texts they stand for; sentences by chunk, as cosines to VECTOR."""
    (asked, question_texts), (told, chunk_texts) = questions, chunks
    counts = [len(cosines) for cosines in sentences] or [0] * len(chunk_texts)
    return Shelf(
        articles=tuple(articles),
        questions=indexes[0] if indexes else nearest.build(asked)[0],
        question_texts=tuple(question_texts),
        question_vectors=asked.astype(np.float16),
        question_words=Keywords.of([text for _, text in question_texts]),
        question_languages=np.array(
            [LANGUAGES.index(articles[owner].language) for owner, _ in question_texts], dtype=np.uint8
        ),
        chunks=indexes[1] if indexes else nearest.build(told)[0],
        chunk_texts=tuple(chunk_texts),
        chunk_vectors=told.astype(np.float16),
        chunk_words=Keywords.of([chunk.text for _, chunk in chunk_texts]),
        sentence_vectors=stacked([cosine for cosines in sentences for cosine in cosines]).astype(np.float16),
        sentence_starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def shelf(*rows: tuple[Article, Sequence[float], Sequence[float]], sentences: Sequence[Sequence[float]] = ()) -> Shelf:
    """A shelf of articles with the cosines of their questions and of their chunks to VECTOR; all texts differ."""
    asked = [(number, cosine) for number, (_, cosines, _) in enumerate(rows) for cosine in cosines]
    told = [(number, cosine) for number, (_, _, cosines) in enumerate(rows) for cosine in cosines]
    return shelf_from(
        [row[0] for row in rows],
        (stacked([cosine for _, cosine in asked]), [(number, f"{rows[number][0].id} q{c}") for number, c in asked]),
        (
            stacked([cosine for _, cosine in told]),
            [(number, Chunk("", f"{rows[number][0].id} c{c}")) for number, c in told],
        ),
        sentences,
    )


def by_subject(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    return {candidate.subject: candidate for candidate in candidates}


def order(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.subject for candidate in candidates]


THREE = shelf(
    (article("a"), [0.9, 0.1], [0.2, 0.3]),
    (article("b"), [0.5], [0.8]),
    (article("c"), [0.2], [0.1]),
)


def test_scores_are_the_best_of_each_kind_weighted() -> None:
    candidates = by_subject(rank([THREE], ASKED, Mix(0.75, 0.0)))
    assert candidates["a"].question_score == pytest.approx(0.9, abs=NEAR)
    assert candidates["a"].chunk_score == pytest.approx(0.3, abs=NEAR)
    assert candidates["a"].score == pytest.approx(0.75 * 0.9 + 0.25 * 0.3, abs=NEAR)
    assert candidates["b"].score == pytest.approx(0.75 * 0.5 + 0.25 * 0.8, abs=NEAR)


@pytest.mark.parametrize(
    ("weight", "expected"), [(1.0, ["a", "b", "c"]), (0.5, ["b", "a", "c"]), (0.0, ["b", "a", "c"])]
)
def test_the_weight_decides_between_questions_and_chunks(weight: float, expected: list[str]) -> None:
    assert order(rank([THREE], ASKED, Mix(weight, 0.0))) == expected


def test_equal_scores_are_ordered_by_subject() -> None:
    twins = shelf((article("z"), [0.5], [0.5]), (article("m"), [0.5], [0.5]))
    assert order(rank([twins], ASKED, EVEN)) == ["m", "z"]


def test_an_article_and_its_translations_are_one_subject() -> None:
    translated = shelf(
        (article("a"), [0.4], [0.4]),
        (article("a-th", language="th", translation_of="a"), [0.9], [0.2]),
        (article("b"), [0.8], [0.3]),
    )
    first, second = rank([translated], ASKED, EVEN)
    assert (first.subject, second.subject) == ("a", "b")
    assert first.question_score == pytest.approx(0.9, abs=NEAR)
    assert first.chunk_score == pytest.approx(0.4, abs=NEAR)


def test_shelves_are_searched_together_and_only_these() -> None:
    inside = shelf((article("secret", audience="internal"), [0.95], [0.95]))
    assert order(rank([THREE, inside], ASKED, EVEN)) == ["secret", "b", "a", "c"]
    assert order(rank([THREE], ASKED, EVEN)) == ["b", "a", "c"]


def test_skipped_questions_do_not_count() -> None:
    candidates = {
        candidate.subject: candidate for candidate in rank([THREE], ASKED, Mix(1.0, 0.0), skip_questions={(0, 0)})
    }
    assert candidates["a"].question_score == pytest.approx(0.1, abs=NEAR)
    assert candidates["b"].question_score == pytest.approx(0.5, abs=NEAR)


def test_skipping_is_by_shelf_and_row() -> None:
    inside = shelf((article("secret", audience="internal"), [0.95], [0.95]))
    skipped = rank([THREE, inside], ASKED, Mix(1.0, 0.0), skip_questions={(1, 0)})
    assert skipped[0].subject == "a"
    assert skipped[0].question_score == pytest.approx(0.9, abs=NEAR)


def test_skipped_subjects_are_not_found() -> None:
    assert order(rank([THREE], ASKED, Mix(1.0, 0.0), skip_subjects={"a", "c"})) == ["b"]
    assert rank([THREE], ASKED, Mix(1.0, 0.0), skip_subjects={"a", "b", "c"}) == []


def test_depth_bounds_what_is_looked_at() -> None:
    first, second = rank([THREE], ASKED, EVEN, depth=1)
    assert (first.subject, second.subject) == ("a", "b")
    # What was not among the nearest is taken to be as near as the last that was.
    assert first.chunk_score == second.chunk_score == pytest.approx(0.8, abs=NEAR)
    assert first.question_score == second.question_score == pytest.approx(0.9, abs=NEAR)


def test_hits_count_the_ten_nearest_questions() -> None:
    many = shelf((article("a"), [0.99 - number / 100 for number in range(7)], [0.1]), (article("b"), [0.5] * 6, [0.2]))
    hits = {candidate.subject: candidate.question_hits for candidate in rank([many], ASKED, EVEN)}
    assert hits == {"a": 7, "b": 3}


def test_empty_shelves_give_nothing() -> None:
    assert rank([shelf()], ASKED, EVEN) == []
    assert rank([], ASKED, EVEN) == []
    assert order(rank([shelf(), THREE], ASKED, Mix(1.0, 0.0))) == ["a", "b", "c"]


# Languages and encoders ----------------------------------------------------------------------------------------------

PARTS = (2, 2, 2)


JOINED = np.array([1, 0, 0, 1, 0.6, 0.8], dtype=np.float32)


def halves(*rows: Sequence[float]) -> Half:
    """Vectors of three parts with these cosines to JOINED; a cosine of 0 is a part that is zero."""
    found = np.zeros((len(rows), 6), dtype=np.float16)
    for row, cosines in zip(found, rows, strict=True):
        for place, cosine in enumerate(cosines):
            along = JOINED[2 * place : 2 * place + 2]
            across = np.array([-along[1], along[0]])
            row[2 * place : 2 * place + 2] = cosine * along + (cosine != 0) * (1 - cosine**2) ** 0.5 * across
    return found


@pytest.mark.parametrize("kind", ["questions", "chunks"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("same", [True, False])
def test_each_encoder_has_its_weight(kind: str, language: str, same: bool) -> None:
    vectors = halves((0.1, 0.2, 0.3), (0.9, 0.5, 0.0))
    found = similarities(vectors, np.array([1, 0]), Query(JOINED, PARTS, language, (), {}), kind, [same] * 2)
    weights = np.array((ENGLISH if language == "en" else SAME)[kind] if same else ACROSS)
    weights /= weights.sum()
    assert found.tolist() == pytest.approx([weights @ (0.9, 0.5, 0.0), weights @ (0.1, 0.2, 0.3)], abs=NEAR)


def test_each_text_is_weighed_by_its_own_language() -> None:
    vectors = halves((0.1, 0.9, 0.9), (0.1, 0.9, 0.9))
    same, across = similarities(vectors, np.arange(2), Query(JOINED, PARTS, "en", (), {}), "questions", [True, False])
    assert same != pytest.approx(across, abs=0.01)


def test_an_encoder_that_reads_english_says_nothing_of_other_languages() -> None:
    assert ACROSS[2] == 0
    assert {weights[2] for weights in SAME.values()} == {0}


def test_one_encoder_alone_is_its_cosine() -> None:
    vectors = stacked([0.3, 0.6]).astype(np.float16)
    assert similarities(vectors, np.arange(2), asking(language="th"), "chunks", [True, False]).tolist() == (
        pytest.approx([0.3, 0.6], abs=NEAR)
    )


def test_the_search_is_made_with_the_main_encoders_part() -> None:
    """What the main encoder does not put on the short list is not seen, however near the others find it."""
    asked = halves((0.9, 0.1, 0.1), (0.2, 1.0, 1.0)).astype(np.float32)
    made = shelf_from(
        [article("main"), article("others")],
        (asked, [(0, "x"), (1, "y")]),
        (np.zeros((0, 6), dtype=np.float32), []),
        indexes=(nearest.build(asked[:, :2])[0], nearest.build(np.zeros((0, 2), dtype=np.float32))[0]),
    )
    query = Query(JOINED, PARTS, "en", (), {})
    assert order(rank([made], query, Mix(1.0, 0.0), depth=1)) == ["main"]
    assert order(rank([made], query, Mix(1.0, 0.0), depth=2)) == ["others", "main"]


def test_the_language_of_the_best_text_counts() -> None:
    translated = shelf(
        (article("a"), [0.4], [0.4]),
        (article("a-th", language="th", translation_of="a"), [0.9], [0.2]),
        (article("b"), [0.8], [0.3]),
    )
    found = {language: by_subject(rank([translated], asking(language=language), EVEN)) for language in ("en", "th")}
    assert [found["en"][subject].same_language for subject in "ab"] == [False, True]
    assert [found["th"][subject].same_language for subject in "ab"] == [True, False]


# Keywords ------------------------------------------------------------------------------------------------------------


def worded(**texts: tuple[float, str]) -> Shelf:
    """A shelf of articles by id, each with one question: its cosine to VECTOR and its text."""
    asked = [(number, text) for number, (_, text) in enumerate(texts.values())]
    vectors = stacked([cosine for cosine, _ in texts.values()])
    return shelf_from([article(name) for name in texts], (vectors, asked), (vectors[:0], []))


WORDED = worded(far=(-0.5, "oat milk foam"), near=(0.9, "something else"), middle=(0.3, "no such thing"))


def test_a_text_that_only_keywords_find_is_a_candidate() -> None:
    found = by_subject(rank([WORDED], asking("milk foam"), EVEN, depth=1))
    assert set(found) == {"far", "near"}
    assert found["far"].words > 0.3
    share = found["far"].words
    assert found["far"].question_score == pytest.approx(-0.5 + WORDS["questions"] * share, abs=NEAR)


def test_a_text_that_only_vectors_find_is_a_candidate() -> None:
    found = rank([WORDED], asking("zebra"), EVEN, depth=2)
    assert order(found) == ["near", "middle"]
    assert [candidate.words for candidate in found] == [0, 0]
    assert found[0].question_score == pytest.approx(0.9, abs=NEAR)


def test_words_decide_between_texts_that_are_as_near() -> None:
    twins = worded(a=(0.5, "sell a gift card"), b=(0.5, "print a receipt"))
    assert order(rank([twins], asking("print receipts"), EVEN)) == ["b", "a"]
    assert order(rank([twins], asking("gift cards"), EVEN)) == ["a", "b"]


def test_the_greatest_share_of_any_of_its_texts_is_a_subjects() -> None:
    texts = [(0, "print a receipt"), (0, "print it"), (1, "another")]
    made = shelf_from([article("a"), article("b")], (stacked([0.1, 0.9, 0.2]), texts), (stacked([]), []))
    found = by_subject(rank([made], asking("receipt"), EVEN))
    assert found["a"].words == pytest.approx(float(made.question_words.scores(terms("receipt"))[0]))
    assert found["a"].question_score == pytest.approx(0.9, abs=NEAR)


def test_what_is_skipped_is_not_found_by_keywords_either() -> None:
    asked = asking("milk foam")
    assert "far" not in order(rank([WORDED], asked, EVEN, skip_questions={(0, 0)}, depth=1))
    assert order(rank([WORDED], asked, EVEN, skip_subjects={"far"}, depth=1)) == ["near"]


def test_skipped_questions_take_no_place_on_the_short_list() -> None:
    found = rank([WORDED], ASKED, EVEN, skip_questions={(0, 1)}, depth=1)
    assert order(found)[0] == "middle"


# Sentences -----------------------------------------------------------------------------------------------------------


def test_a_chunk_is_as_good_as_itself_and_its_best_sentence() -> None:
    with_sentences = shelf(
        (article("a"), [], [0.4, 0.2]), (article("b"), [], [0.5]), sentences=([0.1, 0.3], [0.9, 0.0, 0.5], [0.2])
    )
    found = by_subject(rank([with_sentences], ASKED, Mix(0.0, 0.0)))
    assert found["a"].chunk_score == pytest.approx((1 - SENTENCE) * 0.2 + SENTENCE * 0.9, abs=NEAR)
    assert found["b"].chunk_score == pytest.approx((1 - SENTENCE) * 0.5 + SENTENCE * 0.2, abs=NEAR)
    scored = chunk_scores(with_sentences, with_sentences.articles[0], ASKED)
    expected = [(1 - SENTENCE) * 0.4 + SENTENCE * 0.3, (1 - SENTENCE) * 0.2 + SENTENCE * 0.9]
    assert [score for _, score in scored] == pytest.approx(expected, abs=NEAR)


def test_sentences_of_chunks_that_are_not_on_the_short_list_do_not_count() -> None:
    with_sentences = shelf(
        (article("a"), [], [0.4]), (article("b"), [], [0.1]), (article("c"), [], [0.5]), sentences=([0.1], [1.0], [0.2])
    )
    assert order(rank([with_sentences], ASKED, EVEN, depth=2)) == ["c", "a"]


# The classifier ------------------------------------------------------------------------------------------------------


def test_the_classifiers_word_is_weighed_in() -> None:
    sure = asking(head={"a": FLOOR, "b": FLOOR / 2, "c": 0.0})
    assert order(rank([THREE], sure, Mix(1.0, 0.0))) == ["a", "b", "c"]
    found = rank([THREE], sure, Mix(1.0, 1.0))
    assert order(found) == ["c", "b", "a"]
    assert [candidate.head for candidate in found] == [0.0, FLOOR / 2, FLOOR]
    assert [candidate.score for candidate in found] == pytest.approx([0.2 + 1.0, 0.5 + 0.5, 0.9], abs=NEAR)


def test_a_subject_the_classifier_does_not_know_has_the_least() -> None:
    found = by_subject(rank([THREE], asking(head={"a": -0.1}), EVEN))
    assert (found["a"].head, found["b"].head, found["c"].head) == (-0.1, FLOOR, FLOOR)


def test_the_classifier_finds_nothing_by_itself() -> None:
    assert "d" not in order(rank([THREE], asking(head={"d": 0.0}), EVEN))


def test_weighing_anew_gives_what_ranking_gives() -> None:
    asked = asking(head={"c": -1.0, "b": -2.0})
    for mix in (Mix(0.2, 0.8), Mix(0.9, 0.0), Mix(0.5, 1.2)):
        assert mixed(rank([THREE], asked, EVEN), mix) == rank([THREE], asked, mix)


# Within an article ---------------------------------------------------------------------------------------------------


def test_chunk_scores_are_those_of_one_article_in_order() -> None:
    scored = chunk_scores(THREE, THREE.articles[0], ASKED)
    assert [chunk.text for chunk, _ in scored] == ["a c0.2", "a c0.3"]
    assert [score for _, score in scored] == pytest.approx([0.2, 0.3], abs=NEAR)


def test_words_tell_the_chunks_of_an_article_apart() -> None:
    chunks = [(0, Chunk("With the receipt", "Scan it.")), (0, Chunk("Without it", "Search by time."))]
    made = shelf_from([article("a")], (stacked([]), []), (stacked([0.3, 0.3]), chunks))
    (_, first), (_, second) = chunk_scores(made, made.articles[0], asking("search"))
    assert second > first == pytest.approx(0.3, abs=NEAR)


# Approximate search --------------------------------------------------------------------------------------------------


def approximate(count: int, probes: int | None = None) -> tuple[Shelf, Shelf, Vectors]:
    """Shelves of the same articles with random vectors, searched approximately and exactly, and the vectors."""
    vectors = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    articles = [article(f"a{number}") for number in range(count)]
    questions = [(number, f"q{number}") for number in range(count)]
    chunks = [(number, Chunk("", f"c{number}")) for number in range(count)]
    narrow: Any = nearest.build(vectors, exact_limit=10)[0]
    narrow.nprobe = probes or narrow.nlist
    return (
        shelf_from(articles, (vectors, questions), (vectors, chunks), indexes=(narrow, narrow)),
        shelf_from(articles, (vectors, questions), (vectors, chunks)),
        vectors,
    )


def test_what_an_approximate_search_did_not_look_at_is_no_better_than_what_it_found_last() -> None:
    narrow, _, vectors = approximate(400, probes=1)
    hits = nearest.search(narrow.questions, vectors[0], 400)
    assert len(hits) < 400
    candidates = rank([narrow], asking(vector=vectors[0]), EVEN, depth=400)
    assert {candidate.subject for candidate in candidates} == {f"a{row}" for row, _ in hits}
    assert min(candidate.question_score for candidate in candidates) == pytest.approx(hits[-1][1], abs=NEAR)


def test_an_article_beyond_an_approximate_search_gets_the_last_score() -> None:
    narrow, exact, vectors = approximate(400, probes=1)
    half = replace(exact, chunks=narrow.chunks)
    hits = nearest.search(narrow.chunks, vectors[0], 400)
    found = {f"a{row}" for row, _ in hits}
    beyond = [c for c in rank([half], asking(vector=vectors[0]), EVEN, depth=400) if c.subject not in found]
    assert beyond
    assert [candidate.chunk_score for candidate in beyond] == pytest.approx([hits[-1][1]] * len(beyond), abs=NEAR)


def test_leaving_out_works_with_an_approximate_search() -> None:
    narrow, exact, vectors = approximate(400)
    only_questions = Mix(1.0, 0.0)
    for row in range(0, 400, 40):
        asked = asking(vector=vectors[row])
        near, true = (
            rank([each], asked, only_questions, skip_questions={(0, row)}, depth=10)[0] for each in (narrow, exact)
        )
        assert near.subject == true.subject
        assert near.question_score == pytest.approx(true.question_score, abs=NEAR)
        gone = rank([narrow], asked, only_questions, skip_subjects={f"a{row}"}, depth=10)
        assert f"a{row}" not in order(gone)
        assert gone[0].subject == true.subject
