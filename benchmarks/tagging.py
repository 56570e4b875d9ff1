"""How well Refill tags: by cross-validation on data/tags and on a held-out set, beside plain baselines, in one run.

A head is trained for each fold by the product's own code, with its own share of examples kept for calibration; the
baselines learn from the same examples. Everything but the latency uses states the encoder gave once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import tag_evidence, tagging_plots
from benchmarks.tagging_baselines import METHODS, Verdicts
from benchmarks.tagging_corpus import Corpus, as_example, at_most, digest, examples_per_tag, group_of, read_corpus
from benchmarks.tagging_latency import latency
from benchmarks.tagging_tables import COLUMNS, REFILL, fill, tables
from bot.console import build_progress
from bot.encoder.encoder import Encoder, Reading, clean, encoder_folder, load_encoder
from bot.knowledge.vectors import StoredEncoder
from bot.settings import Settings, load_settings
from bot.tagging.build import GRAPH, Trained, examples_folder, is_current, logits_of, manifest, tagger_folder, train_on
from bot.tagging.calibration import Calibration
from bot.tagging.evaluate import read_labelled
from bot.tagging.examples import load_examples
from bot.tagging.graph import Graph
from bot.tagging.metrics import TagScores, score
from bot.tagging.recipe import Recipe
from bot.tagging.tagger import Reader, Tagger
from bot.tagging.tags import TAGS

ROOT = Path(__file__).resolve().parents[1]
HELD_OUT = ROOT / "benchmarks" / "data" / "tags.jsonl"
SAVED = ROOT / "models" / "benchmarks" / "tags-out-of-fold.npz"
# Examples per tag of the learning curves; None: all.
SIZES = (10, 25, 60, 150, None)
# Of a quick run: examples per tag, and held-out messages of which one in so many is taken.
QUICK = 8
QUICK_STEP = 12


@dataclass
class Bench:
    """What every part needs, and what the parts found.

    Attributes:
        settings: Of the product, with an encoder that remembers one text only.
        encoder: Loaded.
        corpus: Of data/tags.
        held_out: Of the test set.
        recipe: How heads are trained.
        folds: Of the cross-validation.
        save: Where what was said out of fold goes.
        images: Folder of the plots.
        results: By part.
    """

    settings: Settings
    encoder: Encoder
    corpus: Corpus
    held_out: Corpus
    recipe: Recipe
    folds: int
    save: Path
    images: Path
    results: dict[str, Any] = field(default_factory=dict)
    _trained: Trained | None = None

    def train(self, corpus: Corpus) -> Trained:
        """A head and its calibration."""
        known = {example.text: windows for example, windows in zip(corpus.examples, corpus.readings, strict=True)}
        with build_progress() as progress:

            def read(texts: Sequence[str]) -> list[tuple[Reading, ...]]:
                made = [text for text in texts if text not in known]
                found = dict(known)
                if made:
                    new = self.encoder.read_all(made, lambda more: progress("reading", more, len(made)))
                    found.update(zip(made, new, strict=True))
                return [found[text] for text in texts]

            threads = self.settings["encoder.threads"]
            return train_on(corpus.examples, read, encoder_folder(self.settings), self.recipe, progress, threads)

    def trained_on_all(self) -> Trained:
        """The same on all of data/tags: the installation's own where it is current, else made once."""
        if self._trained is None:
            self._trained = self._installed() or self.train(self.corpus)
        return self._trained

    def _installed(self) -> Trained | None:
        if self.recipe != Recipe() or not is_current(self.settings, self.encoder.fingerprint):
            return None
        graph = (tagger_folder(self.settings) / GRAPH).read_bytes()
        calibration = Calibration.from_json(manifest(self.settings)["calibration"])
        return Trained(graph, calibration, (), np.zeros((0, 0), dtype=np.float32))


def say(line: str) -> None:
    """Show where the run is."""
    print(line, flush=True)


class _Readings:
    """Gives a tagger the states that were read before."""

    def __init__(self, corpus: Corpus) -> None:
        self._found = dict(zip((clean(one.text) for one in corpus.examples), corpus.readings, strict=True))

    def read(self, text: str) -> tuple[Reading, ...]:
        """As `Encoder.read`."""
        return self._found[clean(text)]


def as_tagger(trained: Trained, encoder: Reader) -> Tagger:
    """A head as the product runs it."""
    return Tagger(encoder, Graph(trained.graph), trained.calibration, "benchmark")


def ask(trained: Trained, logits: NDArray[np.float32]) -> Verdicts:
    """What a trained head says of messages, from its logits."""
    probabilities = trained.calibration.probabilities(logits)
    return Verdicts(trained.calibration.carried(probabilities), probabilities, True)


def scored(verdicts: Verdicts, corpus: Corpus) -> TagScores:
    """The product's own scores."""
    return score(verdicts.carried, corpus.true, verdicts.probabilities[:, : len(TAGS)], corpus.languages)


