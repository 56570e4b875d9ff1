"""FAISS indexes of unit vectors: exact up to EXACT_LIMIT, approximate and tuned beyond it, mapped when they are read.

The approximate index cuts the vectors into lists around centres found by k-means and looks at the lists nearest to a
query. How many lists is measured, never assumed: the fewest with which a sample of questions finds RECALL of what exact
search finds, measured again on a second sample. The vectors are kept as 16-bit floats, or as 32-bit floats where they
are so near each other that 16 bits do not tell them apart.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Vectors

# Vectors; exact search takes 4 ms for so many of 384 dimensions.
EXACT_LIMIT = 100_000
# Share of the ten nearest vectors that must be found: what is tuned for, and what a second sample must confirm.
RECALL = 0.99
LEAST_RECALL = 0.985
# A customer's question is further from all vectors than these are from each other. Real questions had a cosine of 0.8
# to the nearest vector, and recall was 0.01 lower for them than for the vectors themselves, each left out in turn.
_DISTANCE = 0.8
_NEIGHBOURS = 10
_SAMPLE = 1000
_FEW = 100
_SEED = 0
_LISTS_PER_ROOT = 2
_TRAINING_PER_LIST = 32
_ROUNDS = 6
_BLOCK = 50_000


@dataclass(frozen=True)
class Search:
    """How an index is searched; for the manifest.

    Attributes:
        kind: `exact` or `approximate`.
        bits: Of each number of a vector.
        lists: Into which the vectors are cut; 0 if exact.
        probes: Lists looked at for one question; 0 if exact.
        recall: Share of the ten nearest that was found, on the sample with the lower one; 1 if exact.
    """

    kind: Literal["exact", "approximate"] = "exact"
    bits: int = 32
    lists: int = 0
    probes: int = 0
    recall: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """A form for the index's manifest."""
        return asdict(self)


