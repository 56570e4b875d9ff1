"""Plain methods to compare with: nearest neighbour, logistic regression, BM25.

Each gives every question a label and a score. None of them knows when not to answer; so, to compare, each answers as
many questions as the product did, those with its highest scores (`answering_as_many`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Vectors
from bot.knowledge.examples import Example
from bot.knowledge.metrics import Asked

Guess = tuple[str | None, float]
_BLOCK = 512


def nearest_neighbour(vectors: Vectors, labels: Sequence[str], asked: Vectors) -> list[Guess]:
    """The label of the most similar training text, and the cosine.

    Args:
        vectors: Of the training texts, unit length, shape (n, dimensions).
        labels: Of the training texts.
        asked: Of the questions, unit length, shape (m, dimensions).
    """
    guesses = []
    for start in range(0, len(asked), _BLOCK):
        similarity = asked[start : start + _BLOCK] @ vectors.T
        best = similarity.argmax(axis=1)
        guesses += [(labels[place], float(row[place])) for place, row in zip(best, similarity, strict=True)]
    return guesses


def logistic_regression(vectors: Vectors, labels: Sequence[str], asked: Vectors) -> list[Guess]:
    """The most probable label, and its probability. Arguments are those of `nearest_neighbour`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Chosen by cross-validation on the training part of BANKING77.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000)).fit(vectors, labels)
    probabilities = model.predict_proba(asked)
    best = probabilities.argmax(axis=1)
    return [(str(model.classes_[place]), float(row[place])) for place, row in zip(best, probabilities, strict=True)]


def bm25(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[Guess]:
    """The label of the training text with the highest BM25 score, and the score."""
    return [
        (labels[best], float(scores[best])) if (best := int(scores.argmax())) >= 0 and scores[best] > 0 else (None, 0.0)
        for scores in bm25_scores(texts, asked)
    ]


def bm25_scores(texts: Sequence[str], asked: Sequence[str]) -> list[NDArray[np.float32]]:
    """BM25 scores of all texts for each question, shape (texts,) each."""
    index = bm25s.BM25()
    index.index([tokens(text) for text in texts], show_progress=False)
    known = set(index.vocab_dict)
    found = []
    for question in asked:
        words = [word for word in tokens(question) if word in known]
        found.append(index.get_scores(words) if words else np.zeros(len(texts), dtype=np.float32))
    return found


def tokens(text: str) -> list[str]:
    """Words in lower case; pairs of characters where a script has no spaces."""
    found = []
    for word in re.findall(r"[\u3400-\u9fff]+|[\u0e00-\u0e7f]+|\w+", text.lower()):
        if re.match(r"[\u0e00-\u9fff]", word) and len(word) > 1:
            found += [word[place : place + 2] for place in range(len(word) - 1)]
        else:
            found.append(word)
    return found


def answering_as_many(test: Sequence[Example], guesses: Sequence[Guess], count: int) -> list[Asked]:
    """Guesses as decisions: the `count` with the highest scores are answered."""
    order = sorted(range(len(guesses)), key=lambda number: -guesses[number][1])
    answered = set(order[:count])
    return [
        Asked(example.label, top, score, number in answered)
        for number, (example, (top, score)) in enumerate(zip(test, guesses, strict=True))
    ]


def places(scores: Sequence[NDArray[np.float32]], right: Sequence[int]) -> list[int | None]:
    """Place of the right text in each ranking by score, from 1; those of equal score share the last place of theirs."""
    return [int((row >= row[wanted]).sum()) for row, wanted in zip(scores, right, strict=True)]
