"""The `refill` command. Each command reads the settings, loads what it needs, and says what to do when it fails."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot.errors import RefillError
from bot.settings import LANGUAGES, SETTINGS, Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from bot.encoder.encoder import Encoder
    from bot.knowledge.answer import Answerer
    from bot.knowledge.build import Built

app = typer.Typer(
    name="refill",
    help="A support bot that answers from your knowledge base and hands over to people.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def main() -> None:
    """Entry point: an error Refill raised on purpose is shown without a traceback, and the exit status is 1."""
    try:
        app()
    except RefillError as error:
        err.print(f"[bold red]✗[/] {_escape(error.message)}")
        if error.remedy:
            err.print(f"  → {_escape(error.remedy)}")
        sys.exit(1)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@contextmanager
def _step(title: str) -> Iterator[Callable[[str], None]]:
    """Show a step with a spinner and its time; give a function that changes the line."""
    begun = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(title)
        if not err.is_terminal:
            err.print(f"… {title}")
        yield lambda text: progress.update(task, description=f"{title}: {text[:80]}")
    err.print(f"[green]✓[/] {title} ({time.monotonic() - begun:.1f} s)")


@contextmanager
def _index_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for the index."""
    titles = {"encoding": "Encoding articles", "calibrating": "Calibrating the decision"}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=err) as progress:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(titles[stage], total=total)
            progress.advance(tasks[stage], done)

        yield show


def _load_encoder(settings: Settings) -> Encoder:
    from bot.encoder.encoder import load_encoder

    with _step("Loading the encoder"):
        return load_encoder(settings)


def _ensure_index(settings: Settings, encoder: Encoder, force: bool = False) -> Built:
    from bot.knowledge.build import ensure_index

    with _index_progress() as progress:
        built = ensure_index(settings, encoder, force, progress)
    for problem in built.errors:
        err.print(f"[yellow]![/] {_escape(str(problem))}")
    if built.rebuilt:
        err.print(f"[green]✓[/] Index of {built.articles} articles")
    return built


def _ensure_model(settings: Settings, encoder: Encoder, force: bool = False, verbose: bool = False) -> None:
    from bot.dialogue.training import is_trained, train
    from bot.serve import encoder_server

    if not force and is_trained(settings, encoder.fingerprint):
        return
    with _step("Training Rasa (1 to 2 minutes)") as show, encoder_server(encoder) as url:
        train(settings, url, encoder.fingerprint, (lambda line: err.print(_escape(line))) if verbose else show)


def _answerer(settings: Settings) -> Answerer:
    from bot.knowledge.build import answerer

    encoder = _load_encoder(settings)
    return answerer(settings, _ensure_index(settings, encoder).index, encoder)


def _prepare(settings: Settings) -> tuple[Encoder, Built]:
    """Everything that is built once, where it is not there yet."""
    from bot.encoder.encoder import encoder_folder, ensure_encoder
    from bot.encoder.materialise import is_built

    if not is_built(encoder_folder(settings), settings["encoder.model"], settings["encoder.precision"]):
        with _step("Building the encoder") as show:
            ensure_encoder(settings, show)
    encoder = _load_encoder(settings)
    built = _ensure_index(settings, encoder)
    _ensure_model(settings, encoder)
    with _database(settings):
        pass
    return encoder, built


Rebuild = Annotated[str, typer.Option(help="Build this part anew: encoder, index, model or all.", show_default=False)]


@app.command()
def setup(rebuild: Rebuild = "") -> None:
    """Build what is missing: encoder, index, Rasa model, database. What is there and current is left alone."""
    import shutil

    from bot.dialogue.training import model_folder
    from bot.encoder.encoder import encoder_folder
    from bot.knowledge.build import index_folder

    settings = load_settings()
    folders = {"encoder": encoder_folder, "index": index_folder, "model": model_folder}
    if rebuild and rebuild not in (*folders, "all"):
        raise RefillError(f"--rebuild must be encoder, index, model or all. Currently, it is {rebuild!r}.")
    for name, folder in folders.items():
        if rebuild in (name, "all"):
            shutil.rmtree(folder(settings), ignore_errors=True)
    _prepare(settings)
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
    encoder, built = _prepare(settings)

    def ready(product: Running) -> None:
        err.print(f"[green]✓[/] Ready after {time.monotonic() - begun:.0f} s")
        out.print(f"\n  Refill answers at [bold]{product.url}[/]   (API: {product.url}/openapi.json, Ctrl-C stops)\n")

    report = lambda line: err.print(f"… {_escape(line)}")  # noqa: E731
    asyncio.run(run(settings, encoder, answerer(settings, built.index, encoder), report, ready))
    err.print("[green]✓[/] Stopped")


