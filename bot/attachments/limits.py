"""How much is taken: which files, how large, how many."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from bot.attachments.kinds import KINDS
from bot.errors import SettingsError
from bot.settings import Settings

# Of a message.
MOST_FILES = 5
# Of a conversation within a day; their size is limited by a setting.
MOST_DAILY = 100


@dataclass(frozen=True)
class Limits:
    """What is taken.

    Attributes:
        enabled: Whether files are taken at all.
        max_bytes: Of one file.
        daily_bytes: Of a customer's files in a conversation within a day.
        types: Extensions, of `bot.attachments.kinds.KINDS`.
        scanner: The command that looks at each file; empty for none.
        scan_seconds: So long it may take.
    """

    enabled: bool = True
    max_bytes: int = 10_000_000
    daily_bytes: int = 50_000_000
    types: frozenset[str] = frozenset(KINDS)
    scanner: tuple[str, ...] = ()
    scan_seconds: float = 20.0


def limits(settings: Settings) -> Limits:
    """The limits the settings give.

    Raises:
        SettingsError: A type is not known, or the scanner's command cannot be split.
    """
    types = frozenset(str(settings["webchat.attachment_types"]).lower().replace(",", " ").split())
    if unknown := sorted(types - set(KINDS)):
        raise SettingsError(
            f"Setting 'webchat.attachment_types' names {', '.join(unknown)}, which Refill does not know.",
            f"It knows {', '.join(KINDS)}.",
        )
    try:
        scanner = tuple(shlex.split(settings["webchat.attachment_scanner"]))
    except ValueError as error:
        raise SettingsError(
            f"Setting 'webchat.attachment_scanner' cannot be split into words: {error}.", "Close what is quoted."
        ) from error
    return Limits(
        enabled=settings["webchat.attachments"] and bool(types),
        max_bytes=settings["webchat.attachment_max_bytes"],
        daily_bytes=settings["webchat.attachment_daily_bytes"],
        types=types,
        scanner=scanner,
        scan_seconds=settings["webchat.attachment_scan_seconds"],
    )
