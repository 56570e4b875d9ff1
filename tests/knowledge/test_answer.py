"""The decision, the passage, languages and links, on a hand-made index."""

from __future__ import annotations

import json

import pytest

from bot.knowledge.answer import Alternative, Answerer, Citation
from bot.knowledge.article import Article
from bot.knowledge.calibration import Calibration
from tests.knowledge.fakes import WordEncoder, article, by_question_score, index_of

STEPS = """Money goes back to the card.

## With the receipt

1. Scan the receipt.
2. Touch **Refund**.

## Without the receipt

Search the sale by its time. See [Receipts](receipts.md) and [Refund rules](rules.md).
"""

ARTICLES = (
    article("refund", STEPS, title="Refund a sale", questions='["How do I give money back?", "refund a guest"]'),
    article(
        "refund-tr",
        "Para karta iade edilir. [Fişler](receipts.md), [İnternet](offline.md)",
        title="Satış iadesi",
        language="tr",
        translation_of="refund",
        questions='["parayı nasıl iade ederim"]',
    ),
    article("receipts", "Receipts print by themselves.", title="Receipts", questions='["print a receipt again"]'),
    article("receipts-tr", "Fişler.", title="Fişler", language="tr", translation_of="receipts"),
    article("offline", "Sales go on.", title="Offline mode", url="https://crema.example/offline"),
    article("gift", "Gift cards never expire.", title="Gift cards", questions='["sell a gift card"]'),
    article("rules", "Leads refund up to 200.", title="Limits of leads", audience="internal"),
)


def answerer(*articles: Article, calibration: Calibration | None = None, base_url: str = "") -> Answerer:
    return Answerer(index_of(*(articles or ARTICLES), calibration=calibration), WordEncoder(), base_url=base_url)


# The decision --------------------------------------------------------------------------------------------------------


def test_a_sure_question_is_answered_with_its_citation() -> None:
    found = answerer().decide("How do I give money back?", language="en")
    assert found.decision == "answer"
    assert found.confidence > 0.9
    assert (found.article_id, found.language) == ("refund", "en")
    assert found.answer is not None
    assert found.answer.startswith("Money goes back to the card.")
    assert found.citations == (Citation("refund", "Refund a sale", "/help/refund", "en"),)
    assert found.alternatives == ()


def test_a_doubtful_question_offers_up_to_three_choices() -> None:
    found = answerer().decide("give money please", language="en")
    assert found.decision == "clarify"
    assert found.confidence < 0.9
    assert (found.answer, found.language, found.citations) == (None, None, ())
    assert 1 <= len(found.alternatives) <= 3
    assert found.alternatives[0] == Alternative("refund", "Refund a sale", "en")
    assert found.article_id == "refund"
    assert len({choice.article_id for choice in found.alternatives}) == len(found.alternatives)


def test_few_articles_make_few_choices() -> None:
    found = answerer(ARTICLES[0]).decide("give money please")
    assert [choice.article_id for choice in found.alternatives] == ["refund"]


def test_an_unknown_question_goes_to_a_person() -> None:
    found = answerer().decide("quantum chromodynamics")
    assert found.decision == "hand_off"
    assert found.confidence < 0.1
    assert (found.answer, found.citations, found.alternatives) == (None, (), ())


@pytest.mark.parametrize("question", ["", "  \n\t ", "\u3000"])
def test_an_empty_question_goes_to_a_person(question: str) -> None:
    found = answerer().decide(question)
    assert (found.decision, found.confidence, found.article_id) == ("hand_off", 0.0, None)


def test_nothing_to_search_goes_to_a_person() -> None:
    inside = answerer(ARTICLES[-1])
    assert inside.decide("Limits of leads").decision == "hand_off"
    assert inside.decide("Limits of leads").article_id is None
    assert inside.decide("Limits of leads", "internal").decision == "answer"


@pytest.mark.parametrize("question", ["How do I give money back?", "give money please", "no such thing"])
def test_space_around_a_question_changes_nothing(question: str) -> None:
    one = answerer()
    assert one.decide(f"\n {question}  ") == one.decide(question)


@pytest.mark.parametrize(
    ("answer_at", "clarify_at", "decision"),
    [(0.9, 0.3, "answer"), (0.99999, 0.3, "clarify"), (0.99999, 1.01, "hand_off")],
)
def test_thresholds_come_from_the_calibration(answer_at: float, clarify_at: float, decision: str) -> None:
    one = answerer(calibration=by_question_score(answer_at, clarify_at))
    assert one.thresholds() == one.thresholds("internal") == (answer_at, clarify_at)
    assert one.decide("refund a guest").decision == decision


