"""The commands for the team and for tokens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from bot.people import cli, people, tokens
from bot.people.passwords import Passwords
from bot.settings import load_settings
from bot.storage.engine import open_engine
from tests.commands import Refill, command_in
from tests.conversation.fakes import new_database
from tests.desk.rig import QUICK

SHOWN = re.compile(r"password  (\S{23})")


@pytest.fixture
def refill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refill:
    """The command in a project whose database is there, with quick hashes."""
    (tmp_path / "var").mkdir()
    new_database(tmp_path / "var").dispose()
    monkeypatch.setattr("bot.people.passwords.Passwords", lambda: QUICK)
    monkeypatch.setenv("COLUMNS", "200")
    return command_in(tmp_path, monkeypatch, capsys)


def stored_hash(root: Path, email: str) -> str | None:
    """What is stored of a password."""
    engine = open_engine(load_settings(root, {}))
    with Session(engine) as session:
        found = people.named(session, email).password_hash
    engine.dispose()
    return found


def test_people_come_change_and_go(refill: Refill, tmp_path: Path) -> None:
    assert "Nobody yet" in refill("people", "list").out
    added = refill("people", "add", "Ada@example.com", "--name", "Ada [x]", "--languages", "tr, en", "--capacity", "3")
    first = SHOWN.search(added.out)
    assert added.status == 0
    assert first
    assert QUICK.matches(stored_hash(tmp_path, "ada@example.com"), first[1])
    assert refill("people", "role", "ada@example.com", "lead", "--by", "root").status == 0
    (row,) = refill("people", "list", "--json").json
    assert (row["email"], row["role"], row["languages"], row["capacity"]) == (
        "ada@example.com",
        "lead",
        ["en", "tr"],
        3,
    )
    assert (row["active"], row["seen_at"], row["queues"]) == (True, None, ["account_management", "success", "support"])
    assert "Ada [x]" in refill("people", "list").out
    second = SHOWN.search(refill("people", "password", "ADA@example.com").out)
    assert second
    assert second[1] != first[1]
    assert QUICK.matches(stored_hash(tmp_path, "ada@example.com"), second[1])
    assert "0 open cases went back" in refill("people", "disable", "ada@example.com").out
    assert refill("people", "list", "--json").json[0]["active"] is False
    assert refill("people", "enable", "ada@example.com").status == 0
    assert refill("people", "list", "--json").json[0]["active"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "ada", "--name", "Ada"), "not an e-mail address"),
        (("add", "ada@example.com", "--name", "Ada", "--role", "king"), "The role must be one of"),
        (("add", "ada@example.com", "--name", "Ada", "--languages", "fr"), "Languages must be of"),
        (("role", "nobody@example.com", "lead"), "refill people list"),
        (("password", "nobody@example.com"), "refill people list"),
    ],
)
def test_what_is_wrong_is_said(refill: Refill, arguments: tuple[str, ...], message: str) -> None:
    result = refill("people", *arguments)
    assert result.status == 1
    assert message in " ".join(result.err.split())


def test_a_typed_password_is_checked(refill: Refill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["short", "long enough to be set"])
    monkeypatch.setattr("typer.prompt", lambda *args, **options: next(typed))
    refused = refill("people", "add", "ada@example.com", "--name", "Ada", "--ask")
    assert (refused.status, "at least 12 characters" in refused.err) == (1, True)
    added = refill("people", "add", "ada@example.com", "--name", "Ada", "--ask")
    assert added.status == 0
    assert "long enough" not in added.out + added.err
    assert QUICK.matches(stored_hash(tmp_path, "ada@example.com"), "long enough to be set")


def test_the_first_administrator_is_told_once(
    refill: Refill, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path, {"REFILL_DESK_ADMIN_EMAIL": "Root@example.com"})
    engine = open_engine(settings)
    cli.ensure_administrator(settings, engine)
    printed = capsys.readouterr().out
    cli.ensure_administrator(settings, engine)
    assert capsys.readouterr().out == ""
    engine.dispose()
    shown = SHOWN.search(printed)
    assert shown
    assert "root@example.com" in printed
    assert isinstance(QUICK, Passwords)
    assert QUICK.matches(stored_hash(tmp_path, "root@example.com"), shown[1])


def test_tokens_are_made_listed_and_revoked(refill: Refill, tmp_path: Path) -> None:
    assert "There are no tokens" in refill("tokens", "list").out
    scopes = ("--scope", "conversations:read", "--scope", "tags:write")
    made = refill("tokens", "add", "Warehouse", *scopes, "--queue", "support", "--days", "0")
    value = made.out.strip()
    assert re.fullmatch(r"rf_[\w-]{43}", value)
    (row,) = refill("tokens", "list", "--json").json
    assert (row["name"], row["scopes"], row["queues"]) == (
        "Warehouse",
        ["conversations:read", "tags:write"],
        ["support"],
    )
    assert (row["expires_at"], row["revoked"]) == (None, False)
    listed = refill("tokens", "list").out
    assert row["id"] in listed
    assert value not in listed
    assert refill("tokens", "revoke", row["id"]).status == 0
    engine = open_engine(load_settings(tmp_path, {}))
    with Session(engine) as session:
        assert tokens.find_token(session, value) is None
    engine.dispose()
    assert refill("tokens", "list", "--json").json[0]["revoked"] is True
    assert refill("tokens", "revoke", "x").status == 1
    assert "no scope" in refill("tokens", "add", "X", "--scope", "everything").err
    assert "--days" in refill("tokens", "add", "X", "--scope", "tags:write", "--days", "-1").err
