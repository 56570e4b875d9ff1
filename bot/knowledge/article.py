"""An article of the knowledge base and the check of its front matter."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, ValidationError

from bot.errors import KnowledgeError

Audience = Literal["public", "internal"]
Topic = Literal["how_to", "defect", "outage", "access", "billing", "pre_sales"]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Origin = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,59}:.+$", max_length=2200)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

_FENCE = re.compile(r"^---[ \t]*$")


class _Loader(yaml.SafeLoader):
    """Leaves dates as they are written: the check of `updated` says better what is wrong with one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Article(BaseModel):
    """One Markdown file: what it is called, for whom it is, how customers ask for it, what it says.

    `source` and `imported` are an importer's: which document of which import it comes from, and what that gave.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Slug
    title: Line
    language: Literal["en", "zh", "tr", "th"]
    audience: Audience
    topics: tuple[Topic, ...] = Field(min_length=1)
    questions: tuple[Line, ...] = ()
    updated: dt.date
    product: Line | None = None
    url: HttpUrl | None = None
    translation_of: Slug | None = None
    source: Origin | None = None
    imported: tuple[Digest, ...] = ()
    body: str = Field(min_length=1)

    @property
    def subject(self) -> str:
        """What an article and its translations have in common: the id of the original."""
        return self.translation_of or self.id


class ArticleError(KnowledgeError):
    """An article cannot be used.

    Args:
        file: The article's file.
        line: Line in it, from 1.
        message: What is wrong.
        remedy: What to write instead.
    """

    code = "article"

    def __init__(self, file: Path, line: int, message: str, remedy: str) -> None:
        super().__init__(f"{file}:{line}: {message}", remedy)
        self.file = file
        self.line = line


def line_of(text: str, key: str) -> int:
    """The line a key of the front matter stands in; 1 if it is not there."""
    lines = text.removeprefix("\ufeff").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}:")), 1)


def _remedy(key: str) -> str:
    known = {
        "id": "Write lower-case letters, digits and hyphens, as in `id: refund-a-sale`.",
        "title": "Write `title:` with the article's name, at most 300 characters.",
        "language": "Write one of en, zh, tr, th.",
        "audience": "Write `public` (customers see it) or `internal` (only employees).",
        "topics": "Write a list out of how_to, defect, outage, access, billing, pre_sales.",
        "questions": "Write a list of ways customers ask it, each at most 300 characters, or leave it out.",
        "updated": "Write the date of the last change, as in `updated: 2026-10-12`.",
        "url": "Write a full address that starts with https://, or leave it out.",
        "translation_of": "Write the id of the original article, or leave it out.",
        "source": "It is written by `refill import`; restore it, or remove it to part the article from its source.",
        "imported": "It is written by `refill import`; restore it, or remove it to have every change asked about.",
        "body": "Write the article's text below the front matter.",
    }
    return known.get(key, f"Known keys are {', '.join(sorted(Article.model_fields))}; remove or rename this one.")


def parse_article(text: str, file: Path) -> Article:
    """Read an article from the text of its file.

    Raises:
        ArticleError: The front matter or the body breaks a rule; names the line.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or not _FENCE.match(lines[0]):
        raise ArticleError(
            file,
            1,
            "The file does not start with front matter.",
            "Begin with a line `---`, the keys, and `---`.",
        )
    end = next((number for number in range(1, len(lines)) if _FENCE.match(lines[number])), None)
    if end is None:
        raise ArticleError(file, 1, "The front matter is not closed.", "Add a line `---` after the last key.")
    source = "\n".join(lines[1:end])
    try:
        node = yaml.compose(source, Loader=_Loader)
        values = yaml.load(source, Loader=_Loader)  # noqa: S506  (_Loader is a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = (mark.line + 2) if mark else 2
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ArticleError(
            file,
            line,
            f"The front matter is not valid YAML: {problem}.",
            "Put values that contain `: `, `#` or quotes into double quotes.",
        ) from error
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise ArticleError(file, 2, "The front matter is not a list of `key: value` lines.", _remedy(""))
    places = {str(key.value): key.start_mark.line + 2 for key, _ in node.value}
    twice = [str(key.value) for key, _ in node.value]
    for key in places:
        if twice.count(key) > 1:
            raise ArticleError(file, places[key], f"The key '{key}' stands twice.", "Keep one of them.")
    if "body" in places:
        raise ArticleError(file, places["body"], "'body' is not a key.", _remedy("body"))
    body = "\n".join(lines[end + 1 :]).strip()
    try:
        return Article.model_validate({**values, "body": body})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        line = places.get(key, end + 2 if key == "body" else 1)
        what = "is missing" if first["type"] == "missing" else f"is not valid: {first['msg']}"
        what = "is empty" if key == "body" else what
        raise ArticleError(file, line, f"'{key}' {what}.", _remedy(key)) from error


def article_text(article: Article) -> str:
    """The text of an article's file: what `parse_article` reads back as the same article."""
    values = article.model_dump(mode="json", exclude={"body"}, exclude_defaults=True)
    front = yaml.safe_dump({**values, "updated": article.updated}, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n{article.body}\n"