def test_the_wanted_precision_moves_the_threshold() -> None:
    made = index_of(*ARTICLES)
    made.calibration["public"].update(
        points=((0.95, 1.0, 1.0), (0.5, 0.0, 1.0), (0.4, 1.0, 1.0), (0.1, 0.0, 1.0)),
        among_points=((0.99, 1.0, 1.0), (0.6, 1.0, 1.0), (0.5, 0.0, 1.0), (0.2, 0.0, 1.0)),
    )
    assert Answerer(made, WordEncoder(), 0.9, 0.9).thresholds() == (0.95, 0.6)
    assert Answerer(made, WordEncoder(), 0.9, 0.5).thresholds() == (0.95, 0.5)


def test_each_audience_has_thresholds_of_its_own() -> None:
    made = index_of(*ARTICLES)
    made.calibration["internal"] = by_question_score(0.99, 0.6).to_json()
    one = Answerer(made, WordEncoder())
    assert one.thresholds() == one.thresholds("public") == (0.9, 0.3)
    assert one.thresholds("internal") == (0.99, 0.6)


def test_choices_are_measured_where_there_is_no_answer() -> None:
    made = index_of(*ARTICLES)
    made.calibration["public"].update(points=((0.9, 1.0, 1.0),) * 2, among_points=((0.9, 1.0, 1.0),) * 2)
    assert Answerer(made, WordEncoder(), 0.9, 0.5).thresholds()[0] == 0.9
    assert Answerer(made, WordEncoder(), 0.9, 0.5).thresholds()[1] > 1


def test_without_points_the_wanted_shares_are_the_thresholds() -> None:
    made = index_of(*ARTICLES)
    made.calibration["public"].update(points=(), among_points=())
    assert Answerer(made, WordEncoder(), 0.93, 0.7).thresholds() == (0.93, 0.7)


def test_json_has_the_documented_keys() -> None:
    found = answerer().decide("refund a guest", language="en").to_json()
    assert list(found) == [
        "decision",
        "confidence",
        "article_id",
        "language",
        "answer",
        "citations",
        "alternatives",
    ]
    assert json.loads(json.dumps(found))["citations"][0]["article_id"] == "refund"


# The ranking ---------------------------------------------------------------------------------------------------------


def test_each_subject_is_ranked_once_in_the_customers_language() -> None:
    ranked = answerer().rank("refund a guest", language="tr")
    assert ranked[0][0].id == "refund-tr"
    assert {one.subject for one, _ in ranked} == {one.subject for one in ARTICLES if one.audience == "public"}
    assert len(ranked) == len({one.subject for one, _ in ranked})
    scores = [score for _, score in ranked]
    assert scores == sorted(scores, reverse=True)


def test_the_ranking_is_of_what_the_audience_may_see() -> None:
    one = answerer()
    assert one.rank("limits of leads", "internal")[0][0].id == "rules"
    assert "rules" not in {found.id for found, _ in one.rank("limits of leads")}


@pytest.mark.parametrize("question", ["", "  \n\t "])
def test_an_empty_question_ranks_nothing(question: str) -> None:
    assert answerer().rank(question) == []


# The passage ---------------------------------------------------------------------------------------------------------


def test_the_passage_is_the_opening_and_the_section_that_fits() -> None:
    one = answerer()
    with_receipt = one.article_answer("refund", "scan the receipt")
    without = one.article_answer("refund", "search the sale by time")
    assert with_receipt is not None
    assert without is not None
    assert with_receipt.answer == (
        "Money goes back to the card.\n\n**With the receipt**\n\n1. Scan the receipt.\n2. Touch **Refund**."
    )
    assert without.answer is not None
    assert without.answer.startswith("Money goes back to the card.\n\n**Without the receipt**\n\nSearch the sale")


def test_a_long_opening_is_only_shown_when_it_fits_best() -> None:
    long = article("long", f"{'opening words. ' * 60}\n\n## Crumbs\n\nSweep the crumbs.", title="Crumbs")
    found = answerer(long).article_answer("long", "sweep the crumbs")
    opening = answerer(long).article_answer("long", "opening words")
    assert found is not None
    assert found.answer == "**Crumbs**\n\nSweep the crumbs."
    assert opening is not None
    assert opening.answer == ("opening words. " * 60).strip()


