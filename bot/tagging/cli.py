"""The commands that show and measure tags."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import build_progress, escape, out, step
from bot.errors import RefillError
from bot.settings import LANGUAGES, Settings, load_settings

if TYPE_CHECKING:
    from bot.tagging.metrics import TagScores
    from bot.tagging.tagger import Tagger

_SHOWN = {
    "reactive_f1": "reactive",
    "any_signal_f1": "any signal",
    "topics_micro_f1": "topics, micro",
    "topics_macro_f1": "topics, macro",
    "signals_micro_f1": "signals, micro",
    "signals_macro_f1": "signals, macro",
    "urgent_f1": "urgent",
    "ece": "calibration error",
}
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def tag(
    text: Annotated[str, typer.Argument(help="A message, as a customer would write it.")],
    language: Annotated[str, typer.Option(help="Of the message; default: detected.")] = "",
    as_json: Json = False,
) -> None:
    """Show what a message carries: topics and signals with the words that show them, urgency, sentiment, stage."""
    from bot.language import detect

    if language and language not in LANGUAGES:
        raise RefillError(f"--language must be one of {', '.join(LANGUAGES)}. Currently, it is {language!r}.")
    if not text.strip():
        raise RefillError("The message is empty.", 'Write it in quotes: refill tag "The printer is dead again."')
    found = _tagger(load_settings()).tag(text, language or detect(text))
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), ensure_ascii=False, indent=2) + "\n")
        return
    urgent = f"{'[red]urgent[/]' if found.urgent else 'not urgent'} ({found.urgency:.2f})"
    out.print(f"[bold]{found.kind}[/]  {urgent}  sentiment {found.sentiment}  stage {found.stage or 'none'}")
    for one in found.tags:
        kind = "topic " if one.is_topic else "signal"
        out.print(f"  {kind} [bold]{one.name}[/] {one.probability:.2f}  “{escape(one.quote)}”")
    if not found.tags:
        out.print("  No topic and no signal.")


def evaluate_tags(
    file: Annotated[Path, typer.Argument(help="JSON lines: id, lang, text, reactive, topics, signals, urgent.")],
    as_json: Json = False,
) -> None:
    """Tag labelled messages and count how often that is right, in all and by language."""
    from bot.tagging.evaluate import read_labelled, tag_each

    messages = read_labelled(file)
    tagger = _tagger(load_settings())
    done = 0
    with step(f"Tagging {len(messages):,} messages") as show:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            show(f"{done:,}")

        scores = tag_each(tagger, messages, advance)
    if as_json:
        sys.stdout.write(json.dumps(_rounded(asdict(scores)), ensure_ascii=False, indent=2) + "\n")
        return
    out.print(_table(scores))


def _tagger(settings: Settings) -> Tagger:
    from bot.encoder.encoder import load_encoder
    from bot.tagging.build import ensure_tagger

    with step("Loading the encoder"):
        encoder = load_encoder(settings)
    with build_progress() as progress:
        return ensure_tagger(settings, encoder, progress=progress)


def _table(scores: TagScores) -> Table:
    columns = {"all": scores, **scores.by_language}
    table = Table("F1", *columns)
    for name, shown in _SHOWN.items():
        table.add_row(shown, *(_number(getattr(part, name)) for part in columns.values()))
    for name in scores.by_tag:
        table.add_row(f"  {name}", *(_number(part.by_tag[name]) for part in columns.values()))
    table.add_row("messages", *(f"{part.messages:,}" for part in columns.values()))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return round(value, 4) if isinstance(value, float) else value
