"""The checks and small conversions all sources share."""

from __future__ import annotations

import datetime as dt

import pytest

from bot.knowledge.importers.source import (
    Unread,
    Unreadable,
    as_date,
    clean_line,
    clean_text,
    decode,
    https_address,
    slug,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_decoded(encoding: str) -> None:
    assert decode("Kasa açık 退款".encode(encoding)) == "Kasa açık 退款"


@pytest.mark.parametrize(
    ("raw", "message", "remedy"),
    [
        (b"one\ntwo caf\xe9\n", "It is not valid UTF-8 (line 2).", "Save it as UTF-8."),
        (b"\xff\xfeA", "It is not valid UTF-16 (line 1).", "Save it as UTF-8."),
        (b"\x7fELF\0\0", "It is not a text file.", "Give the file the ending of its kind"),
    ],
)
def test_what_is_no_text_is_said(raw: bytes, message: str, remedy: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(raw)
    assert caught.value.message.startswith(message)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("  \n a \n\n", "a"),
        ("a\0b\x07c\x1bd", "abcd"),
        ("a\x85b\u2028c\x0bd", "a\nb\nc\nd"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("a\ud800b", "ab"),
        ("\tx = 1\n\ty", "x = 1\n\ty"),
        ("👩‍🍳 ok", "👩‍🍳 ok"),
    ],
)
def test_text_is_cleaned_once_and_for_all(text: str, expected: str) -> None:
    assert clean_text(text) == expected
    assert clean_text(clean_text(text)) == expected


def test_long_lines_are_cut_after_a_word() -> None:
    assert clean_line("How do I  close\nthe day?") == "How do I close the day?"
    cut = clean_line("word, " * 100)
    assert cut == "word, " * 48 + "word…"
    assert len(clean_line("退" * 1000)) == 300
    assert len(clean_line("word " * 60 + "x", 300)) <= 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Refund a sale!", "refund-a-sale"),
        ("İADE ışığı — Çok iyi", "iade-isigi-cok-iyi"),
        ("../../etc/passwd", "etc-passwd"),
        ("Café & co", "cafe-co"),
        ("退款", ""),
        ("a" * 200, "a" * 80),
    ],
)
def test_slugs(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02", dt.date(2026, 3, 2)),
        ("2026-03-02T10:00:00Z", dt.date(2026, 3, 2)),
        (1772445600, dt.date(2026, 3, 2)),
        (dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC), dt.date(2026, 3, 2)),
        (dt.date(2026, 3, 2), dt.date(2026, 3, 2)),
        ("yesterday", None),
        (1e300, None),
        (True, None),
        (None, None),
        (["2026"], None),
    ],
)
def test_dates(value: object, expected: dt.date | None) -> None:
    assert as_date(value) == expected


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://help.crema.example/a?b=1", True),
        ("http://help.crema.example/a", False),
        ("https://user:secret@crema.example/", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https://[bad", False),
        ("/hc/a", False),
        (None, False),
        ("https://x.example/" + "a" * 2000, False),
    ],
)
def test_only_https_addresses_are_kept(address: str | None, kept: bool) -> None:
    assert https_address(address) == (address if kept else None)


def test_an_error_becomes_a_report() -> None:
    error = Unreadable("It is empty.", "Fill it.")
    assert error.unread("a.md") == Unread("a.md", "It is empty.", "Fill it.")
    assert error.unread("a.csv", several=True).several
