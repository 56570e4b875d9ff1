"""Rank the subjects of a knowledge base for a question.

A subject is an article with its translations. Its score is a weighted sum of the best similarity among its question
variants and the best among its chunks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import faiss
import numpy as np

from bot.encoder.encoder import Vectors
from bot.knowledge.article import Article
from bot.knowledge.index import Shelf
from bot.knowledge.splitter import Chunk

DEPTH = 100


@dataclass
class Candidate:
    """A subject found.

    Attributes:
        subject: Its id.
        question_score: Best cosine with one of its question variants.
        chunk_score: Best cosine with one of its chunks.
        score: The two, weighted.
        question_hits: How many of the ten nearest question variants are its own.
    """

    subject: str
    question_score: float = -1.0
    chunk_score: float = -1.0
    score: float = -1.0
    question_hits: int = 0


def rank(
    shelves: Sequence[Shelf],
    query: Vectors,
    question_weight: float,
    skip_questions: Collection[tuple[int, int]] = (),
    skip_subjects: Collection[str] = (),
    depth: int = DEPTH,
) -> list[Candidate]:
    """Subjects for a query vector, best first.

    Args:
        shelves: To search; only these are ever looked at.
        query: Unit vector, shape (dimensions,).
        question_weight: Weight of the question score, from 0 to 1; the chunk score has the rest.
        skip_questions: (shelf, row) of question variants to leave out, for leave-one-out fitting.
        skip_subjects: Subjects to leave out.
        depth: Nearest vectors looked at per shelf and kind.
    """
    if not 0 <= question_weight <= 1:
        raise ValueError(f"question_weight must be from 0 to 1. Currently, it is {question_weight}.")
    row = query.reshape(1, -1)
    found: dict[str, Candidate] = {}
    floors = [-1.0, -1.0]
    nearest: list[tuple[float, str]] = []
    for number, shelf in enumerate(shelves):
        for kind, (index, owners) in enumerate(
            ((shelf.questions, shelf.question_texts), (shelf.chunks, shelf.chunk_texts))
        ):
            hits = _search(index, row, depth + len(skip_questions))
            if len(hits) == depth + len(skip_questions):
                floors[kind] = max(floors[kind], hits[-1][1])
            for position, similarity in hits:
                if kind == 0 and (number, position) in skip_questions:
                    continue
                article = shelf.articles[owners[position][0]]
                if article.subject in skip_subjects:
                    continue
                candidate = found.setdefault(article.subject, Candidate(article.subject))
                if kind == 0:
                    candidate.question_score = max(candidate.question_score, similarity)
                    nearest.append((similarity, article.subject))
                else:
                    candidate.chunk_score = max(candidate.chunk_score, similarity)
    for candidate in found.values():
        # What was not among the nearest is at most as near as the last of them.
        candidate.question_score = max(candidate.question_score, floors[0])
        candidate.chunk_score = max(candidate.chunk_score, floors[1])
        candidate.score = question_weight * candidate.question_score + (1 - question_weight) * candidate.chunk_score
    for _, subject in sorted(nearest, reverse=True)[:10]:
        found[subject].question_hits += 1
    return sorted(found.values(), key=lambda candidate: (-candidate.score, candidate.subject))


def _search(index: faiss.Index, row: Vectors, depth: int) -> list[tuple[int, float]]:
    if not index.ntotal:
        return []
    scores, rows = index.search(row, min(depth, index.ntotal))
    return list(zip(rows[0].tolist(), scores[0].tolist(), strict=True))


def chunk_scores(shelf: Shelf, article: Article, query: Vectors) -> list[tuple[Chunk, float]]:
    """Chunks of one article in its order, with their cosine to the query vector."""
    rows = [row for row, (owner, _) in enumerate(shelf.chunk_texts) if shelf.articles[owner].id == article.id]
    vectors = np.stack([shelf.chunks.reconstruct(row) for row in rows])
    return [(shelf.chunk_texts[row][1], float(score)) for row, score in zip(rows, vectors @ query, strict=True)]
