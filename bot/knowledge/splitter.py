"""Cut an article into chunks: a section each, or several where a section is long; lists and tables stay whole.

For searching, a chunk is cut further into sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

from bot.knowledge.article import Article

MAX_CHARACTERS = 1400
# Shorter pieces say too little by themselves and go with what follows; Chinese says twice as much in a character.
_LEAST, _LEAST_CHINESE = 40, 16
# Thai separates phrases by spaces and has no full stop; this much of it is about a sentence.
_THAI = 100
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_]|[\d\"'“(\[*])|(?<=[。！？；])|\n+")
_TABLE_RULE = re.compile(r"\|?\s*:?-{2,}[\s:|-]*")
_MARKS = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+|[*_`|]+|!?\[([^\]]*)\]\([^)]*\)")


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


def sentences(text: str, language: str) -> list[str]:
    """Sentences of a chunk's Markdown without its marks: of running text, list items and table rows; at least one.

    Args:
        text: A chunk's text.
        language: It is in; tells what ends a sentence and how long one is.
    """
    least = {"zh": _LEAST_CHINESE, "th": _THAI}.get(language, _LEAST)
    found: list[str] = []
    part = ""
    for piece in _ENDS.split(text):
        if _TABLE_RULE.fullmatch(piece.strip()):
            continue
        for phrase in piece.split(" ") if language == "th" else [piece]:
            plain = " ".join(_MARKS.sub(lambda mark: f" {mark[1] or ''} ", phrase).split())
            part = f"{part} {plain}".strip()
            if len(part) >= least:
                found.append(part)
                part = ""
    if part:
        found.append(part)
    return found or [text]
