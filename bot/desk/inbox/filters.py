"""What templates of these pages can do beside the common things."""

from __future__ import annotations

from bot.desk.pages import templates
from bot.desk.words import Words


def named(table: Words, name: str | None, other: str = "") -> str:
    """The text of a name that comes from the database; where there is none, that of another, else the name itself."""
    found = getattr(table, name or "", None) or getattr(table, other, None)
    return str(found or name or "")


templates.env.filters["named"] = named
