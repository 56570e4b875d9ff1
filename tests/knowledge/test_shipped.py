"""The knowledge base that is shipped: how much there is, and that it is sound."""

from __future__ import annotations

import collections
import re
import unicodedata
from pathlib import Path

import pytest

from bot.knowledge.article import Article
from bot.knowledge.loader import KnowledgeBase, load_knowledge_base
from bot.knowledge.splitter import split
from bot.language import detect
from bot.settings import load_settings

FOLDER = load_settings(environ={}).root / "knowledge_base"
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
TRANSLATED = ("zh", "tr", "th")
# Signs per word: Chinese and Thai say more in fewer characters, Chinese most of all.
LEAST_BODY = {"en": 400, "tr": 400, "th": 400, "zh": 150}


@pytest.fixture(scope="module")
def shipped() -> KnowledgeBase:
    return load_knowledge_base(FOLDER)


def place(article: Article) -> Path:
    """Where an article's file stands, below the knowledge base."""
    return Path(article.audience, article.language)


def plain(text: str) -> str:
    """A question as another person might type it."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def test_no_article_is_broken(shipped: KnowledgeBase) -> None:
    assert [str(error) for error in shipped.errors] == []


def test_there_is_as_much_as_promised(shipped: KnowledgeBase) -> None:
    counts = collections.Counter((article.audience, article.language) for article in shipped.articles)
    assert counts["public", "en"] >= 80
    assert counts["internal", "en"] >= 20
    for language in TRANSLATED:
        translated = [a for a in shipped.articles if a.language == language and a.audience == "public"]
        assert len(translated) >= 30
        assert len({article.subject for article in translated}) == len(translated)


def test_translations_are_of_english_articles(shipped: KnowledgeBase) -> None:
    by_id = {article.id: article for article in shipped.articles}
    for article in shipped.articles:
        if article.language == "en":
            assert article.translation_of is None, article.id
        elif article.translation_of:
            assert by_id[article.translation_of].language == "en", article.id


def test_every_link_leads_to_an_article_the_reader_may_see(shipped: KnowledgeBase) -> None:
    by_file = {
        (FOLDER / place(article) / f"{article.subject}.md").resolve(): article.audience for article in shipped.articles
    }
    broken = []
    for article in shipped.articles:
        for target in LINK.findall(article.body):
            if re.match(r"(https?|mailto|tel):", target):
                continue
            original = FOLDER / article.audience / "en" / target
            found = by_file.get((FOLDER / place(article) / target).resolve()) or by_file.get(original.resolve())
            if found is None or (article.audience == "public" and found == "internal"):
                broken.append(f"{article.id}: {target}")
    assert broken == []


def test_files_are_named_after_their_subject(shipped: KnowledgeBase) -> None:
    files = {file.relative_to(FOLDER) for file in FOLDER.rglob("*.md")}
    assert files == {place(article) / f"{article.subject}.md" for article in shipped.articles}


def test_no_public_article_names_an_internal_one(shipped: KnowledgeBase) -> None:
    inside = [article for article in shipped.articles if article.audience == "internal"]
    for article in shipped.articles:
        if article.audience == "public":
            text = article.body + article.title + " ".join(article.questions)
            assert [other.id for other in inside if other.id in text or other.title in text] == [], article.id


def test_no_question_stands_in_two_articles(shipped: KnowledgeBase) -> None:
    owners = collections.defaultdict(set)
    for article in shipped.articles:
        for question in article.questions:
            owners[article.audience, article.language, plain(question)].add(article.id)
    assert {key: ids for key, ids in owners.items() if len(ids) > 1} == {}


def test_no_title_stands_twice(shipped: KnowledgeBase) -> None:
    titles = collections.Counter((article.language, plain(article.title)) for article in shipped.articles)
    assert [title for title, count in titles.items() if count > 1] == []


def test_each_article_says_how_customers_ask(shipped: KnowledgeBase) -> None:
    for article in shipped.articles:
        assert len({plain(question) for question in article.questions}) >= 3, article.id
        assert all(plain(question) for question in article.questions), article.id


def test_bodies_are_of_sane_length(shipped: KnowledgeBase) -> None:
    for article in shipped.articles:
        assert LEAST_BODY[article.language] <= len(article.body) <= 8000, (article.id, len(article.body))
        assert all(len(chunk.text) <= 3000 for chunk in split(article)), article.id


def test_articles_are_in_the_language_they_name(shipped: KnowledgeBase) -> None:
    wrong = [article.id for article in shipped.articles if detect(article.body) != article.language]
    assert wrong == []


def test_there_are_steps_tables_and_links(shipped: KnowledgeBase) -> None:
    for language in ("en", *TRANSLATED):
        bodies = [a.body for a in shipped.articles if a.language == language and a.audience == "public"]
        assert sum("\n1. " in body for body in bodies) >= len(bodies) / 3
        assert sum("|---" in body for body in bodies) >= 5
        assert sum("](" in body for body in bodies) >= len(bodies) / 2


def test_texts_are_in_composed_form_without_control_characters(shipped: KnowledgeBase) -> None:
    for article in shipped.articles:
        text = "\n".join((article.title, *article.questions, article.body))
        assert unicodedata.is_normalized("NFC", text), article.id
        odd = {c for c in text if unicodedata.category(c) in ("Cc", "Co", "Cn") and c != "\n"} | (
            {"\ufffd"} & set(text)
        )
        assert odd == set(), article.id
