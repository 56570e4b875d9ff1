"""Insert a row unless there is one already, in whichever database; lock the row of a key, made if need be."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from sqlalchemy import Table, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.storage.engine import Base

Row = TypeVar("Row", bound=Base)


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


def locked_row(session: Session, table: type[Row], key: str, **fresh: Any) -> Row:
    """The row of a key; who asks for the same one waits until this transaction ends.

    Args:
        session: Of the transaction.
        table: Whose primary key is the column `key`.
        key: Of the row.
        fresh: The other values of a row that is not there yet.
    """
    column = cast(Table, table.__table__).c.key
    touched = update(table).where(column == key).values(key=key).returning(column)
    if session.execute(touched).first() is None and not insert_missing(session, table, key=key, **fresh):
        session.execute(touched)
    return session.get_one(table, key, populate_existing=True)
