"""Sentences and clauses in four languages, by their places."""

from __future__ import annotations

import pytest

from bot.settings import LANGUAGES
from bot.tagging.sentences import clauses, sentences


def cut(text: str, language: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text, language)]


def parts(text: str, language: str) -> list[str]:
    return [
        text[span.start : span.end]
        for sentence in sentences(text, language)
        for span in clauses(text, sentence, language)
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The till is dead. We open two more in May!", ["The till is dead.", "We open two more in May!"]),
        ("en", "is it down?\nnothing loads", ["is it down?", "nothing loads"]),
        ("tr", "Yazıcı bozuldu. Mayısta iki şube açıyoruz.", ["Yazıcı bozuldu.", "Mayısta iki şube açıyoruz."]),
        ("zh", "打印机坏了。下个月开两家新店！价格怎么算？", ["打印机坏了。", "下个月开两家新店！", "价格怎么算？"]),
        (
            "th",
            "เครื่องพิมพ์ใบเสร็จเสียอีกแล้วค่ะ ลูกค้ารออยู่เต็มร้านเลย เดือนหน้าเราจะเปิดสาขาใหม่",
            ["เครื่องพิมพ์ใบเสร็จเสียอีกแล้วค่ะ ลูกค้ารออยู่เต็มร้านเลย", "เดือนหน้าเราจะเปิดสาขาใหม่"],
        ),
    ],
)
def test_sentences(language: str, text: str, expected: list[str]) -> None:
    assert cut(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "en",
            "The printer is dead again, and we open two more cafés",
            ["The printer is dead again", "and we open two more cafés"],
        ),
        ("tr", "yazıcı yine bozuldu ama asıl konu başka", ["yazıcı yine bozuldu", "ama asıl konu başka"]),
        ("zh", "打印机又坏了，我们下个月要开两家新店", ["打印机又坏了", "我们下个月要开两家新店"]),
        ("th", "เครื่องพิมพ์ใบเสร็จไม่พิมพ์ตั้งแต่เช้า", ["เครื่องพิมพ์ใบเสร็จไม่พิมพ์ตั้งแต่เช้า"]),
        ("th", "เครื่องพิมพ์เสียอีกแล้วค่ะ แต่เดือนหน้าเปิดสาขาใหม่", ["เครื่องพิมพ์เสียอีกแล้วค่ะ", "แต่เดือนหน้าเปิดสาขาใหม่"]),
    ],
)
def test_clauses(language: str, text: str, expected: list[str]) -> None:
    assert parts(text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["", "  ", "ok", "???", "\n\n", "a, b, c", "…, …", "😀😀", "x" * 5000, "one. " * 400])
def test_any_text_is_cut_within_its_bounds_and_in_order(language: str, text: str) -> None:
    end = 0
    for sentence in sentences(text, language):
        assert end <= sentence.start < sentence.end <= len(text)
        assert text[sentence.start : sentence.end].strip() == text[sentence.start : sentence.end]
        last = sentence.start
        for clause in clauses(text, sentence, language):
            assert last <= clause.start < clause.end <= sentence.end
            last = clause.end
        end = sentence.end
