"""A classifier from a question's vector to subjects, trained on the question variants.

Where articles have many variants it ranks better than the nearest of them: multinomial logistic regression on the
joined vectors. It knows only subjects that have variants, and says nothing about a question being answerable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Vectors

# Inverse strength of regularisation; chosen by cross-validation on the training files of BANKING77 and CLINC150 and on
# the shipped knowledge base.
_C = 9.0
_ROUNDS = 100
_TOLERANCE = 1e-4
# Texts times subjects: beyond this, training takes too many minutes.
_MOST = 5_000_000
# Fewer variants a subject than this teach it nothing.
_LEAST_VARIANTS = 3.0
FLOOR = -8.0


@dataclass(frozen=True)
class Head:
    """Coefficients of the classifier.

    Attributes:
        subjects: In the order of the columns.
        weights: Shape (dimensions, subjects).
        bias: Shape (subjects,).
    """

    subjects: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def log_probabilities(self, vectors: Vectors) -> NDArray[np.float32]:
        """Of each subject for each vector, shape (n, subjects), not below FLOOR."""
        scores = vectors @ self.weights + self.bias
        scores -= scores.max(axis=1, keepdims=True)
        found: NDArray[np.float32] = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return np.maximum(found, FLOOR)

    def write(self, file: Path) -> None:
        """Store it."""
        names = np.array(self.subjects, dtype=np.str_)
        np.savez(file, allow_pickle=False, subjects=names, weights=self.weights, bias=self.bias)

    @classmethod
    def read(cls, file: Path) -> Head:
        """Back from `write`."""
        with np.load(file, allow_pickle=False) as stored:
            return cls(tuple(map(str, stored["subjects"])), stored["weights"], stored["bias"])


def worthwhile(subjects: Sequence[str]) -> bool:
    """Whether a head is trained on texts of these subjects."""
    different = len(set(subjects))
    return different > 1 and len(subjects) >= _LEAST_VARIANTS * different and different * len(subjects) <= _MOST


def train(vectors: Vectors, subjects: Sequence[str]) -> Head:
    """A head from question variants.

    Args:
        vectors: Shape (n, dimensions).
        subjects: Of each; at least two different ones.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    model = LogisticRegression(C=_C, max_iter=_ROUNDS, tol=_TOLERANCE)
    # The solver's steps are small: a second thread waits more than it works, up to six times as long on a busy machine.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # Stopping early regularises a little more.
        model.fit(vectors, subjects)
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    names = tuple(str(name) for name in model.classes_)
    return Head(names, np.ascontiguousarray(weights.T, dtype=np.float32), bias.astype(np.float32))
