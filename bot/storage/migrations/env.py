"""Alembic's entry: run the migrations on the engine that is handed in."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine

from bot.conversation import models as conversation_models  # noqa: F401  (registers its tables)
from bot.handoff import models as handoff_models  # noqa: F401
from bot.storage.engine import Base
from bot.success import models as success_models  # noqa: F401

engine: Engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
