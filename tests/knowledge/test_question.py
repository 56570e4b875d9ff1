"""How a message asks: leaning on the question before, or two things at once."""

from __future__ import annotations

import pytest

from bot.knowledge.question import leans, parts

LEANING = (
    "and on the tablet?",
    "what about refunds?",
    "And for the second register, does that work too?",
    "on android?",
    "peki ya tablette?",
    "iade için de mi?",
    "那平板上呢?",
    "退款呢",
    "แล้วบนแท็บเล็ตล่ะ",
    "ส่วนคืนเงินล่ะคะ",
)
COMPLETE = (
    "How do I connect a second receipt printer to the register at the bar?",
    "my card reader keeps losing its connection since this morning",
    "Kart okuyucu sabahtan beri bağlantıyı kaybediyor, ne yapmalıyım?",
    "读卡器从今天早上开始一直断开连接怎么办",
    "เครื่องอ่านบัตรหลุดการเชื่อมต่อตั้งแต่เช้า ต้องทำอย่างไร",
)


@pytest.mark.parametrize("text", LEANING)
def test_a_question_that_leans_on_the_one_before(text: str) -> None:
    assert leans(text)


@pytest.mark.parametrize("text", COMPLETE)
def test_a_question_that_stands_by_itself(text: str) -> None:
    assert not leans(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "How do I refund a sale? And how do I change the logo?",
            ["How do I refund a sale?", "And how do I change the logo?"],
        ),
        (
            "how do I refund a sale and how do I change the logo",
            ["how do I refund a sale", "how do I change the logo"],
        ),
        ("Satışı nasıl iade ederim, ayrıca logoyu nasıl değiştiririm", 2),
        ("怎么退款?另外怎么换小票上的标志?", 2),
        ("คืนเงินลูกค้ายังไง แล้วก็ เปลี่ยนโลโก้บนใบเสร็จยังไง", 2),
    ],
)
def test_two_questions_in_one_message_are_told_apart(text: str, expected: list[str] | int) -> None:
    found = parts(text)
    if isinstance(expected, list):
        assert found == expected
    else:
        assert len(found) == expected
        assert all(part in text for part in found)


@pytest.mark.parametrize(
    "text", ["How do I refund a sale?", "bread and butter on one bill", "退款", "", "??", "Hi. Yes."]
)
def test_one_question_stays_whole(text: str) -> None:
    assert parts(text) == [text]


def test_a_story_of_many_sentences_is_not_taken_apart() -> None:
    story = "The router died. We sell on. The queue is long. Guests pay by card. What happens to the cards?"
    assert parts(story) == [story]
