"""The two applications: the public one customers reach, and the internal one only Rasa reaches, on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionNotFoundException
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import bot
from bot.channels.webchat import api, pages
from bot.channels.webchat.state import WebchatState
from bot.desk import api as desk_api
from bot.desk.desk_state import DeskState
from bot.desk.mount import mount_desk
from bot.desk.state import TeamState, Unauthorised
from bot.encoder.encoder import Encoder
from bot.errors import ErrorBody, ErrorDetail, Overloaded, RefillError, TooLarge

logger = logging.getLogger(__name__)

MAX_BODY = 1 << 20

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    ),
]


class PublicEdge:
    """Security headers on every response; a body of more than MAX_BODY bytes is refused while it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        started = too_large = False

        async def limited() -> Message:
            nonlocal received, too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                too_large = True
                raise TooLarge(f"The request is larger than {MAX_BODY:,} bytes.", "Send less at once.")
            return message

        async def with_headers(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return  # Whatever the application makes of the broken-off body, 413 is said below.
            if message["type"] == "http.response.start":
                started = True
                if scope["path"].startswith(("/static/", "/desk/static/")):
                    # Its entity tag is asked for each time, so that an upgrade never mixes old files with new.
                    message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
                present = {name.lower() for name, _ in message["headers"]}
                if scope["path"].startswith(("/api/", "/desk")) and b"cache-control" not in present:
                    message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
                message["headers"] = [*message["headers"], *(h for h in _HEADERS if h[0] not in present)]
            await send(message)

        try:
            await self._app(scope, limited, with_headers)
        except TooLarge:
            if started:
                raise
        if too_large and not started:
            too_large = False
            response = _error_response(
                413, "too_large", f"The request is larger than {MAX_BODY:,} bytes.", "Send less at once."
            )
            await response(scope, receive, with_headers)


def _error_response(status: int, code: str, message: str, remedy: str = "") -> JSONResponse:
    body = ErrorBody(error=ErrorDetail(code=code, message=message, remedy=remedy))
    return JSONResponse(body.model_dump(), status)


def add_error_handlers(app: FastAPI) -> None:
    """Every error leaves in the shape of ErrorBody."""

    @app.exception_handler(RefillError)
    async def refill_error(request: Request, error: RefillError) -> JSONResponse:
        response = _error_response(error.status, error.code, error.message, error.remedy)
        if isinstance(error, Overloaded):
            response.headers["retry-after"] = "5"
        elif isinstance(error, Unauthorised):
            response.headers["www-authenticate"] = "Bearer"
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{place}: {first['msg']}" if place else str(first["msg"])
        return _error_response(422, "invalid_input", message, "See /openapi.json for what is expected.")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            return _error_response(422, "invalid_input", str(error.detail), "See /openapi.json for what is expected.")
        codes = {404: "not_found", 405: "method_not_allowed"}
        response = _error_response(error.status_code, codes.get(error.status_code, "error"), str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("Unexpected error at %s %s", request.method, request.url.path, exc_info=error)
        response = _error_response(500, "internal", "Something went wrong on our side.", "Try again in a moment.")
        # This one is sent from outside of PublicEdge.
        response.raw_headers.extend(_HEADERS)
        return response


class Health(BaseModel):
    """Whether the parts are up."""

    status: Literal["ok", "degraded"]
    rasa: bool
    version: str


def create_app(
    webchat: WebchatState, team: TeamState, rasa_ready: Callable[[], bool], desk: DeskState | None = None
) -> FastAPI:
    """The public application.

    Args:
        webchat: Services of the web chat.
        team: Services of the team API.
        rasa_ready: Whether Rasa answers at the moment.
        desk: Services of the desk; None leaves it out.
    """
    app = FastAPI(
        title="Refill",
        version=bot.__version__,
        description="Conversations with the support bot; for the team: cases, tags, signals, people, webhooks. "
        "Errors have one shape: `error.code`, `.message`, `.remedy`.",
        # Their pages load scripts from elsewhere, which our own policy forbids; /openapi.json is there.
        docs_url=None,
        redoc_url=None,
    )
    app.state.webchat = webchat
    app.state.team = team
    app.add_middleware(PublicEdge)
    add_error_handlers(app)
    app.include_router(api.router)
    app.include_router(desk_api.router)
    app.include_router(pages.router)
    if desk is not None:
        mount_desk(app, desk)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")

    @app.get("/health", tags=["operation"])
    async def health() -> Health:
        """Whether the parts are up; `degraded` while people have to stand in for the bot."""
        ready = rasa_ready()
        return Health(status="ok" if ready else "degraded", rasa=ready, version=bot.__version__)

    return app


class EncodeRequest(BaseModel):
    """Texts to encode."""

    model_config = ConfigDict(extra="forbid")
    texts: list[str] = Field(min_length=1, max_length=512)
    role: Literal["query", "passage"] = "query"


def create_internal_app(encoder: Encoder, executor: ActionExecutor | None) -> FastAPI:
    """The internal application: the encoder for Rasa's pipeline, the action server for its policies.

    Args:
        encoder: Shared with everything else in the process.
        executor: Runs the actions; None while training, when none are called.
    """
    app = FastAPI(title="Refill, internal", openapi_url=None)
    add_error_handlers(app)

    @app.post("/encode")
    async def encode(body: EncodeRequest) -> Response:
        vectors = await asyncio.to_thread(encoder.encode, body.texts, body.role)
        return Response(
            np.ascontiguousarray(vectors, dtype="<f4").tobytes(),
            media_type="application/octet-stream",
            headers={"x-dimensions": str(vectors.shape[1])},
        )

    @app.post("/webhook")
    async def webhook(request: Request) -> JSONResponse:
        if executor is None:
            return JSONResponse({"error": "No actions run here.", "action_name": ""}, 404)
        call = await request.json()
        try:
            # rasa-sdk 3.21 answers Rasa 3.6.21 well; its check of the two versions is left out on purpose. No action
            # reads the domain, which is large, so Rasa is told not to send it (endpoints.yml).
            result = await executor.run({**call, "domain": {}})
        except ActionExecutionRejection as error:
            return JSONResponse({"error": error.message, "action_name": error.action_name}, 400)
        except ActionNotFoundException as error:
            return JSONResponse({"error": error.message, "action_name": error.action_name}, 404)
        return JSONResponse(result.model_dump() if result else None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
