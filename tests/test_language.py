"""Which language a text is in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot.language import detect
from bot.settings import LANGUAGES


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I refund a sale?", "en"),
        ("The printer does not print receipts any more", "en"),
        ("can I speak to someone", "en"),
        ("Bir satışı nasıl iade ederim?", "tr"),
        ("Fiş yazıcısı yazdırmıyor, yardım eder misiniz", "tr"),
        ("bir insanla gorusmek istiyorum", "tr"),
        ("怎么给顾客退款？", "zh"),
        ("退款", "zh"),
        ("我想和真人说话", "zh"),
        ("怎麼退款給客人", "zh"),
        ("จะคืนเงินให้ลูกค้าอย่างไร", "th"),
        ("ครับ", "th"),
        ("อยากคุยกับเจ้าหน้าที่", "th"),
        ("Crema Register 打不开了", "zh"),
        ("Crema Register เปิดไม่ได้", "th"),
    ],
)
@pytest.mark.parametrize("current", [None, *LANGUAGES])
def test_a_clear_text_decides_whatever_was_spoken_before(text: str, language: str, current: str | None) -> None:
    assert detect(text, current) == language


@pytest.mark.parametrize("current", ["zh", "th", "tr"])
@pytest.mark.parametrize("text", ["i want to talk to a person", "I want a person", "cancel my plan"])
def test_a_plain_english_sentence_ends_another_language(text: str, current: str) -> None:
    assert detect(text, current) == "en"


@pytest.mark.parametrize("text", ["", " \n", "42", "☕☕☕", "?!", "12:30 – 14:00", "\x00", "👩‍👩‍👧‍👦", "<>"])
def test_a_text_without_letters_keeps_the_language(text: str) -> None:
    assert [detect(text, current) for current in LANGUAGES] == list(LANGUAGES)
    assert detect(text) == LANGUAGES[0]


@pytest.mark.parametrize("text", ["ok", "menu", "PIN", "a", "ağ", "şu"])
def test_a_short_text_keeps_the_language(text: str) -> None:
    assert [detect(text, current) for current in LANGUAGES] == list(LANGUAGES)


def test_a_few_foreign_words_do_not_change_the_language() -> None:
    text = "The button says 退款 on the register and nothing happens when my staff touch it, please help"
    assert detect(text, "en") == "en"
    assert detect("店里的 Crema Register 收银机显示错误", "en") == "zh"


@pytest.mark.parametrize("text", ["مرحبا كيف حالك", "Здравствуйте, помогите", "\ud83d", "नमस्ते", "a" * 100_000])
def test_any_text_gets_one_of_the_languages(text: str) -> None:
    assert detect(text) in LANGUAGES
    assert detect(text, "th") in LANGUAGES


def test_the_detector_is_loaded_when_it_is_first_needed() -> None:
    code = "import sys, bot.language; bot.language.detect('退款'); print('lingua' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
