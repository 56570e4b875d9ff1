"""Tags of conversations: read, corrected, measured."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import Response

from bot.conversation import corrections
from bot.conversation.tags import ConversationTags, conversation_tags
from bot.desk.api.routes import (
    INVALID,
    NO_CONVERSATION,
    TOO_LARGE,
    By,
    ConversationId,
    State,
    error,
    team_router,
)
from bot.desk.bodies.tags import (
    ConversationTagsOut,
    CorrectionOut,
    EvidenceOut,
    MeasuredOut,
    MeasuredTags,
    NewCorrection,
)
from bot.desk.state import allowed
from bot.desk.verdicts import correct_tag
from bot.handoff import access

router = team_router()


@router.get(
    "/conversations/{conversation_id}/tags", **allowed("conversations:read"), responses={**NO_CONVERSATION, **INVALID}
)
def read_tags(conversation_id: ConversationId, state: State, by: By) -> ConversationTagsOut:
    """What a conversation carries: its kind, and every topic and signal with the words that show it."""
    with state.transaction() as session:
        access.see_conversation(session, conversation_id, by)
        return tags_out(conversation_id, conversation_tags(session, conversation_id, state.half_life))


@router.post(
    "/conversations/{conversation_id}/corrections",
    status_code=201,
    **allowed("tags:write"),
    responses={
        200: {"description": "The same was said before; nothing changed."},
        **error(404, "No such conversation or message, or none the token may see."),
        **TOO_LARGE,
        **INVALID,
    },
)
def post_correction(
    conversation_id: ConversationId, body: NewCorrection, state: State, by: By, response: Response
) -> CorrectionOut:
    """Confirm, reject or add a tag of a message, or withdraw what was said of it. All of it is kept."""
    with state.transaction() as session:
        made = correct_tag(session, by, conversation_id, body.number, body.name, body.verdict, body.quote, body.by)
    response.status_code = 201 if made.new else 200
    tag = made.tag and EvidenceOut(**{**asdict(made.tag), "model": made.tag.model or None})
    return CorrectionOut(
        conversation_id=conversation_id,
        number=made.number,
        name=body.name,
        verdict=made.verdict,
        by=made.by,
        created_at=made.created_at,
        tag=tag,
    )


@router.get("/tags", **allowed("reports:read"))
def read_precision(state: State) -> MeasuredTags:
    """How often the model was right with each tag, measured by what people confirmed, rejected and added."""
    with state.transaction() as session:
        return MeasuredTags(tags=[MeasuredOut(**asdict(tag)) for tag in corrections.precision(session)])


def tags_out(conversation_id: str, tags: ConversationTags) -> ConversationTagsOut:
    """A conversation's tags as the API shows them."""
    found = tags.to_json()
    for tag in (*found["topics"], *found["signals"]):
        for evidence in tag["evidence"]:
            evidence["model"] = evidence["model"] or None
    return ConversationTagsOut(conversation_id=conversation_id, **found)
