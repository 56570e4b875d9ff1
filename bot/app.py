"""The two applications: the public one customers reach, and the internal one only Rasa reaches, on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionNotFoundException
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import bot
from bot.channels.webchat import api, files_api, invitations_api, pages, script, visitors_api, widget_config
from bot.channels.webchat.origins import ChatOrigins
from bot.channels.webchat.site import Site
from bot.channels.webchat.state import WebchatState
from bot.desk import api as desk_api
from bot.desk.desk_state import DeskState
from bot.desk.mount import mount_desk
from bot.desk.state import TeamState, Unauthorised
from bot.edge import HEADERS, MAX_BODY, BodyLimit, SecurityHeaders, error_response
from bot.encoder.encoder import Encoder
from bot.errors import ErrorBody, RefillError

logger = logging.getLogger(__name__)

# The chat's routes, which allowed websites may call from their visitors' browsers.
NOT_ALLOWED: dict[int | str, dict[str, Any]] = {
    403: {"model": ErrorBody, "description": "A website that may not use the chat (`origin_not_allowed`)."}
}
CHAT_ROUTERS = (api.router, visitors_api.router, files_api.router, invitations_api.router, widget_config.router)


def add_error_handlers(app: FastAPI) -> None:
    """Every error leaves in the shape of ErrorBody."""

    @app.exception_handler(RefillError)
    async def refill_error(request: Request, error: RefillError) -> JSONResponse:
        response = error_response(error.status, error.code, error.message, error.remedy)
        if error.retry_after is not None:
            response.headers["retry-after"] = str(error.retry_after)
        if isinstance(error, Unauthorised):
            response.headers["www-authenticate"] = "Bearer"
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{place}: {first['msg']}" if place else str(first["msg"])
        return error_response(422, "invalid_input", message, "See /openapi.json for what is expected.")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            return error_response(422, "invalid_input", str(error.detail), "See /openapi.json for what is expected.")
        codes = {404: "not_found", 405: "method_not_allowed"}
        response = error_response(error.status_code, codes.get(error.status_code, "error"), str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(ClientDisconnect)
    async def broken_off(request: Request, error: ClientDisconnect) -> JSONResponse:
        # Whoever sent half a file has gone: nobody reads this, and it is nothing to log.
        return error_response(422, "invalid_input", "The request broke off.", "Send it again.")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("Unexpected error at %s %s", request.method, request.url.path, exc_info=error)
        response = error_response(500, "internal", "Something went wrong on our side.", "Try again in a moment.")
        # This one is sent from outside of SecurityHeaders.
        response.raw_headers.extend(HEADERS)
        return response


class Health(BaseModel):
    """Whether the parts are up."""

    status: Literal["ok", "degraded"]
    rasa: bool
    version: str


def create_app(
    webchat: WebchatState,
    team: TeamState,
    rasa_ready: Callable[[], bool],
    desk: DeskState | None = None,
    site: Site | None = None,
) -> FastAPI:
    """The public application.

    Args:
        webchat: Services of the web chat.
        team: Services of the team API.
        rasa_ready: Whether Rasa answers at the moment.
        desk: Services of the desk; None leaves it out.
        site: The chat as websites see it; None for the defaults.
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
    app.state.site = site = site or Site()
    paths = [route.path_regex for router in CHAT_ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    # From the innermost to the outermost.
    app.add_middleware(BodyLimit, larger=_larger_bodies(site))
    app.add_middleware(ChatOrigins, paths=paths, allowed=site.origins, base_url=site.base_url)
    app.add_middleware(SecurityHeaders)
    add_error_handlers(app)
    for router in CHAT_ROUTERS:
        app.include_router(router, responses=NOT_ALLOWED)
    app.include_router(desk_api.router)
    app.include_router(pages.router)
    app.include_router(script.router)
    if desk is not None:
        mount_desk(app, desk)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")

    @app.get("/health", tags=["operation"])
    async def health() -> Health:
        """Whether the parts are up; `degraded` while people have to stand in for the bot."""
        ready = rasa_ready()
        return Health(status="ok" if ready else "degraded", rasa=ready, version=bot.__version__)

    return app


def _larger_bodies(site: Site) -> dict[str, int]:
    """Bytes by a pattern of paths that take more than MAX_BODY; a file's own limit is said where it is read."""
    file = max(site.files.max_bytes, MAX_BODY) + MAX_BODY
    return {
        "/api/v1/conversations/[^/]+/attachments": file,
        "/api/v1/cases/[^/]+/attachments": file,
        "/desk/cases/[^/]+/attachments": file,
    }


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
