"""How well Refill answers: public data sets and the shipped knowledge base, beside plain baselines, in one run.

Refill decides by its own path at its own settings; its thresholds are fitted on the training texts alone. Nearest
neighbour and logistic regression see the main encoder's vectors of the same texts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import answering_plots, baselines, held_out, public_sets, stock_diet
from benchmarks.answering_tables import TITLES, Scores, tables
from bot.console import build_progress
from bot.encoder.encoder import Role, Vectors, for_retrieval, load_encoder
from bot.knowledge.answer import Answerer
from bot.knowledge.article import Article
from bot.knowledge.evaluate import answerer_over, as_articles, as_knowledge_base, decide_each, search_each
from bot.knowledge.examples import Example
from bot.knowledge.loader import load_knowledge_base
from bot.knowledge.metrics import Asked, score_answers, score_ranks
from bot.knowledge.vectors import StoredEncoder
from bot.settings import Settings, load_settings

REFILL = "Refill"
# Their scores have an order, but are no probabilities.
NO_PROBABILITY = ("nearest neighbour", "BM25")


@dataclass
class Bench:
    """What every run needs, and what the runs found.

    Attributes:
        settings: Of the product, without a cache of texts, so that every question's time counts.
        data: Folder of the public data sets.
        cache: Folder for vectors, written sets and Rasa's projects.
        diet: Whether stock Rasa is trained as well.
        runs: Scores by set and method, one for each draw of the set.
        rows: Decisions by set and method.
        passages: Scores by pair of languages and method.
        kinds: Shares of the shipped knowledge base by language and kind of question.
    """

    settings: Settings
    data: Path
    cache: Path
    diet: bool
    runs: dict[str, dict[str, list[Scores]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    rows: dict[str, dict[str, list[Asked]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    passages: dict[str, dict[str, Scores]] = field(default_factory=dict)
    kinds: dict[str, held_out.Shares] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.encoder = for_retrieval(load_encoder(self.settings))
        self.stored = StoredEncoder(self.encoder, self.cache / "vectors")

    @property
    def scores(self) -> dict[str, dict[str, Scores]]:
        """By set and method, the mean of its draws."""
        return {name: {method: mean(found) for method, found in runs.items()} for name, runs in self.runs.items()}

    def vectors(self, texts: Sequence[str], role: Role) -> Vectors:
        """The main encoder's vectors, shape (len(texts), dimensions)."""
        return self.stored.encode(texts, role)[:, : self.encoder.parts[0]]

    def answerer(self, articles: Sequence[Article], off_topic: Sequence[str] = ()) -> Answerer:
        """The product over articles: built with stored vectors, asked without."""
        with build_progress() as progress:
            return answerer_over(articles, off_topic, self.settings, self.encoder, progress, self.stored)

    def guesses(self, name: str, train: Sequence[Example], test: Sequence[Example]) -> dict[str, list[baselines.Guess]]:
        """What each baseline says of test examples."""
        learnt = [example for example in train if example.label and example.text]
        labels = [example.label or "" for example in learnt]
        texts, asked = public_sets.texts_of(learnt), public_sets.texts_of(test)
        vectors, questions = self.vectors(texts, "query"), self.vectors(asked, "query")
        found = {
            "nearest neighbour": baselines.nearest_neighbour(vectors, labels, questions),
            "logistic regression": baselines.logistic_regression(vectors, labels, questions),
            "BM25": baselines.bm25(texts, labels, asked),
        }
        if self.diet and name in ("banking77", "small"):
            say("  training stock Rasa")
            found["Rasa DIET"] = stock_diet.guess(self.settings, self.cache / "diet", learnt, test)
        return found


def say(line: str) -> None:
    """Show where the run is."""
    print(line, flush=True)


# Labelled questions ---------------------------------------------------------------------------------------------------


