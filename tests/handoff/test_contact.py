"""What a customer writes to the form's questions: a detail, something wrong, or something else altogether."""

from __future__ import annotations

import pytest

from bot.handoff.contact import NAME_LENGTH, TIME_LENGTH, Detail, read_detail

INTERRUPTS = Detail(interrupts=True)

NAMES = [
    "Ayşe",
    "Ayşe Yılmaz",
    "José María Fernández",
    "Mary-Jane O'Neill",
    "王小明",
    "欧阳娜娜",
    "สมชาย ใจดี",
    "X Æ A-12",
    "I am Tom",
    "n",
]


@pytest.mark.parametrize("text", NAMES)
@pytest.mark.parametrize("intent", ["nlu_fallback", "greet", "small_talk", "product_question"])
def test_name(text: str, intent: str) -> None:
    assert read_detail("name", text, intent, 0.6) == Detail(text)


def test_spaces_in_a_name_are_tidied() -> None:
    assert read_detail("name", "  Ayşe \n  Yılmaz ", "nlu_fallback", 0.3) == Detail("Ayşe Yılmaz")


@pytest.mark.parametrize("text", ["", "   ", "1234", "👍", "...", "ayse@example.com", "x" * (NAME_LENGTH + 1)])
def test_no_name(text: str) -> None:
    assert read_detail("name", text, "nlu_fallback", 0.3) == Detail(problem="utter_invalid_name")


def test_longest_name() -> None:
    assert read_detail("name", "x" * NAME_LENGTH, "nlu_fallback", 0.3) == Detail("x" * NAME_LENGTH)


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("ayse@example.com", "ayse@example.com"),
        ("  ayse@example.com\n", "ayse@example.com"),
        ("It is ayse.yilmaz+cafe@mail.example.co.uk.", "ayse.yilmaz+cafe@mail.example.co.uk"),
        ("我的邮箱是 wang@example.cn，谢谢", "wang@example.cn"),
        ("我的邮箱是wang@example.cn", "wang@example.cn"),
        ("อีเมลคือ somchai@example.co.th ครับ", "somchai@example.co.th"),
        ("e-postam: ayse@ornek.com.tr", "ayse@ornek.com.tr"),
        ("first@example.com or second@example.com", "first@example.com"),
        ("Can you write to a@b.co?", "a@b.co"),
        ("o'neill_99%x@ex-ample.museum", "o'neill_99%x@ex-ample.museum"),
    ],
)
@pytest.mark.parametrize(("intent", "confidence"), [("nlu_fallback", 0.3), ("product_question", 0.99), ("stop", 0.99)])
def test_email_is_found_whatever_is_around_it(text: str, email: str, intent: str, confidence: float) -> None:
    assert read_detail("email", text, intent, confidence) == Detail(email)


@pytest.mark.parametrize(
    "text",
    ["ayse", "ayse@", "@example.com", "ayse@example", "ayse at example.com", "a@b.c", "a@.com", "a@-", "555 123 45 67"],
)
def test_no_email(text: str) -> None:
    assert read_detail("email", text, "nlu_fallback", 0.3) == Detail(problem="utter_invalid_email")


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow morning",
        "9-17",
        "yarın sabah 9'dan sonra",
        "明天上午",
        "พรุ่งนี้เช้า",
        "any time, I am always here",
    ],
)
@pytest.mark.parametrize("intent", ["nlu_fallback", "product_question", "greet"])
def test_time(text: str, intent: str) -> None:
    assert read_detail("time", text, intent, 0.8) == Detail(text)


@pytest.mark.parametrize("text", ["", " ", "...", "👍", "x" * (TIME_LENGTH + 1)])
def test_no_time(text: str) -> None:
    assert read_detail("time", text, "nlu_fallback", 0.3) == Detail(problem="utter_invalid_time")


# Something else


ASIDE = {"en": "a person please", "zh": "我要找人工客服", "tr": "bir insan lütfen", "th": "ขอคุยกับคน"}


@pytest.mark.parametrize("language", ASIDE)
@pytest.mark.parametrize("kind", ["name", "email", "time"])
@pytest.mark.parametrize("intent", ["request_human", "stop", "deny", "choose_article", "case_status", "ask_if_bot"])
def test_these_always_step_in_when_rasa_is_sure(kind: str, intent: str, language: str) -> None:
    assert read_detail(kind, ASIDE[language], intent, 0.71) == INTERRUPTS
    assert read_detail(kind, ASIDE[language], intent, 0.69) != INTERRUPTS


QUESTIONS = {
    "en": "How much is Growth?",
    "zh": "Growth 套餐多少钱？",
    "tr": "Growth paketi ne kadar?",
    "th": "แพ็กเกจ Growth ราคาเท่าไร?",
}


@pytest.mark.parametrize("language", QUESTIONS)
@pytest.mark.parametrize("kind", ["name", "email"])
@pytest.mark.parametrize(("intent", "confidence"), [("product_question", 0.5), ("nlu_fallback", 0.3), ("greet", 0.9)])
def test_question_mark_steps_in_at_name_and_email(kind: str, language: str, intent: str, confidence: float) -> None:
    assert read_detail(kind, QUESTIONS[language], intent, confidence) == INTERRUPTS


@pytest.mark.parametrize("kind", ["name", "email", "time"])
@pytest.mark.parametrize("intent", ["product_question", "report_problem", "billing", "out_of_scope"])
def test_question_steps_in_when_rasa_is_very_sure(kind: str, intent: str) -> None:
    assert read_detail(kind, "refund a sale", intent, 0.91) == INTERRUPTS
    assert read_detail(kind, "refund a sale", intent, 0.89) != INTERRUPTS


SENTENCES = {
    "en": "the printer does not print receipts any more",
    "zh": "打印机今天早上开始就打印不出小票了",
    "tr": "yazıcı bu sabahtan beri fiş basmıyor",
    "th": "เครื่องพิมพ์ใบเสร็จไม่ทำงานตั้งแต่เมื่อเช้า",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_sentence_is_no_name_when_rasa_knows_an_intent(language: str) -> None:
    assert read_detail("name", SENTENCES[language], "report_problem", 0.6) == INTERRUPTS
    assert read_detail("name", SENTENCES[language], "nlu_fallback", 0.3) == Detail(SENTENCES[language])
    assert read_detail("time", SENTENCES[language], "report_problem", 0.6) == Detail(SENTENCES[language])


@pytest.mark.parametrize("text", ["Seán O’Sullivan-Murphy", "ณัฐวุฒิ ประเสริฐสุวรรณ", "Anne–Marie Dubois"])
def test_name_with_a_curly_apostrophe_or_a_long_thai_name(text: str) -> None:
    assert read_detail("name", text, "small_talk", 0.5) == Detail(text)


@pytest.mark.parametrize("kind", ["", "phone", "contact_name"])
def test_unknown_kind(kind: str) -> None:
    with pytest.raises(ValueError, match="kind must be name, email or time"):
        read_detail(kind, "Hello", "nlu_fallback", 0.3)
