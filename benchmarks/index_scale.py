"""Time, recall, memory and size of the index at a thousand to a million vectors, exact and as the product chooses it.

The vectors are real ones as far as they go: questions of the shipped knowledge base and of public data sets (BANKING77,
CLINC150, XQuAD in four languages), encoded by the product's encoder and centred by language. Beyond that, a vector is
made from real ones: a point between one and a near neighbour, plus half of the difference between two other neighbours,
so that it stays where real ones are and spreads as they do. Questions that are looked for are real, and none of the
indexed ones.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks import public_sets
from bot.encoder.encoder import Vectors, load_encoder
from bot.knowledge import nearest
from bot.knowledge.article import Article
from bot.knowledge.calibration import STANDARD
from bot.knowledge.centring import Centres, fit_centres
from bot.knowledge.index import Embedded, Index, read_index, write_index
from bot.knowledge.keywords import terms
from bot.knowledge.loader import load_knowledge_base
from bot.knowledge.retriever import Query, rank
from bot.knowledge.splitter import Chunk
from bot.knowledge.vectors import StoredEncoder
from bot.settings import LANGUAGES, Settings, load_settings

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUERIES = 1000
TIMED = 300
DEPTH = 100
NEIGHBOURS = 10
BLOCK = 50_000
# Of a shelf's vectors, those of questions; an article has seven of them and three chunks.
QUESTIONS_PER_ARTICLE, CHUNKS_PER_ARTICLE = 7, 3


@dataclass
class Measured:
    """One index of one size; milliseconds, seconds and megabytes."""

    vectors: int
    kind: str
    bits: int
    lists: int
    probes: int
    p50: float
    p95: float
    recall: float
    build: float
    file: float
    load: float
    private: float
    shared: float


@dataclass
class Decided:
    """Ranking and probabilities over a stored index of so many vectors, questions and chunks together.

    Attributes:
        search_p50: Milliseconds of the two vector searches alone.
        build: Seconds.
        load: Seconds.
        file: Megabytes of all files.
    """

    vectors: int
    articles: int
    p50: float
    p95: float
    search_p50: float
    build: float
    load: float
    file: float


def public_texts(folder: Path) -> list[tuple[str, str]]:
    """(language, question) of the public data sets."""
    splits = (public_sets.banking77(folder), public_sets.clinc150(folder))
    found = [("en", text) for split in splits for part in split for text in public_sets.texts_of(part)]
    for language in LANGUAGES:
        found += [(language, text) for _, text in public_sets.xquad(folder, language).questions]
    return found


def real_vectors(settings: Settings, data: Path, cache: Path) -> tuple[Vectors, list[str]]:
    """Centred vectors and texts, shuffled; the vectors are kept in cache."""
    articles = load_knowledge_base(settings.knowledge_folder).articles
    own = [(article.language, text) for article in articles for text in (article.title, *article.questions)]
    languages, texts = zip(*dict.fromkeys([*own, *public_texts(data)]), strict=True)
    print(f"{len(texts):,} real texts, {len(own):,} of them from the shipped knowledge base", flush=True)
    encoder = StoredEncoder(load_encoder(settings), cache)
    begun, done = time.monotonic(), 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps
        if done % 4096 < steps:
            print(f"  encoded {done:,}, {done / (time.monotonic() - begun):.0f} a second", flush=True)

    vectors = encoder.encode(texts, "query", progress)
    nothing: tuple[Vectors, Sequence[str]] = (vectors[:0], [])
    centred = fit_centres((vectors, languages), nothing, nothing).apply(vectors, languages, "query")
    order = np.random.default_rng(0).permutation(len(centred))
    return centred[order], [texts[place] for place in order]


def grown(real: Vectors, count: int) -> Vectors:
    """So many vectors: the real ones first, then ones made from them as the module's docstring says."""
    made = np.empty((count, real.shape[1]), dtype=np.float32)
    made[: len(real)] = real[:count]
    if count <= len(real):
        return made
    random = np.random.default_rng(0)
    _, near = faiss.knn(real, real, 17, metric=faiss.METRIC_INNER_PRODUCT)
    near = near[:, 1:]
    for start in range(len(real), count, BLOCK):
        size = min(BLOCK, count - start)
        first = random.integers(len(real), size=size)
        second, third, fourth = (near[first, random.integers(16, size=size)] for _ in range(3))
        way = random.uniform(0, 0.7, size=(size, 1)).astype(np.float32)
        mixed = real[first] + way * (real[second] - real[first]) + 0.5 * (real[third] - real[fourth])
        made[start : start + size] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return made


