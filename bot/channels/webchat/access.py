"""Who opens a conversation: who holds its own secret, or the visitor whose it is, from the visitor's own website."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Request

from bot.channels.webchat import visitors
from bot.channels.webchat.origins import other_site
from bot.channels.webchat.site import site_of
from bot.channels.webchat.state import WebchatState, state_of
from bot.customers.errors import IdentityExpired, UnknownVisitor
from bot.errors import NotFound

ConversationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
State = Annotated[WebchatState, Depends(state_of)]
Authorization = Annotated[str, Header(description="`Bearer` and the token of the conversation, or of its visitor.")]
VisitorAuthorization = Annotated[str, Header(alias="authorization", description="`Bearer` and the visitor's token.")]


def origin_of(request: Request) -> str:
    """The website a request comes from, as `Visitor.origin` has it: empty for our own pages, and for no browser."""
    return other_site(request.headers, site_of(request).base_url)


def bearer(authorization: str) -> str:
    """The token in a header; empty if there is none."""
    kind, _, token = authorization.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


@dataclass(frozen=True)
class Opened:
    """A conversation somebody may read and write to, and by what right.

    Attributes:
        id: Of the conversation.
        token: Theirs.
        origin: See `origin_of`.
    """

    id: str
    token: str
    origin: str
    state: WebchatState

    async def demand(self) -> None:
        """Let whoever opened it pass again, if they still may.

        Raises:
            NotFound: They no longer may.
            IdentityExpired: The identity token has ended.
        """
        await self.state.authorise(self.id, self.token, self.origin)

    async def is_over(self) -> bool:
        """Whether they no longer may."""
        try:
            await self.demand()
        except (NotFound, IdentityExpired):
            return True
        return False


async def opened(
    conversation_id: ConversationId, request: Request, state: State, authorization: Authorization = ""
) -> Opened:
    """The conversation, if the caller may open it."""
    token = bearer(authorization)
    if not token:
        raise NotFound("There is no such conversation.", "Send its token as `Authorization: Bearer …`.")
    found = Opened(conversation_id, token, origin_of(request), state)
    await found.demand()
    return found


async def conversation_of(found: Annotated[Opened, Depends(opened)]) -> str:
    """The id of the conversation, if the caller may open it."""
    return found.id


async def visitor_id(request: Request, state: State, authorization: VisitorAuthorization = "") -> str:
    """The id of the visitor who calls."""
    return (await visitors.find(state, bearer(authorization), origin_of(request))).id


async def visitor_if_any(
    request: Request,
    state: State,
    authorization: Annotated[str, Header(description="`Bearer` and the visitor's token, if there is one.")] = "",
) -> str | None:
    """The id of the visitor who calls; None where nothing says who does."""
    token = bearer(authorization)
    if not authorization:
        return None
    if not token:
        raise UnknownVisitor("There is no such visitor.", "Send its token as `Authorization: Bearer …`.")
    return (await visitors.find(state, token, origin_of(request))).id


Conversation = Annotated[Opened, Depends(opened)]
Visitor = Annotated[str, Depends(conversation_of)]
VisitorId = Annotated[str, Depends(visitor_id)]
VisitorIfAny = Annotated[str | None, Depends(visitor_if_any)]
