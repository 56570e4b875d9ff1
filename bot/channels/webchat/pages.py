"""The demo website with the chat on it, and the help pages articles are read on.

Pages are rendered in one of the bot's languages. Their words stand in `static/locales/<language>.json`, which the chat
in the browser reads too.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.templating import Jinja2Templates

from bot.channels.webchat.site import Site, site_of
from bot.channels.webchat.state import state_of
from bot.errors import NotFound
from bot.knowledge.article import Article, Topic
from bot.knowledge.render import to_html
from bot.settings import LANGUAGES

HERE = Path(__file__).parent
STATIC = HERE / "static"

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "templates")


@functools.cache
def words(language: str) -> dict[str, Any]:
    """What pages and chat say in a language: sections `site`, `help` and `chat`."""
    found: dict[str, Any] = json.loads((STATIC / "locales" / f"{language}.json").read_text("utf-8"))
    return found


def wanted_language(request: Request) -> str | None:
    """The language asked for in `?lang=`, if it is one of LANGUAGES."""
    wanted = request.query_params.get("lang", "")
    return wanted if wanted in LANGUAGES else None


def preferred_language(header: str) -> str:
    """The best of LANGUAGES for an `Accept-Language` header; the first of them if none suits."""
    ranked: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, weight = part.partition(";q=")
        try:
            ranked.append((-float(weight or 1), tag.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    ranked.sort(key=lambda pair: pair[0])
    return next((tag for weight, tag in ranked if tag in LANGUAGES and weight < 0), LANGUAGES[0])


def _language(request: Request) -> str:
    return wanted_language(request) or preferred_language(request.headers.get("accept-language", ""))


def _page(
    request: Request,
    template: str,
    language: str,
    elsewhere: Mapping[str, str],
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A page in a language; elsewhere gives its address in each of them."""
    context = {
        "t": words(language),
        "language": language,
        "switch": [(code, words(code), elsewhere[code]) for code in LANGUAGES],
        "words": words,
        **values,
    }
    return templates.TemplateResponse(
        request, template, context, status, headers={"vary": "accept-language, accept", "cache-control": "no-cache"}
    )


def _same_page(path: str) -> dict[str, str]:
    return {code: f"{path}?lang={code}" for code in LANGUAGES}


@router.get("/")
async def demo(request: Request) -> HTMLResponse:
    """A website of a company that uses Refill."""
    language = _language(request)
    articles = state_of(request).answerer().articles("public")
    translations = _translations(articles, "plans-and-prices")
    plans = translations.get(language) or translations.get(LANGUAGES[0])
    return _page(request, "demo.html", language, _same_page("/"), plans=plans)


@router.get("/chat")
async def chat(request: Request) -> HTMLResponse:
    """The chat as a page of its own, which the websites that may use the chat may put into a frame."""
    language = _language(request)
    site = site_of(request)
    title = words(language)["chat"]["title"].replace("{brand}", site.brand_name)
    response = _page(request, "chat_page.html", language, _same_page("/chat"), title=title)
    response.headers["content-security-policy"] = chat_policy(site)
    return response


def chat_policy(site: Site) -> str:
    """The content policy of the chat's own page: it loads nothing but the chat, from nowhere but here."""
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "style-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "refill",
        "frame-ancestors": " ".join(("'self'", *sorted(site.origins))),
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@router.get("/help")
async def help_index(request: Request) -> HTMLResponse:
    """The public articles by topic, in the page's language; those without a translation in their own, set apart."""
    language = _language(request)
    articles = state_of(request).answerer().articles("public")
    native = [article for article in articles if article.language == language]
    subjects = {article.subject for article in native}
    others = [article for article in articles if article.language == LANGUAGES[0] and article.subject not in subjects]
    sections = [("topic", _by_topic(native)), ("others", _by_topic(others))]
    return _page(request, "help_index.html", language, _same_page("/help"), sections=sections)


@router.get("/help/images/{name}")
async def help_image(request: Request, name: str, v: str = "") -> FileResponse:
    """An image of the public articles; an internal one is as unknown as one that does not exist."""
    image = await asyncio.to_thread(state_of(request).answerer().image, name)
    if image is None:
        raise NotFound("There is no such image.", "See /help for all articles.")
    headers = {
        # Websites show it in the chat.
        "cross-origin-resource-policy": "cross-origin",
        "access-control-allow-origin": "*",
        "cache-control": "public, max-age=31536000, immutable" if v == image.digest else "no-cache",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return FileResponse(image.file, media_type=image.media_type, headers=headers)


@router.get("/help/{article_id}")
async def help_article(request: Request, article_id: str) -> HTMLResponse:
    """One public article; an internal one is as unknown as one that does not exist."""
    answerer = state_of(request).answerer()
    article = answerer.find(article_id, "public")
    if article is None:
        if "text/html" not in request.headers.get("accept", ""):
            raise NotFound("There is no such article.", "See /help for all of them.")
        return _page(request, "help_missing.html", _language(request), _same_page("/help"), status=404)
    language = wanted_language(request) or article.language
    translations = _translations(answerer.articles("public"), article.subject)
    path = f"/help/{article.id}"
    elsewhere = {
        code: f"/help/{translations[code].id}" if code in translations else f"{path}?lang={code}" for code in LANGUAGES
    }
    values: dict[str, Any] = {
        "article": article,
        "html": to_html(answerer.with_links(article.body, article, "public")),
        "others": [(words(code), other) for code, other in translations.items() if code != article.language],
    }
    return _page(request, "help_article.html", language, elsewhere, **values)


def _translations(articles: Sequence[Article], subject: str) -> dict[str, Article]:
    """The articles of a subject by language, in the order of LANGUAGES."""
    found = {article.language: article for article in articles if article.subject == subject}
    return {code: found[code] for code in LANGUAGES if code in found}


def _by_topic(articles: Sequence[Article]) -> dict[str, list[Article]]:
    """Articles under their first topic, topics in a fixed order, empty ones left out."""
    topics = {topic: [a for a in articles if a.topics[0] == topic] for topic in get_args(Topic)}
    return {topic: found for topic, found in topics.items() if found}
