"""Saved replies: the texts people send often, in the languages of the customers."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Path, Request, Response
from fastapi.datastructures import FormData
from markupsafe import Markup

from bot.desk.admin.shared import Problems
from bot.desk.pages import Form, Me, State, desk_router, needs, page, redirect, text, words_of
from bot.errors import InvalidInput
from bot.handoff.queues import QUEUES
from bot.knowledge.render import to_html
from bot.people.saved_replies import (
    LONGEST_TEXT,
    LONGEST_TITLE,
    VARIABLES,
    change_saved_reply,
    create_saved_reply,
    delete_saved_reply,
    find_saved_reply,
    list_saved_replies,
    render,
)
from bot.settings import LANGUAGES

router = desk_router()
_WRITE = [needs("replies:write")]
_VARIABLE = re.compile(r"\{([^{}\n]*)\}")
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/replies", dependencies=_WRITE)
def replies(request: Request, me: Me, state: State) -> Response:
    """All of them."""
    with state.changes.reading() as session:
        found = list_saved_replies(session, me.principal)
    return page(request, "inbox/saved.html", saved=found, done=request.query_params.get("done", ""))


@router.get("/replies/new", dependencies=_WRITE)
def new(request: Request) -> Response:
    """The form for a new one."""
    return _form(request, None, {"title": "", "queue": "", "texts": {}}, Problems())


@router.post("/replies", dependencies=_WRITE)
def create(request: Request, me: Me, state: State, form: Form) -> Response:
    """Keep a new one."""
    values = _values(form)
    if problems := _problems(request, values):
        return _form(request, None, values, problems, 422)
    try:
        with state.changes.transaction() as session:
            create_saved_reply(session, me.principal, values["title"], values["texts"], values["queue"] or None)
    except InvalidInput as error:
        return _form(request, None, values, Problems({"": str(error)}), 422)
    return redirect(request, "/desk/replies", done="saved")


@router.post("/replies/preview", dependencies=_WRITE)
def preview(request: Request, me: Me, form: Form) -> Response:
    """How a text will look, filled in with an example."""
    language = text(form, "language")
    example = words_of(request).saved.example
    filled = {
        "customer_name": example.customer,
        "agent_name": me.person.name,
        "case_number": "12",
        "account": example.account,
    }
    said = render({language: str(form.get(f"text_{language}") or "")[:LONGEST_TEXT]}, language, filled)
    return page(request, "inbox/saved_preview.html", html=Markup(to_html(said)))  # noqa: S704  (to_html cleans it)


@router.get("/replies/{number}", dependencies=_WRITE)
def edit(request: Request, number: Number, me: Me, state: State) -> Response:
    """The form for one that is there."""
    with state.changes.reading() as session:
        found = find_saved_reply(session, number, me.principal)
    values = {"title": found.title, "queue": found.queue or "", "texts": found.texts}
    return _form(request, number, values, Problems())


@router.post("/replies/{number}", dependencies=_WRITE)
def change(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Change it."""
    values = _values(form)
    if problems := _problems(request, values):
        return _form(request, number, values, problems, 422)
    try:
        with state.changes.transaction() as session:
            change_saved_reply(session, number, me.principal, {**values, "queue": values["queue"] or None})
    except InvalidInput as error:
        return _form(request, number, values, Problems({"": str(error)}), 422)
    return redirect(request, "/desk/replies", done="saved")


@router.post("/replies/{number}/delete", dependencies=_WRITE)
def delete(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Delete it for good."""
    with state.changes.transaction() as session:
        delete_saved_reply(session, number, me.principal)
    return redirect(request, "/desk/replies", done="deleted")


def _values(form: FormData) -> dict[str, Any]:
    written = {code: str(form.get(f"text_{code}") or "").replace("\r\n", "\n").strip() for code in LANGUAGES}
    return {
        "title": " ".join(text(form, "title").split()),
        "queue": text(form, "queue"),
        "texts": {code: value for code, value in written.items() if value},
    }


def _problems(request: Request, values: dict[str, Any]) -> Problems:
    said = words_of(request).saved
    found = Problems()
    if not 1 <= len(values["title"]) <= LONGEST_TITLE:
        found["title"] = said.wrong.title
    if not values["texts"]:
        found[f"text_{LANGUAGES[0]}"] = said.wrong.no_text
    for code, written in values["texts"].items():
        unknown = [name for name in _VARIABLE.findall(written) if name not in VARIABLES]
        if len(written) > LONGEST_TEXT:
            found[f"text_{code}"] = said.wrong.long
        elif unknown:
            found[f"text_{code}"] = said.wrong.variable.format(name=f"{{{unknown[0]}}}")
    return found


def _form(
    request: Request, number: int | None, values: dict[str, Any], problems: Problems, status: int = 200
) -> Response:
    return page(
        request,
        "inbox/saved_form.html",
        status,
        number=number,
        values=values,
        problems=problems,
        queues=QUEUES,
        variables=VARIABLES,
        longest=LONGEST_TEXT,
    )
