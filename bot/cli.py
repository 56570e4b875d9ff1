"""The `refill` command. Each command reads the settings, loads what it needs, and says what to do when it fails."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markdown import Markdown
from rich.table import Table

from bot.console import build_progress, err, escape, out, step
from bot.conversation.gaps_cli import gaps
from bot.customers.cli import identity
from bot.errors import RefillError
from bot.handoff.cli import cases, claim, close, database, note, release, reopen, reply, transfer
from bot.knowledge.cli import evaluate
from bot.knowledge.importers.cli import import_articles
from bot.outbox.cli import deliveries, webhooks
from bot.people.cli import ensure_administrator, people, tokens
from bot.settings import LANGUAGES, SETTINGS, Settings, load_settings
from bot.success.cli import correct, precision, signals
from bot.success.invitations.cli import invitations
from bot.tagging.cli import evaluate_tags, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.encoder.encoder import Encoder
    from bot.knowledge.answer import Answerer
    from bot.knowledge.build import Built
    from bot.tagging.examples import Example
    from bot.tagging.tagger import Tagger

app = typer.Typer(
    name="refill",
    help="A support bot that answers from your knowledge base and hands over to people.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
for command in (cases, claim, reply, note, transfer, release, close, reopen, gaps, tag, signals, correct, precision):
    app.command()(command)
app.command(name="import")(import_articles)
evaluate.command(name="tags")(evaluate_tags)
app.add_typer(evaluate)
app.add_typer(webhooks)
app.add_typer(deliveries)
app.add_typer(invitations)
app.add_typer(people)
app.add_typer(tokens)
app.add_typer(identity)


def main() -> None:
    """Entry point: an error Refill raised on purpose is shown without a traceback, and the exit status is 1."""
    try:
        app()
    except RefillError as error:
        err.print(f"[bold red]✗[/] {escape(error.message)}")
        if error.remedy:
            err.print(f"  → {escape(error.remedy)}")
        sys.exit(1)


def _load_encoder(settings: Settings) -> Encoder:
    from bot.encoder.encoder import load_encoder

    with step("Loading the encoder"):
        return load_encoder(settings)


def _ensure_index(settings: Settings, encoder: Encoder, force: bool = False) -> Built:
    from bot.knowledge.build import ensure_index

    with build_progress() as progress:
        built = ensure_index(settings, encoder, force, progress)
    for problem in built.errors:
        err.print(f"[yellow]![/] {escape(str(problem))}")
    if built.rebuilt:
        err.print(f"[green]✓[/] Index of {built.articles} articles")
    return built


def _ensure_model(settings: Settings, encoder: Encoder, force: bool = False, verbose: bool = False) -> None:
    from bot.dialogue.training import is_trained, train
    from bot.serve import encoder_server

    if not force and is_trained(settings, encoder.fingerprint):
        return
    with step("Training Rasa (1 to 2 minutes)") as show, encoder_server(encoder) as url:
        train(settings, url, encoder.fingerprint, (lambda line: err.print(escape(line))) if verbose else show)


def _ensure_tagger(settings: Settings, encoder: Encoder, force: bool = False) -> Tagger:
    from bot.tagging.build import ensure_tagger, is_current, manifest

    stale = force or not is_current(settings, encoder.fingerprint)
    corrections = _corrections(settings) if stale and manifest(settings).get("corrections") else ()
    with build_progress() as progress:
        return ensure_tagger(settings, encoder, force, corrections, progress)


def _corrections(settings: Settings) -> Sequence[Example]:
    from sqlalchemy.orm import Session

    from bot.conversation.corrections import corrected_examples

    with database(settings) as engine, Session(engine) as session:
        return corrected_examples(session)


def _answerer(settings: Settings) -> Answerer:
    from bot.knowledge.build import answerer

    encoder = _load_encoder(settings)
    return answerer(settings, _ensure_index(settings, encoder).index, encoder)


def _prepare(settings: Settings) -> tuple[Encoder, Built, Tagger]:
    """Everything that is built once, where it is not there yet."""
    from bot.encoder.encoder import ensure_encoder, is_ready

    if not is_ready(settings):
        with step("Building the encoder") as show:
            ensure_encoder(settings, show)
    encoder = _load_encoder(settings)
    built = _ensure_index(settings, encoder)
    tagger = _ensure_tagger(settings, encoder)
    _ensure_model(settings, encoder)
    return encoder, built, tagger


Rebuild = Annotated[
    str, typer.Option(help="Build this part anew: encoder, index, tagger, model or all.", show_default=False)
]


@app.command()
def setup(rebuild: Rebuild = "") -> None:
    """Build what is missing: encoder, index, tagger, Rasa model, database. What is there and current is left alone."""
    import shutil

    from bot.dialogue.training import model_folder
    from bot.encoder.encoder import remove_encoders
    from bot.knowledge.build import index_folder
    from bot.tagging.build import tagger_folder

    settings = load_settings()
    folders = {"index": index_folder, "tagger": tagger_folder, "model": model_folder}
    if rebuild and rebuild not in ("encoder", *folders, "all"):
        raise RefillError(f"--rebuild must be encoder, index, tagger, model or all. Currently, it is {rebuild!r}.")
    if rebuild in ("encoder", "all"):
        remove_encoders(settings)
    for name, folder in folders.items():
        if rebuild in (name, "all"):
            shutil.rmtree(folder(settings), ignore_errors=True)
    _prepare(settings)
    with database(settings) as engine:  # Opening it brings its tables up to date.
        ensure_administrator(settings, engine)
    err.print("[green]✓[/] Everything is in place. `refill serve` starts the bot.")


@app.command()
def serve() -> None:
    """Start the bot: the public server, Rasa beside it, the actions and the encoder. Ctrl-C stops all of it."""
    import logging

    from bot.knowledge.build import answerer
    from bot.serve import Running
    from bot.serve import serve as run

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    begun = time.monotonic()
    settings = load_settings()
    encoder, built, tagger = _prepare(settings)
    with database(settings) as engine:
        ensure_administrator(settings, engine)

    def ready(product: Running) -> None:
        err.print(f"[green]✓[/] Ready after {time.monotonic() - begun:.0f} s")
        out.print(f"\n  Refill answers at [bold]{product.url}[/]")
        out.print(f"  Desk: {product.url}/desk   API: {product.url}/openapi.json   Ctrl-C stops\n")

    def report(line: str) -> None:
        err.print(f"… {escape(line)}")

    asyncio.run(run(settings, encoder, answerer(settings, built.index, encoder), tagger, report, ready))
    err.print("[green]✓[/] Stopped")


@app.command()
def index(
    force: Annotated[bool, typer.Option(help="Build it even if nothing changed; encode every text again.")] = False,
) -> None:
    """Build the index of the knowledge base, if an article, the encoder or the format changed."""
    settings = load_settings()
    built = _ensure_index(settings, _load_encoder(settings), force)
    state = "was built" if built.rebuilt else "is current"
    broken = f", {len(built.errors)} could not be read" if built.errors else ""
    out.print(f"The index {state}: {built.articles} articles{broken}.")


@app.command()
def train(
    force: Annotated[bool, typer.Option(help="Train even if nothing changed.")] = False,
    verbose: Annotated[bool, typer.Option(help="Show what Rasa prints.")] = False,
    with_corrections: Annotated[
        bool, typer.Option("--with-corrections", help="Train the tagger on people's corrections too.")
    ] = False,
) -> None:
    """Train Rasa from config.yml, domain.yml and data/, and the tagger from data/tags; record both models."""
    from bot.dialogue.training import verified_model

    settings = load_settings()
    encoder = _load_encoder(settings)
    if with_corrections:
        _train_with_corrections(settings, encoder)
    else:
        tagger = _ensure_tagger(settings, encoder, force)
        out.print(f"The tagger is current: version {tagger.version}")
    _ensure_model(settings, encoder, force, verbose)
    out.print(f"The model is current: {verified_model(settings).relative_to(settings.root)}")


def _train_with_corrections(settings: Settings, encoder: Encoder) -> None:
    """Train, and show what it changed on messages neither tagger was trained on."""
    from bot.tagging.build import ensure_tagger
    from bot.tagging.compare import compare

    corrections = _corrections(settings)
    if not corrections:
        raise RefillError("There are no corrections yet.", "`refill correct` makes one; so does the API.")
    with build_progress() as progress:
        before = ensure_tagger(settings, encoder, progress=progress)
    with build_progress() as progress:
        after = ensure_tagger(settings, encoder, True, corrections, progress)
    table = Table(f"trained on {len(corrections):,} corrected messages too", "before", "after", "messages")
    for row in compare(before, after, settings, corrections):
        table.add_row(row.what, row.shown(row.before), row.shown(row.after), str(row.count))
    out.print(table)
    out.print(f"The tagger is version {after.version}; before, it was {before.version}.")


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="As a customer would write it.")],
    audience: Annotated[str, typer.Option(help="public or internal: who asks.")] = "public",
    language: Annotated[str, typer.Option(help="Language of the answer; default: of the question.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what the bot decides on one question: decision, confidence, article, passage, citations."""
    from bot.language import detect

    if audience not in ("public", "internal"):
        raise RefillError(f"--audience must be public or internal. Currently, it is {audience!r}.")
    if language and language not in LANGUAGES:
        raise RefillError(f"--language must be one of {', '.join(LANGUAGES)}. Currently, it is {language!r}.")
    answerer = _answerer(load_settings())
    answer = answerer.decide(question, "internal" if audience == "internal" else "public", language or detect(question))
    if as_json:
        sys.stdout.write(json.dumps(answer.to_json(), ensure_ascii=False, indent=2) + "\n")
        return
    out.print(f"[bold]{answer.decision}[/]  confidence {answer.confidence:.2f}  article {answer.article_id or 'none'}")
    if answer.answer:
        out.print(Markdown(answer.answer))
    for citation in answer.citations:
        out.print(f"  ↳ {escape(citation.title)} {citation.url}")
    for number, choice in enumerate(answer.alternatives, 1):
        out.print(f"  {number}. {escape(choice.title)} ({choice.article_id})")


