"""What stands beside a conversation: the summary, the tags, who the customer is, the case's own history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message, MessageTag
from bot.conversation.tags import SPEAKERS
from bot.desk.inbox.rows import clocks, short
from bot.handoff.access import leads, visible
from bot.handoff.customer import customer_of
from bot.handoff.models import SIGNAL, Escalation, Rating
from bot.handoff.suggestions import suggest
from bot.handoff.summary import summarise
from bot.knowledge.answer import Answerer
from bot.knowledge.render import to_html
from bot.people.roles import Principal
from bot.tagging.tags import TAGS

_MERGEABLE = 5
_TAGGABLE = 8


def values(session: Session, by: Principal, case: Escalation, half_life: float) -> dict[str, Any]:
    """What the template `inbox/side.html` shows."""
    conversation = session.get_one(Conversation, case.conversation_id)
    return {
        "summary": summarise(session, case.conversation_id, half_life),
        "person": customer_of(session, conversation, by, half_life),
        "contact": case.contact or conversation.contact or {},
        "all_clocks": clocks(case),
        "told": conversation.context or {},
        "rating": session.get(Rating, case.id),
        "rejected": _rejected(session, case.conversation_id),
        "spoken": _spoken(session, case.conversation_id),
        "all_tags": TAGS,
        "may_tag": by.may("tags:write"),
        "others": _others(session, by, case),
    }


def latest_words(session: Session, conversation_id: str) -> str:
    """What the customer typed last; empty if nothing."""
    return next((text for _, text in _typed(session, conversation_id, 1)), "")


def _typed(session: Session, conversation_id: str, limit: int) -> list[tuple[int, str]]:
    found = session.execute(
        select(Message.number, Message.text)
        .where(
            Message.conversation_id == conversation_id,
            Message.author.in_(SPEAKERS),
            Message.content["payload"].as_string().is_(None),
            Message.text != "",
        )
        .order_by(Message.number.desc())
        .limit(limit)
    )
    return [(number, text) for number, text in found]


def _spoken(session: Session, conversation_id: str) -> list[tuple[int, str]]:
    """The customer's latest messages, to say which one carries a tag."""
    return [(number, short(text, 60)) for number, text in _typed(session, conversation_id, _TAGGABLE)]


def _rejected(session: Session, conversation_id: str) -> list[MessageTag]:
    return list(
        session.scalars(
            select(MessageTag)
            .where(MessageTag.conversation_id == conversation_id, MessageTag.state == "rejected")
            .order_by(MessageTag.number.desc(), MessageTag.name)
        )
    )


def _others(session: Session, by: Principal, case: Escalation) -> list[Escalation]:
    """Other cases of the same conversation."""
    return list(
        session.scalars(
            select(Escalation)
            .where(Escalation.conversation_id == case.conversation_id, Escalation.id != case.id, visible(by))
            .order_by(Escalation.id.desc())
        )
    )


def mergeable(session: Session, by: Principal, case: Escalation, conversation: Conversation) -> list[Escalation]:
    """Other open cases of the same person, into which a case may be merged."""
    if case.reason == SIGNAL or case.status != "open":
        return []
    same: list[ColumnElement[bool]] = [Conversation.id == conversation.id]
    if conversation.customer_id is not None:
        same.append(Conversation.customer_id == conversation.customer_id)
    if email := ((case.contact or conversation.contact or {}).get("email") or "").casefold():
        same += [func.lower(one["email"].as_string()) == email for one in (Escalation.contact, Conversation.contact)]
    if leads(by) and conversation.account_id is not None:
        same.append(Conversation.account_id == conversation.account_id)
    return list(
        session.scalars(
            select(Escalation)
            .join(Conversation, Conversation.id == Escalation.conversation_id)
            .where(
                or_(*same),
                visible(by),
                Escalation.id != case.id,
                Escalation.status == "open",
                Escalation.reason != SIGNAL,
            )
            .order_by(Escalation.id.desc())
            .limit(_MERGEABLE)
        )
    )


@dataclass(frozen=True)
class Shown:
    """A suggested answer.

    Attributes:
        internal: Not for customers; it goes into a note only.
        html: Safe.
        text: Markdown, as it is inserted.
    """

    article_id: str
    title: str
    internal: bool
    probability: float
    html: Markup
    text: str


def suggested(answerer: Answerer, said: str, language: str) -> list[Shown]:
    """Answers from articles to what a customer said."""
    return [
        Shown(
            one.article_id,
            one.title,
            one.audience != "public",
            one.probability,
            Markup(to_html(one.passage)),  # noqa: S704  (to_html cleans it)
            one.passage,
        )
        for one in suggest(said, language, answerer)
    ]
