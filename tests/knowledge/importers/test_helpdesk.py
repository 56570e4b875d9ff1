"""Exports of Zendesk and Intercom, in the shapes their interfaces give."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from bot.knowledge.importers.helpdesk import read_pages, recognise
from bot.knowledge.importers.source import Document, Unread
from tests.knowledge.importers.files import split


def zendesk(identifier: int = 360001, locale: str = "en-us", **changes: Any) -> dict[str, Any]:
    """An article as Zendesk lists it."""
    article = {
        "id": identifier,
        "url": f"https://crema.zendesk.com/api/v2/help_center/{locale}/articles/{identifier}.json",
        "html_url": f"https://crema.zendesk.com/hc/{locale}/articles/{identifier}-Refund-a-sale",
        "author_id": 3465,
        "comments_disabled": False,
        "draft": False,
        "promoted": False,
        "section_id": 98838,
        "created_at": "2026-01-01T09:00:00Z",
        "updated_at": "2026-03-02T09:00:00Z",
        "edited_at": "2026-02-01T09:00:00Z",
        "title": f"Refund a sale ({locale})",
        "source_locale": "en-us",
        "locale": locale,
        "outdated": False,
        "user_segment_id": None,
        "label_names": ["refund"],
        "body": f'<h1>Refund</h1><p>Open <strong>Sales</strong> {locale}.</p><img src="/attachments/a.png">',
    }
    return article | changes


def page(*articles: object) -> dict[str, Any]:
    return {"count": 1, "next_page": None, "page": 1, "page_count": 1, "per_page": 30, "articles": list(articles)}


def intercom(identifier: str = "3", **changes: Any) -> dict[str, Any]:
    """An article as Intercom lists it."""
    article = {
        "id": identifier,
        "type": "article",
        "workspace_id": "crema1",
        "title": "Refund a sale",
        "description": "How to give money back",
        "body": '<p class="no-margin">Open <b>Sales</b>.</p>',
        "author_id": 991267492,
        "state": "published",
        "created_at": 1672928359,
        "updated_at": 1772445600,
        "url": "https://help.crema.example/en/articles/3-refund-a-sale",
        "parent_id": 143,
        "parent_type": "collection",
        "default_locale": "en",
        "translated_content": {
            "type": "article_translated_content",
            "en": {"type": "article_content", "title": "Refund a sale", "body": "<p>Old</p>", "state": "published"},
            "tr": {
                "type": "article_content",
                "title": "Satışı iade et",
                "body": "<p>Satışlar'ı aç.</p>",
                "state": "published",
                "updated_at": 1672928359,
                "url": "https://help.crema.example/tr/articles/3-satisi-iade-et",
            },
            "zh-CN": {"type": "article_content", "title": "退款", "body": "<p>打开。</p>", "state": "draft"},
            "de": None,
        },
    }
    return article | changes


def read(*pages: object, helpdesk: Any = "zendesk") -> tuple[list[Document], list[Unread]]:
    return split(read_pages([(f"{number}.json", value) for number, value in enumerate(pages)], helpdesk))


def test_a_zendesk_article() -> None:
    documents, unread = read(page(zendesk()))
    assert unread == []
    assert documents == [
        Document(
            "360001",
            "Refund a sale (en-us)",
            "## Refund\n\nOpen **Sales** en-us.\n\n[a.png](https://crema.zendesk.com/attachments/a.png)",
            url="https://crema.zendesk.com/hc/en-us/articles/360001-Refund-a-sale",
            language="en",
            updated=dt.date(2026, 2, 1),
        )
    ]


def test_zendesk_translations_from_pages_of_each_locale() -> None:
    documents, _ = read(page(zendesk(locale="tr")), page(zendesk(), zendesk(360002)))
    assert [(document.key, document.language, document.translation_of) for document in documents] == [
        ("360001", "en", None),
        ("360001/tr", "tr", "360001"),
        ("360002", "en", None),
    ]


def test_zendesk_translations_within_an_article() -> None:
    texts = [
        {"locale": "en-us", "title": "Refund", "body": "<p>x</p>", "draft": False},
        {"locale": "th", "title": "คืนเงิน", "body": "<p>เปิด</p>", "draft": False, "updated_at": "2026-04-01T00:00:00Z"},
        {"locale": "tr", "title": "İade", "body": "<p>Aç</p>", "draft": True},
    ]
    documents, unread = read(page(zendesk(translations=texts)))
    assert [(document.key, document.title, document.translation_of) for document in documents] == [
        ("360001", "Refund a sale (en-us)", None),
        ("360001/th", "คืนเงิน", "360001"),
    ]
    assert [(item.key, item.withdrawn) for item in unread] == [("360001/tr", True)]


def test_drafts_are_left_out_and_said() -> None:
    documents, unread = read(page(zendesk(draft=True), zendesk(360002)))
    assert [document.key for document in documents] == ["360002"]
    assert unread == [Unread("360001", "It is a draft.", "Publish it there, or leave it.", withdrawn=True)]


@pytest.mark.parametrize("segment", [{"user_segment_id": 55}, {"user_segment_ids": [1, 2]}])
def test_an_article_for_some_readers_is_marked(segment: dict[str, Any]) -> None:
    documents, _ = read(page(zendesk(**segment)), page(zendesk(locale="tr")))
    assert [document.restricted for document in documents] == [True, True]


def test_other_languages_are_said() -> None:
    documents, unread = read(page(zendesk(locale="de"), zendesk(source_locale="de", locale="tr")))
    assert [(document.key, document.translation_of) for document in documents] == [("360001/tr", None)]
    assert "Its language is de." in unread[0].reason


def test_a_second_text_in_one_language_is_said() -> None:
    documents, unread = read(page(zendesk(locale="zh-cn", source_locale="zh-cn"), zendesk(locale="zh-tw")))
    assert [document.key for document in documents] == ["360001"]
    assert unread[0].reason == "It is there in this language already, as 360001."


def test_an_article_given_twice_is_taken_once() -> None:
    documents, unread = read(page(zendesk()), page(zendesk()))
    assert (len(documents), unread) == (1, [])


def test_intercom_with_its_translations() -> None:
    documents, unread = read({"type": "list", "data": [intercom()]}, helpdesk="intercom")
    assert documents == [
        Document(
            "3",
            "Refund a sale",
            "Open **Sales**.",
            url="https://help.crema.example/en/articles/3-refund-a-sale",
            language="en",
            updated=dt.date(2026, 3, 2),
        ),
        Document(
            "3/tr",
            "Satışı iade et",
            "Satışlar'ı aç.",
            url="https://help.crema.example/tr/articles/3-satisi-iade-et",
            language="tr",
            updated=dt.date(2023, 1, 5),
            translation_of="3",
        ),
    ]
    assert [(item.key, item.reason) for item in unread] == [("3/zh-cn", "It is a draft.")]


def test_intercom_without_translations() -> None:
    documents, _ = read([intercom(translated_content=None, default_locale=None, url=None)], helpdesk="intercom")
    assert [(document.language, document.url) for document in documents] == [(None, None)]


@pytest.mark.parametrize("helpdesk", ["zendesk", "intercom"])
@pytest.mark.parametrize("entry", [None, 5, "x", {}, {"id": None}, {"id": [1]}])
def test_an_entry_that_is_no_article_is_named(helpdesk: str, entry: object) -> None:
    documents, unread = read({"articles": [entry], "data": [entry]}, helpdesk=helpdesk)
    assert documents == []
    assert [(item.key, item.several) for item in unread] == [("0.json:1", True)]
    assert unread[0].remedy


@pytest.mark.parametrize("helpdesk", ["zendesk", "intercom"])
def test_fields_of_another_kind_do_no_harm(helpdesk: str) -> None:
    wrong: dict[str, object] = {key: [1] for key in zendesk() | intercom()}
    wrong |= {"id": 1, "state": "published", "draft": 0}
    documents, unread = read([wrong], helpdesk=helpdesk)
    assert [(document.title, document.body, document.url) for document in documents] == [("", "", None)]
    assert unread == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (page(), "zendesk"),
        ([page(), page()], "zendesk"),
        ([zendesk()], "zendesk"),
        ({"type": "list", "data": []}, "intercom"),
        ([intercom()], "intercom"),
        ({"type": "list"}, None),
        ({"question": "x"}, None),
        ([], None),
        ([[[]]], None),
        ("x", None),
        (None, None),
    ],
)
def test_whose_export_it_is(value: object, expected: str | None) -> None:
    assert recognise(value) == expected
