"""The classifier from vectors to subjects, beside the library it is trained with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from bot.encoder.encoder import Vectors
from bot.knowledge import head as module
from bot.knowledge.head import FLOOR, Head, train, worthwhile

DIMENSIONS = 12


def clouds(count: int, each: int = 12) -> tuple[Vectors, list[str]]:
    """Unit vectors around a direction for each subject, and their subjects."""
    random = np.random.default_rng(count)
    centres = random.normal(size=(count, DIMENSIONS)).repeat(each, axis=0)
    vectors = (centres + 0.8 * random.normal(size=centres.shape)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit, [f"subject-{number}" for number in range(count) for _ in range(each)]


def theirs(vectors: Vectors, subjects: Sequence[str]) -> tuple[list[str], Vectors]:
    """Subjects and their log probabilities by scikit-learn, shape (n, subjects)."""
    model = LogisticRegression(C=module._C, max_iter=module._ROUNDS, tol=module._TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, subjects)
    return list(model.classes_), model.predict_log_proba(vectors)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_log_probabilities_are_those_of_scikit_learn(count: int) -> None:
    vectors, subjects = clouds(count)
    head = train(vectors, subjects)
    names, expected = theirs(vectors, subjects)
    found = head.log_probabilities(vectors)
    assert list(head.subjects) == names
    assert found.shape == (len(vectors), count)
    assert np.allclose(found, np.maximum(expected, FLOOR), atol=1e-4)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_probabilities_add_up_to_one(count: int) -> None:
    vectors, subjects = clouds(count)
    found = np.exp(train(vectors, subjects).log_probabilities(vectors)).sum(axis=1)
    assert np.allclose(found, 1, atol=count * np.exp(FLOOR))


def test_a_subject_is_told_by_its_texts() -> None:
    vectors, subjects = clouds(5)
    head = train(vectors, subjects)
    best = head.log_probabilities(vectors).argmax(axis=1)
    assert np.mean([head.subjects[row] == subject for row, subject in zip(best, subjects, strict=True)]) > 0.9


def test_no_log_probability_is_below_the_floor_however_sure_it_is() -> None:
    head = Head(("a", "b"), np.array([[1e4, -1e4]], dtype=np.float32), np.zeros(2, dtype=np.float32))
    assert head.log_probabilities(np.ones((1, 1), dtype=np.float32)).tolist() == [[0.0, FLOOR]]


def test_no_vectors_no_log_probabilities() -> None:
    vectors, subjects = clouds(3)
    assert train(vectors, subjects).log_probabilities(vectors[:0]).shape == (0, 3)


def test_training_is_the_same_each_time() -> None:
    vectors, subjects = clouds(4)
    assert np.array_equal(train(vectors, subjects).weights, train(vectors, subjects).weights)


def test_subjects_are_kept_as_they_are_named(tmp_path: Path) -> None:
    vectors, _ = clouds(2)
    names = ["退款", "iade-formu"]
    made = train(vectors, [names[row % 2] for row in range(len(vectors))])
    made.write(tmp_path / "head.npz")
    assert set(Head.read(tmp_path / "head.npz").subjects) == set(names)


@pytest.mark.parametrize("count", [2, 5])
def test_what_was_written_is_read(tmp_path: Path, count: int) -> None:
    vectors, subjects = clouds(count)
    made = train(vectors, subjects)
    made.write(tmp_path / "head.npz")
    back = Head.read(tmp_path / "head.npz")
    assert back.subjects == made.subjects
    assert back.weights.dtype == back.bias.dtype == np.float32
    assert np.array_equal(back.log_probabilities(vectors), made.log_probabilities(vectors))


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ([], False),
        (["a"] * 50, False),
        (["a", "b"] * 2, False),
        (["a", "b"] * 3, True),
        (["a"] * 5 + ["b"], True),
        ([str(number % 100) for number in range(299)], False),
        ([str(number % 100) for number in range(300)], True),
    ],
)
def test_it_is_trained_where_subjects_have_enough_variants(subjects: Sequence[str], expected: bool) -> None:
    assert worthwhile(subjects) is expected


def test_it_is_not_trained_on_so_many_that_it_takes_too_long() -> None:
    most = int(module._MOST)
    assert worthwhile(["a", "b"] * (most // 4))
    assert not worthwhile(["a", "b"] * (most // 4 + 1))
