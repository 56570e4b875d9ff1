"""What the settings say of the chat as websites see it: brand, logo, origins, limits."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from fastapi import Request

from bot.attachments.limits import Limits, limits
from bot.channels.webchat.brand import DEFAULT_COLOR, Palette, palette
from bot.channels.webchat.origins import parse_origins
from bot.errors import SettingsError
from bot.settings import Settings

MAX_LOGO = 200_000
Position = Literal["right", "left"]


@dataclass(frozen=True)
class Logo:
    """A picture beside the chat's name."""

    data: bytes
    media_type: str

    @functools.cached_property
    def digest(self) -> str:
        """Names the content."""
        return hashlib.sha256(self.data).hexdigest()[:16]


@dataclass(frozen=True)
class Site:
    """The chat as websites see it.

    Attributes:
        brand_name: Of the company.
        colors: Made from its colour.
        logo: None for none.
        position: Where the launcher stands; in right-to-left pages it is the other way round.
        origins: Of the websites that may use the chat, beside our own pages.
        base_url: Our own public address; empty if it is not known.
        max_length: Of a message, in characters.
        new_per_hour: Visitors and conversations an address may begin, and files it may send; 0 for any number.
        files: What is taken of files.
    """

    brand_name: str = "Crema"
    colors: Palette = field(default_factory=lambda: palette(DEFAULT_COLOR))
    logo: Logo | None = None
    position: Position = "right"
    origins: frozenset[str] = frozenset()
    base_url: str = ""
    max_length: int = 4000
    new_per_hour: int = 60
    files: Limits = field(default_factory=Limits)


def site(settings: Settings) -> Site:
    """The chat as the settings have it.

    Raises:
        SettingsError: The logo cannot be used, or a limit of files.
    """
    return Site(
        brand_name=settings["webchat.brand_name"],
        colors=palette(settings["webchat.brand_color"]),
        logo=_logo(settings.path(settings["webchat.logo"])) if settings["webchat.logo"] else None,
        position=cast(Position, settings["webchat.position"]),
        origins=parse_origins(settings["webchat.origins"]),
        base_url=settings["server.base_url"],
        max_length=settings["conversation.max_length"],
        new_per_hour=settings["webchat.new_per_hour"],
        files=limits(settings),
    )


def _logo(file: Path) -> Logo:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The logo of setting 'webchat.logo' cannot be read: {file}: {error.strerror}.",
            "Give the path of a PNG, WebP or SVG file, below the project or absolute.",
        ) from error
    media_type = _media_type(data)
    if media_type is None:
        raise SettingsError(f"The logo {file} is no PNG, WebP or SVG.", "Save it as one of the three.")
    if len(data) > MAX_LOGO:
        raise SettingsError(
            f"The logo {file} has {len(data):,} bytes; {MAX_LOGO:,} are the most.",
            "Save it smaller: it is shown 32 pixels high.",
        )
    return Logo(data, media_type)


def _media_type(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    return "image/svg+xml" if root.tag == "{http://www.w3.org/2000/svg}svg" else None


def site_of(request: Request) -> Site:
    """The chat's settings in the application a request came to."""
    found: Site = request.app.state.site
    return found
