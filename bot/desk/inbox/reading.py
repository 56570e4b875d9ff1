"""That somebody of the team has seen what a customer wrote; what was said, as a file."""

from __future__ import annotations

from fastapi import Request, Response

from bot.conversation import reading, transcript
from bot.desk.inbox.actions import Number, whole
from bot.desk.pages import Form, Me, State, desk_router, language_of, needs, text
from bot.handoff import access
from bot.handoff.models import SIGNAL

router = desk_router()


@router.post("/cases/{number}/read", dependencies=[needs("conversations:write")])
def read(number: Number, me: Me, state: State, form: Form) -> Response:
    """The conversation was in view up to a message. The customer is told that somebody has seen what they wrote.

    Whoever opens work on signals tells nothing: customers do not know of it.
    """
    seen = whole(text(form, "number"))
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
    if seen and case.reason != SIGNAL:
        reading.mark_read(state.changes, case.conversation_id, "team", seen, me.principal.label)
    return Response(status_code=204)


@router.get("/cases/{number}/transcript", dependencies=[needs("conversations:read")])
def download(request: Request, number: Number, me: Me, state: State) -> Response:
    """What customer, bot and team said, as an HTML file, in the reader's language and time zone."""
    zone = transcript.zone_of(request.query_params.get("zone") or "UTC")
    base = state.settings["server.base_url"] or str(request.base_url)
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        made = transcript.render(
            session, case.conversation_id, "html", zone, base, language_of(request), reader="customer"
        )
    return Response(made, headers=transcript.headers("html"))