def probe(file: str, queries: str) -> None:
    """In a process of its own: map an index, search, report; wait for a line before measuring memory."""
    faiss.omp_set_num_threads(1)
    asked = np.load(queries)
    before = own_memory()
    begun = time.perf_counter()
    index = nearest.read(Path(file))
    load = time.perf_counter() - begun
    nearest.search(index, asked[0], DEPTH)
    times = []
    for query in asked[:TIMED]:
        begun = time.perf_counter()
        nearest.search(index, query, DEPTH)
        times.append(1000 * (time.perf_counter() - begun))
    print(json.dumps({"load": load, "times": times}), flush=True)
    sys.stdin.readline()
    print(json.dumps({"private": own_memory() - before, "shared": mapped_memory(Path(file))}), flush=True)
    sys.stdin.readline()


def own_memory() -> float:
    """Megabytes that are this process's alone."""
    lines = Path("/proc/self/smaps_rollup").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


def mapped_memory(file: Path) -> float:
    """Megabytes of a file in this process's memory, shared ones divided by the number of processes that share them."""
    found = 0
    inside = False
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        if not line[0].isupper():
            inside = line.endswith(str(file))
        elif inside and line.startswith("Pss:"):
            found += int(line.split()[1])
    return found / 1024


def probed(file: Path, queries: Path) -> dict[str, Any]:
    """What two processes with the same index say, one after the other, then their memory together."""
    command = [sys.executable, "-m", "benchmarks.index_scale", "--probe", str(file), str(queries)]
    processes, said, sizes = [], [], []
    for _ in range(2):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin
        assert process.stdout
        processes.append(process)
        said.append(json.loads(process.stdout.readline()))
    for process in processes:
        print(file=process.stdin, flush=True)
        sizes.append(json.loads(process.stdout.readline()))  # type: ignore[union-attr]
    for process in processes:
        process.communicate("\n")
    return {
        "load": said[0]["load"],
        "times": said[1]["times"],
        "private": sizes[0]["private"],
        "shared": sizes[0]["shared"] + sizes[1]["shared"],
    }


def measure(vectors: Vectors, queries: Vectors, exact: bool, folder: Path) -> Measured:
    """One index of the vectors: exact, or as the product chooses."""
    begun = time.perf_counter()
    index, how = nearest.build(vectors, exact_limit=len(vectors) if exact else None)
    file = folder / "index.faiss"
    nearest.write(index, file)
    build = time.perf_counter() - begun
    best, _ = faiss.knn(queries, vectors, NEIGHBOURS, metric=faiss.METRIC_INNER_PRODUCT)
    found = nearest.recall(index, vectors, queries, best[:, -1], np.full(len(queries), -1))
    del index
    np.save(folder / "queries.npy", queries)
    seen = probed(file, folder / "queries.npy")
    times = seen.pop("times")
    size = file.stat().st_size / 1e6
    file.unlink()
    p50, p95 = np.percentile(times, (50, 95)).tolist()
    kind = "exact" if exact else how.kind
    return Measured(
        len(vectors), kind, how.bits, how.lists, how.probes, p50, p95, found, build=build, file=size, **seen
    )


