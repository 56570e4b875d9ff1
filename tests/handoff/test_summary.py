"""What the person who takes a case on gets to know, of the conversation and of the customer."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Decided, MessageTag, Reaction, now
from bot.errors import InvalidInput
from bot.handoff.customer import customer_of
from bot.handoff.escalation import escalate
from bot.handoff.models import Rating
from bot.handoff.suggestions import public_citations, suggest
from bot.handoff.summary import summarise
from bot.knowledge.answer import Answerer
from bot.people.roles import Principal, operator
from bot.success.models import Account
from tests.handoff.fakes import person


def test_summary(session: Session, conversation: Conversation) -> None:
    said = ["Hello", "How do I pay?", "My printer blinks", "Which ink?", "A person, please"]
    for place, text in enumerate(said):
        content = {"payload": "/request_human"} if place == 4 else {}
        events.add_message(session, conversation, "customer", text, content, by="customer")
        cited = [{"article_id": "pay", "title": "Ways to pay", "url": "", "language": "en"}]
        events.add_message(session, conversation, "bot", "…", {"citations": cited} if place == 1 else {})
    session.flush()
    decided = [
        Decided(
            conversation_id=conversation.id,
            turn_number=number,
            question_number=number,
            reply_number=number + 1,
            decision=decision,
            confidence=confidence,
            article_id=article,
            language="en",
            audience="public",
        )
        for number, decision, confidence, article in (
            (3, "answer", 0.96, "pay"),
            (5, "hand_off", 0.2, "blink"),
            (7, "answer", 0.97, "ink"),
        )
    ]
    session.add_all(decided)
    session.flush()
    session.add(Reaction(decision_id=decided[0].id, kind="did_not_help", number=5))
    conversation.contact = {"name": "Ayşe", "email": "a@example.com", "time": ""}
    session.flush()
    summary = summarise(session, conversation.id)
    assert [(one.number, one.text, one.unanswered) for one in summary.asked] == [
        (5, "My printer blinks", True),
        (3, "How do I pay?", True),
        (7, "Which ink?", False),
    ]
    assert [(one.number, one.decision, one.probability, one.title, one.reactions) for one in summary.tried] == [
        (7, "answer", 0.97, None, ()),
        (5, "hand_off", 0.2, None, ()),
        (3, "answer", 0.96, "Ways to pay", ("did_not_help",)),
    ]
    assert (summary.tags.kind, summary.contact) == ("neither", conversation.contact)


def test_summary_of_a_conversation_without_questions(session: Session, conversation: Conversation) -> None:
    for place, text in enumerate(("Hi", "The oven!", "Anybody?", "Well?")):
        events.add_message(session, conversation, "customer", text, by="customer")
        if place == 1:
            session.add(
                MessageTag(
                    conversation_id=conversation.id,
                    number=2,
                    name="defect",
                    probability=0.9,
                    start=0,
                    end=3,
                    quote="The",
                    model="m",
                )
            )
    summary = summarise(session, conversation.id)
    assert [one.text for one in summary.asked] == ["The oven!", "Well?", "Anybody?"]
    assert (summary.tried, summary.contact) == ((), None)


def other(session: Session, name: str, **values: str) -> Conversation:
    """Another conversation, with a case in support."""
    made = Conversation(
        id=f"{name:0<32}", channel="webchat", audience="public", language="en", token_hash="1" * 64, **values
    )
    session.add(made)
    session.flush()
    escalate(session, made, "support", "asked_for")
    return made


def test_customer(session: Session, conversation: Conversation) -> None:
    ada = person(session, "Ada")
    unknown = customer_of(session, conversation, ada)
    assert (unknown.verified, unknown.account, unknown.earlier, unknown.ratings) == (False, None, (), ())
    moment = now()
    session.add(Account(id="cafe", name="Café", stage="adoption", plan="pro", created_at=moment, updated_at=moment))
    session.flush()
    same = other(session, "1", customer_id="c")
    colleague = other(session, "2", account_id="cafe")
    stranger = other(session, "3", customer_id="d")
    hidden = other(session, "4", customer_id="c")
    (case,) = customer_of(session, same, ada).earlier[0].cases
    session.add(Rating(case_id=case.number, conversation_id=hidden.id, number=1, csat=2, rated_at=moment))
    hidden_case = session.get_one(Rating, case.number)
    conversation.customer_id, conversation.account_id = "c", "cafe"
    same.updated_at = moment + dt.timedelta(hours=1)
    session.flush()
    known = customer_of(session, conversation, ada)
    assert known.account is not None
    assert (known.verified, known.account.name, known.account.plan, known.account.stage) == (
        True,
        "Café",
        "pro",
        "adoption",
    )
    assert known.earlier[0].conversation_id == same.id
    found = {one.conversation_id: one.same_person for one in known.earlier}
    assert found == {same.id: True, hidden.id: True, colleague.id: False}
    assert stranger.id not in found
    assert known.ratings == (hidden_case,)
    sam = person(session, "Sam", "success_manager")
    assert (customer_of(session, conversation, sam).earlier, customer_of(session, conversation, sam).ratings) == (
        (),
        (),
    )
    everything = customer_of(session, conversation, operator("o"))
    assert len(everything.earlier) == 3
    blind = Principal("token", "t", "T", frozenset({"conversations:read"}), frozenset({"support"}))
    assert customer_of(session, conversation, blind).account is None
    assert {one.conversation_id for one in customer_of(session, conversation, blind).earlier} == {same.id, hidden.id}


@pytest.mark.encoder
def test_suggestions_come_from_public_and_internal_articles(answerer: Answerer) -> None:
    internal = next(article for article in answerer.articles("internal") if article.audience == "internal")
    public = next(article for article in answerer.articles("public") if article.language == "en")
    for article in (internal, public):
        found = suggest(article.title, article.language, answerer)
        assert 1 <= len(found) <= 3
        assert (found[0].article_id, found[0].audience) == (article.id, article.audience)
        assert found[0].passage
        assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
        for one in found:
            if one.audience == "public":
                assert answerer.find(one.article_id, "public") is not None
    assert suggest("  ", "en", answerer) == []
    (cited,) = public_citations(answerer, [public.id, public.id])
    assert (cited.article_id, cited.title) == (public.id, public.title)
    with pytest.raises(InvalidInput, match="no public article"):
        public_citations(answerer, [internal.id])
