"""Insert a row unless there is one already, in whichever database."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.storage.engine import Base


def insert_missing(session: Session, table: type[Base], **values: Any) -> bool:
    """Insert a row; False when a row with the same key, or the same unique values, stands already.

    Of two transactions that insert the same row at once, the second waits for the end of the first.

    Args:
        session: Of the transaction.
        table: Where to.
        values: Of the row, by column.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    target = cast(Table, table.__table__)
    row = insert(target).values(**values).on_conflict_do_nothing().returning(*target.primary_key)
    return session.connection().execute(row).first() is not None
