"""The migrations lead to the tables the code knows, from wherever a database stands."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.orm import Session

import bot.attachments.models
import bot.conversation.models
import bot.customers.models
import bot.handoff.models
import bot.success.models
from bot.conversation import learning
from bot.conversation.models import Decided
from bot.errors import StorageError
from bot.handoff import escalation
from bot.handoff.models import Escalation
from bot.settings import Settings
from bot.storage.engine import Base, _alembic, is_current, migrate, open_engine
from tests.services import PostgreSQL

assert bot.conversation.models
assert bot.handoff.models
assert bot.success.models
PROJECT_TABLES = {
    "account_signals",
    "accounts",
    "alembic_version",
    "api_tokens",
    "attachment_contents",
    "attachments",
    "audit",
    "beginnings",
    "conversations",
    "corrections",
    "customers",
    "decisions",
    "desk_sessions",
    "drafts",
    "escalations",
    "events",
    "invitation_outcomes",
    "invitation_rules",
    "invitations",
    "message_tags",
    "messages",
    "notes",
    "outbox",
    "people",
    "pictures",
    "presences",
    "ratings",
    "reactions",
    "saved_replies",
    "second_questions",
    "sign_in_failures",
    "taggings",
    "used_identity_tokens",
    "visitors",
    "webhooks",
}
_CONVERSATION = (
    "INSERT INTO conversations (id, channel, audience, language, token_hash, owner, owner_version, last_number, "
    "segment, segment_turns, misses, created_at, updated_at) "
    "VALUES ('a', 'webchat', 'public', 'tr', '', 'bot', 0, 9, 0, 0, 0, '2026-01-01', '2026-01-01')"
)


def revisions(engine: Engine) -> list[str]:
    """All revisions, oldest first."""
    scripts = ScriptDirectory.from_config(_alembic(engine))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def differences(engine: Engine) -> list[object]:
    """What a new migration would have to do."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))


def test_empty_database(engine: Engine) -> None:
    assert not is_current(engine)
    migrate(engine)
    assert is_current(engine)
    assert set(inspect(engine).get_table_names()) == PROJECT_TABLES


def test_twice(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text(_CONVERSATION))
    migrate(engine)
    assert is_current(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM conversations")) == 1


def test_every_earlier_revision_comes_up_to_date(engine: Engine) -> None:
    known = revisions(engine)
    assert known
    for revision in ["base", *known]:
        if revision != "base":
            command.upgrade(_alembic(engine), revision)
        migrate(engine)
        assert is_current(engine)
        assert differences(engine) == []
        command.downgrade(_alembic(engine), "base")
        assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}


def test_decisions_of_the_first_version_are_taken_over(engine: Engine) -> None:
    command.upgrade(_alembic(engine), "0001")
    rows: list[tuple[int, str, dict[str, object]]] = [
        (1, "customer", {}),
        (2, "bot", {"decision": "answer", "confidence": 0.93, "article_id": "refunds"}),
        (3, "customer", {}),
        (4, "bot", {"decision": "clarify", "confidence": 0.5, "article_id": "receipts"}),
        (5, "customer", {"payload": "/choose_article{}"}),
        (6, "bot", {}),
        (7, "bot", {"decision": "answer", "confidence": 1.0, "article_id": "printer"}),
        (8, "customer", {}),
        (9, "bot", {"decision": "hand_off", "confidence": 0.0, "article_id": None}),
    ]
    with engine.begin() as connection:
        connection.execute(text(_CONVERSATION))
        for number, author, content in rows:
            connection.execute(
                text(
                    "INSERT INTO messages (conversation_id, number, author, text, content, waiting, created_at) "
                    "VALUES ('a', :number, :author, 'x', :content, 0, :moment)"
                ),
                {
                    "number": number,
                    "author": author,
                    "content": json.dumps(content),
                    "moment": f"2026-05-01 10:00:0{number}.000000",
                },
            )
    migrate(engine)
    with Session(engine) as session:
        found = list(session.scalars(select(Decided).order_by(Decided.id)))
        assert [(d.turn_number, d.question_number, d.reply_number, d.decision, d.article_id) for d in found] == [
            (1, 1, 2, "answer", "refunds"),
            (3, 3, 4, "clarify", "receipts"),
            (5, 3, 7, "answer", "printer"),
        ]
        assert {(d.language, d.audience) for d in found} == {("tr", "public")}
        assert found[0].created_at == dt.datetime(2026, 5, 1, 10, 0, 2, tzinfo=dt.UTC)
        assert found[0].confidence == 0.93
        learning.give_thumb(session, "a", 7, "down")
        questions = learning.unhappy_questions(session, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "public")
        assert [question.reason for question in questions] == ["thumb_down"]
    command.downgrade(_alembic(engine), "0001")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM messages")) == 9


