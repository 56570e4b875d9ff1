"""What every page of the desk has in common: who is signed in, the check against forged forms, templates, errors.

A page is a plain function, which FastAPI runs in a thread, of a router made by `desk_router`:

    @router.post("/people", dependencies=[needs("people:manage")])
    def create(request: Request, me: Me, state: State, form: Form) -> Response: ...

`Me` lets only those pass that are signed in; `Form` reads what was posted, and refuses it without the page's token.
What a page raises is shown as a page, or as a short text where htmx asked.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.datastructures import FormData
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from bot.desk.desk_state import DeskState, desk_of
from bot.desk.words import Words, fill, sentence, words
from bot.errors import NotFound, RefillError
from bot.people import people, sessions
from bot.people.models import Person
from bot.people.roles import Forbidden, Permission, Principal
from bot.settings import LANGUAGES

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
STATIC = HERE / "static"
COOKIE = "refill_desk"
HOME = "/desk"
SIGN_IN = "/desk/sign-in"

# What people have not set.
_PREFERENCES = {"theme": "system", "sound": False, "notices": False}
NO_STORE = {"cache-control": "no-store"}
_HEADERS = {
    **NO_STORE,
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
}


class NotSignedIn(RefillError):
    """Nobody is signed in, or no more."""

    code = "not_signed_in"
    status = 401


class Forged(RefillError):
    """A form came without the token of its page."""

    code = "forged"
    status = 403


@dataclass(frozen=True)
class SignedIn:
    """Who looks at a page.

    Attributes:
        principal: For everything that checks permissions.
        person: As stored when the request came; detached.
        csrf: The token every form of this browser carries.
        token: Of the browser's session.
    """

    principal: Principal
    person: Person
    csrf: str
    token: str


def csrf_of(token: str) -> str:
    """The token of a browser's forms; nobody can tell it who does not hold the session's."""
    return hashlib.sha256(f"csrf:{token}".encode()).hexdigest()


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks, for a part of a page."""
    return "hx-request" in request.headers and "hx-boosted" not in request.headers


def address_of(request: Request) -> str:
    """Where a request came from, for the audit log."""
    return (request.client.host if request.client else "")[:60]


# Who asks -------------------------------------------------------------------------------------------------------------

State = Annotated[DeskState, Depends(desk_of)]


def signed_in(request: Request, state: State) -> SignedIn:
    """Who is signed in.

    Raises:
        NotSignedIn: Nobody.
    """
    token = request.cookies.get(COOKIE, "")
    with state.changes.transaction() as session:
        person = sessions.find(session, token, state.idle) if token else None
    if person is None:
        raise NotSignedIn("Nobody is signed in.", "Sign in.")
    me = SignedIn(people.principal_of(person, state.queues), person, csrf_of(token), token)
    request.state.me = me
    return me


Me = Annotated[SignedIn, Depends(signed_in)]


def needs(permission: Permission) -> Any:
    """Dependency of a route: only those pass that have a permission."""

    def check(me: Me) -> None:
        me.principal.demand(permission)

    return Depends(check)


async def posted(request: Request, me: Me) -> FormData:
    """What a form sent.

    Raises:
        Forged: The page's token is missing.
    """
    return await _posted(request, me, max_files=0)


async def posted_with_file(request: Request, me: Me) -> AsyncIterator[FormData]:
    """The same, of a form with one file.

    Raises:
        Forged: The page's token is missing.
    """
    form = await _posted(request, me, max_files=1)
    try:
        yield form
    finally:
        await form.close()


async def _posted(request: Request, me: SignedIn, max_files: int) -> FormData:
    form = await request.form(max_files=max_files, max_fields=200)
    try:
        _check_token(request.headers.get("x-csrf-token") or form.get("csrf"), me)
    except Forged:
        await form.close()
        raise
    return form


def _check_token(given: object, me: SignedIn) -> None:
    if not isinstance(given, str) or not secrets.compare_digest(given.encode(), me.csrf.encode()):
        raise Forged("The form does not come from a page of yours.", "Load the page again.")


def from_page(request: Request, me: Me) -> None:
    """Let requests of the page's scripts pass, whose body is no form.

    Raises:
        Forged: The page's token is missing.
    """
    _check_token(request.headers.get("x-csrf-token"), me)


Form = Annotated[FormData, Depends(posted)]
FormWithFile = Annotated[FormData, Depends(posted_with_file)]


def text(form: FormData, name: str) -> str:
    """A field's text without space around it; empty where there is none."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """All values of a field, as of checkboxes."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


# What they see --------------------------------------------------------------------------------------------------------

templates = Jinja2Templates(HERE / "templates")
templates.env.undefined = StrictUndefined
templates.env.trim_blocks = templates.env.lstrip_blocks = True
templates.env.filters["fill"] = fill


