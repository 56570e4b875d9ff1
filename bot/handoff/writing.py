"""What people write: replies to the customer, and notes for the team.

Callers come through `bot.handoff.cases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.attachments import store as attachments
from bot.conversation import events
from bot.conversation.models import Message, is_person
from bot.conversation.records import DuplicateId
from bot.errors import InvalidInput, NotFound
from bot.handoff import clocks, team
from bot.handoff.access import see_case, see_conversation
from bot.handoff.changing import Stale, demand_open, hand_over, lock, log, take, taken, write_note
from bot.handoff.models import SIGNAL, Escalation, Note
from bot.knowledge.answer import Citation
from bot.people.roles import Principal

LONGEST_NOTE = 4000
_OWN_ID = "Give each its own id."


def reply(
    session: Session,
    number: int,
    by: Principal,
    text: str,
    client_id: str | None = None,
    seen_number: int | None = None,
    citations: Sequence[Citation] = (),
    files: Sequence[str] = (),
) -> Message:
    """Write to the customer. Who replies to an unassigned case takes it. The same client_id is the same message.

    What is written to a case that was merged goes to the one that goes on in its place.

    Args:
        session: Of the transaction.
        number: Of the case.
        by: Who writes.
        text: Markdown, cleaned by `bot.conversation.service.clean_text` before; empty only where files go with it.
        client_id: The sender's own id for it.
        seen_number: The conversation's newest message the person had seen; None sends in any case.
        citations: Of public articles, to go with it; see `bot.handoff.suggestions.public_citations`.
        files: Ids of files `by` has uploaded for it.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        InvalidInput: A file is not there, or was sent already.
        Stale: Another person has the case, or something was said after `seen_number`; nothing was sent.
        DuplicateId: The client_id was used for another text.
        ConversationError: The case is closed.
    """
    while (goes_on := see_case(session, number, by).merged_into) is not None:
        number = goes_on
    conversation, case = lock(session, number, by)
    if client_id is not None:
        twin = session.scalar(
            select(Message).where(Message.conversation_id == conversation.id, Message.client_id == client_id)
        )
        if twin is not None:
            same = twin.text == text and [file.id for file in attachments.files_of(twin.content)] == list(files)
            if twin.author != "agent" or not same:
                raise DuplicateId(f"The id '{client_id}' was used for another message before.", _OWN_ID, rule="id_used")
            return twin
    demand_open(case)
    if case.assignee not in (None, by.id):
        raise taken(session, case)
    if case.reason == SIGNAL and is_person(conversation.owner) and conversation.owner != by.owner:
        name = team.owner_shown(session, conversation.owner)["name"]
        raise Stale(f"{name} talks to this customer.", "Leave a note for them.", rule="case_talks", name=name)
    if seen_number is not None and conversation.last_number > seen_number:
        raise Stale("Something was said since you looked.", "Read it, then send again.", rule="case_said")
    if case.assignee is None:
        take(session, conversation, case, by)
    hand_over(session, conversation, by.owner, by.label)
    sent = attachments.unsent(session, conversation.id, by.label, files)
    content: dict[str, object] = {"name": by.name, **attachments.content_of(sent)}
    if by.kind == "person":
        content["person"] = by.id
    if citations:
        content["citations"] = [asdict(citation) for citation in citations]
    message = events.add_message(session, conversation, "agent", text, content, by.label, client_id)
    session.flush()
    attachments.send(sent, message.number)
    clocks.answered(case, message.created_at)
    log(session, by, "reply", case, message=message.number)
    return message


def add_note(
    session: Session,
    conversation_id: str,
    by: Principal,
    text: str,
    case: int | None = None,
    client_id: str | None = None,
) -> Note:
    """Write something for the team only. The same client_id is the same note.

    Args:
        session: Of the transaction.
        conversation_id: It is about.
        by: Who writes.
        text: Markdown.
        case: Number of the conversation's case it is about.
        client_id: The sender's own id for it.

    Raises:
        NotFound: There is no such conversation, `by` may not see it, or the case is another conversation's.
        Forbidden: `by` may not.
        DuplicateId: The client_id was used for another note.
        InvalidInput: The text is empty or longer than LONGEST_NOTE characters.
    """
    if not (by.may("conversations:write") or by.may("signals:write")):
        by.demand("conversations:write")
    conversation = events.locked(session, conversation_id)
    see_conversation(session, conversation_id, by)
    about = session.get(Escalation, case) if case is not None else None
    if case is not None and (about is None or about.conversation_id != conversation_id):
        raise NotFound(f"There is no case {case} in this conversation.", "Leave the case out.")
    if len(text) > LONGEST_NOTE:
        raise InvalidInput(
            f"The note has {len(text):,} characters; at most {LONGEST_NOTE:,} are allowed.",
            "Shorten it.",
            rule="note_long",
            count=len(text),
            most=LONGEST_NOTE,
        )
    if client_id is not None:
        twin = session.scalar(select(Note).where(Note.conversation_id == conversation_id, Note.client_id == client_id))
        if twin is not None:
            if (twin.by, twin.text) != (by.label, text.strip()):
                raise DuplicateId(f"The id '{client_id}' was used for another note before.", _OWN_ID, rule="id_used")
            return twin
    made = write_note(session, conversation, by, text, case, client_id)
    if made is None:
        raise InvalidInput("The note is empty.", "Write some text.", rule="note_empty")
    if about is not None:
        log(session, by, "note", about, note=made.id)
    return made
