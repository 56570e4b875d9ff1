"""Open the database and bring its tables up to date."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Dialect, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from bot.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

    from bot.settings import Settings


class Base(DeclarativeBase):
    """Base of all tables."""


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A moment in UTC; naive values are refused, SQLite's come back with their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Before it is stored."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"A moment needs a time zone. Currently, it is {value!r}.")
        return value.astimezone(dt.UTC) if value else None

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """After it was read."""
        return value.replace(tzinfo=dt.UTC) if value and value.tzinfo is None else value


def open_engine(settings: Settings) -> Engine:
    """An engine for `storage.url`.

    Raises:
        StorageError: The URL is not a SQLite one.
    """
    try:
        url = make_url(settings["storage.url"])
    except SQLAlchemyError as error:
        raise StorageError(
            f"storage.url is not a database URL: {settings['storage.url']!r}.", "Write sqlite:///var/refill.db."
        ) from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise StorageError(
            f"storage.url must name a SQLite file. Currently, it is {settings['storage.url']!r}.",
            "Write sqlite:///var/refill.db.",
        )
    file = Path(url.database)
    file = file if file.is_absolute() else settings.root / file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The database's folder {file.parent} cannot be made: {error.strerror}.", "Correct storage.url."
        ) from error
    engine = create_engine(url.set(database=str(file)), connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine


def _alembic(engine: Engine) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    """Bring the tables up to date.

    Raises:
        StorageError: The database cannot be opened or is newer than this version of Refill.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(_alembic(engine), "head")
    except (CommandError, SQLAlchemyError) as error:
        raise StorageError(
            f"The database {engine.url.database} cannot be brought up to date: {error}",
            "Restore a backup, or move the file away to start with an empty one.",
        ) from error


def is_current(engine: Engine) -> bool:
    """Whether the tables are those of this version.

    Raises:
        StorageError: The database cannot be read.
    """
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_alembic(engine)).get_current_head()
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == head
    except SQLAlchemyError as error:
        raise StorageError(
            f"The database {engine.url.database} cannot be read: {error}",
            "Restore a backup, or move the file away to start with an empty one.",
        ) from error
