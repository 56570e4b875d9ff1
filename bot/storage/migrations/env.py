"""Alembic's entry: run the migrations on the engine that is handed in."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, Engine, func, select

from bot.attachments import models as attachment_models  # noqa: F401  (registers its tables)
from bot.conversation import models as conversation_models  # noqa: F401
from bot.customers import models as customer_models  # noqa: F401
from bot.handoff import models as handoff_models  # noqa: F401
from bot.outbox import models as outbox_models  # noqa: F401
from bot.people import models as people_models  # noqa: F401
from bot.storage.engine import Base
from bot.success import models as success_models  # noqa: F401

# Any number; it names this lock among the advisory ones of a PostgreSQL database.
_LOCK = 7_345_455
engine: Engine = context.config.attributes["engine"]


def _alone(connection: Connection) -> None:
    """Begin a transaction that no other process's migration runs beside; it waits for that one's end."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    else:
        # As SQLite's documentation advises for changes of tables; within a transaction it would do nothing.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.connect() as connection:
    _alone(connection)
    try:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
