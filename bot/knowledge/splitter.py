"""Cut an article into chunks: a section each, or several where a section is long; lists and tables stay whole."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it import MarkdownIt

from bot.knowledge.article import Article

MAX_CHARACTERS = 1400


@dataclass(frozen=True)
class Chunk:
    """A passage of an article.

    Attributes:
        heading: Of its section; empty for the opening.
        text: Markdown as written, without the heading.
    """

    heading: str
    text: str


def _blocks(body: str) -> list[tuple[str, str]]:
    """Top-level blocks as (kind, source), kind being `heading` or `block`."""
    lines = body.splitlines()
    blocks: list[tuple[str, str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(body):
        if token.level == 0 and token.map and token.nesting >= 0:
            start, end = token.map
            source = "\n".join(lines[start:end]).strip()
            if source:
                blocks.append(("heading" if token.type == "heading_open" else "block", source))
    return blocks


def split(article: Article, max_characters: int = MAX_CHARACTERS) -> list[Chunk]:
    """Chunks of an article, in order; at least one.

    Args:
        article: With a body that is not empty.
        max_characters: A section longer than this is cut between blocks; a single block is never cut.
    """
    if max_characters < 1:
        raise ValueError(f"max_characters must be at least 1. Currently, it is {max_characters}.")
    chunks: list[Chunk] = []
    heading = ""
    part: list[str] = []

    def close() -> None:
        if part:
            chunks.append(Chunk(heading, "\n\n".join(part)))
            part.clear()

    for kind, source in _blocks(article.body):
        if kind == "heading":
            close()
            heading = source.splitlines()[0].strip("# ").strip()
            continue
        # An introducing line ("Do this:") stays with the list or table it introduces.
        introduces = bool(part) and part[-1].rstrip().endswith((":", "："))
        if part and not introduces and len("\n\n".join(part)) + len(source) > max_characters:
            close()
        part.append(source)
    close()
    return chunks or [Chunk("", article.body)]
