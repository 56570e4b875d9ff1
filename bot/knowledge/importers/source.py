"""What every source yields, and the checks and conversions all sources share.

A source is an iterator of `Document` and `Unread`. It never stops at one bad document: it yields an `Unread` and goes
on.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.errors import KnowledgeError

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_DOCUMENTS = 10_000
MAX_BODY_CHARACTERS = 1_000_000
MAX_LINE_CHARACTERS = 300
MAX_KEY_CHARACTERS = 2048

LINK_SCHEMES = ("http", "https", "mailto", "tel")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """One thing a source offers, to become an article.

    Attributes:
        key: Names it within its source, the same at every import: a relative path, a row's id, an address.
        title: One line; longer ones are cut at a word.
        body: Markdown. Links lead to other documents by their key (relative paths) or their address.
        url: Where it is published, if that is an https address.
        language: One of Refill's, a locale such as `en-us`, or None if the source does not say.
        questions: Ways customers ask it.
        topics: Of the article; empty if the source does not say.
        updated: Date of the last change, if the source says.
        translation_of: Key of the original.
        restricted: Not everyone may see it where it comes from. An import never makes it public.
        lost_images: Images that had no https address of their own and were left out.
    """

    key: str
    title: str
    body: str
    url: str | None = None
    language: str | None = None
    questions: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    updated: dt.date | None = None
    translation_of: str | None = None
    restricted: bool = False
    lost_images: int = 0


@dataclass(frozen=True)
class Unread:
    """Something that could not be read.

    Attributes:
        key: Of the document; or the name of a file or place that holds several.
        reason: What is wrong, a sentence.
        remedy: What to do, a sentence.
        several: It may hold documents that were read before; so nothing counts as removed in this run.
        withdrawn: The source has taken it back (a draft); an article imported earlier counts as removed.
    """

    key: str
    reason: str
    remedy: str
    several: bool = False
    withdrawn: bool = False


Source = Iterator[Document | Unread]


class Unreadable(KnowledgeError):
    """A document breaks a rule of importing."""

    code = "unreadable"

    def unread(self, key: str, several: bool = False) -> Unread:
        """What to report of the document with this key."""
        return Unread(key, self.message, self.remedy, several)


def decode(raw: bytes) -> str:
    """Text in UTF-8 or, with a byte order mark, UTF-16.

    Raises:
        Unreadable: It is in neither, or not text at all.
    """
    encoding = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Unreadable(
            f"It is not valid {encoding.removesuffix('-sig').upper()} (line {line}).", "Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise Unreadable("It is not a text file.", "Give the file the ending of its kind, or leave it out.")
    return text


def clean_text(text: str) -> str:
    """Text as an article's file gives it back: plain line ends, no control characters, nothing around it."""
    return "\n".join(_CONTROL.sub("", line.rstrip()) for line in text.splitlines()).strip()


def clean_line(text: str, limit: int = MAX_LINE_CHARACTERS) -> str:
    """One line of at most limit characters, cut after a word where there is one in its second half."""
    line = " ".join(clean_text(text).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    space = cut.rfind(" ")
    return cut[: space if space > limit // 2 else None].rstrip(" ,;:.") + "…"


def slug(text: str, limit: int = 80) -> str:
    """Lower-case letters, digits and hyphens for a name; empty if the text has no Latin letter or digit."""
    plain = text.translate(str.maketrans("ıİ", "iI"))
    ascii_ = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_.lower()).strip("-")[:limit].rstrip("-")


def as_date(value: object) -> dt.date | None:
    """The day of a date, an ISO 8601 text or a count of seconds since 1970 (UTC); None if it is none of these."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        if isinstance(value, str):
            return dt.datetime.fromisoformat(value.strip()).date()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value, dt.UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None


def https_address(address: str | None) -> str | None:
    """The address if it is an https one that may be shown, else None."""
    try:
        parts = urlsplit((address or "").strip())
        shown = parts.scheme == "https" and parts.hostname and not parts.username and len(address or "") <= 2000
    except ValueError:
        return None
    return parts.geturl() if shown else None