@functools.cache
def _stamp() -> str:
    """Changes with the desk's files, so that a browser never mixes old ones with new."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.rglob("*.*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def asset(path: str) -> str:
    """The address of a file below `static/`."""
    return f"/desk/static/{path}?{_stamp()}"


def _moment(value: dt.datetime | None, form: str = "moment") -> Markup:
    """A moment in UTC; the browser shows it in its own zone (`moment`, `day` or `ago`)."""
    if value is None:
        return Markup("")
    value = value.astimezone(dt.UTC)
    shown = value.strftime("%Y-%m-%d" if form == "day" else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}" data-show="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), form, shown
    )


templates.env.globals["asset"] = asset
templates.env.filters["moment"] = _moment


def language_of(request: Request) -> str:
    """Of labels: the person's own; on the way in, what `?lang=` or the browser asks for."""
    me: SignedIn | None = getattr(request.state, "me", None)
    if me is not None:
        return me.person.language if me.person.language in LANGUAGES else LANGUAGES[0]
    asked = request.query_params.get("lang", "")
    offered = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return next((code for code in (asked, *offered) if code in LANGUAGES), LANGUAGES[0])


def words_of(request: Request) -> Words:
    """The desk's texts in the reader's language."""
    return words(language_of(request))


def _context(request: Request, values: dict[str, Any]) -> dict[str, Any]:
    me: SignedIn | None = getattr(request.state, "me", None)
    language = language_of(request)
    csrf = me.csrf if me else ""
    return {
        "request": request,
        "t": words(language),
        "language": language,
        "languages": [(code, words(code).desk.language) for code in LANGUAGES],
        "me": me.person if me else None,
        "principal": me.principal if me else None,
        "preferences": {**_PREFERENCES, **((me.person.preferences or {}) if me else {})},
        "csrf": csrf,
        "csrf_field": Markup('<input type="hidden" name="csrf" value="{}">').format(csrf),
        "path": request.url.path,
        "query": dict(request.query_params),
        "fragment": wants_fragment(request),
        **values,
    }


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template.

    It knows `t` (texts), `language`, `languages` (code and name of each), `me` (None before signing in), `principal`,
    `preferences`, `csrf`, `csrf_field`, `path`, `query`, `fragment`, and the values given.
    """
    return HTMLResponse(fragment(request, template, **values), status, _HEADERS)


def fragment(request: Request, template: str, **values: Any) -> str:
    """Render a template that is a part of a page, as for a stream of events; it knows what those of `page` know."""
    return templates.get_template(template).render(_context(request, values))


def redirect(request: Request, to: str, **query: str) -> Response:
    """Send the reader on after a form; htmx gets the header by which it follows."""
    address = f"{to}?{urlencode(query)}" if query else to
    if wants_fragment(request):
        return Response(status_code=204, headers={**_HEADERS, "hx-redirect": address})
    return RedirectResponse(address, 303, headers=_HEADERS)


def own_path(value: str | None, default: str = HOME) -> str:
    """A path of the desk, as `next` may name it; anything else is the default."""
    if value and (value == HOME or value.startswith((HOME + "/", HOME + "?"))):
        plain = value.isascii() and value.isprintable() and "\\" not in value and "//" not in value
        if plain and not value.startswith((SIGN_IN, "/desk/sign-out", "/desk/static")):
            return value
    return default


# What goes wrong ------------------------------------------------------------------------------------------------------


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page, and back to where the reader was."""
    shown = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if wants_fragment(request):
        _, _, place = request.headers.get("hx-current-url", "").partition("://")
        shown = f"/{place.partition('/')[2]}"
    elif request.method != "GET":
        shown = HOME
    place = own_path(shown)
    address = SIGN_IN if place == HOME else f"{SIGN_IN}?next={quote(place, safe='')}"
    if wants_fragment(request):
        return Response(status_code=401, headers={**_HEADERS, "hx-redirect": address})
    if "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=401, headers=_HEADERS)
    return RedirectResponse(address, 303, headers=_HEADERS)


def error_page(request: Request, error: RefillError) -> Response:
    """The page that says what is wrong and what to do."""
    if isinstance(error, NotSignedIn):
        return _to_sign_in(request)
    t = words_of(request).problems
    known = {Forbidden: "forbidden", NotFound: "not_found", Forged: "forged"}
    kind = next((name for what, name in known.items() if isinstance(error, what)), "")
    if not kind and error.status >= 500 and not error.rule:
        kind = "unavailable"
    title = t[f"{kind}_title"] if kind else t.other_title
    message = t[f"{kind}_text"] if kind else sentence(error, words_of(request))
    template = "problem_part.html" if wants_fragment(request) else "problem.html"
    return page(request, template, error.status, title=title, message=message, code=error.code)


class DeskRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with what it raises made a page."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            problem: RefillError
            try:
                return await handle(request)
            except RefillError as error:
                problem = error
            except RequestValidationError:
                problem = NotFound("There is no such page.")
            except HTTPException as error:
                if error.status_code != 400:
                    raise
                problem = RefillError(str(error.detail))
                problem.status = 422
            except ClientDisconnect:
                # The page was left while it sent something; nobody reads the answer.
                return Response(status_code=400)
            except Exception as error:
                logger.error("Unexpected error at %s %s", request.method, request.url.path, exc_info=error)
                problem = RefillError("Something went wrong on our side.")
            return await asyncio.to_thread(error_page, request, problem)

        return handled


def desk_router() -> APIRouter:
    """A router below /desk whose errors are pages; its routes are no part of the API's description."""
    return APIRouter(prefix=HOME, include_in_schema=False, route_class=DeskRoute, default_response_class=HTMLResponse)
