"""What was said in a conversation, to be kept: as text, or as one HTML file that needs nothing else.

Notes, tags and what the bot decided are the team's own, and no part of it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import nh3
import tomllib
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.attachments.models import Attachment
from bot.conversation.models import Conversation, Message
from bot.conversation.tags import SPEAKERS
from bot.errors import InvalidInput, NotFound
from bot.knowledge.render import to_html
from bot.settings import LANGUAGES

Form = Literal["text", "html"]

_TEMPLATES = Path(__file__).parent / "templates"
_FILES: dict[Form, str] = {"text": "transcript.txt", "html": "transcript.html"}
# A file that loads nothing shows no pictures.
_TAGS = nh3.ALLOWED_TAGS - {"img"}


@dataclass(frozen=True)
class _Said:
    """A message as the templates show it.

    Attributes:
        at: As ISO 8601; `time` as it reads in the zone.
        html: Safe; None for what customers wrote, which is shown as it is.
    """

    name: str
    at: str
    time: str
    text: str
    html: Markup | None
    choices: tuple[str, ...]
    sources: tuple[dict[str, str], ...]
    files: tuple[str, ...]


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database.

    Raises:
        InvalidInput: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"There is no time zone {name[:50]!r}.", "Write one such as Europe/Istanbul.") from None


def render(
    session: Session,
    conversation_id: str,
    form: Form,
    zone: ZoneInfo,
    base: str,
    language: str | None = None,
    reader: Literal["you", "customer"] = "you",
) -> str:
    """The transcript of a conversation.

    Args:
        session: To read with.
        conversation_id: That the reader may see.
        form: What to make.
        zone: Of the times.
        base: Address of this site, for links within it; ends with a slash.
        language: Of the words around the messages, one of LANGUAGES; None for the conversation's.
        reader: What the customer is called: `you` where they read it themselves.

    Raises:
        NotFound: There is no such conversation.
    """
    conversation = session.get(Conversation, conversation_id)
    if conversation is None:
        raise NotFound("There is no such conversation.")
    chosen = language or (conversation.language if conversation.language in LANGUAGES else LANGUAGES[0])
    words = _words()[chosen]
    files: dict[int, list[str]] = defaultdict(list)
    kept = select(Attachment.number, Attachment.name).where(
        Attachment.conversation_id == conversation_id, Attachment.number.is_not(None)
    )
    for number, name in session.execute(kept.order_by(Attachment.created_at, Attachment.id)):
        files[number or 0].append(name)
    said = session.scalars(
        select(Message).where(Message.conversation_id == conversation_id).order_by(Message.number)
    ).all()
    names = {"bot": words["bot"], "agent": words["team"]}
    return (
        _environment()
        .get_template(_FILES[form])
        .render(
            t=words,
            language=chosen,
            day=f"{conversation.created_at.astimezone(zone):%Y-%m-%d}",
            zone=zone.key,
            base=base,
            messages=[_said(one, zone, base, names.get(one.author, words[reader]), files[one.number]) for one in said],
        )
    )


def headers(form: Form) -> dict[str, str]:
    """Of an answer that is a transcript: it is saved, and runs and loads nothing should it be shown."""
    kind, ending = ("plain", "txt") if form == "text" else ("html", "html")
    return {
        "content-type": f"text/{kind}; charset=utf-8",
        "content-disposition": f'attachment; filename="conversation-{dt.datetime.now(dt.UTC):%Y-%m-%d}.{ending}"',
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "cache-control": "no-store",
    }


def _said(message: Message, zone: ZoneInfo, base: str, name: str, files: list[str]) -> _Said:
    content = message.content
    local = message.created_at.astimezone(zone)
    plain = message.author in SPEAKERS
    return _Said(
        name=str(content.get("name") or name) if message.author == "agent" else name,
        at=local.isoformat(timespec="seconds"),
        time=f"{local:%Y-%m-%d %H:%M}",
        text=message.text,
        html=None if plain else Markup(nh3.clean(to_html(message.text), tags=_TAGS)),  # noqa: S704  (nh3 cleans it)
        choices=tuple(choice["label"] for choice in content.get("choices", ())),
        sources=tuple(_source(citation, base) for citation in content.get("citations", ())),
        files=tuple(files),
    )


def _source(citation: dict[str, Any], base: str) -> dict[str, str]:
    return {"title": citation["title"], "url": urljoin(base, citation["url"]) if citation["url"] else ""}


@functools.cache
def _words() -> dict[str, dict[str, str]]:
    """What is said around the messages, by language."""
    return tomllib.loads((_TEMPLATES / "transcript.toml").read_text("utf-8"))


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
