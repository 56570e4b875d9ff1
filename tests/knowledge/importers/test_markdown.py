"""Markdown files as documents, with and without front matter."""

from __future__ import annotations

import datetime as dt

import pytest

from bot.knowledge.importers.markdown import plain_markdown, read_markdown
from bot.knowledge.importers.source import Document, Unreadable

FRONT = """---
title: "Refund: a sale"
lang: tr-TR
lastmod: 2026-03-02
canonical_url: https://help.crema.example/refund
questions: ["How?", 5, " "]
topics: [billing, gardening]
tags: {a: [1]}
---
"""


def read(text: str) -> Document:
    return read_markdown(text, "a.md", "A")


def test_front_matter_is_used_where_it_says_what_an_articles_would() -> None:
    assert read(f"{FRONT}\nOpen **Sales**.\r\n") == Document(
        "a.md",
        "Refund: a sale",
        "Open **Sales**.",
        url="https://help.crema.example/refund",
        language="tr-TR",
        questions=("How?",),
        topics=("billing",),
        updated=dt.date(2026, 3, 2),
    )


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# Refund a *sale* `x`\n\nOpen.", "Refund a sale x", "Open."),
        ("Refund\n======\n\nOpen.", "Refund", "Open."),
        ("## Section\n\nOpen.", "A", "## Section\n\nOpen."),
        ("Open.\n\n# Late", "A", "Open.\n\n# Late"),
        ("---\ntitle: X\n---\n# X\n\nOpen.", "X", "Open."),
        ("---\ntitle: X\n---\n# Y\n\nOpen.", "X", "# Y\n\nOpen."),
        ("---\n- a list\n---\nOpen.", "A", "---\n- a list\n---\nOpen."),
        ("---\nnot closed", "A", "---\nnot closed"),
        ("---\n\nOpen.", "A", "---\n\nOpen."),
    ],
)
def test_the_title(text: str, title: str, body: str) -> None:
    document = read(text)
    assert (document.title, document.body) == (title, body)


@pytest.mark.parametrize("front", ["title: a: b", "date: 2026-13-45", "a: [" + "[" * 1000, "a: *b"])
def test_bad_front_matter_is_said(front: str) -> None:
    with pytest.raises(Unreadable, match="front matter is not valid YAML") as caught:
        read(f"---\n{front}\n---\nOpen.")
    assert "double quotes" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. a\n2. b\n\n| a | b |\n| - | - |\n| 1 | 2 |", "1. a\n2. b\n\n| a | b |\n| - | - |\n| 1 | 2 |"),
        ("a <script>alert(1)</script> b", "a  b"),
        ("one<br>two\nthree", "one\ntwo\nthree"),
        ("<details><summary>More</summary>\n\nText **x**\n\n</details>", "More\n\nText **x**"),
        ("<!-- note -->\n\nText", "Text"),
        ("# Big\n\n<b>x</b>", "## Big\n\n**x**"),
        ("see [a][1]\n\n[1]: https://a.example/b 'T'", "see [a](https://a.example/b)"),
        ("`<b>` and\n\n```html\n<b>\n```", "`<b>` and\n\n```html\n<b>\n```"),
    ],
)
def test_what_is_shown_as_text_or_cannot_stand_alone_is_converted(text: str, expected: str) -> None:
    assert plain_markdown(text) == (expected, 0)


def test_images() -> None:
    text = "x ![till](https://c.example/a.png) ![b](b.png) ![c](data:image/png;base64,AA)"
    assert plain_markdown(text) == ("x [till](https://c.example/a.png)", 2)


@pytest.mark.parametrize("text", ["[" * 20_000, "<b>" * 200, "![a](data:x) " * 5_000, "> " * 2_000])
def test_hostile_text_is_read(text: str) -> None:
    assert isinstance(plain_markdown(text)[0], str)
