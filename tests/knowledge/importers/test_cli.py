"""`refill import`: what it prints, how it fails, and that what it brings in is answered from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from bot import cli
from bot.encoder.encoder import Encoder
from bot.knowledge import build
from bot.knowledge.importers import cli as module
from bot.settings import SETTINGS
from tests.knowledge.fakes import project
from tests.knowledge.importers.files import articles, snapshot


@dataclass
class Result:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


Import = Callable[..., Result]


@pytest.fixture
def import_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Import:
    """Runs `refill import` in a project of its own, on a wide terminal."""
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("REFILL_ROOT", str(tmp_path))
    for place in (cli, module):
        monkeypatch.setattr(place, "err", Console(stderr=True, highlight=False, width=400))

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["refill", "import", *arguments])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
        printed = capsys.readouterr()
        return Result(status, printed.out, printed.err)

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of two articles and a broken one."""
    folder = tmp_path / "My Articles"
    folder.mkdir()
    (folder / "refund.md").write_text("# Refund a sale\n\nOpen **Sales**. ![x](x.png)", "utf-8")
    (folder / "hours.md").write_text("# Opening hours\n\nFrom 7 to 19.", "utf-8")
    (folder / "scan.pdf").write_bytes(b"broken [bold]")
    return folder


def test_first_and_second_time(import_: Import, source: Path, tmp_path: Path) -> None:
    first = import_(str(source))
    assert first.status == 0
    assert sorted(articles(tmp_path)) == [
        "internal/en/my-articles/opening-hours.md",
        "internal/en/my-articles/refund-a-sale.md",
    ]
    for line in (
        "! scan.pdf: It is not a valid PDF.",
        "→ Open it in a viewer and print it to a new PDF.",
        "Left out 1 images that have no https address.",
        "added 2, could not read 1",
        "They are internal: customers do not see them.",
        "move it to knowledge_base/public/",
        "Run `refill index`",
    ):
        assert line in first.err
    second = import_(str(source))
    assert (second.status, "unchanged 2, could not read 1" in second.err) == (0, True)
    assert "refill index" not in second.err


def test_options(import_: Import, source: Path, tmp_path: Path) -> None:
    arguments = (
        "--name",
        "crema",
        "--audience",
        "public",
        "--language",
        "tr",
        "--topic",
        "billing",
        "--topic",
        "access",
    )
    result = import_(str(source), "--format", "markdown", *arguments)
    assert (result.status, "added 2\n" in result.err, "internal" in result.err) == (0, True, False)
    article = articles(tmp_path)["public/tr/crema/opening-hours.md"]
    assert article.topics == ("billing", "access")


def test_removed_and_conflicting_articles(import_: Import, source: Path, tmp_path: Path) -> None:
    import_(str(source))
    file = tmp_path / "knowledge_base/internal/en/my-articles/refund-a-sale.md"
    file.write_text(file.read_text("utf-8") + "\nBy hand.\n", "utf-8")
    (source / "refund.md").write_text("# Refund a sale\n\nNew.", "utf-8")
    (source / "hours.md").unlink()
    (source / "more.md").write_text("# More\n\nText.", "utf-8")
    result = import_(str(source))
    assert result.status == 0
    for line in (
        "✗ internal/en/my-articles/refund-a-sale.md: It was edited by hand",
        "− internal/en/my-articles/opening-hours.md: It is gone at its source.",
        "added 1, removed at source 1, conflicts 1, could not read 1",
    ):
        assert line in result.err
    result = import_(str(source), "--prune", "--overwrite")
    assert "updated 1, unchanged 1, deleted 1, could not read 1" in result.err


def test_a_dry_run(import_: Import, source: Path, tmp_path: Path) -> None:
    result = import_(str(source), "--dry-run")
    assert "Nothing was written. Would be: added 2" in result.err
    assert "refill index" not in result.err
    assert articles(tmp_path) == {}


def test_the_report_as_json(import_: Import, source: Path) -> None:
    report = json.loads(import_(str(source), "--json").out)
    assert (report["counts"]["added"], report["entries"][0]["key"]) == (2, "scan.pdf")


def test_many_of_the_same_problem_are_one_line(import_: Import, source: Path) -> None:
    for number in range(20):
        (source / f"page-{number:02}.md").write_text(" ", "utf-8")
    result = import_(str(source))
    assert "! page-00.md, page-01.md, page-02.md, page-03.md, page-04.md and 15 more: It has no text." in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "There is nothing at nowhere."),
        ((".", "--format", "excel"), "--format must be one of auto, markdown, csv"),
        ((".", "--audience", "all"), "--audience must be one of public, internal"),
        ((".", "--language", "de"), "--language must be one of auto, en, zh, tr, th"),
        ((".", "--topic", "gardening"), "--topic must be one of how_to"),
        ((".", "--name", "A b"), "An import's name must be lower-case"),
        (("/", "--format", "csv"), "No name can be made of '/'"),
        ((".", "--format", "sitemap"), "--format sitemap is for addresses"),
        (("https://help.crema.example", "--format", "csv"), "--format csv is for files"),
        (("file:///etc/passwd",), "http"),
        (("http://127.0.0.1/",), "127.0.0.1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_writes_nothing(import_: Import, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = import_(*arguments)
    assert result.status == 1
    assert message in result.err
    assert "Traceback" not in result.err + result.out
    assert snapshot(tmp_path) == {}


def test_nothing_could_be_read(import_: Import, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.md").write_text("", "utf-8")
    result = import_(str(tmp_path / "empty"))
    assert result.status == 1
    assert "a.md: It has no text." in result.err
    assert "✗ Nothing could be read." in result.err


@pytest.mark.encoder
def test_what_was_imported_is_answered_from(import_: Import, tmp_path: Path, encoder: Encoder) -> None:
    table = tmp_path / "faq.csv"
    table.write_text(
        "question,answer,url\n"
        "How do I give a customer their money back?,Open **Sales** and tap **Refund**.,https://help.crema.example/r\n"
        "refund only one item,Open **Sales** and tap **Refund**.,\n"
        "When does the café open?,We open at 7 in the morning.,\n"
        "How do I connect a receipt printer?,Open **Devices** and tap **Add printer**.,\n",
        "utf-8",
    )
    settings = project(tmp_path)
    assert import_(str(table), "--audience", "public").status == 0
    answerer = build.answerer(settings, build.ensure_index(settings, encoder).index, encoder)
    answer = answerer.decide("How do I give a customer their money back?", "public", "en")
    assert answer.article_id == "how-do-i-give-a-customer-their-money-back"
    assert answer.decision == "answer"
    assert answer.answer == "Open **Sales** and tap **Refund**."
    assert [citation.url for citation in answer.citations] == ["https://help.crema.example/r"]
