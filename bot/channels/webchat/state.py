"""What the web chat's routes need; made once by the application."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.attachments.intake import Intake
from bot.channels.webchat.bodies import (
    CaseOut,
    ContactOut,
    ConversationOut,
    NewContact,
    NewRating,
    OwnerOut,
    RatingOut,
    shown,
)
from bot.channels.webchat.stream import BATCH, Shown, shown_event
from bot.conversation import events, transcript
from bot.conversation.context import set_context
from bot.conversation.delivery import Delivery
from bot.conversation.models import Conversation, Event
from bot.conversation.reading import mark_read
from bot.conversation.records import StoredMessage, Thumb
from bot.conversation.service import ConversationService, clean_text
from bot.conversation.store import ConversationStore
from bot.customers.models import Visitor
from bot.customers.tokens import IdentityTokens
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.handoff import ratings, team
from bot.handoff.contact import EMAIL
from bot.handoff.escalation import keep_contact, open_case
from bot.handoff.models import Rating
from bot.handoff.waiting import handoff_context
from bot.knowledge.answer import Answerer
from bot.settings import LANGUAGES
from bot.success.invitations.offers import Invitations


@dataclass
class WebchatState:
    """Services of the web chat.

    Attributes:
        service: Takes messages in.
        store: Gives them back, and knows how cases stand.
        delivery: Rings when there are new ones.
        answerer: Gives the answerer in force, for the help pages.
        files: Takes files in.
        closing: The server is about to stop; streams end.
        identity: Checks who vouches for visitors.
        invitations: Decides who is invited.
    """

    service: ConversationService
    store: ConversationStore
    delivery: Delivery
    answerer: Callable[[], Answerer]
    files: Intake = field(default_factory=Intake)
    closing: bool = False
    identity: IdentityTokens = field(default_factory=IdentityTokens)
    invitations: Invitations = field(default_factory=Invitations)

    async def authorise(self, conversation_id: str, token: str, origin: str = "") -> None:
        """See `ConversationStore.authorise`."""
        await asyncio.to_thread(self.store.authorise, conversation_id, token, origin)

    async def begin(self, visitor_id: str, language: str | None, invitation: str | None = None) -> str:
        """See `ConversationStore.begin`; an invitation the visitor answers is said first."""

        def greet(session: Session, visitor: Visitor, conversation: Conversation) -> None:
            if invitation is not None:
                self.invitations.greet(session, visitor, conversation, invitation)

        return await asyncio.to_thread(self.store.begin, visitor_id, language or LANGUAGES[0], greet)

    async def messages_after(self, conversation_id: str, number: int, limit: int) -> list[StoredMessage]:
        """See `ConversationStore.messages_after`."""
        return await asyncio.to_thread(self.store.messages_after, conversation_id, number, limit)

    async def give_thumb(self, conversation_id: str, number: int, thumb: Thumb | None) -> None:
        """See `ConversationStore.give_thumb`."""
        await asyncio.to_thread(self.store.give_thumb, conversation_id, number, thumb)

    async def conversation(self, conversation_id: str) -> ConversationOut:
        """A conversation as its visitor may see it."""
        return await asyncio.to_thread(self._conversation, conversation_id)

    async def last_event(self, conversation_id: str) -> int:
        """Number of the newest event of a conversation that its visitor may see."""

        def read() -> int:
            with self.store.changes.reading() as session:
                return _last_event(session, conversation_id)

        return await asyncio.to_thread(read)

    async def events_after(self, conversation_id: str, number: int) -> list[tuple[int, Shown | None]]:
        """What visitors may see after an event's number, each with its number; at most BATCH."""
        return await asyncio.to_thread(self._events_after, conversation_id, number)

    async def rate(self, conversation_id: str, body: NewRating) -> RatingOut:
        """See `bot.handoff.ratings.rate`."""
        return await asyncio.to_thread(self._rate, conversation_id, body)

    async def leave_contact(self, conversation_id: str, body: NewContact) -> ContactOut:
        """Keep how to reach a customer who has a case open; what they do not tell stays as it is.

        Raises:
            InvalidInput: It is no e-mail address.
            ConversationError: No case is open.
        """
        return await asyncio.to_thread(self._leave_contact, conversation_id, body)

    async def mark_read(self, conversation_id: str, number: int) -> None:
        """See `bot.conversation.reading.mark_read`; it is the customer who reads."""
        await asyncio.to_thread(mark_read, self.store.changes, conversation_id, "customer", number)

    async def set_context(self, conversation_id: str, parts: dict[str, Any]) -> None:
        """See `bot.conversation.context.set_context`."""

        def keep() -> None:
            with self.store.changes.transaction() as session:
                set_context(session, conversation_id, parts)

        await asyncio.to_thread(keep)

    async def transcript(
        self, conversation_id: str, form: transcript.Form, zone: str, base: str, language: str | None
    ) -> str:
        """See `bot.conversation.transcript.render`.

        Raises:
            InvalidInput: There is no such time zone.
        """

        def render() -> str:
            with self.store.changes.reading() as session:
                return transcript.render(session, conversation_id, form, transcript.zone_of(zone), base, language)

        return await asyncio.to_thread(render)

    def _events_after(self, conversation_id: str, number: int) -> list[tuple[int, Shown | None]]:
        with self.store.changes.reading() as session:
            happened = events.events_after(session, conversation_id, number, visible_only=True, limit=BATCH)
            faces = team.faces(session, {event.data["person"] for event in happened if "person" in event.data})
        numbers = [event.data["number"] for event in happened if event.kind == "message"]
        found: dict[int, Shown] = {}
        if numbers:
            # Messages have their events in the order of their numbers, without gaps.
            between = self.store.messages_after(conversation_id, numbers[0] - 1, len(numbers))
            found = {message.number: shown(message) for message in between}
        return [
            (event.number, found.get(event.data["number"]) if event.kind == "message" else shown_event(event, faces))
            for event in happened
        ]

    def _conversation(self, conversation_id: str) -> ConversationOut:
        with self.store.changes.reading() as session:
            conversation = _found(session, conversation_id)
            handoff = handoff_context(session, conversation, self.store.queues)
            case, people = handoff.case, handoff.people
            waits = case is not None and case.open
            back = dt.datetime.fromisoformat(people.next_opening) if waits and people.next_opening else None
            asked = ratings.read(session, conversation_id)
            return ConversationOut(
                id=conversation.id,
                language=conversation.language,
                owner=owner_out(session, conversation),
                last_number=conversation.last_number,
                last_event=_last_event(session, conversation_id),
                read_by_team=conversation.read_by_team,
                read_by_customer=conversation.read_by_customer,
                case=CaseOut(
                    **case.model_dump(include={"number", "open", "since", "position", "expected_minutes"}),
                    open_now=people.open_now,
                    next_opening=back,
                    reachable=bool((conversation.contact or {}).get("email")),
                )
                if case
                else None,
                rating=_rating(asked) if asked else None,
            )

    def _rate(self, conversation_id: str, body: NewRating) -> RatingOut:
        comment = clean_text(body.comment, ratings.COMMENT_LENGTH) if body.comment and body.comment.strip() else None
        with self.store.changes.transaction() as session:
            conversation = events.locked(session, conversation_id)
            rated = ratings.rate(session, conversation, body.case, body.csat, body.effort, comment)
            return _rating(rated)

    def _leave_contact(self, conversation_id: str, body: NewContact) -> ContactOut:
        if not EMAIL.fullmatch(body.email):
            raise InvalidInput("That is no e-mail address.", "It should read like name@example.com.")
        with self.store.changes.transaction() as session:
            conversation = events.locked(session, conversation_id)
            if open_case(session, conversation_id) is None:
                raise ConversationError("No case of yours is open.", "Ask for a person first.")
            known = {"name": "", "time": "", **(conversation.contact or {}), "email": body.email}
            for part, told in (("name", body.name), ("time", body.time)):
                if told and told.strip():
                    known[part] = clean_text(told, len(told))
            keep_contact(session, conversation, known)
        return ContactOut(email=known["email"], name=known["name"], time=known["time"])


def _found(session: Session, conversation_id: str) -> Conversation:
    found = session.get(Conversation, conversation_id)
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


def owner_out(session: Session, conversation: Conversation) -> OwnerOut:
    """Who answers in a conversation, as its visitor may know; which queue it is stays with the team."""
    owner = team.owner_shown(session, conversation.owner)
    return OwnerOut(
        kind=owner["owner"],
        name=owner["name"] if owner["owner"] == "agent" else None,
        picture=team.face_of_owner(session, conversation.owner),
    )


def _last_event(session: Session, conversation_id: str) -> int:
    """Hidden events do not count: nothing tells a visitor of them."""
    newest = select(func.max(Event.number)).where(Event.conversation_id == conversation_id, Event.visible)
    return session.scalar(newest) or 0


def _rating(rating: Rating) -> RatingOut:
    return RatingOut(
        case=rating.case_id,
        asks_effort=rating.asks_effort,
        csat=rating.csat,
        effort=rating.effort,
        comment=rating.comment,
    )


def state_of(request: Request) -> WebchatState:
    """The state of the application a request came to."""
    state: WebchatState = request.app.state.webchat
    return state