def decide(vectors: Vectors, queries: Vectors, texts: Sequence[str], folder: Path) -> Decided:
    """The product's own ranking and probabilities over an index that is written and read.

    Args:
        vectors: Of questions and chunks.
        queries: To look for.
        texts: Real ones, for the keyword index.
        folder: For the index.
    """
    count = len(vectors) // (QUESTIONS_PER_ARTICLE + CHUNKS_PER_ARTICLE)
    split = count * QUESTIONS_PER_ARTICLE
    random = np.random.default_rng(0)

    def some_text(length: int) -> str:
        return " ".join(texts[place] for place in random.integers(len(texts), size=length))

    template = Article(
        id="article",
        title="Title",
        language="en",
        audience="public",
        topics=("how_to",),
        questions=("Question",),
        updated=dt.date(2026, 10, 12),
        body="Body.",
    )
    begun = time.perf_counter()
    full, empty = (
        Embedded(
            articles=tuple(template.model_copy(update={"id": f"article-{number}"}) for number in range(size)),
            questions=vectors[: size * QUESTIONS_PER_ARTICLE],
            question_texts=tuple(
                (number, some_text(1)) for number in range(size) for _ in range(QUESTIONS_PER_ARTICLE)
            ),
            chunks=vectors[split : split + size * CHUNKS_PER_ARTICLE],
            chunk_texts=tuple(
                (number, Chunk("", some_text(4))) for number in range(size) for _ in range(CHUNKS_PER_ARTICLE)
            ),
            sentences=vectors[:0],
            sentence_texts=(),
        ).shelf(Centres({}))
        for size in (count, 0)
    )
    standard = STANDARD.to_json()
    made = Index(
        {"public": full, "internal": empty},
        Centres({}),
        {"public": standard, "internal": standard},
        {"public": None, "internal": None},
        build="",
    )
    write_index(folder, made, "benchmark", "benchmark")
    build = time.perf_counter() - begun
    del made, full
    begun = time.perf_counter()
    shelf = read_index(folder, "benchmark").shelves["public"]
    load = time.perf_counter() - begun
    asked = [
        Query(vector, (len(vector),), "en", tuple(terms(texts[place])), {})
        for place, vector in enumerate(queries[:TIMED])
    ]
    faiss.omp_set_num_threads(1)
    times, searches = [], []
    for query in asked:
        begun = time.perf_counter()
        STANDARD.probabilities(rank((shelf,), query, STANDARD.mix))
        times.append(1000 * (time.perf_counter() - begun))
        begun = time.perf_counter()
        for index in (shelf.questions, shelf.chunks):
            nearest.search(index, query.vector, DEPTH)
        searches.append(1000 * (time.perf_counter() - begun))
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    shutil.rmtree(folder)
    p50, p95 = np.percentile(times, (50, 95)).tolist()
    return Decided(len(vectors), count, p50, p95, float(np.median(searches)), build, load, size)


