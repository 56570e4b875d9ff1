"""The database is a file, opened with care; its moments have a time zone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from bot.errors import StorageError
from bot.settings import Settings, load_settings
from bot.storage.engine import UtcDateTime, migrate, open_engine


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
    ["", "refill.db", "sqlite://", "sqlite:///:memory:", "mysql://u:p@host/db", "://", "postgresql+psycopg://h/d"],
)
def test_url_that_is_no_sqlite_file(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageError, match=r"storage\.url") as caught:
        open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": url}))
    assert "sqlite:///var/refill.db" in caught.value.remedy


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(StorageError):
        open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": f"sqlite:///{tmp_path}/file/refill.db"}))


MOMENTS = Table("moments", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


@pytest.fixture
def moments(engine: Engine) -> Engine:
    """A database with a table of moments."""
    MOMENTS.create(engine)
    return engine


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