def test_an_article_that_begins_with_a_heading_shows_one_section() -> None:
    headed = article("headed", "## One\n\nFirst thing.\n\n## Two\n\nSecond matter.", title="Headed")
    found = answerer(headed).article_answer("headed", "second matter")
    assert found is not None
    assert found.answer == "**Two**\n\nSecond matter."


def test_an_article_of_one_paragraph_is_shown_once() -> None:
    found = answerer().article_answer("gift", "gift cards never expire")
    assert found is not None
    assert found.answer == "Gift cards never expire."


# Languages -----------------------------------------------------------------------------------------------------------


def test_the_customers_language_is_preferred() -> None:
    found = answerer().decide("refund a guest", language="tr")
    assert (found.decision, found.article_id, found.language) == ("answer", "refund-tr", "tr")
    assert found.citations[0].title == "Satış iadesi"


def test_a_question_in_another_language_finds_the_original() -> None:
    found = answerer().decide("parayı nasıl iade ederim", language="en")
    assert (found.decision, found.article_id, found.language) == ("answer", "refund", "en")


def test_without_a_translation_the_original_is_answered_in_its_own_language() -> None:
    found = answerer().decide("sell a gift card", language="th")
    assert (found.decision, found.article_id, found.language) == ("answer", "gift", "en")
    assert found.citations[0].language == "en"


def test_choices_are_in_the_customers_language() -> None:
    found = answerer().decide("give money please", language="tr")
    assert found.alternatives[0] == Alternative("refund-tr", "Satış iadesi", "tr")


# A choice by name ----------------------------------------------------------------------------------------------------


def test_a_chosen_article_is_answered_surely() -> None:
    found = answerer().article_answer("refund-tr")
    assert found is not None
    assert (found.decision, found.confidence, found.article_id, found.language) == ("answer", 1.0, "refund-tr", "tr")


@pytest.mark.parametrize("identifier", ["", "unknown", "rules", "../refund", "REFUND"])
def test_what_a_customer_may_not_see_does_not_exist(identifier: str) -> None:
    one = answerer()
    assert one.article_answer(identifier, "anything") is None
    assert one.find(identifier) is None
    assert identifier not in {found.id for found in one.articles()}


def test_an_employee_sees_both_audiences() -> None:
    one = answerer()
    found = one.article_answer("rules", audience="internal")
    assert found is not None
    assert found.answer == "Leads refund up to 200."
    assert found.citations == (Citation("rules", "Limits of leads", "", "en"),)
    assert {a.audience for a in one.articles("internal")} == {"public", "internal"}
    assert {a.audience for a in one.articles("public")} == {"public"}


def test_articles_are_in_order_of_language_and_title() -> None:
    found = [(a.language, a.title) for a in answerer().articles("internal")]
    assert found == sorted(found)
    assert len(found) == len(ARTICLES)


# Links ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("", "/help/refund"),
        ("https://crema.example", "https://crema.example/help/refund"),
        ("https://crema.example/", "https://crema.example/help/refund"),
    ],
)
def test_an_articles_address(base_url: str, expected: str) -> None:
    assert answerer(base_url=base_url).link(ARTICLES[0]) == expected


def test_an_articles_own_address_comes_first() -> None:
    assert answerer(base_url="https://x.example").link(ARTICLES[4]) == "https://crema.example/offline"


def test_links_in_an_answer_lead_to_pages_and_dead_ones_become_text() -> None:
    found = answerer().article_answer("refund", "search the sale by time")
    assert found is not None
    assert found.answer is not None
    assert "See [Receipts](/help/receipts) and Refund rules." in found.answer


def test_links_lead_to_the_articles_language_where_there_is_one() -> None:
    found = answerer().article_answer("refund-tr")
    assert found is not None
    assert found.answer == (
        "Para karta iade edilir. [Fişler](/help/receipts-tr), [İnternet](https://crema.example/offline)"
    )


def test_links_for_employees_to_internal_articles_without_an_address_become_text() -> None:
    one = answerer()
    text = one.with_links("[Rules](rules.md) [Receipts](receipts.md)", ARTICLES[-1], "internal")
    assert text == "Rules [Receipts](/help/receipts)"