def build(
    vectors: Vectors, questions: Vectors | None = None, exact_limit: int | None = None
) -> tuple[faiss.Index, Search]:
    """An inner-product index of unit vectors, row i being the i-th of them, and how it is searched.

    Args:
        vectors: Shape (n, dimensions); may be empty.
        questions: What will be looked for, to tune on, shape (m, dimensions); default: a sample of the vectors, each
            left out itself, and half of them turned as far away as questions are.
        exact_limit: Most vectors that are searched exactly; default: EXACT_LIMIT.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if len(vectors) <= (EXACT_LIMIT if exact_limit is None else exact_limit):
        exact = faiss.IndexFlatIP(vectors.shape[1] if vectors.size else 1)
        if vectors.size:
            exact.add(vectors)
        return exact, Search()
    if questions is not None and len(questions):
        samples, own = questions, np.full(len(questions), -1)
    else:
        own = _sampled(len(vectors))
        first, second = np.array_split(vectors[own], 2)
        samples = np.concatenate([_turned(first), second])
    for bits in (16, 32):
        index = _lists(vectors, own, bits)
        found = _tune(index, vectors, samples, own)
        if found >= LEAST_RECALL:
            break
    index.make_direct_map()  # Rows can be read back.
    return index, Search("approximate", bits, index.nlist, index.nprobe, round(found, 4))


def _sampled(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(_SEED).permutation(count)[: min(_SAMPLE, count // 10 + 1)]


def sample(vectors: Vectors) -> Vectors:
    """As many of the vectors as a search is tuned on."""
    return vectors[_sampled(len(vectors))]


def _turned(vectors: Vectors) -> Vectors:
    """Each vector turned towards the next until its cosine to where it was is _DISTANCE."""
    others = np.roll(vectors, 1, axis=0)
    across = others - np.sum(others * vectors, axis=1, keepdims=True) * vectors
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    result: Vectors = (_DISTANCE * vectors + (1 - _DISTANCE**2) ** 0.5 * across).astype(np.float32)
    return result


def write(index: faiss.Index, file: Path) -> None:
    """Write an index."""
    faiss.write_index(index, str(file))


def read(file: Path) -> faiss.Index:
    """Map an index: processes that read the same file share its memory."""
    if hasattr(os, "posix_fadvise"):
        with file.open("rb") as stream:  # Else the first questions wait for the disk, page by page.
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)


def search(index: faiss.Index, query: Vectors, depth: int) -> list[tuple[int, float]]:
    """(row, similarity) of the nearest vectors, best first; an approximate search may find fewer than depth.

    Args:
        index: To search.
        query: Unit vector, shape (dimensions,).
        depth: How many are wanted.
    """
    if not index.ntotal:
        return []
    scores, rows = index.search(query.reshape(1, -1), min(depth, index.ntotal))
    return [(row, score) for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True) if row >= 0]


def _lists(vectors: Vectors, held_out: NDArray[np.int64], bits: int) -> faiss.IndexIVF:
    """The approximate index; k-means does not see the vectors held out."""
    count, dimensions = min(int(_LISTS_PER_ROOT * len(vectors) ** 0.5), len(vectors) // 4 + 1), vectors.shape[1]
    centres, metric = faiss.IndexFlatIP(dimensions), faiss.METRIC_INNER_PRODUCT
    index: faiss.IndexIVF = (
        faiss.IndexIVFScalarQuantizer(centres, dimensions, count, faiss.ScalarQuantizer.QT_fp16, metric, False)
        if bits == 16
        else faiss.IndexIVFFlat(centres, dimensions, count, metric)
    )
    index.cp.seed = _SEED + 1
    index.cp.niter = _ROUNDS
    index.cp.spherical = True
    index.cp.max_points_per_centroid = _TRAINING_PER_LIST
    index.cp.min_points_per_centroid = 1
    others = np.setdiff1d(np.arange(len(vectors)), held_out)
    training = np.random.default_rng(_SEED).permutation(others)[: count * _TRAINING_PER_LIST]
    index.train(vectors[training])
    for start in range(0, len(vectors), _BLOCK):
        index.add(vectors[start : start + _BLOCK])
    return index


def _tune(index: faiss.IndexIVF, vectors: Vectors, samples: Vectors, own: NDArray[np.int64]) -> float:
    """Set the fewest probes with which both halves of the samples find enough.

    Returns:
        The lower recall of the two; too low a one if not even all lists together hold what is to be found.
    """
    least = _scores_to_reach(vectors, samples, own)

    def measured(part: slice) -> float:
        return recall(index, vectors, samples[part], least[part], own[part])

    index.nprobe = index.nlist
    if (reachable := measured(slice(-_FEW, None))) < LEAST_RECALL:
        return reachable
    half = (len(samples) + 1) // 2
    index.nprobe = 1
    while True:
        tuned, confirmed = measured(slice(half)), measured(slice(half, None))
        if index.nprobe == index.nlist or (tuned >= RECALL and confirmed >= LEAST_RECALL):
            return min(tuned, confirmed)
        index.nprobe = min(index.nlist, max(index.nprobe + 1, int(index.nprobe * 1.25)))


def _scores_to_reach(vectors: Vectors, samples: Vectors, own: NDArray[np.int64]) -> Vectors:
    """Exact similarity of the tenth nearest vector, the sample itself left out, shape (samples,)."""
    scores, rows = faiss.knn(samples, vectors, _NEIGHBOURS + 1, metric=faiss.METRIC_INNER_PRODUCT)
    kept = [found[row != self_row][:_NEIGHBOURS][-1] for found, row, self_row in zip(scores, rows, own, strict=True)]
    return np.array(kept, dtype=np.float32)


def recall(index: faiss.Index, vectors: Vectors, samples: Vectors, least: Vectors, own: NDArray[np.int64]) -> float:
    """Share of the ten nearest vectors that an index finds.

    What is found is judged by its exact similarity, so that it does not matter which of several equal ones it is.

    Args:
        index: Of the vectors.
        vectors: As they were, shape (n, dimensions).
        samples: Queries, shape (m, dimensions).
        least: Exact similarity of each query's tenth nearest, shape (m,).
        own: Row of each query among the vectors, which does not count; -1: none.
    """
    if not len(samples):
        return 1.0
    rows = index.search(samples, _NEIGHBOURS + 1)[1]
    found = 0
    for query, row, floor, self_row in zip(samples, rows, least, own, strict=True):
        others = row[(row >= 0) & (row != self_row)][:_NEIGHBOURS]
        found += int((vectors[others] @ query >= floor - 1e-6).sum())
    return found / (_NEIGHBOURS * len(samples))
