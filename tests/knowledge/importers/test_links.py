"""Links between the documents of an import."""

from __future__ import annotations

import time

import pytest

from bot.knowledge.importers.links import Places, relink


def places() -> Places:
    found = Places()
    found.add("guide/refund.md", None, "en", "refund")
    found.add("guide/more/fees.md", None, "en", "fees")
    found.add("à la carte.md", None, "en", "menu")
    found.add("7", "https://crema.zendesk.com/hc/en-us/articles/7-Plans", "en", "plans")
    found.add("7/tr", "https://crema.zendesk.com/hc/tr/articles/7-Planlar", "tr", "plans-tr")
    found.add("9", "https://help.crema.example/prices/", "en", "prices")
    return found


@pytest.mark.parametrize(
    ("address", "key", "url", "language", "expected"),
    [
        ("refund.md", "guide/x.md", None, "en", "refund"),
        ("./more/../refund.md#a", "guide/x.md", None, "en", "refund"),
        ("../refund.md?x=1", "guide/more/x.md", None, "en", "refund"),
        ("more/fees.md", "guide/x.md", None, "tr", "fees"),
        ("%C3%A0%20la%20carte.md", "x.md", None, "en", "menu"),
        ("../../refund.md", "guide/x.md", None, "en", None),
        ("refund.md", "x.md", None, "en", None),
        ("https://crema.zendesk.com/hc/en-us/articles/7-Old-name#x", "1", None, "en", "plans"),
        ("https://crema.zendesk.com/hc/en-us/articles/7", "1", None, "tr", "plans-tr"),
        ("/hc/articles/7", "1", "https://crema.zendesk.com/hc/en-us/articles/1-A", "th", "plans"),
        ("https://crema.zendesk.com/hc/en-us/articles/8", "1", None, "en", None),
        ("http://help.crema.example/prices?utm=1", "1", None, "en", "prices"),
        ("../prices", "1", "https://help.crema.example/a/b", "en", "prices"),
        ("https://other.example/prices", "1", None, "en", None),
        ("https://[bad", "1", None, "en", None),
        ("#here", "guide/refund.md", None, "en", None),
    ],
)
def test_where_a_link_leads(address: str, key: str, url: str | None, language: str, expected: str | None) -> None:
    assert places().find(address, key, url, language) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](x.md)", "[a](id.md)"),
        ('[a *b*](<x.md#p> "Title")', "[a *b*](id.md#p)"),
        ("[a](y.md) [b](#p)", "a b"),
        ("[a](https://a.example/(b)", "[a](https://a.example/(b)"),
        ("[a](https://a.example/b) [m](mailto:a@b.example)", "[a](https://a.example/b) [m](mailto:a@b.example)"),
        ("[a](javascript:alert) [b](data:x)", "a b"),
        ("`[a](x.md)`\n\n```\n[a](x.md)\n```\n", "`[a](x.md)`\n\n```\n[a](x.md)\n```\n"),
        ("\\[a](x.md) [1\\] b](x.md)", "\\[a](x.md) [1\\] b](id.md)"),
    ],
)
def test_links_are_pointed_at_articles(text: str, expected: str) -> None:
    assert relink(text, lambda address: "id" if address.startswith("x.md") else None, None) == expected


def test_links_without_an_article_are_completed_with_the_documents_address() -> None:
    assert relink("[a](b) [c](#d)", lambda address: None, "https://h.example/x/y") == "[a](https://h.example/x/b) c"


@pytest.mark.parametrize("text", ["[" * 50_000, "[a](b 'c" * 20_000, "~~~\n" * 20_001, "[\\" * 30_000, "`" * 50_001])
def test_hostile_text_takes_no_time(text: str) -> None:
    begun = time.monotonic()
    assert relink(text, lambda address: None, None) == text
    assert time.monotonic() - begun < 5
