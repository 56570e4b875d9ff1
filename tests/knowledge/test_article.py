"""Every rule of the front matter, and that what breaks one is named with file, line and remedy."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from bot.knowledge.article import Article, ArticleError, parse_article
from bot.knowledge.article import article_text as article_file
from tests.knowledge.fakes import FRONT_MATTER, article_text

FILE = Path("knowledge_base/public/en/refund-a-sale.md")
LINES = {key: number for number, key in enumerate(FRONT_MATTER, 2)}
END = len(FRONT_MATTER) + 2


def refused(text: str) -> ArticleError:
    with pytest.raises(ArticleError) as caught:
        parse_article(text, FILE)
    error = caught.value
    assert error.file == FILE
    assert str(error).startswith(f"{FILE}:{error.line}: ")
    return error


def test_reads_every_key() -> None:
    text = article_text(
        "Body.\n\n- one",
        product="Crema Register",
        url="https://help.crema.example/refund",
        translation_of="refund",
        topics="[how_to, billing]",
    )
    article = parse_article(text, FILE)
    assert article.id == "refund-a-sale"
    assert article.title == "Refund a sale"
    assert (article.language, article.audience) == ("en", "public")
    assert article.topics == ("how_to", "billing")
    assert article.questions == ("How do I give money back?",)
    assert article.updated == dt.date(2026, 10, 12)
    assert article.product == "Crema Register"
    assert str(article.url) == "https://help.crema.example/refund"
    assert article.subject == article.translation_of == "refund"
    assert article.body == "Body.\n\n- one"


def test_optional_keys_may_be_missing() -> None:
    article = parse_article(article_text(questions=None), FILE)
    assert (article.product, article.url, article.translation_of, article.source) == (None, None, None, None)
    assert (article.questions, article.imported) == ((), ())
    assert article.subject == article.id


@pytest.mark.parametrize("change", ["\ufeff{}", "{}\n\n", "{}\n---\nA rule is no fence."])
def test_what_editors_add_does_no_harm(change: str) -> None:
    assert parse_article(change.format(article_text()), FILE).title == "Refund a sale"


def test_windows_line_ends_and_other_scripts() -> None:
    text = article_text("退款。\n\nคืนเงิน", title="退款 ş", questions='["怎么退款？"]').replace("\n", "\r\n")
    article = parse_article(text, FILE)
    assert (article.title, article.questions, article.body) == ("退款 ş", ("怎么退款？",), "退款。\n\nคืนเงิน")


@pytest.mark.parametrize("key", sorted(FRONT_MATTER.keys() - {"questions"}))
def test_a_missing_key_is_named(key: str) -> None:
    error = refused(article_text(**{key: None}))
    assert error.line == 1
    assert f"'{key}' is missing." in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("id", "Refund A Sale", "lower-case letters, digits and hyphens"),
        ("id", "../secret", "lower-case letters, digits and hyphens"),
        ("id", "-x", "lower-case letters, digits and hyphens"),
        ("id", "a" * 101, "lower-case letters, digits and hyphens"),
        ("id", "42", "lower-case letters, digits and hyphens"),
        ("title", "", "`title:`"),
        ("title", '"  "', "`title:`"),
        ("title", "x" * 301, "at most 300 characters"),
        ("language", "de", "en, zh, tr, th"),
        ("language", "EN", "en, zh, tr, th"),
        ("language", "no", "en, zh, tr, th"),
        ("audience", "secret", "`public`"),
        ("audience", "[public]", "`public`"),
        ("topics", "[gardening]", "how_to, defect, outage, access, billing, pre_sales"),
        ("topics", "[]", "how_to, defect, outage, access, billing, pre_sales"),
        ("topics", "how_to", "how_to, defect, outage, access, billing, pre_sales"),
        ("questions", "", "or leave it out"),
        ("questions", '["  "]', "ways customers ask it"),
        ("questions", "How do I pay?", "ways customers ask it"),
        ("questions", f"[{'x' * 301}]", "at most 300 characters"),
        ("updated", "yesterday", "date of the last change"),
        ("updated", "12.10.2026", "date of the last change"),
        ("updated", "2026-10-12T09:30:00", "date of the last change"),
    ],
)
def test_a_bad_value_is_named_with_its_line(key: str, value: str, remedy: str) -> None:
    error = refused(article_text(**{key: value}))
    assert error.line == LINES[key]
    assert f"'{key}' is not valid: " in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("url", "nowhere", "starts with https://"),
        ("url", "javascript:alert(1)", "starts with https://"),
        ("url", "ftp://crema.example/x", "starts with https://"),
        ("translation_of", "Refund a sale", "id of the original"),
        ("source", "refund.md", "written by `refill import`"),
        ("source", "Crema:refund.md", "written by `refill import`"),
        ("imported", "[5d41402abc4b]", "written by `refill import`"),
        ("product", "[a, b]", "Known keys"),
        ("author", "Ada", "Known keys are audience"),
        ("Title", "Refund", "Known keys are audience"),
        ("1", "x", "Known keys are audience"),
    ],
)
def test_a_bad_optional_or_unknown_key_is_named_with_its_line(key: str, value: str, remedy: str) -> None:
    error = refused(article_text(**{key: value}))
    assert error.line == END
    assert f"'{key}' is not valid: " in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize("day", ["2026-13-45", "2026-02-30"])
def test_a_day_that_does_not_exist_is_named_with_its_line(day: str) -> None:
    error = refused(article_text(updated=day))
    assert error.line == LINES["updated"]
    assert "date of the last change" in error.remedy


def test_the_body_is_no_key() -> None:
    assert "'body'" in refused(article_text(body="x")).message


@pytest.mark.parametrize("body", ["", "   ", "\n\n\t\n"])
def test_an_empty_body_is_named(body: str) -> None:
    error = refused(article_text(body))
    assert error.line > END
    assert error.message.endswith("'body' is empty.")
    assert "below the front matter" in error.remedy


def test_a_key_that_stands_twice_is_named() -> None:
    error = refused(article_text(title="One\ntitle: Two"))
    assert error.line in (LINES["title"], LINES["title"] + 1)
    assert "The key 'title' stands twice." in error.message
    assert error.remedy == "Keep one of them."


@pytest.mark.parametrize("text", ["", "# Refund", " ---\nid: x\n---\nBody", "id: x\n---\nBody", "----\nid: x\n----\nB"])
def test_no_front_matter(text: str) -> None:
    error = refused(text)
    assert error.line == 1
    assert "does not start with front matter" in error.message
    assert "`---`" in error.remedy


@pytest.mark.parametrize("text", ["---", "---\nid: x\n", "---\nid: x\n ---\nBody", "---\nid: x\n--\nBody"])
def test_front_matter_that_is_not_closed(text: str) -> None:
    error = refused(text)
    assert error.line == 1
    assert "not closed" in error.message
    assert "after the last key" in error.remedy


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"title": "Refund: a sale"}, LINES["title"]),
        ({"title": '"Refund'}, LINES["questions"]),
        ({"title": "'a' b"}, LINES["title"]),
        ({"topics": "[how_to"}, LINES["topics"] + 1),
        ({"title": "*nothing"}, LINES["title"]),
        ({"title": "!!python/object:os.system x"}, LINES["title"]),
        ({"title": "%x"}, LINES["title"]),
    ],
)
def test_bad_yaml_is_named_with_its_line(changes: dict[str, str | None], line: int) -> None:
    error = refused(article_text(**changes))
    assert "not valid YAML" in error.message
    assert error.line == line
    assert "double quotes" in error.remedy


@pytest.mark.parametrize("source", ["- a\n- b", "just words", "", "? [a]\n: b"])
def test_front_matter_that_is_no_mapping(source: str) -> None:
    error = refused(f"---\n{source}\n---\nBody")
    assert error.line == 2
    assert error.remedy


def test_yaml_nested_too_deeply_is_named() -> None:
    assert "not valid YAML" in refused(article_text(title="[" * 3000)).message


@pytest.mark.parametrize(
    "value", ["Fees: cards # 1", "true", "2026-10-12", "- a", "'\"", "退款 👩‍🍳", "x " * 149 + "x", "12"]
)
def test_an_article_is_written_as_it_is_read(value: str) -> None:
    article = parse_article(
        article_text(
            "---\n\n- one\n\n---",
            url="https://help.crema.example/refund",
            source="crema:1",
            imported='["1234567890123456", "1234567890e12345"]',
        ),
        FILE,
    ).model_copy(update={"title": value, "questions": (value,), "source": f"crema:{value}"})
    assert parse_article(article_file(article), FILE) == article


def test_what_an_article_has_not_is_not_written() -> None:
    written = article_file(parse_article(article_text(questions=None), FILE))
    assert re.findall(r"^(\w+):", written, re.MULTILINE) == ["id", "title", "language", "audience", "topics", "updated"]


def test_an_article_does_not_change() -> None:
    article = parse_article(article_text(), FILE)
    with pytest.raises(ValueError, match="frozen"):
        article.title = "Other"  # type: ignore[misc]
    assert article == Article.model_validate(article.model_dump(mode="json"))
