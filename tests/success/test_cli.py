"""`refill signals`, `refill correct`, `refill precision`: what they show, record and refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import cli
from bot.conversation.models import Conversation, Correction
from bot.success import cli as success_cli
from bot.success.accounts import ensure_account, link_conversation
from bot.success.reports import Report, take_report
from tests.commands import Refill, command_in
from tests.conversation.fakes import new_database
from tests.success.conftest import HERE, TAG, add_message


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """On a project's database with a conversation of one message."""
    (tmp_path / "var").mkdir()
    engine = new_database(tmp_path / "var")
    with Session(engine) as session:
        session.add(Conversation(id=HERE, channel="webchat", audience="public", language="en", token_hash="0" * 64))
        session.flush()
        add_message(session, HERE, 1, "The printer is dead. [b]We want more[/b]!")
        session.commit()
        yield session
    engine.dispose()


@pytest.fixture
def refill(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refill:
    """Runs a command in that project, on a wide terminal."""
    monkeypatch.setattr(success_cli, "out", Console(highlight=False, width=300))
    monkeypatch.setattr(cli, "err", Console(stderr=True, highlight=False, width=300))
    return command_in(tmp_path, monkeypatch, capsys)


def verdicts(session: Session) -> list[tuple[str, str, str]]:
    """Name, verdict and person of every correction."""
    session.rollback()
    return [(row.name, row.verdict, row.by) for row in session.scalars(select(Correction).order_by(Correction.id))]


def test_signals(refill: Refill, session: Session) -> None:
    link_conversation(session, HERE, "acme")
    take_report(session, Report("1", "acme", "employee", text="We [i]leave[/i]", by="ada [x]"), TAG, 100)
    session.commit()
    result = refill("signals", "acme")
    assert result.status == 0
    first, reported, second, heard = result.out.splitlines()
    assert re.search(r"churn_risk +0\.70  “leave”$", first)
    assert reported == "  source employee, by ada [x]"
    assert re.search(r"expansion +0\.90  “.*more.*”$", second)
    assert heard == f"  source conversation, message 1 of {HERE}"
    rows = refill("signals", "acme", "--json").json
    assert [(row["name"], row["source"], row["conversation_id"]) for row in rows] == [
        ("churn_risk", "employee", None),
        ("expansion", "conversation", HERE),
    ]
    assert len(refill("signals", "acme", "--json", "--limit", "1").json) == 1


def test_account_without_signals(refill: Refill, session: Session) -> None:
    ensure_account(session, "acme")
    session.commit()
    result = refill("signals", "acme")
    assert result.status == 0
    assert "No signals on this account" in result.out
    assert "POST /api/v1/signals" in result.out
    assert refill("signals", "acme", "--json").json == []


def test_unknown_account(refill: Refill) -> None:
    result = refill("signals", "acme")
    assert result.status == 1
    assert "There is no account 'acme'." in result.err
    assert "→" in result.err


@pytest.mark.parametrize("limit", ["0", "1001"])
def test_wrong_limit(refill: Refill, limit: str) -> None:
    result = refill("signals", "acme", "--limit", limit)
    assert result.status == 1
    assert f"--limit must be from 1 to 1000. Currently, it is {limit}." in result.err


def test_correct(refill: Refill, session: Session) -> None:
    result = refill("correct", HERE, "1", "defect", "confirm", "--by", "ada")
    assert result.status == 0
    assert "defect on message 1 is confirmed: “printer”" in result.out
    assert "Nothing changed" in refill("correct", HERE, "1", "defect", "confirm", "--by", "ada").out
    result = refill("correct", HERE, "1", "goal", "add", "--quote", "[b]We want")
    assert "goal on message 1 is confirmed: “[b]We want”" in result.out
    assert "has no tag goal any more" in refill("correct", HERE, "1", "goal", "withdraw").out
    assert verdicts(session) == [
        ("defect", "confirm", "ada"),
        ("goal", "add", "operator"),
        ("goal", "withdraw", "operator"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("b" * 32, "1", "defect", "confirm"), "no such conversation"),
        ((HERE, "2", "defect", "confirm"), "no message 2"),
        ((HERE, "1", "printer", "confirm"), "no tag 'printer'"),
        ((HERE, "1", "defect", "deny"), "Currently, it is 'deny'"),
        ((HERE, "1", "goal", "add", "--quote", "leave"), "not in message 1"),
        ((HERE, "1", "defect", "confirm", "--by", ""), "'by' must have 1 to 50"),
    ],
)
def test_correction_that_is_refused(refill: Refill, session: Session, arguments: tuple[str, ...], message: str) -> None:
    result = refill("correct", *arguments)
    assert result.status == 1
    assert message in result.err
    assert verdicts(session) == []


def test_precision(refill: Refill) -> None:
    result = refill("precision")
    assert result.status == 0
    assert "Nobody has corrected a tag yet." in result.out
    refill("correct", HERE, "1", "defect", "confirm")
    shown = next(line for line in refill("precision").out.splitlines() if "defect" in line)
    assert [part.strip() for part in shown.strip("│ ").split("│")] == ["defect", "1", "0", "0", "1.00", "0.21 to 1.00"]
    rows = {row["name"]: row for row in refill("precision", "--json").json}
    assert len(rows) == 16
    assert rows["defect"]["precision"] == 1.0
    assert rows["goal"]["precision"] is None
