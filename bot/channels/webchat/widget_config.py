"""What the widget asks for before it is used: how it looks, what it says, the logo."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from bot.attachments.limits import MOST_FILES
from bot.channels.webchat.access import State, visitor_if_any
from bot.channels.webchat.bodies import Language
from bot.channels.webchat.invitations_api import OfferedOut, offered
from bot.channels.webchat.pages import preferred_language, words
from bot.channels.webchat.site import Position, Site, site_of
from bot.customers.errors import UnknownVisitor
from bot.errors import ErrorBody, NotFound
from bot.settings import LANGUAGES

router = APIRouter(
    tags=["widget"], responses={422: {"model": ErrorBody, "description": "What was sent breaks a rule."}}
)

_FOREVER = "public, max-age=31536000, immutable"
_EVERYWHERE = {"cross-origin-resource-policy": "cross-origin"}
# A picture may be opened as a page of its own: then nothing in it runs.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

# None of LANGUAGES is yet.
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})

CurrentSite = Annotated[Site, Depends(site_of)]


class BrandOut(BaseModel):
    """How the chat looks."""

    name: str
    logo: str | None = Field(description="Path of a picture; null for the usual one.")
    position: Position = Field(description="Where the launcher stands, unless the website says otherwise.")
    light: dict[str, str] = Field(description="CSS custom properties of the light look.")
    dark: dict[str, str] = Field(description="And of the dark one.")


class AttachmentsOut(BaseModel):
    """Which files may be sent."""

    enabled: bool
    max_bytes: int = Field(description="Of one file.")
    most: int = Field(description="Files of one message.")
    types: list[str] = Field(description="Extensions, without dot.")


class WidgetConfig(OfferedOut):
    """All the widget needs to know before it is used."""

    language: Language
    tag: str = Field(description="BCP 47 tag of the words.")
    direction: Literal["ltr", "rtl"]
    words: dict[str, Any] = Field(description="What it says.")
    brand: BrandOut
    max_length: int = Field(description="Longest message, in characters.")
    attachments: AttachmentsOut
    origins: list[str] = Field(description="Websites that may speak to the chat when it is framed; `*` for all.")


def branded(said: Any, name: str) -> Any:
    """Words with the brand's name where they say `{brand}`."""
    if isinstance(said, dict):
        return {key: branded(value, name) for key, value in said.items()}
    if isinstance(said, list):
        return [branded(value, name) for value in said]
    return said.replace("{brand}", name)


async def known_visitor(
    request: Request,
    state: State,
    authorization: Annotated[str, Header(description="`Bearer` and the visitor's token, if there is one.")] = "",
) -> str | None:
    """The id of the visitor who calls; None where there is none any more: the chat loads all the same."""
    try:
        return await visitor_if_any(request, state, authorization)
    except UnknownVisitor:
        return None


@router.get("/api/v1/widget")
async def widget_config(
    site: CurrentSite,
    state: State,
    visitor: Annotated[str | None, Depends(known_visitor)],
    response: Response,
    language: Annotated[
        str, Query(max_length=100, description="Of the page, as in `tr-TR`; left out or unknown: the browser's.")
    ] = "",
    accept_language: Annotated[str, Header()] = "",
) -> WidgetConfig:
    """How the chat looks and what it says, for a page in a language."""
    wanted = language.strip().lower().replace("_", "-").partition("-")[0]
    chosen = wanted if wanted in LANGUAGES else preferred_language(accept_language)
    response.headers["cache-control"] = "public, max-age=60" if visitor is None else "no-store"
    response.headers["vary"] = "accept-language, authorization"
    logo = f"/api/v1/widget/logo/{site.logo.digest}" if site.logo else None
    found = words(chosen)
    invited = await offered(state, visitor, chosen)
    return WidgetConfig(
        invitations=invited.invitations,
        invitation_limits=invited.invitation_limits,
        language=chosen,
        tag=found["tag"],
        direction="rtl" if chosen in _RIGHT_TO_LEFT else "ltr",
        words=branded(found["chat"], site.brand_name),
        brand=BrandOut(
            name=site.brand_name,
            logo=logo,
            position=site.position,
            light=site.colors.light,
            dark=site.colors.dark,
        ),
        max_length=site.max_length,
        attachments=AttachmentsOut(
            enabled=site.files.enabled,
            max_bytes=site.files.max_bytes,
            most=MOST_FILES,
            types=sorted(site.files.types),
        ),
        origins=sorted(site.origins),
    )


@router.get(
    "/api/v1/widget/logo/{digest}",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}}, "description": "The picture."},
        404: {"model": ErrorBody, "description": "There is no such logo."},
    },
)
async def widget_logo(site: CurrentSite, digest: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]) -> Response:
    """The company's logo."""
    if site.logo is None or site.logo.digest != digest:
        raise NotFound("There is no such logo.", "GET /api/v1/widget names the one in use.")
    headers = {**_EVERYWHERE, "cache-control": _FOREVER, "content-security-policy": _PICTURE_POLICY}
    return Response(site.logo.data, media_type=site.logo.media_type, headers=headers)
