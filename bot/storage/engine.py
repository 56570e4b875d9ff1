"""Open the database and bring its tables up to date."""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, DateTime, Dialect, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from bot.errors import InvalidInput, StorageError
from bot.settings import without_password

if TYPE_CHECKING:
    from alembic.config import Config

    from bot.settings import Settings

# Seconds to wait for somebody else's lock on a SQLite file.
_PATIENCE = 30.0
_URLS = "Write sqlite:///var/refill.db, or postgresql://user:password@host/database."


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
        if value is None:
            return None
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


def open_engine(settings: Settings) -> Engine:
    """An engine for `storage.url`: a SQLite file, or PostgreSQL through psycopg.

    Raises:
        StorageError: The URL is of another kind, or incomplete.
    """
    given = settings["storage.url"]
    try:
        url = make_url(given)
    except (SQLAlchemyError, ValueError) as error:
        raise StorageError(f"storage.url is not a database URL: {without_password(given)!r}.", _URLS) from error
    if url.drivername in ("postgresql", "postgresql+psycopg") and url.database:
        engine = _open_postgresql(url)
    elif url.drivername in ("sqlite", "sqlite+pysqlite") and url.database and url.database != ":memory:":
        engine = _open_sqlite(url, settings.root)
    else:
        raise StorageError(
            "storage.url must name a SQLite file or a PostgreSQL database. "
            f"Currently, it is {without_password(given)!r}.",
            _URLS,
        )
    event.listen(engine, "handle_error", _refuse_value)
    return engine


def _refuse_value(context: ExceptionContext) -> None:
    """A number or text that no column can hold was sent by somebody: it is their error, not the database's."""
    error = context.original_exception
    refused: tuple[type[BaseException], ...] = (OverflowError, UnicodeEncodeError)
    if context.dialect.name == "postgresql":  # SQLite's DataError means other things too.
        refused += (context.dialect.loaded_dbapi.DataError,)
    if isinstance(error, refused):
        raise InvalidInput(
            f"A value does not fit into the database: {error}.", "Send a shorter text, or a smaller number."
        ) from error


def _open_postgresql(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        hide_parameters=True,
        connect_args={"connect_timeout": 10, "application_name": "refill"},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.commit()

    return engine


def _use_wal(cursor: Any) -> None:
    """Switch to a write-ahead log. Of several that open a new file at once SQLite refuses some instead of waiting."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _open_sqlite(url: URL, root: Path) -> Engine:
    file = root / str(url.database)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The database's folder {file.parent} cannot be made: {error.strerror}.", "Correct storage.url."
        ) from error
    engine = create_engine(url.set(database=str(file)), connect_args={"timeout": _PATIENCE}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        _use_wal(cursor)
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
    """Bring the tables up to date. Of several processes that start at once, one does it and the others wait.

    Raises:
        StorageError: The database cannot be opened or is newer than this version of Refill.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(_alembic(engine), "head")
    except (CommandError, SQLAlchemyError) as error:
        raise _unusable(engine, "brought up to date", error) from error


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
        raise _unusable(engine, "read", error) from error


def _unusable(engine: Engine, what: str, error: Exception) -> StorageError:
    """What cannot be done with a database, why, and the way out."""
    reason = str(getattr(error, "orig", None) or error).strip()
    if engine.dialect.name == "sqlite":
        return StorageError(
            f"The database {engine.url.database} cannot be {what}: {reason}",
            "Restore a backup, or move the file away to start with an empty one.",
        )
    remedy = "Restore a backup, or name an empty database in storage.url."
    if isinstance(error, OperationalError):
        remedy = "Check storage.url, and that its server runs, has this database and lets this user in."
    name = without_password(engine.url.render_as_string(hide_password=True))
    return StorageError(f"The database {name} cannot be {what}: {reason}", remedy)
