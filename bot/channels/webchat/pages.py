"""The demo website with the chat on it, and the help pages articles are read on."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from bot.channels.webchat.state import state_of
from bot.errors import NotFound
from bot.knowledge.render import to_html

HERE = Path(__file__).parent
STATIC = HERE / "static"

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "templates")


@router.get("/")
async def demo(request: Request) -> HTMLResponse:
    """A website of a company that uses Refill."""
    return templates.TemplateResponse(request, "demo.html")


@router.get("/help")
async def help_index(request: Request) -> HTMLResponse:
    """All public articles by language."""
    articles = state_of(request).answerer().articles("public")
    return templates.TemplateResponse(request, "help_index.html", {"articles": articles})


@router.get("/help/{article_id}")
async def help_article(request: Request, article_id: str) -> HTMLResponse:
    """One public article; an internal one is as unknown as one that does not exist."""
    answerer = state_of(request).answerer()
    article = answerer.find(article_id, "public")
    if article is None:
        raise NotFound("There is no such article.", "See /help for all of them.")
    html = to_html(answerer.with_links(article.body, article, "public"))
    return templates.TemplateResponse(request, "help_article.html", {"article": article, "html": html})
