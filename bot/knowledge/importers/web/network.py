"""What an import says of addresses that must not be reached; `bot.network` checks them."""

from __future__ import annotations

from bot.knowledge.importers.source import Unreadable


class Refused(Unreadable):
    """An address must not be reached."""


def refused(message: str) -> Refused:
    """The error for such an address, with the way out."""
    return Refused(message, "Save the pages as files and import their folder.")