@app.command()
def index(force: Annotated[bool, typer.Option(help="Build it even if nothing changed.")] = False) -> None:
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
) -> None:
    """Train Rasa from config.yml, domain.yml and data/, and record the model's SHA-256."""
    from bot.dialogue.training import verified_model

    settings = load_settings()
    _ensure_model(settings, _load_encoder(settings), force, verbose)
    out.print(f"The model is current: {verified_model(settings).relative_to(settings.root)}")


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
        out.print(f"  ↳ {_escape(citation.title)} {citation.url}")
    for number, choice in enumerate(answer.alternatives, 1):
        out.print(f"  {number}. {_escape(choice.title)} ({choice.article_id})")


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
    encoder, built = _prepare(settings)
    free = settings.replace(server__port=0, server__internal_port=0, dialogue__rasa_port=0)

    async def session() -> None:
        with _step("Starting the bot"):
            product = running(free, encoder, answerer(free, built.index, encoder))
            up = await product.__aenter__()
        try:
            await talk(up.url, out)
        finally:
            await product.__aexit__(None, None, None)

    asyncio.run(session())


@app.command()
def cases(
    number: Annotated[int | None, typer.Argument(help="Show this case with its transcript.")] = None,
    closed: Annotated[bool, typer.Option(help="List closed cases instead of open ones.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the escalations waiting for people, or show one with its contact and transcript."""
    from sqlalchemy.orm import Session

    from bot.handoff.escalation import list_cases, read_case

    with _database(load_settings()) as engine, Session(engine) as session:
        if number is not None:
            _show_case(read_case(session, number), as_json)
            return
        found = list_cases(session, "closed" if closed else "open")
        rows: list[dict[str, Any]] = [
            {
                "number": case.id,
                "queue": case.queue,
                "reason": case.reason,
                "language": case.language,
                "contact": (case.contact or {}).get("email", ""),
                "since": case.created_at.isoformat(timespec="seconds"),
            }
            for case in found
        ]
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif not rows:
        out.print("No cases. They appear here when a customer asks for a person or the bot has no answer.")
    else:
        table = Table()
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(str(value) for value in {**row, "since": row["since"][:16].replace("T", " ")}.values()))
        out.print(table)


@contextmanager
def _database(settings: Settings) -> Iterator[Engine]:
    """The database, up to date, for as long as the context lasts."""
    from bot.storage.engine import migrate, open_engine

    engine = open_engine(settings)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


@app.command()
def reply(
    number: Annotated[int, typer.Argument(help="Of the case.")],
    text: Annotated[str, typer.Argument(help="What the customer will read; Markdown.")],
    agent: Annotated[str, typer.Option(help="Who writes.")] = "operator",
) -> None:
    """Answer a customer's case as a person. The bot keeps silent in that conversation until the case is closed."""
    from sqlalchemy.orm import Session

    from bot.conversation.service import clean_text
    from bot.conversation.store import ConversationStore
    from bot.handoff.escalation import read_case

    if not 1 <= len(agent.strip()) <= 50:
        raise RefillError(f"--agent must have 1 to 50 characters. Currently, it is {agent!r}.")
    settings = load_settings()
    with _database(settings) as engine:
        with Session(engine) as session:
            case = read_case(session, number)
        if case.status != "open":
            raise RefillError(f"Case {number} is closed.", "It takes a new case: the customer asks for a person again.")
        text = clean_text(text, settings["conversation.max_length"])
        ConversationStore(engine).add_agent_message(case.conversation_id, agent, text)
    out.print(f"Sent. `refill close {number}` gives the conversation back to the bot.")


@app.command()
def close(number: Annotated[int, typer.Argument(help="Of the case.")]) -> None:
    """Close a case; the bot answers in that conversation again."""
    from sqlalchemy.orm import Session

    from bot.handoff import escalation

    with _database(load_settings()) as engine, Session(engine) as session, session.begin():
        escalation.close(session, number)
    out.print(f"Case {number} is closed.")


def _show_case(case: Any, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        sys.stdout.write(json.dumps(asdict(case), ensure_ascii=False, indent=2, default=str) + "\n")
        return
    contact = ", ".join(value for value in (case.contact or {}).values() if value) or "none left"
    out.print(f"[bold]Case {case.number}[/]  {case.status}  queue {case.queue}  reason {case.reason}")
    out.print(f"Contact: {_escape(contact)}\n")
    for line in case.transcript:
        out.print(f"[dim]{line.created_at:%H:%M}[/] [bold]{line.author}[/]  {_escape(line.text)}")


@app.command()
def check() -> None:
    """Inspect this installation and say what is wrong; exit status 1 if anything is."""
    from bot.check import inspect

    bad = 0
    for finding in inspect(load_settings()):
        mark = "[green]✓[/]" if finding.good else "[red]✗[/]"
        out.print(f"{mark} {finding.part}: {_escape(finding.state)}")
        if not finding.good:
            bad += 1
            out.print(f"    → {_escape(finding.remedy)}")
    if bad:
        raise RefillError(f"{bad} part{'s' if bad > 1 else ''} not in order.", "See the arrows above.")
    out.print("Everything is in order.")


@app.command(name="settings")
def show_settings() -> None:
    """List every setting with its value in force, its environment variable and what it does."""
    values = load_settings()
    table = Table("setting", "value", "what it does", "variable")
    for setting in SETTINGS:
        value = values[setting.name]
        table.add_row(setting.name, _escape(str(value)), setting.help, setting.variable)
    out.print(table)


if __name__ == "__main__":
    main()
