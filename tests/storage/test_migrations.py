"""The migrations lead to the tables the code knows, from wherever a database stands."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

import bot.conversation.models
import bot.handoff.models
from bot.errors import StorageError
from bot.settings import Settings
from bot.storage.engine import Base, _alembic, is_current, migrate

assert bot.conversation.models
assert bot.handoff.models
PROJECT_TABLES = {"conversations", "messages", "escalations", "alembic_version"}


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
        connection.execute(
            text(
                "INSERT INTO conversations VALUES ('a', 'webchat', 'public', 'en', '', 'bot', 0, 0, 0, 0, 0, NULL, "
                "'2026-01-01', '2026-01-01')"
            )
        )
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


def test_models_and_migrations_agree(engine: Engine) -> None:
    migrate(engine)
    assert differences(engine) == []


def test_differences_would_be_seen(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE conversations DROP COLUMN misses"))
    assert differences(engine) != []


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