def table(measured: Sequence[Measured], decided: Sequence[Decided]) -> str:
    """The results as Markdown."""
    lines = [
        "| vectors | search | p50 ms | p95 ms | recall@10 | lists looked at | build s | file MB | load ms "
        "| own MB | shared by two MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in measured:
        lists = f"{one.probes} of {one.lists}" if one.lists else ""
        lines.append(
            f"| {one.vectors:,} | {one.kind} | {one.p50:.2f} | {one.p95:.2f} | {one.recall:.3f} | {lists} "
            f"| {one.build:.1f} | {one.file:,.0f} | {1000 * one.load:.1f} | {one.private:.1f} | {one.shared:,.0f} |"
        )
    lines += [
        "",
        "| vectors | articles | ranking and probabilities, p50 ms | p95 ms | vector search alone | load s | files MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in decided:
        lines.append(
            f"| {each.vectors:,} | {each.articles:,} | {each.p50:.2f} | {each.p95:.2f} | {each.search_p50:.2f} "
            f"| {each.load:.1f} | {each.file:,.0f} |"
        )
    return "\n".join(lines)


def plot(measured: Sequence[Measured], decided: Sequence[Decided], file: Path) -> None:
    """Time, recall and memory by size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    ((time_axes, decision_axes), (recall_axes, memory_axes)) = figure.subplots(2, 2)
    exact = [one for one in measured if one.kind == "exact"]
    largest = {one.vectors: one for one in measured}  # The chosen one stands last.
    chosen = list(largest.values())
    styles = ((exact, "#8a5a44", "exact", "o--"), (chosen, "#1b6e5a", "as chosen", "o-"))
    for rows, colour, label, style in styles:
        sizes = [one.vectors for one in rows]
        time_axes.plot(sizes, [one.p50 for one in rows], style, color=colour, label=f"{label}, p50")
        time_axes.plot(sizes, [one.p95 for one in rows], ":", color=colour, label=f"{label}, p95")
        recall_axes.plot(sizes, [one.recall for one in rows], style, color=colour, label=label)
        memory_axes.plot(sizes, [one.file for one in rows], style, color=colour, label=f"file, shared: {label}")
    memory_axes.plot(
        [one.vectors for one in chosen],
        [max(one.private, 0.01) for one in chosen],
        "s--",
        color="#4a5a8a",
        label="a process's own memory",
    )
    sizes = [one.vectors for one in decided]
    decision_axes.plot(sizes, [one.p50 for one in decided], "o-", color="#1b6e5a", label="p50")
    decision_axes.plot(sizes, [one.p95 for one in decided], ":", color="#1b6e5a", label="p95")
    decision_axes.plot(
        sizes, [one.search_p50 for one in decided], "s--", color="#4a5a8a", label="of which vector search, p50"
    )
    decision_axes.plot([1e4, 1e6], [3, 10], "x", color="#b03030", markersize=10, label="aim")
    recall_axes.axhline(0.98, color="#b03030", linestyle="--", label="aim")
    recall_axes.set_ylim(0.95, 1.005)
    for axes, title, unit in (
        (time_axes, "One search", "ms"),
        (decision_axes, "Ranking and probabilities", "ms"),
        (recall_axes, "Recall@10 against exact search", ""),
        (memory_axes, "File and memory", "MB"),
    ):
        axes.set_title(title, fontsize=14)
        axes.set_xscale("log")
        axes.set_xlabel("vectors", fontsize=12)
        axes.set_ylabel(unit, fontsize=12)
        axes.tick_params(labelsize=11)
        axes.grid(alpha=0.3)
        if axes is not recall_axes:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        if axes is memory_axes:
            axes.set_ylim(0.01, 1e5)
        axes.legend(fontsize=11, loc="upper left" if axes is memory_axes else "best")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def main() -> None:
    """Measure every size, print the tables, write results/index_scale.json and the plot."""
    settings = load_settings(environ={})
    root = settings.root
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max", type=int, default=SIZES[-1], help="largest number of vectors")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("REFILL_BENCHMARKS", root.parent / "shared" / "benchmarks")),
        help="folder with banking77/, clinc150/ and xquad/; default: REFILL_BENCHMARKS, then ../shared/benchmarks",
    )
    parser.add_argument("--cache", type=Path, default=root / "models" / "benchmarks", help="keep vectors here")
    parser.add_argument("--output", type=Path, default=root / "docs", help="the plot goes to images/ below this folder")
    parser.add_argument("--probe", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        probe(*options.probe)
        return
    begun = time.monotonic()
    real, texts = real_vectors(settings, options.data, options.cache / "scale")
    queries, base = np.ascontiguousarray(real[:QUERIES]), np.ascontiguousarray(real[QUERIES:])
    sizes = [size for size in SIZES if size <= options.max]
    everything = grown(base, sizes[-1])
    measured, decided = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            vectors = everything[:size]
            for exact in (True, False):
                one = measure(vectors, queries, exact, Path(scratch))
                if exact or one.kind != "exact":
                    measured.append(one)
                print(one, flush=True)
            decided.append(decide(vectors, queries, texts, Path(scratch) / "index"))
            print(decided[-1], flush=True)
    results = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "faiss": faiss.__version__},
        "real_texts": len(real),
        "seconds": time.monotonic() - begun,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "searches": [asdict(one) for one in measured],
        "decisions": [asdict(one) for one in decided],
    }
    target = settings.path("results", "index_scale.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1), "utf-8")
    plot(measured, decided, options.output / "images" / "index-scale.png")
    print(table(measured, decided))
    print(f"\n{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
