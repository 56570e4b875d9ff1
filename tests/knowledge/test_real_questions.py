"""Real questions in four languages, through the real encoder and the index of the shipped knowledge base."""

from __future__ import annotations

from typing import get_args

import pytest

from bot.knowledge.answer import Answerer
from bot.knowledge.article import Audience

pytestmark = [pytest.mark.encoder, pytest.mark.slow]

# None of these is written in an article in these words.
SURE = [
    ("en", "I forgot the password of my back office login", "reset-password"),
    ("en", "What does the Growth plan cost per month?", "plans-and-prices"),
    ("en", "Can we keep selling when the internet is down?", "offline-mode"),
    ("en", "How do I add oat milk as an extra to my coffees", "modifiers-milk-and-extras"),
    ("en", "connect Crema to Xero", "connect-xero-quickbooks"),
    ("zh", "怎么给客人退款？", "refund-a-sale"),
    ("zh", "收据打印机不打印了", "printer-not-printing"),
    ("zh", "断网的时候还能收款吗", "offline-mode"),
    ("zh", "我忘记密码了", "reset-password"),
    ("tr", "Müşteriye parasını nasıl iade ederim?", "refund-a-sale"),
    ("tr", "Fiş yazıcısı yazdırmıyor", "printer-not-printing"),
    ("tr", "Aboneliğimi nasıl iptal ederim?", "cancel-subscription"),
    ("tr", "Hediye kartı nasıl satarım?", "gift-cards"),
    ("th", "จะคืนเงินให้ลูกค้าอย่างไร", "refund-a-sale"),
    ("th", "เครื่องพิมพ์ใบเสร็จไม่พิมพ์", "printer-not-printing"),
    ("th", "อินเทอร์เน็ตล่มยังขายของได้ไหม", "offline-mode"),
]
# The right article leads, sure or not.
FOUND = [
    ("en", "How do I cancel my Crema subscription?", "cancel-subscription"),
    ("en", "when do I get my payout", "payouts"),
    ("zh", "每个月的价格是多少", "plans-and-prices"),
    ("tr", "Ödeme itirazı (chargeback) geldi ne yapmalıyım", "chargebacks"),
    ("th", "ลืมรหัสผ่าน", "reset-password"),
    ("th", "ตั้งค่าจอในครัวยังไง", "kitchen-display"),
]
OFF_TOPIC = [
    "Will it rain in Bangkok tomorrow?",
    "What is the capital of Mongolia?",
    "写一首关于大海的诗",
    "Bana bir fıkra anlat",
    "ราคาทองวันนี้เท่าไหร่",
    "asdf qwer zxcv",
    "☕☕☕",
    "<script>alert(1)</script>",
]
INSIDE = [
    ("When do I escalate a case to engineering?", "escalation-rules"),
    ("how to read an account health score", "account-health-score"),
    ("How large a discount may I offer without approval?", "discount-policy"),
]


def subject(answerer: Answerer, identifier: str | None) -> str | None:
    found = answerer.find(identifier or "", "internal")
    return found.subject if found else None


@pytest.mark.parametrize(("language", "question", "expected"), SURE)
def test_a_clear_question_is_answered_in_its_language(
    answerer: Answerer, language: str, question: str, expected: str
) -> None:
    found = answerer.decide(question, "public", language)
    assert subject(answerer, found.article_id) == expected
    assert found.decision == "answer"
    assert found.language == language
    assert found.answer
    assert [citation.article_id for citation in found.citations] == [found.article_id]


@pytest.mark.parametrize(("language", "question", "expected"), FOUND)
def test_the_right_article_leads(answerer: Answerer, language: str, question: str, expected: str) -> None:
    found = answerer.decide(question, "public", language)
    assert subject(answerer, found.article_id) == expected


@pytest.mark.parametrize("question", OFF_TOPIC)
def test_what_no_article_covers_is_not_answered(answerer: Answerer, question: str) -> None:
    assert answerer.decide(question).decision != "answer"


@pytest.mark.parametrize(("question", "expected"), INSIDE)
def test_internal_articles_are_for_employees(answerer: Answerer, question: str, expected: str) -> None:
    found = answerer.decide(question, "internal", "en")
    assert found.article_id == expected
    for language in ("en", "zh", "tr", "th"):
        shown = answerer.decide(question, "public", language)
        named = {shown.article_id, *(choice.article_id for choice in shown.alternatives)} - {None}
        assert all(answerer.find(str(identifier), "public") for identifier in named)


def test_no_internal_title_or_text_is_ever_shown_to_a_customer(answerer: Answerer) -> None:
    inside = [article for article in answerer.articles("internal") if article.audience == "internal"]
    assert len(inside) >= 20
    public = {article.id for article in answerer.articles("public")}
    for article in inside:
        found = answerer.decide(article.title, "public", "en")
        assert {found.article_id, *(choice.article_id for choice in found.alternatives)} - {None} <= public
        if found.answer:
            assert {citation.article_id for citation in found.citations} <= public
            assert found.answer not in article.body


def test_links_in_shipped_articles_lead_to_pages(answerer: Answerer) -> None:
    public = {article.id for article in answerer.articles("public")}
    for article in answerer.articles("public"):
        shown = answerer.with_links(article.body, article, "public")
        assert ".md)" not in shown, article.id
        for piece in shown.split("](/help/")[1:]:
            assert piece.partition(")")[0] in public, article.id


def test_thresholds_are_reached(answerer: Answerer) -> None:
    for audience in get_args(Audience):
        answer_at, clarify_at = answerer.thresholds(audience)
        assert 0 < clarify_at < 1
        assert 0.5 < answer_at < 1
