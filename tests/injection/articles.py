"""A knowledge base whose articles hold hostile titles, texts and images."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from bot.knowledge.answer import Answerer
from bot.knowledge.article import Article
from tests.injection.infected import typed
from tests.knowledge.fakes import WordEncoder, index_of


def hostile_article(number: int, payload: str) -> Article:
    """An article with a payload as its title, in its text in every way Markdown knows, and beside its image."""
    text = typed(payload)
    line = " ".join(text.split())
    cell = line.replace("|", "")
    ways = (text, f"# {line}", f"- {line}", f"> {line}", f"|{cell}|\n|-|\n|{cell}|", f"[{line}]({line})", f"`{line}`")
    body = "\n\n".join((f"![{line}](images/none.png)", *ways, "The end"))
    fields = {"title": line[:300], "questions": (line[:300],), "body": body, "updated": dt.date(2026, 10, 12)}
    return Article(id=f"article-{number}", language="en", audience="public", topics=("how_to",), **fields)


def library(payloads: Sequence[str]) -> Answerer:
    """A knowledge base with an article for each payload."""
    return Answerer(index_of(*(hostile_article(n, payload) for n, payload in enumerate(payloads))), WordEncoder())
