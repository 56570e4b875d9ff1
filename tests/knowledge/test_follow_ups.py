"""Questions that lean on the one before, and messages that ask two things, through the real encoder."""

from __future__ import annotations

import pytest

from bot.knowledge.answer import Answerer

pytestmark = [pytest.mark.encoder, pytest.mark.slow]


def test_a_follow_up_is_understood_with_the_question_before(answerer: Answerer) -> None:
    alone = answerer.decide("and for a card sale?")
    after = answerer.decide("and for a card sale?", before="How do I refund a sale?")
    assert after.article_id == "refund-a-sale"
    assert after.confidence > alone.confidence


def test_a_word_alone_is_not_answered_with_the_answer_before(answerer: Answerer) -> None:
    assert answerer.decide("printer", before="How do I refund a sale?") == answerer.decide("printer")


@pytest.mark.parametrize("before", ["How do I refund a sale?", "xero sync error", "怎么给客人退款？"])
def test_a_question_that_stands_by_itself_is_not_bent_by_the_one_before(answerer: Answerer, before: str) -> None:
    for question in ("Can we keep selling when the internet is down?", "what does the Growth plan cost per month"):
        assert answerer.decide(question, before=before) == answerer.decide(question)


@pytest.mark.parametrize(
    ("message", "subjects"),
    [
        ("打印机不打印怎么办?另外怎么退款给客人?", {"printer-not-printing-zh", "refund-a-sale-zh"}),
        ("iade nasıl yapılır? Ayrıca baristanın PIN'ini nasıl değiştiririm?", {"refund-a-sale-tr", "staff-pin-tr"}),
    ],
)
def test_a_message_that_asks_two_things_gets_both_passages(
    answerer: Answerer, message: str, subjects: set[str]
) -> None:
    answer = answerer.decide(message)
    assert answer.decision == "answer"
    assert {citation.article_id for citation in answer.citations} == subjects
    for citation in answer.citations:
        assert f"**{citation.title}**" in (answer.answer or "")


def test_two_sentences_about_one_thing_get_one_answer(answerer: Answerer) -> None:
    answer = answerer.decide("Our router died an hour ago. Can we keep selling when the internet is down?")
    assert len(answer.citations) <= 1
    assert answer.article_id == "offline-mode"


def test_without_a_language_the_answer_is_in_the_question_s(answerer: Answerer) -> None:
    assert answerer.decide("怎么给客人退款？").language == "zh"


def test_steps_and_tables_stay_whole(answerer: Answerer) -> None:
    for article in answerer.articles("public"):
        answer = answerer.article_answer(article.id, article.questions[-1])
        assert answer is not None
        told = answer.answer or ""
        shown = answerer.with_links(article.body, article, "public")
        for block in told.split("\n\n"):
            lines = block.strip()
            assert lines in shown or lines.startswith("**"), (article.id, lines[:80])
            if lines.startswith("|"):
                whole = next(part for part in shown.split("\n\n") if lines in part)
                assert whole.strip() == lines
