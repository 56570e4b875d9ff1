"""`refill gaps`: what it shows, writes and refuses."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import update
from sqlalchemy.orm import Session

from bot import cli
from bot.conversation import gaps_cli
from bot.conversation.models import Decided
from bot.conversation.records import Outcome
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Answered, Reply
from bot.knowledge.answer import Answer
from tests.commands import Refill, command_in
from tests.conversation.fakes import new_database
from tests.knowledge.fakes import WordEncoder, project, put

NOTHING = Answer("hand_off", 0.1, None, None, None, (), ())


@pytest.fixture
def store(tmp_path: Path) -> ConversationStore:
    """On the database of a project with one article."""
    project(tmp_path)
    put(tmp_path, "refund-a-sale", title="Refund a sale", questions='["refund a sale", "give money back"]')
    (tmp_path / "var").mkdir()
    return ConversationStore(new_database(tmp_path / "var"))


@pytest.fixture
def gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refill:
    """Runs the command in the project, on a wide terminal, with an encoder of words."""
    monkeypatch.setattr(gaps_cli, "out", Console(highlight=False, width=300))
    monkeypatch.setattr(gaps_cli, "err", Console(stderr=True, highlight=False, width=300))
    monkeypatch.setattr(cli, "err", Console(stderr=True, highlight=False, width=300))
    monkeypatch.setattr("bot.encoder.encoder.load_encoder", lambda settings: WordEncoder())
    return command_in(tmp_path, monkeypatch, capsys, "gaps")


def ask(store: ConversationStore, text: str, answer: Answer = NOTHING, language: str = "en") -> tuple[str, int]:
    """A conversation in which a question was decided so; (its id, the reply's number)."""
    conversation, _ = store.create("webchat", "public", language)
    message, _ = store.add_customer_message(conversation, "a", text, {})
    reply = Reply(text="Reply.", answered=answer)
    replies = store.finish_turn(message, 0, Outcome([reply], [Answered(answer=answer)], language))
    assert replies is not None
    (stored,) = replies
    return conversation, stored.number


def test_most_wanted_first(store: ConversationStore, gaps: Refill) -> None:
    ask(store, "do you sell [bold]chairs[/]")
    for text in ("oat milk", "oat milk please", "order oat milk"):
        ask(store, text)
    found = gaps("--json").json
    assert [(row["questions"], row["conversations"]) for row in found] == [(3, 3), (1, 1)]
    assert set(found[0]["examples"]) == {"oat milk", "oat milk please", "order oat milk"}
    assert (found[0]["kind"], found[0]["languages"], found[0]["reasons"]) == ("no_article", ["en"], {"no_answer": 3})
    shown = gaps()
    assert shown.status == 0
    assert "[bold]chairs[/]" in shown.out
    assert shown.out.index("oat milk") < shown.out.index("chairs")
    assert "no article is near: write one" in shown.out
    assert [row["questions"] for row in gaps("--json", "--limit", "1").json] == [3]


def test_article_that_did_not_help(store: ConversationStore, gaps: Refill) -> None:
    answer = Answer("answer", 0.93, "refund-a-sale", "en", "Open Sales.", (), ())
    conversation, number = ask(store, "refund a sale", answer)
    assert gaps("--json").json == []
    store.give_thumb(conversation, number, "down")
    (row,) = gaps("--json").json
    assert (row["kind"], row["article_id"], row["title"]) == ("not_helpful", "refund-a-sale", "Refund a sale")
    assert (row["probability"], row["reasons"]) == (0.93, {"thumb_down": 1})
    assert "rework it" in gaps().out


def test_what_is_answered_by_now_is_left_out(store: ConversationStore, gaps: Refill) -> None:
    ask(store, "refund a sale")
    ask(store, "oat milk")
    result = gaps("--json")
    assert [row["examples"] for row in result.json] == [["oat milk"]]
    assert "1 more is answered by now" in result.err


def test_filters(store: ConversationStore, gaps: Refill) -> None:
    old, _ = ask(store, "rent chairs")
    with Session(store.changes.engine) as session, session.begin():
        asked = dt.datetime.now(dt.UTC) - dt.timedelta(days=40)
        session.execute(update(Decided).where(Decided.conversation_id == old).values(created_at=asked))
    ask(store, "yulaf sütü", language="tr")
    assert [row["examples"] for row in gaps("--json").json] == [["yulaf sütü"]]
    assert len(gaps("--json", "--since", "6w").json) == 2
    assert len(gaps("--json", "--since", "2020-01-01").json) == 2
    assert gaps("--json", "--language", "en").json == []
    assert gaps("--json", "--audience", "internal").json == []


def test_csv(store: ConversationStore, gaps: Refill, tmp_path: Path) -> None:
    ask(store, '=HYPERLINK("http://evil.example")')
    file = tmp_path / "gaps.csv"
    result = gaps("--csv", str(file))
    assert (result.status, result.out) == (0, "")
    assert "1 gap in" in result.err
    with file.open(encoding="utf-8-sig", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["questions"], row["languages"], row["reasons"]) == ("1", "en", "no_answer=1")
    assert row["example_1"] == '\'=HYPERLINK("http://evil.example")'
    assert row["example_3"] == ""


def test_csv_that_cannot_be_written(store: ConversationStore, gaps: Refill, tmp_path: Path) -> None:
    result = gaps("--csv", str(tmp_path / "nowhere" / "gaps.csv"))
    assert result.status == 1
    assert "cannot be written" in result.err
    assert "--csv" in result.err


def test_nothing_was_asked_yet(store: ConversationStore, gaps: Refill) -> None:
    result = gaps()
    assert result.status == 0
    assert "No question was asked yet" in result.out
    assert "refill serve" in result.out


def test_no_gaps(store: ConversationStore, gaps: Refill) -> None:
    ask(store, "refund a sale", Answer("answer", 0.9, "refund-a-sale", "en", "Open Sales.", (), ()))
    assert "--since 90d" in gaps().out
    assert gaps("--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "soon"),
        ("--since", "30"),
        ("--since", "2026-13-01"),
        ("--since", "9999999d"),
        ("--language", "de"),
        ("--audience", "everyone"),
        ("--limit", "0"),
    ],
)
def test_option_that_is_not_valid(gaps: Refill, arguments: tuple[str, str]) -> None:
    result = gaps(*arguments)
    assert result.status == 1
    assert f"{arguments[0]} must be" in result.err
    assert repr(arguments[1]).strip("'") in result.err
