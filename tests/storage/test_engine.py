"""The database is a file or on a PostgreSQL server, opened with care; its moments have a time zone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from bot.conversation.models import Message
from bot.errors import InvalidInput, StorageError
from bot.settings import Settings, load_settings
from bot.storage.engine import UtcDateTime, is_current, migrate, open_engine
from bot.storage.insert import insert_missing
from bot.success.models import Account
from tests.services import PostgreSQL, free_port

MOMENTS = Table("moments", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


def test_file_and_folder_are_made_below_the_project(engine: Engine, settings: Settings) -> None:
    with engine.connect():
        pass
    assert settings.path("var", "refill.db").exists()


def test_absolute_path(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "a b.db"
    engine = open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": f"sqlite:///{file}"}))
    with engine.connect():
        pass
    engine.dispose()
    assert file.exists()


def test_every_connection_is_prepared(engine: Engine) -> None:
    with engine.connect() as one, engine.connect() as two:
        for connection in (one, two):
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1
            assert connection.scalar(text("PRAGMA synchronous")) == 2


def test_foreign_keys_hold(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection, pytest.raises(IntegrityError, match="FOREIGN KEY"):
        connection.execute(
            text(
                "INSERT INTO messages (conversation_id, number, author, text, content, waiting, created_at) "
                "VALUES ('nobody', 1, 'bot', '', '{}', 0, '2026-01-01')"
            )
        )


@pytest.mark.parametrize(
    "url",
    [
        *("", "refill.db", "sqlite://", "sqlite:///:memory:", "://", "sqlite+aiosqlite:///refill.db"),
        *("mysql://u:s3cret@host/db", "postgres:u:s3cret@host/db", "postgresql://u:s3cret@host"),
        *("postgresql+psycopg2://u:s3cret@host/db", "postgresql://u:s3cret@host:port/db"),
    ],
)
def test_url_of_no_known_database(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageError, match=r"storage\.url") as caught:
        open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": url}))
    assert "sqlite:///var/refill.db" in caught.value.remedy
    assert "postgresql://user:password@host/database" in caught.value.remedy
    assert "s3cret" not in str(caught.value)


def test_server_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/refill"
    engine = open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": url}))
    for use in (migrate, is_current):
        with pytest.raises(StorageError, match=r"me:\*\*\*@127.*refused") as caught:
            use(engine)
        assert "storage.url" in caught.value.remedy
        assert "s3cret" not in str(caught.value)
    engine.dispose()


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_connection_to_postgresql(postgresql: PostgreSQL, tmp_path: Path, scheme: str) -> None:
    with postgresql.database("template0") as url:
        engine = open_engine(
            load_settings(tmp_path, {"REFILL_STORAGE_URL": url.replace("postgresql", scheme, 1)}),
        )
        with engine.connect() as connection:
            assert connection.scalar(text("SHOW TimeZone")) == "UTC"
            assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
        assert not is_current(engine)
        engine.dispose()


@pytest.mark.services
def test_connection_that_was_cut_is_replaced(postgresql: PostgreSQL, pg_url: str, tmp_path: Path) -> None:
    engine = open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": pg_url}))
    process = select(func.pg_backend_pid())
    with engine.connect() as connection:
        before = connection.scalar(process)
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    with engine.connect() as connection:
        assert connection.scalar(process) != before
    engine.dispose()


@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_value_that_no_column_holds_is_the_senders_error(any_engine: Engine, value: int | str) -> None:
    column = Message.number if isinstance(value, int) else Message.text
    with any_engine.connect() as connection, pytest.raises(InvalidInput, match="does not fit"):
        connection.execute(select(Message.id).where(column == value))


def test_row_that_is_there_already_stays(any_engine: Engine) -> None:
    moment = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    with Session(any_engine) as session, session.begin():
        assert insert_missing(session, Account, id="acme", name="one", created_at=moment, updated_at=moment)
        assert not insert_missing(session, Account, id="acme", name="two", created_at=moment, updated_at=moment)
        assert session.scalars(select(Account.name)).all() == ["one"]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(StorageError):
        open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": f"sqlite:///{tmp_path}/file/refill.db"}))


@pytest.fixture
def moments(any_engine: Engine) -> Engine:
    """A database with a table of moments."""
    MOMENTS.create(any_engine)
    return any_engine


def test_moments_come_back_in_utc(moments: Engine) -> None:
    istanbul = dt.timezone(dt.timedelta(hours=3))
    moment = dt.datetime(2026, 5, 1, 1, 30, 0, 123456, tzinfo=istanbul)
    with moments.begin() as connection:
        connection.execute(insert(MOMENTS).values(at=moment))
        connection.execute(insert(MOMENTS).values(at=None))
        found = connection.scalars(select(MOMENTS.c.at).order_by(MOMENTS.c.id)).all()
    assert found == [moment, None]
    assert found[0].tzinfo is dt.UTC


def test_moment_without_a_zone_is_refused(moments: Engine) -> None:
    with moments.begin() as connection, pytest.raises(StatementError, match="needs a time zone"):
        connection.execute(insert(MOMENTS).values(at=dt.datetime(2026, 5, 1)))  # noqa: DTZ001  (naive on purpose)
