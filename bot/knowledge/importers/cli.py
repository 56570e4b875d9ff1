"""The command that brings articles from elsewhere into the knowledge base."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from bot.console import err, escape, step
from bot.errors import RefillError
from bot.settings import LANGUAGES, load_settings

if TYPE_CHECKING:
    from bot.knowledge.importers.folder import Format
    from bot.knowledge.importers.report import Entry, Report
    from bot.knowledge.importers.source import Source
    from bot.knowledge.importers.web import Kind

FORMATS = ("auto", "markdown", "csv", "jsonl", "html", "zendesk", "intercom", "pdf", "docx", "sitemap")
_SHOWN = 5  # keys named per reason


def import_articles(
    source: Annotated[str, typer.Argument(help="File, folder or https address.", show_default=False)],
    name: Annotated[str, typer.Option(help="Of this source, at every import; default: from its path.")] = "",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "auto",
    audience: Annotated[
        str, typer.Option(help="internal, or public to publish, also what is imported already; default: internal.")
    ] = "",
    language: Annotated[str, typer.Option(help=f"Of all documents: auto, {', '.join(LANGUAGES)}.")] = "auto",
    topic: Annotated[list[str] | None, typer.Option(help="Of new articles; may be repeated; default: how_to.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Take the source's text over what was edited by hand.")] = False,
    prune: Annotated[bool, typer.Option(help="Delete articles whose document is gone.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Bring articles from files, exports or a website into the knowledge base; again at any time."""
    from bot.knowledge.article import Audience, Topic
    from bot.knowledge.importers.report import Options
    from bot.knowledge.importers.run import import_documents

    _check("--format", form, FORMATS)
    _check("--audience", audience or "internal", get_args(Audience))
    _check("--language", language, ("auto", *LANGUAGES))
    for value in topic or ():
        _check("--topic", value, get_args(Topic))
    documents = _open(source, form)
    options = Options(
        name or _name(source),
        cast("Audience | None", audience or None),
        None if language == "auto" else language,
        cast("tuple[Topic, ...]", tuple(topic or ("how_to",))),
        overwrite,
        prune,
        dry_run,
    )
    folder = load_settings().knowledge_folder
    with step(f"Importing {escape(options.name)}") as show:
        report = import_documents(documents, folder, options, show)
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False, indent=2) + "\n")
    _show(report, dry_run)
    if not any(entry.state != "unread" for entry in report.entries):
        raise RefillError("Nothing could be read.", "See above; docs/importing.md says what can be read.")
    if not dry_run:
        _say_next(report, folder)


def _check(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RefillError(f"{option} must be one of {', '.join(allowed)}. Currently, it is {value!r}.")


def _is_address(source: str) -> bool:
    return "://" in source


def _name(source: str) -> str:
    """A name for a source: of its host, file or folder."""
    from urllib.parse import urlsplit

    from bot.knowledge.importers.source import slug

    words = urlsplit(source).hostname if _is_address(source) else Path(source).resolve().stem
    if name := slug(words or "", 60):
        return name
    raise RefillError(f"No name can be made of {source!r}.", "Give one with --name, as in `--name crema-help`.")


def _open(source: str, form: str) -> Source:
    if _is_address(source):
        if form not in ("auto", "sitemap", "html"):
            raise RefillError(f"--format {form} is for files.", "Leave it out, or save the address as a file first.")
        from bot.knowledge.importers.web import pages

        return pages(source, cast("Kind", form))
    if form == "sitemap":
        raise RefillError("--format sitemap is for addresses.", "Give one, as in https://help.example.com/sitemap.xml.")
    from bot.knowledge.importers.folder import read_path

    return read_path(Path(source).expanduser(), None if form == "auto" else cast("Format", form))


def _show(report: Report, dry_run: bool) -> None:
    """The problems, grouped by what to do, then the counts."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in report.entries:
        if entry.reason:
            groups.setdefault((entry.state, entry.reason, entry.remedy), []).append(entry)
    for (state, reason, remedy), entries in groups.items():
        names = ", ".join(entry.file or entry.key for entry in entries[:_SHOWN])
        more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
        mark = {"conflict": "[red]✗[/]", "removed": "[yellow]−[/]"}.get(state, "[yellow]![/]")
        err.print(f"{mark} {escape(names)}{more}: {escape(reason)}")
        if remedy:
            err.print(f"  → {escape(remedy)}")
    if report.lost_images:
        err.print(f"[yellow]![/] Left out {report.lost_images} images that have no https address.")
    if report.restricted:
        err.print(f"[yellow]![/] {report.restricted} stay internal: their source shows them to some readers only.")
    if not report.looked_for_removed:
        err.print("[yellow]![/] Removed articles were not looked for: part of the source could not be read.")
    words = {"removed": "removed at source", "conflict": "conflicts", "unread": "could not read"}
    counts = [f"{words.get(state, state)} {count}" for state, count in report.counts.items() if count]
    err.print(f"{'Nothing was written. Would be: ' if dry_run else ''}{', '.join(counts)}")


def _say_next(report: Report, folder: Path) -> None:
    counts = report.counts
    if counts["added"] + counts["updated"] + counts["published"] + counts["deleted"] == 0:
        return
    internal = any(entry.file and entry.file.startswith("internal/") for entry in report.entries)
    if internal:
        err.print(
            f"They are internal: customers do not see them. To publish one, move it to {escape(folder.name)}/public/ "
            "and set its `audience`; to publish all, import again with --audience public."
        )
    err.print("Run `refill index`, or start the bot, to have them answered from.")
