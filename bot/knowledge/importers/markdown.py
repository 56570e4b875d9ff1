"""Markdown files, with or without front matter, as documents."""

from __future__ import annotations

import re
from typing import Any, get_args

import yaml
from markdown_it import MarkdownIt

from bot.knowledge.article import Topic
from bot.knowledge.importers.html import read_html
from bot.knowledge.importers.source import (
    Document,
    Unreadable,
    as_date,
    clean_line,
    clean_text,
    https_address,
)

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_PARSER = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])


def read_markdown(text: str, key: str, name: str) -> Document:
    """A document from a Markdown text.

    Args:
        text: With front matter or without. Of its keys, those are taken that say what an article's own would:
            title, language, address, date, questions, topics. Others are left aside.
        key: Of the document.
        name: Title if the text has none.

    Raises:
        Unreadable: The front matter is not valid YAML.
    """
    text = "\n".join(text.splitlines())
    values, text = _front_matter(text)
    title = values.get("title") if isinstance(values.get("title"), str) else None
    heading, rest = _first_heading(text)
    if heading and (title is None or clean_line(title) == heading):
        title, text = heading, rest
    body, lost = plain_markdown(text)
    return Document(
        key,
        title or name,
        body,
        url=https_address(_first_text(values, "url", "canonical_url", "permalink")),
        language=_first_text(values, "language", "lang", "locale"),
        questions=tuple(line for line in _texts(values.get("questions")) if line.strip()),
        topics=tuple(topic for topic in _texts(values.get("topics")) if topic in get_args(Topic)),
        updated=next(
            (day for name in ("updated", "lastmod", "last_updated", "date") if (day := as_date(values.get(name)))), None
        ),
        lost_images=lost,
    )


def plain_markdown(text: str) -> tuple[str, int]:
    """Markdown without raw HTML, images and reference links, whose sections can each stand alone.

    Returns:
        The text, unchanged if it has none of these; and how many images were left out.
    """
    env: dict[str, Any] = {}
    tokens = _PARSER.parse(text, env)
    kinds = {part.type for token in tokens for part in (token, *(token.children or ()))}
    if not env.get("references") and not kinds & {"html_block", "html_inline", "image"}:
        return clean_text(text), 0
    html = _PARSER.renderer.render(tokens, _PARSER.options, env)
    page = read_html(html, part=True)
    return page.body, page.lost_images


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        values = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 2})" if mark else ""
        raise Unreadable(
            f"Its front matter is not valid YAML{place}.",
            "Put values that contain `: `, `#` or quotes into double quotes.",
        ) from error
    return (values, text[match.end() :]) if isinstance(values, dict) else ({}, text)


def _first_heading(text: str) -> tuple[str, str]:
    """The text of a level-1 heading the text begins with, and the text without it."""
    tokens = _PARSER.parse(text)
    if len(tokens) < 2 or tokens[0].type != "heading_open" or tokens[0].tag != "h1" or not tokens[0].map:
        return "", text
    words = "".join(child.content for child in tokens[1].children or () if child.type in ("text", "code_inline"))
    return clean_line(words), "\n".join(text.split("\n")[tokens[0].map[1] :])


def _first_text(values: dict[str, Any], *names: str) -> str | None:
    return next((values[name] for name in names if isinstance(values.get(name), str)), None)


def _texts(value: object) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, str)]
