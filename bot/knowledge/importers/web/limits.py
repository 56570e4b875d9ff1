"""How much an import may take from a website."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bot.errors import KnowledgeError

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one import may take; each limit ends it, or leaves out one page, with a report.

    Attributes:
        pages: Pages asked for.
        page_bytes: Of an HTML page, as sent and after decompression.
        sitemap_bytes: Of a sitemap, likewise; 50 MiB is what the sitemap protocol allows.
        total_bytes: Of all responses, after decompression.
        sitemap_entries: Of all sitemaps together.
        sitemap_depth: Sitemaps within one another; the protocol needs 2.
        redirects: In a row.
        connect_seconds: To look a name up, to connect, or to agree on encryption.
        read_seconds: Between two parts of a response.
        request_seconds: From the look-up to the last byte.
        total_seconds: Of the whole import.
        pause_seconds: Between two requests.
        longest_pause_seconds: Kept at most if robots.txt asks for a longer pause.
        failures: Requests in a row that the server does not answer properly.

    Raises:
        KnowledgeError: A limit is not greater than 0.
    """

    pages: int = 1_000
    page_bytes: int = 5 * MIB
    sitemap_bytes: int = 50 * MIB
    total_bytes: int = 500 * MIB
    sitemap_entries: int = 50_000
    sitemap_depth: int = 3
    redirects: int = 5
    connect_seconds: float = 10
    read_seconds: float = 10
    request_seconds: float = 30
    total_seconds: float = 3_600
    pause_seconds: float = 0.2
    longest_pause_seconds: float = 10
    failures: int = 10

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < float("inf"):
                raise KnowledgeError(f"{field.name} must be greater than 0. Currently, it is {value}.")
