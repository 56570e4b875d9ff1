"""Rank the subjects of a knowledge base for a question.

A subject is an article with its translations. FAISS and keyword search make a short list of question variants and
chunks; each text on it is scored with all encoders and its share of the question's words; a subject has the best of its
texts and, where there is one, the classifier's word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Vectors
from bot.knowledge import nearest
from bot.knowledge.article import Article
from bot.knowledge.centring import slices
from bot.knowledge.head import FLOOR
from bot.knowledge.index import Half, Shelf
from bot.knowledge.keywords import Keywords
from bot.knowledge.splitter import Chunk
from bot.settings import LANGUAGES

DEPTH = 100
KEYWORD_DEPTH = 30

# Weights of the encoders' similarities (main, universal, English) for questions and for passages, where question and
# text are both English, of another language both, or of different ones; of the share of words; of a chunk's best
# sentence beside the chunk. Those of questions were chosen by leaving variants out on the shipped knowledge base and on
# the training files of BANKING77 and CLINC150; the others in round numbers in sight of XQuAD, which has no training
# part (its figures move by less than a point around them), and checked on the shipped knowledge base.
ENGLISH = {"questions": (1.0, 0.5, 1.0), "chunks": (1.0, 0.3, 0.3)}
SAME = {"questions": (1.0, 0.3, 0.0), "chunks": (1.0, 0.5, 0.0)}
ACROSS = (1.0, 0.6, 0.0)
WORDS = {"questions": 0.1, "chunks": 0.3}
SENTENCE = 0.5


@dataclass(frozen=True)
class Query:
    """A question as it is searched for.

    Attributes:
        vector: Centred, shape (sum(parts),).
        parts: Dimensions of the vector's parts.
        language: Of the question.
        terms: Of the question, for keyword search.
        head: Log probability of each subject the classifier knows; empty without one.
    """

    vector: Vectors
    parts: tuple[int, ...]
    language: str
    terms: tuple[str, ...]
    head: Mapping[str, float]


@dataclass(frozen=True)
class Mix:
    """How a subject's scores are weighed.

    Attributes:
        question: Weight of the question score, from 0 to 1; the chunk score has the rest.
        head: Weight of the classifier's log probability, from FLOOR to 0, as a share of FLOOR.
    """

    question: float
    head: float


@dataclass(frozen=True)
class Candidate:
    """A subject found.

    Attributes:
        subject: Its id.
        question_score: Best score of its question variants.
        chunk_score: Best score of its chunks.
        words: Greatest share of the question's words in one of its texts.
        head: The classifier's log probability, at least FLOOR.
        question_hits: How many of the ten best question variants are its own.
        same_language: Whether its best text is in the question's language.
        score: All weighed.
    """

    subject: str
    question_score: float
    chunk_score: float
    words: float
    head: float
    question_hits: int
    same_language: bool
    score: float = 0.0


def rank(
    shelves: Sequence[Shelf],
    query: Query,
    mix: Mix,
    skip_questions: Collection[tuple[int, int]] = (),
    skip_subjects: Collection[str] = (),
    depth: int = DEPTH,
) -> list[Candidate]:
    """Subjects for a question, best first.

    Args:
        shelves: To search; only these are ever looked at.
        query: The question.
        mix: How scores are weighed.
        skip_questions: (shelf, row) of question variants to leave out, for leave-one-out fitting.
        skip_subjects: Subjects to leave out.
        depth: Nearest vectors looked at per shelf and kind.
    """
    questions: list[tuple[float, str, float, bool]] = []
    chunks: list[tuple[float, str, float, bool]] = []
    for number, shelf in enumerate(shelves):
        skipped = {row for place, row in skip_questions if place == number}
        questions += _texts(shelf, query, "questions", depth, skipped, skip_subjects)
        chunks += _texts(shelf, query, "chunks", depth, (), skip_subjects)
    questions.sort(reverse=True)
    best: dict[str, list[float]] = {}
    # What is not on the short list is at most as good as the last there.
    floors = [min((text[0] for text in texts), default=-1.0) for texts in (questions, chunks)]
    nearest_language: dict[str, tuple[float, bool]] = {}
    for kind, texts in enumerate((questions, chunks)):
        for score, subject, words, same in texts:
            found = best.setdefault(subject, [*floors, 0.0])
            found[kind] = max(found[kind], score)
            found[2] = max(found[2], words)
            nearest_language[subject] = max(nearest_language.get(subject, (-2.0, False)), (score, same))
    hits = [subject for _, subject, _, _ in questions[:10]]
    return mixed(
        [
            Candidate(
                subject=subject,
                question_score=question,
                chunk_score=chunk,
                words=words,
                head=query.head.get(subject, FLOOR),
                question_hits=hits.count(subject),
                same_language=nearest_language[subject][1],
            )
            for subject, (question, chunk, words) in best.items()
        ],
        mix,
    )


def mixed(candidates: Sequence[Candidate], mix: Mix) -> list[Candidate]:
    """Candidates weighed anew, best first."""
    scored = [
        replace(
            found,
            score=mix.question * found.question_score
            + (1 - mix.question) * found.chunk_score
            + mix.head * (1 - found.head / FLOOR),
        )
        for found in candidates
    ]
    return sorted(scored, key=lambda candidate: (-candidate.score, candidate.subject))


def _texts(
    shelf: Shelf, query: Query, kind: str, depth: int, skipped: Collection[int], skip_subjects: Collection[str]
) -> list[tuple[float, str, float, bool]]:
    """(score, subject, share of words, language is the question's) of the texts on the short list."""
    index = getattr(shelf, kind)
    if not index.ntotal:
        return []
    questions = kind == "questions"
    owners = shelf.question_owners if questions else shelf.chunk_owners
    keywords: Keywords = shelf.question_words if questions else shelf.chunk_words
    shares = keywords.scores(query.terms)
    main = query.vector[: query.parts[0]]
    found = {row for row, _ in nearest.search(index, main, depth + len(skipped))}
    found |= set(keywords.best(shares, KEYWORD_DEPTH + len(skipped)))
    rows = np.array(sorted(found.difference(skipped)), dtype=np.int64)
    articles = [shelf.articles[owner] for owner in owners[rows].tolist()]
    if skip_subjects:
        kept = [place for place, article in enumerate(articles) if article.subject not in skip_subjects]
        rows, articles = rows[kept], [articles[place] for place in kept]
    if not len(rows):
        return []
    asked_in = LANGUAGES.index(query.language)
    same = (
        (shelf.question_languages[rows] == asked_in).tolist()
        if questions
        else [article.language == query.language for article in articles]
    )
    scores = (
        similarities(shelf.question_vectors, rows, query, kind, same)
        if questions
        else _chunks(shelf, rows, query, same)
    )
    words = shares[rows]
    scores = scores + WORDS[kind] * words
    subjects = [article.subject for article in articles]
    return list(zip(scores.tolist(), subjects, words.tolist(), same, strict=True))


def similarities(vectors: Half, rows: NDArray[np.int64], query: Query, kind: str, same: Sequence[bool]) -> Vectors:
    """Cosines weighed over the encoders, shape (rows,).

    Args:
        vectors: Of texts.
        rows: Of which texts.
        query: The question.
        kind: `questions` or `chunks` (and their sentences).
        same: Whether each text is in the question's language.
    """
    products = vectors[rows] * query.vector
    cosines = np.stack([products[:, part].sum(axis=1) for part in slices(query.parts)], axis=1)
    if len(query.parts) == 1:
        return cosines[:, 0]
    alike, unlike = (
        np.array(weights, dtype=np.float32) / sum(weights)
        for weights in ((ENGLISH if query.language == "en" else SAME)[kind], ACROSS)
    )
    weighed: Vectors = np.where(np.array(same), cosines @ alike, cosines @ unlike)
    return weighed


def _chunks(shelf: Shelf, rows: NDArray[np.int64], query: Query, same: Sequence[bool]) -> Vectors:
    """Similarity of chunks, each with its best sentence, shape (rows,)."""
    scores = similarities(shelf.chunk_vectors, rows, query, "chunks", same)
    if len(shelf.sentence_vectors):
        scores = (1 - SENTENCE) * scores + SENTENCE * _sentences(shelf, rows, query, same)
    return scores


def _sentences(shelf: Shelf, rows: NDArray[np.int64], query: Query, same: Sequence[bool]) -> Vectors:
    """Best similarity of each chunk's sentences, shape (rows,)."""
    starts, ends = shelf.sentence_starts[rows], shelf.sentence_starts[rows + 1]
    counts = ends - starts
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
    every = np.repeat(starts - offsets, counts) + np.arange(counts.sum())
    scores = similarities(shelf.sentence_vectors, every, query, "chunks", np.repeat(same, counts).tolist())
    best: Vectors = np.maximum.reduceat(scores, offsets)
    return best


def chunk_scores(shelf: Shelf, article: Article, query: Query) -> list[tuple[Chunk, float]]:
    """Chunks of one article in its order, with their score for the question."""
    rows = np.array(shelf.chunk_rows(article), dtype=np.int64)
    same = [article.language == query.language] * len(rows)
    scores = _chunks(shelf, rows, query, same)
    chunks = [shelf.chunk_texts[row][1] for row in rows.tolist()]
    # Within an article the words that tell its sections apart weigh most.
    words = Keywords.of([f"{chunk.heading}\n{chunk.text}" for chunk in chunks])
    scores = scores + WORDS["chunks"] * words.scores(query.terms)
    return list(zip(chunks, scores.tolist(), strict=True))
