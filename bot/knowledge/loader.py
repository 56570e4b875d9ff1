"""Load the articles of a knowledge base; what is broken is named, the rest is used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bot.errors import KnowledgeError
from bot.knowledge.article import Article, ArticleError, line_of, parse_article
from bot.knowledge.images import ImageProblem, Images, named, written_out

_FORM = "Write `![The till](images/till.png)`: between the brackets what it shows, for those who cannot see it."


@dataclass(frozen=True)
class KnowledgeBase:
    """All articles that could be read, and what was wrong with the others."""

    articles: tuple[Article, ...]
    errors: tuple[ArticleError, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when any article does."""
        digest = hashlib.sha256()
        for article in sorted(self.articles, key=lambda article: article.id):
            digest.update(article.model_dump_json().encode())
        return digest.hexdigest()


def load_knowledge_base(folder: Path) -> KnowledgeBase:
    """Read `public/<language>/*.md` and `internal/<language>/*.md` below folder.

    The folder an article stands in must agree with its audience and language, so that moving a file can never
    publish it by accident.

    Raises:
        KnowledgeError: The folder does not exist or holds no article that can be used.
    """
    if not folder.is_dir():
        raise KnowledgeError(
            f"There is no knowledge base at {folder}.",
            "Set knowledge.folder in refill.toml to a folder of articles.",
        )
    articles: dict[str, tuple[Article, Path, str]] = {}
    errors: list[ArticleError] = []
    images = Images(folder)
    for file in sorted(folder.rglob("*.md")):
        shown = file.relative_to(folder.parent)
        try:
            article, text = _load(file, folder, shown, images)
            if article.id in articles:
                message = f"The id '{article.id}' is taken by {articles[article.id][1]}."
                raise ArticleError(shown, line_of(text, "id"), message, "Give one of the two another id.")
            articles[article.id] = (article, shown, text)
        except ArticleError as error:
            errors.append(error)
    languages: dict[tuple[str, str], Path] = {}
    for article, shown, text in sorted(articles.values(), key=lambda entry: entry[0].translation_of is not None):
        problem = _translation_problem(article, articles.get(article.translation_of or article.id))
        twin = languages.setdefault((article.subject, article.language), shown)
        if not problem and twin != shown:
            problem = f"'{article.subject}' is there in this language already: {twin}."
        if problem:
            del articles[article.id]
            remedy = "Name the id of the original in `translation_of`; it has one translation into each language."
            errors.append(ArticleError(shown, line_of(text, "translation_of"), problem, remedy))
    if not articles:
        detail = f" First problem: {errors[0]}" if errors else ""
        raise KnowledgeError(
            f"No article in {folder} can be used.{detail}", "Put articles into public/<language>/*.md."
        )
    return KnowledgeBase(tuple(article for article, _, _ in articles.values()), tuple(errors))


def _translation_problem(article: Article, original: tuple[Article, Path, str] | None) -> str:
    """What is wrong with an article's `translation_of`; empty if nothing is."""
    if original is None:
        return f"It is a translation of '{article.translation_of}', which is not there."
    if original[0].audience != article.audience:
        return f"It is a translation of '{article.translation_of}', which has another audience."
    if article.translation_of and original[0].translation_of:
        return f"It is a translation of '{article.translation_of}', which is a translation itself."
    return ""


def _load(file: Path, folder: Path, shown: Path, images: Images) -> tuple[Article, str]:
    try:
        raw = file.read_bytes()
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ArticleError(
            shown, line, f"The file is not valid UTF-8 (byte {error.start}).", "Save it as UTF-8."
        ) from error
    except OSError as error:
        raise ArticleError(shown, 1, f"The file cannot be read: {error}.", "Check its permissions.") from error
    article = parse_article(text, shown)
    parts = file.relative_to(folder).parts
    for name, place, value in (
        ("audience", parts[0], article.audience),
        ("language", parts[1] if len(parts) > 2 else "", article.language),
    ):
        if place != value:
            raise ArticleError(
                shown,
                line_of(text, name),
                f"Its {name} is '{value}' but it stands in '{'/'.join(parts[:-1])}/'.",
                f"Move it to {article.audience}/{article.language}/ or correct '{name}'.",
            )
    for shows, name in named(article.body):
        try:
            if not shows:
                raise ImageProblem(f"The image 'images/{name}' has no text that says what it shows.", _FORM)
            if name not in written_out(article.body):
                raise ImageProblem(f"The image 'images/{name}' is written in a way that is not known.", _FORM)
            images.load(name, article.audience)
        except ImageProblem as error:
            raise ArticleError(shown, _image_line(text, name), error.message, error.remedy) from error
    return article, text


def _image_line(text: str, name: str) -> int:
    """The line an image stands in; 1 if it is written in a way that is not found."""
    lines = text.removeprefix("\ufeff").splitlines()
    return next((number for number, line in enumerate(lines, 1) if f"images/{name}" in line), 1)
