"""Exact and approximate search: the second finds what the first does, whatever the vectors are like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from bot.encoder.encoder import Vectors
from bot.knowledge import nearest
from bot.knowledge.nearest import LEAST_RECALL, Search, build, read, search, write

pytestmark = pytest.mark.slow

DIMENSIONS = 32


def vectors(count: int, seed: int = 0, spread: float = 0.5) -> Vectors:
    """Unit vectors around 50 directions."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(50, DIMENSIONS))
    made = centres[random.integers(50, size=count)] + spread * random.normal(size=(count, DIMENSIONS))
    result: Vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return result


def share_found(index: faiss.Index, among: Vectors, queries: Vectors) -> float:
    """Share of each query's ten nearest rows that an index finds."""
    found = 0
    for query in queries:
        expected = set(np.argsort(-(among @ query))[:10].tolist())
        found += len(expected & {row for row, _ in search(index, query, 10)})
    return found / (10 * len(queries))


def test_few_vectors_are_searched_exactly() -> None:
    among = vectors(300)
    index, how = build(among)
    assert how == Search("exact", 32, 0, 0, 1.0)
    assert share_found(index, among, vectors(20, seed=1)) == 1.0


def test_the_limit_is_where_the_search_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "EXACT_LIMIT", 500)
    assert build(vectors(500))[1].kind == "exact"
    assert build(vectors(501))[1].kind == "approximate"
    assert build(vectors(501), exact_limit=501)[1].kind == "exact"


@pytest.mark.parametrize("spread", [0.1, 0.5, 5.0], ids=["tight", "loose", "hardly any clusters"])
def test_an_approximate_search_finds_what_an_exact_one_does(spread: float) -> None:
    among = vectors(6000, spread=spread)
    index: Any
    index, how = build(among, exact_limit=1000)
    assert how.kind == "approximate"
    assert how.recall >= LEAST_RECALL
    assert 1 <= how.probes == index.nprobe <= how.lists == index.nlist
    assert share_found(index, among, vectors(200, seed=1, spread=spread)) >= 0.97


@pytest.mark.parametrize(("spread", "bits"), [(0.5, 16), (0.05, 32)])
def test_vectors_near_each_other_are_kept_whole(spread: float, bits: int) -> None:
    assert build(vectors(6000, spread=spread), exact_limit=1000)[1].bits == bits


def test_it_is_tuned_for_the_questions_given() -> None:
    among = vectors(6000)
    easy = build(among, vectors(400, seed=1), exact_limit=1000)[1]
    hard = build(among, vectors(400, seed=1, spread=5.0), exact_limit=1000)[1]
    assert easy.probes < hard.probes
    assert min(easy.recall, hard.recall) >= LEAST_RECALL


def test_equal_vectors_are_found_as_well_as_others() -> None:
    among = np.repeat(vectors(200), 30, axis=0)
    assert build(among, exact_limit=1000)[1].recall >= LEAST_RECALL


def test_building_twice_gives_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(build(vectors(3000), exact_limit=1000)[0], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("limit", [0, 10_000], ids=["approximate", "exact"])
def test_what_was_written_is_read(tmp_path: Path, limit: int) -> None:
    among = vectors(2000)
    index, _ = build(among, exact_limit=limit)
    write(index, tmp_path / "made.faiss")
    back = read(tmp_path / "made.faiss")
    for query in vectors(20, seed=1):
        assert search(back, query, 50) == search(index, query, 50)
    assert np.allclose(back.reconstruct(7), among[7], atol=1e-3)
    assert np.allclose(back.reconstruct_n(0, 2000), among, atol=1e-3)


@pytest.mark.parametrize("limit", [0, 100_000], ids=["approximate", "exact"])
def test_what_is_read_is_mapped(tmp_path: Path, limit: int) -> None:
    """The vectors' memory is the file's, which processes share."""
    file = tmp_path / "made.faiss"
    write(build(vectors(20_000), exact_limit=limit)[0], file)
    index = read(file)
    search(index, vectors(1)[0], 10)
    maps = Path("/proc/self/smaps").read_text("utf-8").split("\n")
    start = next(number for number, line in enumerate(maps) if line.endswith(str(file)))
    fields = dict(line.split(":", 1) for line in maps[start + 1 : start + 20] if ":" in line)
    assert int(fields["Size"].split()[0]) * 1024 >= file.stat().st_size
    assert fields["Anonymous"].split()[0] == "0"
    assert index.ntotal == 20_000


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    index, how = build(np.zeros((0, 0), dtype=np.float32))
    assert how.kind == "exact"
    write(index, tmp_path / "empty.faiss")
    assert search(read(tmp_path / "empty.faiss"), vectors(1)[0], 10) == []


def test_what_an_approximate_search_lacks_is_left_out() -> None:
    among = vectors(400)
    index: Any
    index, _ = build(among, exact_limit=100)
    index.nprobe = 1
    hits = search(index, among[0], 400)
    assert 0 < len(hits) < 400
    assert min(row for row, _ in hits) >= 0
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