def as_results(verdicts: Verdicts, corpus: Corpus) -> dict[str, Any]:
    """Scores for the results; without a calibration error where a method gives no probabilities."""
    found = asdict(scored(verdicts, corpus))
    for part in () if verdicts.calibrated else (found, *found["by_language"].values()):
        part["ece"] = None
    return found


# Cross-validation -----------------------------------------------------------------------------------------------------


def folds_of(corpus: Corpus, count: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to learn from and rows to ask, `count` times; a group is never in both."""
    from sklearn.model_selection import GroupKFold

    groups = [group_of(example) for example in corpus.examples]
    return list(GroupKFold(count, shuffle=True, random_state=0).split(groups, groups=groups))


def gathered(parts: Sequence[Verdicts], order: NDArray[np.int64]) -> Verdicts:
    """Verdicts of the folds, one after the other, in the order of the corpus."""
    carried = np.concatenate([part.carried for part in parts])
    probabilities = np.concatenate([part.probabilities for part in parts])
    return Verdicts(carried[order], probabilities[order], parts[0].calibrated)


def spread(parts: Sequence[TagScores]) -> dict[str, float | None]:
    """Standard deviation of each score over folds; None where a fold has none."""
    values = {key: [getattr(part, key) for part in parts] for key in COLUMNS}
    return {key: None if None in found else float(np.std(found)) for key, found in values.items()}


def run_cv(bench: Bench) -> None:
    """Each example is tagged by a head that has seen neither it nor a rewording of it."""
    corpus = bench.corpus
    verdicts: dict[str, list[Verdicts]] = defaultdict(list)
    rows, logits, shown, scores = [], [], [], []
    fold_of = np.zeros(len(corpus.examples), dtype=np.int64)
    for number, (learnt, asked) in enumerate(folds_of(corpus, bench.folds)):
        say(f"  fold {number + 1} of {bench.folds}")
        train, test = corpus.part(learnt.tolist()), corpus.part(asked.tolist())
        trained = bench.train(train)
        found = logits_of(Graph(trained.graph), test.examples, test.readings)
        verdicts[REFILL].append(ask(trained, found))
        scores.append(scored(verdicts[REFILL][-1], test))
        shown += tag_evidence.compare(as_tagger(trained, _Readings(test)), test.examples)
        for method, tell in METHODS.items():
            verdicts[method].append(tell(train, test))
        rows.append(asked)
        logits.append(found)
        fold_of[asked] = number
        say(f"  topics {scores[-1].topics_micro_f1 or 0:.3f}, signals {scores[-1].signals_micro_f1 or 0:.3f}")
    order = np.argsort(np.concatenate(rows))
    joined = {method: gathered(parts, order) for method, parts in verdicts.items()}
    true, refill = corpus.true, joined[REFILL]
    bench.save.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        bench.save,
        digest=digest(corpus.examples),
        folds=fold_of,
        logits=np.concatenate(logits)[order],
        probabilities=refill.probabilities,
        carried=refill.carried,
    )
    bench.results["cv"] = {
        "examples": len(corpus.examples),
        "folds": bench.folds,
        "examples_by_tag": dict(zip(TAGS, true.sum(axis=0).tolist(), strict=False)),
        "methods": {method: as_results(found, corpus) for method, found in joined.items()},
        "spread": spread(scores),
        "evidence": {language: asdict(found) for language, found in tag_evidence.agreement(shown).items()},
    }
    columns = slice(0, len(TAGS))
    tagging_plots.draw_confusion(refill.carried[:, columns], true[:, columns], bench.images / "tagging-confusion.png")
    tagging_plots.draw_reliability(
        refill.probabilities[:, : len(TAGS) + 1], true, bench.images / "tagging-calibration.png"
    )


# The held-out set -----------------------------------------------------------------------------------------------------


def run_held_out(bench: Bench) -> None:
    """The test set, by methods that learnt from all of data/tags."""
    test = bench.held_out
    trained = bench.trained_on_all()
    found = {REFILL: ask(trained, logits_of(Graph(trained.graph), test.examples, test.readings))}
    found |= {method: tell(bench.corpus, test) for method, tell in METHODS.items()}
    bench.results["held_out"] = {
        "messages": len(test.examples),
        "methods": {method: as_results(verdicts, test) for method, verdicts in found.items()},
    }


# Learning curves ------------------------------------------------------------------------------------------------------


def run_curves(bench: Bench) -> None:
    """One split; ever more examples per tag to learn from."""
    learnt, asked = folds_of(bench.corpus, bench.folds)[0]
    train, test = bench.corpus.part(learnt.tolist()), bench.corpus.part(asked.tolist())
    curves: dict[str, list[dict[str, float]]] = defaultdict(list)
    for size in SIZES:
        rows = at_most(train.examples, size) if size else list(range(len(train.examples)))
        if size and len(rows) == len(train.examples):
            continue
        part = train.part(rows)
        count = examples_per_tag(part.examples)
        say(f"  {len(part.examples):,} examples, {count:.0f} per tag")
        trained = bench.train(part)
        found = {REFILL: ask(trained, logits_of(Graph(trained.graph), test.examples, test.readings))}
        found |= {method: tell(part, test) for method, tell in METHODS.items() if method != "keyword rules"}
        for method, verdicts in found.items():
            scores = scored(verdicts, test)
            curves[method].append(
                {
                    "examples": len(part.examples),
                    "examples_per_tag": count,
                    "topics_micro_f1": scores.topics_micro_f1 or 0.0,
                    "signals_micro_f1": scores.signals_micro_f1 or 0.0,
                }
            )
    bench.results["curves"] = {"asked": len(test.examples), "methods": dict(curves)}
    tagging_plots.draw_curves(curves, bench.images / "tagging-curves.png")


# Latency --------------------------------------------------------------------------------------------------------------


def run_latency(bench: Bench) -> None:
    """Time by length, on messages of both sets, mixed."""
    examples = [*bench.held_out.examples, *bench.corpus.examples]
    random.Random(0).shuffle(examples)
    found = latency(bench.encoder, as_tagger(bench.trained_on_all(), bench.encoder), examples)
    bench.results["latency"] = {"lengths": [asdict(one) for one in found]}


RUNS: dict[str, Callable[[Bench], None]] = {
    "cv": run_cv,
    "held_out": run_held_out,
    "curves": run_curves,
    "latency": run_latency,
}


# Results --------------------------------------------------------------------------------------------------------------


def prepare(options: argparse.Namespace) -> Bench:
    """Load the encoder and read both sets."""
    import torch

    settings = load_settings(environ={}).replace(encoder__cache_size=1)
    encoder = load_encoder(settings)
    torch.set_num_threads(1)
    examples = load_examples(examples_folder(settings))
    held_out = [as_example(message) for message in read_labelled(HELD_OUT)]
    recipe = Recipe()
    if options.quick:
        examples = [examples[row] for row in at_most(examples, QUICK)]
        held_out, recipe = held_out[::QUICK_STEP], Recipe(epochs=1)
    say(f"Reading {len(examples):,} examples and {len(held_out):,} held-out messages")
    stored = StoredEncoder(encoder, options.cache / "vectors")
    with build_progress() as progress:
        corpus = read_corpus(examples, encoder, stored, progress)
    with build_progress() as progress:
        test = read_corpus(held_out, encoder, stored, progress)
    return Bench(settings, encoder, corpus, test, recipe, options.folds, options.save, options.output / "images")


def rounded(value: Any) -> Any:
    """The same with four digits behind the point."""
    if isinstance(value, Mapping):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def write(bench: Bench, target: Path, seconds: float) -> None:
    """Write the results; parts that were not run now stay as they are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(target.read_text("utf-8")) if target.exists() else {}
    results = {
        **before,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "encoder": bench.encoder.fingerprint,
        "recipe": asdict(bench.recipe),
        "seconds": round(seconds),
        **bench.results,
    }
    target.write_text(json.dumps(rounded(results), indent=1, ensure_ascii=False) + "\n", "utf-8")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation; default: %(default)s")
    parser.add_argument("--parts", default=",".join(RUNS), help="run these of %(default)s")
    parser.add_argument(
        "--quick", action="store_true", help="few examples, one epoch, two folds: only to see that it runs"
    )
    parser.add_argument("--save", type=Path, help=f"what was said out of fold; default: {SAVED.relative_to(ROOT)}")
    parser.add_argument("--output", type=Path, help="the page and images/ stand in this folder; default: docs")
    parser.add_argument("--cache", type=Path, default=ROOT / "models" / "benchmarks", help="keep vectors here")
    options = parser.parse_args(arguments)
    options.parts = options.parts.split(",")
    if unknown := sorted(set(options.parts) - set(RUNS)):
        parser.error(f"--parts takes {', '.join(RUNS)}. Currently, it has {', '.join(unknown)}.")
    if options.folds < 2:
        parser.error(f"--folds must be at least 2. Currently, it is {options.folds}.")
    # A quick run must not replace what a whole one found.
    quick = options.cache / "quick"
    options.folds = 2 if options.quick else options.folds
    options.save = options.save or (quick / SAVED.name if options.quick else SAVED)
    options.results = quick if options.quick else Path(__file__).parent / "results"
    options.fill = not options.quick and options.output is None
    options.output = options.output or (quick if options.quick else ROOT / "docs")
    return options


def main() -> None:
    """Run the parts that are asked for, write the results, the plots and the page, print the tables."""
    options = parse()
    begun = time.monotonic()
    bench = prepare(options)
    for name in options.parts:
        say(f"{name}, after {time.monotonic() - begun:.0f} s")
        RUNS[name](bench)
        # At once, so that a later part that fails takes nothing away.
        write(bench, options.results / "tagging.json", time.monotonic() - begun)
    found = tables(bench.results)
    if options.fill:
        fill(options.output / "benchmarks.md", found)
    print("\n" + "\n\n".join(f"### {name}\n\n{text}" for name, text in found.items()))
    print(f"\n{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
