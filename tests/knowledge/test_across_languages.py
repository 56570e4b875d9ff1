"""Questions in a language the articles are not written in, through the real encoder and its companions."""

from __future__ import annotations

import pytest

from bot.encoder.encoder import Encoder, for_retrieval
from bot.knowledge.answer import Answerer
from bot.knowledge.build import Background, assemble, background
from bot.settings import Settings
from tests.knowledge.fakes import article

pytestmark = pytest.mark.encoder

ARTICLES = (
    article(
        "refund",
        "Open **Sales**, touch the sale and then **Refund**. The money goes back to the card it came from.",
        title="Refund a sale",
        questions='["How do I give money back?", "refund a guest"]',
    ),
    article(
        "printer",
        "Switch the printer off and on. Check the paper, then the cable, and print a test page.",
        title="The receipt printer does not print",
        questions='["no receipt comes out", "printer offline"]',
    ),
    article(
        "offline",
        "The register goes on selling for three days without a connection. Cash always works.",
        title="Sell without the internet",
        questions='["wifi is down, can I still sell?", "อินเทอร์เน็ตล่มยังขายของได้ไหม"]',
    ),
    article(
        "gift-cards",
        "Touch **Gift card** on the register, enter an amount and hand the card over.",
        title="Sell a gift card",
        questions='["voucher for a guest", "hediye kartı satmak istiyorum"]',
    ),
    article(
        "password",
        "Touch **Forgot password** on the page where you sign in. A letter with a link is sent to you.",
        title="Reset your password",
        questions='["cannot sign in", "忘记密码了怎么办"]',
    ),
    article(
        "close-the-day",
        "Count the drawer, enter the sum and touch **Close**. The report is sent to the owner.",
        title="Close the till at the end of the day",
        questions='["end of day report", "cash up"]',
    ),
)


@pytest.fixture(scope="module")
def asking(settings: Settings, encoder: Encoder) -> Answerer:
    """Answers from English articles, a few of which have a variant in another language."""
    index = assemble(ARTICLES, Background(background(settings).off_topic), for_retrieval(encoder))
    return Answerer(index, encoder)


@pytest.mark.parametrize(
    ("language", "question", "expected"),
    [
        # There is a variant in the language.
        ("th", "เน็ตหลุดแล้วขายต่อได้หรือเปล่า", "offline"),
        ("th", "ไม่มีอินเทอร์เน็ต ใช้เครื่องคิดเงินได้ไหม", "offline"),
        ("tr", "müşteriye hediye kartı nasıl veririm", "gift-cards"),
        ("zh", "我登录不了，密码不记得了", "password"),
        # There is none.
        ("th", "จะคืนเงินให้ลูกค้าอย่างไร", "refund"),
        ("th", "เครื่องพิมพ์ใบเสร็จไม่พิมพ์", "printer"),
        ("tr", "Müşteriye parasını nasıl iade ederim?", "refund"),
        ("tr", "fiş yazıcısı çalışmıyor", "printer"),
        ("zh", "怎么给客人退款？", "refund"),
        ("zh", "收据打印机不打印了", "printer"),
    ],
)
def test_a_question_finds_an_article_in_english_only(
    asking: Answerer, language: str, question: str, expected: str
) -> None:
    (first, score), (_, second), *_ = asking.rank(question, language=language)
    assert (first.id, first.language) == (expected, "en")
    assert score > second


@pytest.mark.parametrize("article_id", ["offline", "gift-cards", "password"])
def test_a_variant_in_another_language_is_found_in_its_own_words(asking: Answerer, article_id: str) -> None:
    one = asking.find(article_id)
    assert one is not None
    first, _ = asking.rank(one.questions[-1])[0]
    assert first.id == article_id