def compare(bench: Bench, name: str, train: Sequence[Example], test: Sequence[Example]) -> None:
    """One draw of a set: what Refill decides, then what the baselines say."""
    base = as_knowledge_base(train)
    answerer = bench.answerer(base.articles, base.off_topic)
    say(f"  asking {len(test):,} questions")
    report = decide_each(answerer, base, test)
    methods = {REFILL: (list(report.rows), report.scores.ms_per_question)}
    count = sum(row.answered for row in report.rows)
    for method, guesses in bench.guesses(name, train, test).items():
        methods[method] = baselines.answering_as_many(test, guesses, count), 0.0
    note(bench, name, methods)


def note(bench: Bench, name: str, methods: Mapping[str, tuple[list[Asked], float]]) -> None:
    """Keep the rows of methods and their scores, milliseconds beside them."""
    for method, (rows, milliseconds) in methods.items():
        bench.rows[name][method] += rows
        scores: Scores = asdict(score_answers(rows, milliseconds))
        if method in NO_PROBABILITY:
            scores["ece"] = None
        if method != REFILL:
            scores["ms_per_question"] = None
        bench.runs[name][method].append(scores)


def mean(runs: Sequence[Scores]) -> Scores:
    """Means by key; None where a run has none."""
    found: Scores = {}
    for key in runs[0]:
        values = [run[key] for run in runs]
        found[key] = None if None in values else statistics.fmean(value for value in values if value is not None)
    return found


def run_banking77(bench: Bench) -> None:
    """77 intents, all questions in scope."""
    compare(bench, "banking77", *public_sets.banking77(bench.data))


def run_clinc150(bench: Bench) -> None:
    """150 intents, and queries out of scope."""
    train, test = public_sets.clinc150(bench.data)
    public_sets.write_examples(bench.cache / "sets" / "clinc150.train.csv", train)
    public_sets.write_examples(bench.cache / "sets" / "clinc150.test.csv", test)
    compare(bench, "clinc150", train, test)


def run_small(bench: Bench) -> None:
    """Few intents, few examples, typos; several draws."""
    for seed in public_sets.SMALL_SEEDS:
        say(f"  draw {seed + 1} of {len(public_sets.SMALL_SEEDS)}")
        train, test = public_sets.small(bench.data, seed)
        public_sets.write_examples(bench.cache / "sets" / f"small-{seed}.train.csv", train)
        public_sets.write_examples(bench.cache / "sets" / f"small-{seed}.test.csv", test)
        compare(bench, "small", train, test)


# Passages -------------------------------------------------------------------------------------------------------------


def run_xquad(bench: Bench) -> None:
    """Questions in four languages, paragraphs in the same language or in English."""
    answerers: dict[str, Answerer] = {}
    for asked_in, searched_in in public_sets.XQUAD_PAIRS:
        say(f"  {asked_in} → {searched_in}")
        queries, passages = (public_sets.xquad(bench.data, language) for language in (asked_in, searched_in))
        articles = as_articles(passages)
        if searched_in not in answerers:
            answerers[searched_in] = bench.answerer(articles)
        right = [number for number, _ in queries.questions]
        texts = [question for _, question in queries.questions]
        similarity = bench.vectors(texts, "query") @ bench.vectors(passages.passages, "passage").T
        words = baselines.bm25_scores(passages.passages, texts)
        bench.passages[f"{asked_in}→{searched_in}"] = {
            REFILL: asdict(search_each(answerers[searched_in], articles, queries)),
            "nearest neighbour": asdict(score_ranks(baselines.places(list(similarity), right))),
            "BM25": asdict(score_ranks(baselines.places(words, right))),
        }


# The shipped knowledge base -------------------------------------------------------------------------------------------


