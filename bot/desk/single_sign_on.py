"""Signing in through the company's identity provider: there, and back."""

from __future__ import annotations

import base64
import json
import logging
import secrets

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from bot.desk.desk_state import DeskState
from bot.desk.pages import NO_STORE, State, address_of, desk_router, own_path, words_of
from bot.desk.sign_in import door, start_session, with_session
from bot.errors import FieldError, NotFound, RefillError
from bot.people import audit, people
from bot.people.models import Person
from bot.people.roles import SYSTEM
from bot.people.single_sign_on import Attempt, Identity, Provider, ProviderError, UnverifiedEmail

logger = logging.getLogger(__name__)

PLACE = "/desk/sign-in/provider"
ATTEMPT_COOKIE = "refill_desk_provider"
ATTEMPT_SECONDS = 600

router = desk_router()


def _provider(request: Request, state: DeskState) -> Provider:
    if not state.settings["desk.oidc_issuer"]:
        raise NotFound("No identity provider is set up.")
    base = str(state.settings["server.base_url"] or request.base_url).rstrip("/")
    return Provider(state.settings, f"{base}{PLACE}/return")


@router.get("/sign-in/provider")
def go(request: Request, state: State) -> Response:
    """Send the browser to the provider."""
    provider = _provider(request, state)
    try:
        address, attempt = provider.begin()
    except ProviderError as error:
        return _refused(request, state, error)
    kept = {**attempt.to_json(), "next": own_path(request.query_params.get("next"))}
    response = RedirectResponse(address, 303, headers=NO_STORE)
    response.set_cookie(
        ATTEMPT_COOKIE,
        base64.urlsafe_b64encode(json.dumps(kept).encode()).decode(),
        max_age=ATTEMPT_SECONDS,
        path=PLACE,
        secure=state.secure,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/sign-in/provider/return")
def come_back(request: Request, state: State) -> Response:
    """Sign in whom the provider vouches for."""
    provider = _provider(request, state)
    try:
        attempt, place = _kept(request)
        identity = provider.finish(str(request.url), attempt)
        response = _signed_in(request, state, identity, place)
    except (ProviderError, FieldError) as error:
        response = _refused(request, state, error)
    response.delete_cookie(ATTEMPT_COOKIE, path=PLACE, secure=state.secure, httponly=True, samesite="lax")
    return response


def _kept(request: Request) -> tuple[Attempt, str]:
    """What this browser took along when it went to the provider."""
    try:
        kept = json.loads(base64.urlsafe_b64decode(request.cookies[ATTEMPT_COOKIE]))
        attempt = Attempt(str(kept["state"]), str(kept["nonce"]), str(kept["verifier"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError("This browser did not ask to sign in.") from error
    given = request.query_params.get("state", "")
    if not secrets.compare_digest(given.encode(), attempt.state.encode()):
        raise ProviderError("The answer is not to this browser's question.")
    return attempt, own_path(str(kept.get("next", "")))


def _signed_in(request: Request, state: DeskState, identity: Identity, place: str) -> Response:
    with state.changes.transaction() as session:
        person = people.by_email(session, identity.email) or _new(session, state, identity)
        if person is not None and person.disabled_at is None:
            token = start_session(session, state, request, person, "provider")
            return with_session(RedirectResponse(place, 303, headers=NO_STORE), state, token)
    _note_failure(request, state, "unknown")
    return door(request, state, 403, problem=words_of(request).sign_in.provider_unknown)


def _new(session: Session, state: DeskState, identity: Identity) -> Person | None:
    """Somebody the provider knows and Refill does not, if such are let in."""
    role = state.settings["desk.oidc_role"]
    if role == "none":
        return None
    return people.create(session, SYSTEM, identity.email, identity.name, role, None)


def _refused(request: Request, state: DeskState, error: RefillError) -> Response:
    logger.warning("Sign-in through the identity provider failed: %s", error)
    _note_failure(request, state, error.code)
    t = words_of(request).sign_in
    if isinstance(error, UnverifiedEmail):
        return door(request, state, 403, problem=t.provider_unverified)
    return door(request, state, 502, problem=t.provider_failed)


def _note_failure(request: Request, state: DeskState, reason: str) -> None:
    with state.changes.transaction() as session:
        detail = {"way": "provider", "reason": reason}
        audit.note(session, "nobody", "session.fail", "person:", detail, address_of(request))
