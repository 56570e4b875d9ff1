"""`refill invitations`: what is listed, who would get what, what is counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy.orm import Session

from bot import cli
from bot.conversation.models import now
from bot.people.roles import operator
from bot.success.invitations import cli as invitations_cli
from bot.success.invitations import made, outcomes
from tests.commands import Refill, command_in
from tests.conversation.fakes import new_database
from tests.success.invitations.people import ada

RULES = """
[invitations.prices]
en = "Any [b]question[/b]?"
pages = ["/prices*"]
[invitations.plan]
en = "Grow"
tr = "Büyü"
enabled = true
[invitations.plan.segment]
plans = ["free"]
[invitations.old]
en = "Old"
enabled = false
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """On a project's database."""
    (tmp_path / "var").mkdir()
    engine = new_database(tmp_path / "var")
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def refill(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refill:
    """Runs a command in that project, which has RULES."""
    (tmp_path / "refill.toml").write_text(RULES, "utf-8")
    monkeypatch.setattr(invitations_cli, "out", Console(highlight=False, width=200))
    monkeypatch.setattr(cli, "err", Console(stderr=True, highlight=False, width=200))
    return command_in(tmp_path, monkeypatch, capsys, "invitations")


def test_list(refill: Refill, session: Session) -> None:
    end = now() + dt.timedelta(days=1)
    for name in ("soon", "over"):
        one, _ = made.create(session, operator("cy [x]"), made.NewInvitation(name, None, "acme", {"en": "Hi"}, end))
    one.expires_at = now()
    session.commit()
    shown = refill("list").out.splitlines()
    assert shown[:2] == ["prices  /prices*", "  “Any [b]question[/b]?”"]
    assert shown[4] == "old  every page  (not enabled)"
    assert "account acme, until" in shown[6]
    assert shown[7:] == ["  “Hi”  soon by operator:cy [x]"]
    found = refill("list", "--json").json
    assert [rule["name"] for rule in found["rules"]] == ["prices", "plan", "old"]
    assert [one["external_id"] for one in found["made"]] == ["soon"]


def test_nothing_to_list(refill: Refill, tmp_path: Path) -> None:
    (tmp_path / "refill.toml").write_text("", "utf-8")
    assert "There are no invitations. [invitations.…] of refill.toml has rules" in refill("list").out
    assert "no invitations for this visitor" in refill("try").out
    assert "Nothing is known of invitations in the last 30 days." in refill("report").out


def test_try(refill: Refill, session: Session) -> None:
    ada(session, plan="free")
    session.commit()
    rows = {row["name"]: row["why_not"] for row in refill("try", "--page", "/prices/x", "--json").json}
    assert rows == {"prices": "", "plan": "no account of theirs is known", "old": "it is not enabled"}
    rows = {row["name"]: row["why_not"] for row in refill("try", "--customer", "ada", "--json").json}
    assert rows == {"prices": "it is not for this page", "plan": "", "old": "it is not enabled"}
    shown = refill("try", "--customer", "ada", "--language", "tr").out
    assert "plan  ✓ after 10 s\n  “Büyü”" in shown
    assert "prices  ✗ it is not for this page" in shown
    outcomes.record(session, "plan", "not_now", "ada")
    session.commit()
    assert "Nothing is shown to this customer before" in refill("try", "--customer", "ada").err


def test_report(refill: Refill, session: Session) -> None:
    for outcome, customer in (("shown", "ada"), ("answered", "ada"), ("answered", None)):
        outcomes.record(session, "prices", outcome, customer)  # type: ignore[arg-type]
    session.commit()
    assert refill("report", "--json").json == [
        {
            **{"name": "prices", "shown": 1, "opened": 0, "answered": 1, "dismissed": 0, "not_now": 0},
            "answered_anonymously": 1,
        }
    ]
    assert "prices" in refill("report", "--days", "1").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["try", "--language", "de"], "--language must be one of en, zh, tr, th. Currently, it is 'de'."),
        (["report", "--days", "0"], "--days must be from 1 to 3650. Currently, it is 0."),
    ],
)
def test_refused(refill: Refill, arguments: list[str], message: str) -> None:
    result = refill(*arguments)
    assert result.status == 1
    assert message in result.err


def test_mistake_in_a_rule(refill: Refill, tmp_path: Path) -> None:
    (tmp_path / "refill.toml").write_text("[invitations.x]\nen = 'X'\nafter = -1\n", "utf-8")
    result = refill("list")
    assert result.status == 1
    assert "Setting 'invitations.x.after' has value -1 in refill.toml. It must be seconds from 0 to 3600." in result.err
