"""The commands that measure how well the bot answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import build_progress, err, escape, out, step
from bot.errors import RefillError
from bot.settings import LANGUAGES, Settings, load_settings

if TYPE_CHECKING:
    from bot.encoder.encoder import TextEncoder

evaluate = typer.Typer(
    name="evaluate",
    help="Measure how well the bot answers, on labelled questions or on passages of your own.",
    no_args_is_help=True,
)

_MEANINGS = {
    "accuracy_no_rejection": "in scope: the top article is right, decision aside",
    "accuracy": "all: answered with the right label, or out of scope and not answered",
    "in_scope_accuracy": "in scope: answered with the right label",
    "oos_recall": "out of scope: not answered",
    "mcc": "Matthews correlation of labels and decisions, -1 to 1",
    "coverage": "in scope: answered",
    "precision": "answered: with the right label",
    "auroc": "confidence tells in scope from out of scope; 0.5 is chance",
    "aurc": "area under the risk-coverage curve; lower is better",
    "ece": "expected calibration error; lower is better",
    "ms_per_question": "milliseconds of a decision, with encoding",
    "accuracy_at_1": "the right passage is first",
    "mrr_at_10": "mean of 1 / place of the right passage, 0 beyond the tenth",
    "recall_at_5": "the right passage is among the first five",
}
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@evaluate.command()
def answers(
    train: Annotated[Path, typer.Option(help="CSV with the columns text and label (or category, or intent).")],
    test: Annotated[Path, typer.Option(help="The same; an empty label or NO_NODES_DETECTED is out of scope.")],
    as_json: Json = False,
) -> None:
    """Decide on test questions with a knowledge base made of training questions, an article for each label."""
    from bot.knowledge.evaluate import answerer_over, as_knowledge_base, decide_each, doubts
    from bot.knowledge.examples import read_examples

    settings = load_settings()
    learnt, asked = read_examples(train), read_examples(test)
    base = as_knowledge_base(learnt)
    for line in doubts(learnt, asked):
        err.print(f"[yellow]![/] {escape(line)}")
    encoder = _encoder(settings)
    with build_progress() as progress:
        answerer = answerer_over(base.articles, base.off_topic, settings, encoder, progress)
    with _asking(len(asked)) as advance:
        report = decide_each(answerer, base, asked, advance)
    if as_json:
        _print_json(report.scores)
        return
    table = _table(report.scores)
    table.add_row("clarified", f"{report.clarified:.3f}", "all: asked back which article was meant")
    table.add_row("choice right", _shown(report.choice_right), "asked back: the right label was among the choices")
    out.print(table)


@evaluate.command()
def retrieval(
    queries: Annotated[Path, typer.Option(help="JSON in the format of SQuAD, whose questions are asked.")],
    passages: Annotated[Path, typer.Option(help="The same file or a translation, whose paragraphs are searched.")],
    passage_language: Annotated[str, typer.Option(help="Of all paragraphs; default: detected.")] = "",
    as_json: Json = False,
) -> None:
    """Look for each question's paragraph among all paragraphs, in the same language or across languages."""
    from bot.knowledge.evaluate import answerer_over, as_articles, search_each
    from bot.knowledge.examples import check_same_shape, read_squad

    if passage_language and passage_language not in LANGUAGES:
        raise RefillError(
            f"--passage-language must be one of {', '.join(LANGUAGES)}. Currently, it is {passage_language!r}."
        )
    settings = load_settings()
    asked, searched = read_squad(queries), read_squad(passages)
    check_same_shape(asked, searched)
    articles = as_articles(searched, passage_language or None)
    encoder = _encoder(settings)
    with build_progress() as progress:
        answerer = answerer_over(articles, (), settings, encoder, progress)
    with _asking(len(asked.questions)) as advance:
        scores = search_each(answerer, articles, asked, advance)
    if as_json:
        _print_json(scores)
    else:
        out.print(_table(scores))


def _encoder(settings: Settings) -> TextEncoder:
    from bot.encoder.encoder import for_retrieval, load_encoder

    with step("Loading the encoder"):
        return for_retrieval(load_encoder(settings))


@contextmanager
def _asking(total: int) -> Iterator[Callable[[int], None]]:
    """Show how many questions were asked; give a function that counts."""
    done = 0
    with step(f"Asking {total:,} questions") as show:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            show(f"{done:,}")

        yield advance


def _print_json(scores: Any) -> None:
    values = {name: None if value is None else round(value, 4) for name, value in asdict(scores).items()}
    sys.stdout.write(json.dumps(values, indent=2) + "\n")


def _table(scores: Any) -> Table:
    table = Table("measure", "value", "what it is")
    for name, value in asdict(scores).items():
        table.add_row(name, _shown(value), _MEANINGS[name])
    return table


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