def test_cases_of_an_earlier_version_keep_all_they_have(engine: Engine) -> None:
    command.upgrade(_alembic(engine), "0002")
    with engine.begin() as connection:
        connection.execute(text(_CONVERSATION))
        connection.execute(
            text(
                "INSERT INTO escalations (conversation_id, queue, reason, status, language, opened_at_number, "
                "created_at) VALUES ('a', 'support', 'asked_for', 'open', 'tr', 3, '2026-01-01 10:00:00.000000')"
            )
        )
    migrate(engine)
    with Session(engine) as session:
        case = escalation.read_case(session, 1)
        assert (case.queue, case.reason, case.status, case.signals) == ("support", "asked_for", "open", ())
        assert case.tags.kind == "neither"
        assert session.get_one(Escalation, 1).turn_number is None
    command.downgrade(_alembic(engine), "0002")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT queue, opened_at_number FROM escalations")).all() == [("support", 3)]


def test_models_and_migrations_agree(engine: Engine) -> None:
    migrate(engine)
    assert differences(engine) == []


def test_differences_would_be_seen(any_engine: Engine) -> None:
    assert differences(any_engine) == []
    with any_engine.begin() as connection:
        connection.execute(text("ALTER TABLE conversations DROP COLUMN misses"))
    assert differences(any_engine) != []


@pytest.mark.services
def test_postgresql_from_every_earlier_revision(postgresql: PostgreSQL, settings: Settings) -> None:
    with postgresql.database("template0") as url:
        engine = open_engine(settings.replace(storage__url=url))
        for revision in revisions(engine):
            command.upgrade(_alembic(engine), revision)
            migrate(engine)
            assert is_current(engine)
            assert set(inspect(engine).get_table_names()) == PROJECT_TABLES
            assert differences(engine) == []
            command.downgrade(_alembic(engine), "base")
            assert inspect(engine).get_table_names() == ["alembic_version"]
        engine.dispose()


_START = """
import sys
from pathlib import Path
import alembic.command
from bot.settings import load_settings
from bot.storage.engine import is_current, migrate, open_engine

engine = open_engine(load_settings(Path(sys.argv[1]), {"REFILL_STORAGE_URL": sys.argv[2]}))
print("ready", flush=True)
sys.stdin.readline()
migrate(engine)
print(is_current(engine))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def test_processes_that_start_at_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with contextlib.ExitStack() as stack:
        url = "sqlite:///refill.db"
        if kind == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgresql").database("template0"))
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _START, tmp_path, url],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=Path(__file__).parents[2],
                )
            )
            for _ in range(3)
        ]
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[0] for process in started] == ["True\n"] * 3


def test_migration_that_fails_leaves_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE second_questions (id INTEGER)"))
    with pytest.raises(StorageError, match="second_questions already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["second_questions"]
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_one_line_of_revisions(engine: Engine) -> None:
    assert len(ScriptDirectory.from_config(_alembic(engine)).get_heads()) == 1


def test_database_of_a_newer_version(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert not is_current(engine)
    with pytest.raises(StorageError, match=r"refill\.db cannot be brought up to date.*9999") as caught:
        migrate(engine)
    assert caught.value.remedy


def test_file_that_is_no_database(engine: Engine, settings: Settings) -> None:
    settings.path("var", "refill.db").write_bytes(b"This is a shopping list, not a database. " * 100)
    with pytest.raises(StorageError, match=r"refill\.db cannot be brought up to date"):
        migrate(engine)