def run_knowledge_base(bench: Bench) -> None:
    """Held-out questions in four languages, answerable and not."""
    articles = load_knowledge_base(bench.settings.knowledge_folder).articles
    answerer = bench.answerer(articles)
    questions = held_out.held_out(bench.settings)
    rows, milliseconds = held_out.ask(answerer, questions)
    methods = {REFILL: (rows, milliseconds)}
    train = [
        Example(text, article.subject)
        for article in articles
        if article.audience == "public"
        for text in (article.title, *article.questions)
    ]
    test = [Example(question.text, question.subject) for question in questions]
    count = sum(row.answered for row in rows)
    for method, guesses in bench.guesses("knowledge_base", train, test).items():
        mapped = [(one.label(top), score) for one, (top, score) in zip(questions, guesses, strict=True)]
        methods[method] = baselines.answering_as_many(test, mapped, count), 0.0
    note(bench, "knowledge_base", methods)
    further = held_out.ask_follow_ups_and_two_part(answerer, bench.settings)
    further["passage of the right article"] = held_out.passages(answerer, bench.settings)
    bench.kinds = {**held_out.by_kind(questions, rows), **further}


RUNS: dict[str, Callable[[Bench], None]] = {
    "banking77": run_banking77,
    "clinc150": run_clinc150,
    "small": run_small,
    "xquad": run_xquad,
    "knowledge_base": run_knowledge_base,
}


# Results --------------------------------------------------------------------------------------------------------------


def plots(bench: Bench, folder: Path) -> None:
    """Write the plots of what was run."""
    firsts = {
        TITLES[name]: {method: scores["accuracy_no_rejection"] or 0.0 for method, scores in methods.items()}
        for name, methods in bench.scores.items()
    }
    pairs = {
        pair: {method: scores["accuracy_at_1"] or 0.0 for method, scores in methods.items()}
        for pair, methods in bench.passages.items()
    }
    answering_plots.accuracy(firsts, pairs, folder / "answering-accuracy.png")
    if bench.rows:
        titled = {TITLES[name]: methods for name, methods in bench.rows.items()}
        answering_plots.risk(titled, folder / "answering-risk.png")
        decided = {name: methods[REFILL] for name, methods in titled.items()}
        answering_plots.calibration(decided, folder / "answering-calibration.png")


def parse() -> argparse.Namespace:
    """The options."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("REFILL_BENCHMARKS", root.parent / "shared" / "benchmarks")),
        help="folder with banking77/, clinc150/ and xquad/; default: REFILL_BENCHMARKS, then ../shared/benchmarks",
    )
    parser.add_argument("--only", default=",".join(RUNS), help="run these of %(default)s")
    parser.add_argument("--diet", action="store_true", help="train stock Rasa too: many minutes for BANKING77")
    parser.add_argument("--output", type=Path, default=root / "docs", help="the plots go to images/ below this folder")
    parser.add_argument(
        "--cache", type=Path, default=root / "models" / "benchmarks", help="keep vectors and written sets here"
    )
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := sorted(set(options.only) - set(RUNS)):
        parser.error(f"--only takes {', '.join(RUNS)}. Currently, it has {', '.join(unknown)}.")
    return options


def main() -> None:
    """Run what is asked for, write the results and the plots, print the tables."""
    options = parse()
    begun = time.monotonic()
    # Without a cache of texts, so that no question is answered faster for having been asked before.
    settings = load_settings(environ={}).replace(encoder__cache_size=1)
    bench = Bench(settings, options.data, options.cache, options.diet)
    for name in options.only:
        say(f"{name}, after {time.monotonic() - begun:.0f} s")
        RUNS[name](bench)
    target = Path(__file__).parent / "results" / "answering.json"
    target.parent.mkdir(exist_ok=True)
    results = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "answer_precision": settings["answering.answer_precision"],
        "encoder": bench.encoder.fingerprint,
        "seconds": round(time.monotonic() - begun),
        "answers": bench.scores,
        "retrieval": bench.passages,
        "knowledge_base": bench.kinds,
    }
    target.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    plots(bench, options.output / "images")
    print(f"\n{tables(bench.scores, bench.passages, bench.kinds)}\n\n{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
