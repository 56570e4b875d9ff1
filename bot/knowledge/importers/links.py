"""Links between the documents of one import, as links between articles."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from urllib.parse import unquote, urljoin, urlsplit

from bot.knowledge.importers.source import LINK_SCHEMES

_LINK = re.compile(r"(?<!\\)(!?)\[((?:[^\[\]\\\n]|\\.)*)\]\(<?([^\s()<>]+)>?(?:\s+[\"'][^\n]{0,300}?[\"'])?\)")
_CODE = re.compile(r"(^```.*?^```|^~~~.*?^~~~|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):")
# Help centres: `/hc/en-us/articles/360001-Refund-a-sale` is the article 360001 in every language.
_NUMBERED = re.compile(r"(/(?!hc/)[a-z]{2}(?:-[a-z]{2,4})?)?/articles/(\d+)(?:-[^/]*)?$", re.IGNORECASE)


class Places:
    """Where the documents of an import stand: ids of their articles, by key and by address."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, str]] = {}

    def add(self, key: str, url: str | None, language: str, identifier: str) -> None:
        """Make a document known."""
        for place in filter(None, (key, url and _place(url))):
            self._ids.setdefault(place, {})[language] = identifier

    def find(self, address: str, key: str, url: str | None, language: str) -> str | None:
        """The id of the article a link leads to, in the given language where there is one.

        Args:
            address: As written in the document.
            key: Of the document the link stands in.
            url: Its address.
            language: Its language.
        """
        path = unquote(address.partition("#")[0].partition("?")[0])
        candidates = [posixpath.normpath(posixpath.join(posixpath.dirname(key), path))] if path else []
        with suppress(ValueError):
            candidates.append(_place(urljoin(url or "", address)))
        for candidate in candidates:
            if found := self._ids.get(candidate):
                return found.get(language) or next(iter(found.values()))
        return None


def _place(address: str) -> str:
    """An address without what does not change where it leads."""
    parts = urlsplit(address)
    path = _NUMBERED.sub(r"/articles/\2", parts.path)
    return (parts.hostname or "").lower() + path.rstrip("/")


def relink(body: str, resolve: Callable[[str], str | None], base: str | None) -> str:
    """Point links at articles; keep those to the world outside; of others keep the words.

    Args:
        body: Markdown.
        resolve: The id of the article an address leads to, or None.
        base: The document's address, to complete relative links with.
    """

    def replace(match: re.Match[str]) -> str:
        words, address = match[2], match[3]
        if identifier := resolve(address):
            _, hash_, part = address.partition("#")
            return f"[{words}]({identifier}.md{hash_}{part})"
        scheme = _SCHEME.match(address)
        if scheme:
            return match[0] if scheme[1].lower() in LINK_SCHEMES else words
        return f"[{words}]({urljoin(base, address)})" if base and not address.startswith("#") else words

    pieces: Iterable[str] = _CODE.split(body)
    return "".join(piece if number % 2 else _LINK.sub(replace, piece) for number, piece in enumerate(pieces))