@app.command()
def chat(
    url: Annotated[str, typer.Option(help="Address of a running bot; default: start one for this chat.")] = "",
) -> None:
    """Talk to the whole stack in the terminal."""
    from bot.channels.terminal import talk

    if url:
        asyncio.run(talk(url, out))
        return
    from bot.knowledge.build import answerer
    from bot.serve import running

    settings = load_settings()
    encoder, built, tagger = _prepare(settings)
    free = settings.replace(server__port=0, server__internal_port=0, dialogue__rasa_port=0)

    async def session() -> None:
        with step("Starting the bot"):
            product = running(free, encoder, answerer(free, built.index, encoder), tagger)
            up = await product.__aenter__()
        try:
            await talk(up.url, out)
        finally:
            await product.__aexit__(None, None, None)

    asyncio.run(session())


@app.command()
def check() -> None:
    """Inspect this installation and say what is wrong; exit status 1 if anything is."""
    from bot.check import inspect

    bad = 0
    for finding in inspect(load_settings()):
        mark = "[green]✓[/]" if finding.good else "[red]✗[/]"
        out.print(f"{mark} {finding.part}: {escape(finding.state)}")
        if not finding.good:
            bad += 1
            out.print(f"    → {escape(finding.remedy)}")
    if bad:
        raise RefillError(f"{bad} part{'s' if bad > 1 else ''} not in order.", "See the arrows above.")
    out.print("Everything is in order.")


@app.command(name="settings")
def show_settings() -> None:
    """List every setting with its value in force, its environment variable and what it does."""
    values = load_settings()
    table = Table()
    for name in ("setting", "value", "what it does", "variable"):
        table.add_column(name, overflow="fold")
    for setting in SETTINGS:
        table.add_row(setting.name, escape(setting.shown(values[setting.name])), setting.help, setting.variable)
    out.print(table)


if __name__ == "__main__":
    main()
