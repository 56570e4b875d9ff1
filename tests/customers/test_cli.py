"""The commands for verified identity."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bot.conversation.changes import Changes
from bot.conversation.store import ConversationStore
from bot.customers import visitors
from bot.customers.identify import identify
from bot.customers.tokens import identity_tokens
from bot.handoff.queues import default_queues
from bot.people import audit
from bot.settings import load_settings
from bot.storage.engine import open_engine
from tests.commands import Refill, command_in
from tests.conversation.fakes import new_database


@pytest.fixture
def refill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refill:
    """The command in a project whose database is there."""
    (tmp_path / "var").mkdir()
    new_database(tmp_path / "var").dispose()
    monkeypatch.setenv("COLUMNS", "200")
    return command_in(tmp_path, monkeypatch, capsys, "identity")


def test_keys_come_vouch_and_go(refill: Refill, tmp_path: Path) -> None:
    assert "no keys" in refill("keys").out
    made = refill("key", "--kid", "a", "--by", "root")
    assert (made.status, len(made.out.strip())) == (0, 43)
    assert made.out.strip() not in made.err
    assert stat.S_IMODE((tmp_path / "var" / "identity.json").stat().st_mode) == 0o600
    pair = refill("key", "--algorithm", "EdDSA", "--kid", "b")
    private = load_pem_private_key(pair.out.encode(), None)
    assert isinstance(private, Ed25519PrivateKey)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "own.pem").write_bytes(public)
    own = refill("key", "--algorithm", "EdDSA", "--kid", "own", "--public", str(tmp_path / "own.pem"))
    assert (own.status, own.out) == (0, "")
    rows = refill("keys", "--json").json
    assert [(row["kid"], row["algorithm"]) for row in rows] == [("a", "HS256"), ("b", "EdDSA"), ("own", "EdDSA")]
    assert (rows[0]["public"], rows[1]["public"]) == (None, rows[2]["public"])
    listed = refill("keys").out
    assert "EdDSA" in listed
    assert made.out.strip() not in listed
    gone = refill("retire", "b")
    assert "0 visitors need a new token" in gone.out
    assert refill("retire", "b").status == 1
    assert [row["kid"] for row in refill("keys", "--json").json] == ["a", "own"]
    engine = open_engine(load_settings(tmp_path, {}))
    with Changes(engine).reading() as session:
        entries = [(one.by, one.action, one.target) for one in audit.entries(session)]
    engine.dispose()
    assert entries[0][1:] == ("identity_key.retire", "identity_key:b")
    assert entries[-1] == ("operator:root", "identity_key.add", "identity_key:a")


def test_tokens_are_made_and_looked_at(refill: Refill, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no shared secret" in refill("token", "--sub", "u1").err
    refill("key", "--kid", "a")
    refill("key", "--kid", "z")
    told = ("--name", "Ada [x]", "--email", "ada@example.com", "--account", "acme", "--plan", "gold")
    token = refill("token", "--sub", "u1", *told, "--minutes", "5").out.strip()
    looked = refill("check", token)
    assert looked.status == 0
    assert "customer u1" in looked.out
    assert "name: Ada [x]" in looked.out
    assert "signed with z" in looked.out
    monkeypatch.setattr("sys.stdin", io.StringIO(refill("token", "--sub", "u2", "--kid", "a").out))
    assert "signed with a" in refill("check", "-").out
    wrong = refill("check", token[:-6] + "AAAAAA")
    assert (wrong.status, wrong.out) == (1, "")
    assert "signature" in wrong.err
    for refused in (
        ("--sub", "u1", "--kid", "b"),
        ("--sub", "u1", "--minutes", "0"),
        ("--sub", "u1", "--minutes", "1441"),
        ("--sub", "u1", "--plan", "gold"),
        ("--sub", " u1"),
    ):
        answer = refill("token", *refused)
        assert (answer.status, answer.out) == (1, ""), refused
        assert "✗" in answer.err


def test_sessions_are_ended(refill: Refill, tmp_path: Path) -> None:
    refill("key", "--kid", "a")
    token = refill("token", "--sub", "u1").out.strip()
    settings = load_settings(tmp_path, {})
    engine = open_engine(settings)
    changes = Changes(engine)
    store = ConversationStore(changes)
    with changes.transaction() as session:
        known, _ = visitors.create(session, "")
        other, _ = visitors.create(session, "")
        identify(session, known.id, identity_tokens(settings).check(token), True, default_queues())
    conversation = store.begin(other.id, "en")
    assert refill("revoke", "u1").out == "1 session ended.\n"
    assert refill("revoke", conversation).out == "1 session ended.\n"
    assert refill("revoke", conversation).out == "0 sessions ended.\n"
    assert "no customer and no conversation" in refill("revoke", "u2").err
    engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--algorithm", "RS256"),
        ("--kid", "a b"),
        ("--algorithm", "EdDSA", "--public", "missing.pem"),
        ("--public", __file__),
    ],
)
def test_keys_that_cannot_be_added(refill: Refill, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    answer = refill("key", *arguments)
    assert (answer.status, answer.out) == (1, "")
    assert not (tmp_path / "var" / "identity.json").exists()


def test_a_broken_file(refill: Refill, tmp_path: Path) -> None:
    (tmp_path / "var" / "identity.json").write_text("{", "utf-8")
    for call in (("keys",), ("key",), ("check", "x"), ("token", "--sub", "u1"), ("retire", "a")):
        answer = refill(*call)
        assert answer.status == 1
        assert "is no JWK set" in answer.err
