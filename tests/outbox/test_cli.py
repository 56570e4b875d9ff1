"""The commands for webhooks and deliveries."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from bot.outbox.models import Outgoing
from bot.settings import load_settings
from bot.storage.engine import open_engine
from tests.commands import Refill, command_in


@pytest.fixture
def refill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refill:
    """The command in a project of its own."""
    return command_in(tmp_path, monkeypatch, capsys)


def test_from_the_first_to_the_last(refill: Refill, tmp_path: Path) -> None:
    assert "no webhooks" in refill("webhooks", "list").out
    assert "no such deliveries" in refill("deliveries", "list").out
    made = refill("webhooks", "add", "https://example.com/refill", "--event", "case.*", "--event", "tag.added")
    assert made.out.startswith("whsec_")
    (row,) = refill("webhooks", "list", "--json").json
    webhook = row["id"]
    assert webhook in made.err
    assert (row["events"], row["active"]) == (["case.*", "tag.added"], True)
    assert row["deliveries"] == {"pending": 0, "delivered": 0, "dead": 0}
    assert "example.com" in refill("webhooks", "list").out

    assert "on its way" in refill("webhooks", "test", webhook).out
    (delivery,) = refill("deliveries", "list", "--state", "pending", "--webhook", webhook, "--json").json
    assert (delivery["event"], delivery["attempts"]) == ("ping", 0)
    assert "ping" in refill("deliveries", "list").out
    assert refill("deliveries", "retry", delivery["id"]).status == 1
    give_up(tmp_path)
    assert "1 delivery begins again" in refill("deliveries", "retry", delivery["id"]).out
    give_up(tmp_path)
    assert "1 delivery begins again" in refill("deliveries", "retry", "--webhook", webhook).out
    assert "0 deliveries begin again" in refill("deliveries", "retry", "--webhook", webhook).out

    assert refill("webhooks", "rotate", webhook).out.startswith("whsec_")
    assert "deleted" in refill("webhooks", "remove", webhook, "--by", "ada").out
    assert refill("webhooks", "list", "--json").json == refill("deliveries", "list", "--json").json == []


def give_up(root: Path) -> None:
    engine = open_engine(load_settings(root, {}))
    with Session(engine) as session, session.begin():
        for outgoing in session.query(Outgoing):
            outgoing.state = "dead"
    engine.dispose()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("webhooks add http://example.com/", "https"),
        ("webhooks add https://example.com/ --event case.eaten", "case.eaten"),
        ("webhooks remove nothing", "no such webhook"),
        ("webhooks test nothing", "no such webhook"),
        ("deliveries retry nothing", "no such delivery"),
        ("deliveries retry", "Name either"),
        ("deliveries retry one --webhook two", "Name either"),
        ("deliveries list --state lost", "pending, delivered, dead"),
    ],
)
def test_what_is_wrong_is_said(refill: Refill, command: str, why: str) -> None:
    result = refill(*command.split())
    assert result.status == 1
    assert why in result.err
