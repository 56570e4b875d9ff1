"""The command that shows which questions went without a good answer: what to write next."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from bot.console import build_progress, err, escape, out, step
from bot.errors import RefillError
from bot.handoff.cli import database
from bot.settings import LANGUAGES, Settings, load_settings

if TYPE_CHECKING:
    from bot.encoder.encoder import TextEncoder
    from bot.knowledge.answer import Answerer
    from bot.knowledge.gaps import Gap, Nearest, Question, Verdict
    from bot.knowledge.index import Index

_UNITS = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}
_ADVICE = {
    "no_article": "no article is near: write one",
    "not_found": "the article exists but was not found: add these as question variants",
    "not_helpful": "the article answered but did not help: rework it",
}
# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def gaps(
    since: Annotated[str, typer.Option(help="Asked since: 12h, 30d, 8w, or a day like 2026-11-01.")] = "30d",
    language: Annotated[str, typer.Option(help="Asked in this language; default: any.")] = "",
    audience: Annotated[str, typer.Option(help="public or internal: who asked.")] = "public",
    limit: Annotated[int, typer.Option(help="Show so many at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write them to this file as CSV.")] = None,
) -> None:
    """Show what customers asked in vain: questions without a good answer, put together, most wanted first."""
    from sqlalchemy.orm import Session

    from bot.conversation.learning import count_decisions, unhappy_questions

    begin = _moment(since)
    side = _checked(language, audience, limit)
    settings = load_settings()
    with database(settings) as engine, Session(engine) as session:
        questions = unhappy_questions(session, begin, side, language or None)
        decisions = count_decisions(session)
    rows, hidden = _rows(settings, questions, side, limit) if questions else ([], 0)
    if csv_file:
        _write(csv_file, rows)
        err.print(f"[green]✓[/] {len(rows)} gap{'' if len(rows) == 1 else 's'} in {escape(str(csv_file))}")
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif not csv_file:
        _show(rows, begin, decisions)
    if hidden:
        err.print(f"{hidden} more {'is' if hidden == 1 else 'are'} answered by now and left out.")


def _checked(language: str, audience: str, limit: int) -> Literal["public", "internal"]:
    if language and language not in LANGUAGES:
        raise RefillError(f"--language must be one of {', '.join(LANGUAGES)}. Currently, it is {language!r}.")
    if limit < 1:
        raise RefillError(f"--limit must be greater than 0. Currently, it is {limit}.")
    if audience not in ("public", "internal"):
        raise RefillError(f"--audience must be public or internal. Currently, it is {audience!r}.")
    return "internal" if audience == "internal" else "public"


def _moment(since: str) -> dt.datetime:
    """The moment an option like 30d or 2026-11-01 means."""
    now = dt.datetime.now(dt.UTC)
    try:
        if span := re.fullmatch(r"([0-9]{1,4})([hdw])", since):
            return now - int(span[1]) * _UNITS[span[2]]
        return dt.datetime.combine(dt.date.fromisoformat(since), dt.time(), dt.UTC)
    except (ValueError, OverflowError):
        raise RefillError(
            f"--since must be a time like 12h, 30d or 8w, or a day like 2026-11-01. Currently, it is {since!r}."
        ) from None


def _rows(
    settings: Settings, questions: list[Question], audience: Literal["public", "internal"], limit: int
) -> tuple[list[dict[str, Any]], int]:
    """The gaps that are open, most wanted first; and how many before the last of them are answered by now."""
    from bot.knowledge.gaps import Nearest, assess, find_gaps, fit_near

    encoder, index, answerer = _load(settings)
    vectors = index.centres.apply(_encode(encoder, questions), [q.language for q in questions], "query")
    main = vectors[:, : index.centres.parts[0]]
    found = find_gaps(questions, main, fit_near(index.for_audience(audience)))

    def nearest(text: str, language: str) -> Nearest:
        answer = answerer.decide(text, audience, language)
        article = answerer.find(answer.article_id, audience) if answer.article_id else None
        return Nearest(article.subject if article else None, answer.confidence, answer.decision == "answer")

    rows: list[dict[str, Any]] = []
    hidden = 0
    for gap in found:
        verdict = assess(gap, nearest)
        if verdict.kind == "answered_by_now":
            hidden += 1
            continue
        article = answerer.find(verdict.article_id, audience) if verdict.article_id else None
        rows.append(_row(gap, verdict, article.title if article else None))
        if len(rows) == limit:
            break
    return rows, hidden


def _load(settings: Settings) -> tuple[TextEncoder, Index, Answerer]:
    from bot.encoder.encoder import for_retrieval, load_encoder
    from bot.knowledge.build import answerer, ensure_index

    with step("Loading the encoder"):
        encoder = for_retrieval(load_encoder(settings))
    with build_progress() as progress:
        index = ensure_index(settings, encoder, progress=progress).index
    return encoder, index, answerer(settings, index, encoder)


def _encode(encoder: TextEncoder, questions: list[Question]) -> Any:
    columns = (SpinnerColumn(), TextColumn("Encoding questions"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=len(questions))
        texts = [question.text.strip() for question in questions]
        return encoder.encode(texts, "query", lambda done: progress.advance(task, done))


def _row(gap: Gap, verdict: Verdict, title: str | None) -> dict[str, Any]:
    return {
        "questions": len(gap.questions),
        "conversations": gap.conversations,
        "languages": list(gap.languages),
        "first": gap.first.isoformat(timespec="seconds"),
        "last": gap.last.isoformat(timespec="seconds"),
        "kind": verdict.kind,
        "article_id": verdict.article_id,
        "title": title,
        "probability": round(verdict.probability, 3),
        "reasons": gap.reasons,
        "examples": [question.text for question in gap.examples],
    }


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    names = ["questions", "conversations", "languages", "first", "last", "kind", "article_id", "title", "probability"]
    examples = ["example_1", "example_2", "example_3"]
    try:
        with file.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*names, "reasons", *examples])
            for row in rows:
                plain = {**row, "languages": " ".join(row["languages"])}
                reasons = " ".join(f"{reason}={count}" for reason, count in row["reasons"].items())
                texts = [*row["examples"], "", "", ""][: len(examples)]
                writer.writerow([*(_cell(plain[name]) for name in names), reasons, *map(_cell, texts)])
    except OSError as error:
        raise RefillError(f"{file} cannot be written: {error.strerror}.", "Name another file with --csv.") from error


def _cell(value: object) -> object:
    """A value no spreadsheet computes: what customers write could be a formula."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _show(rows: list[dict[str, Any]], begin: dt.datetime, decisions: int) -> None:
    if not rows and not decisions:
        out.print("No question was asked yet. Gaps appear here once customers have talked to the bot: `refill serve`.")
        return
    if not rows:
        out.print(f"No gaps since {begin:%Y-%m-%d}: every question got an answer nobody complained about.")
        out.print("A longer time may show some: --since 90d. So may the other audience: --audience internal.")
        return
    table = Table(show_lines=True)
    for name in ("asked", "in", "languages", "last", "examples", "nearest article", "what to do"):
        table.add_column(name, overflow="fold")
    for row in rows:
        near = f"{row['article_id']} ({row['probability']:.2f})" if row["article_id"] else "none"
        table.add_row(
            f"{row['questions']}×",
            f"{row['conversations']} conv.",
            " ".join(row["languages"]),
            row["last"][:10],
            escape("\n".join(" ".join(text.split())[:200] for text in row["examples"])),
            escape(near),
            _ADVICE[row["kind"]],
        )
    out.print(table)
