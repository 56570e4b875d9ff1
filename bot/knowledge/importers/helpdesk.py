"""Exports of help centres, as their programming interfaces give them: Zendesk and Intercom.

Zendesk: pages `{"articles": [{id, title, body, html_url, locale, source_locale, draft, user_segment_id, updated_at,
"translations": […]}]}` (developer.zendesk.com, Help Center API, Articles). A locale's articles may come as entries of
their own with the same id, or as translations within the entry.

Intercom: pages `{"type": "list", "data": [{id, title, body, state, url, default_locale, updated_at,
"translated_content": {"tr": {…}}}]}` (developers.intercom.com, Articles).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.knowledge.importers.html import read_html
from bot.knowledge.importers.source import Document, Source, Unread, Unreadable, as_date, https_address
from bot.settings import LANGUAGES

Helpdesk = Literal["zendesk", "intercom"]


@dataclass
class _Version:
    """An article in one language."""

    locale: str
    title: str
    html: str
    url: str | None
    updated: object
    draft: bool


@dataclass
class _Entry:
    """An article with its languages."""

    key: str
    original: str = ""
    restricted: bool = False
    versions: dict[str, _Version] = field(default_factory=dict)


def recognise(value: object) -> Helpdesk | None:
    """Whose export this is: a page, several in a list, or the articles alone in a list."""
    if isinstance(value, dict):
        if isinstance(value.get("articles"), list):
            return "zendesk"
        is_list = value.get("type") == "list" and isinstance(value.get("data"), list)
        return "intercom" if is_list or value.get("type") == "article" else "zendesk" if "html_url" in value else None
    return recognise(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else None


def read_pages(pages: Sequence[tuple[str, object]], helpdesk: Helpdesk) -> Source:
    """Documents from all pages of an export.

    Args:
        pages: (name of the file, what stands in it).
        helpdesk: Whose export it is.
    """
    entries: dict[str, _Entry] = {}
    read = _add_zendesk if helpdesk == "zendesk" else _add_intercom
    for place, page in pages:
        for number, item in enumerate(_items(page), 1):
            if not isinstance(item, dict) or not isinstance(item.get("id"), int | str):
                reason = f"Entry {number} is not an article: it has no id."
                yield Unread(f"{place}:{number}", reason, "Export the articles anew.", several=True)
                continue
            key = str(item["id"])
            read(entries.setdefault(key, _Entry(key)), item)
    for entry in entries.values():
        yield from _documents(entry)


def _items(page: object) -> Iterator[object]:
    if isinstance(page, list):
        for part in page:
            yield from _items(part)
    elif isinstance(page, dict) and isinstance(inner := page.get("articles", page.get("data")), list):
        yield from inner
    else:
        yield page


def _add_zendesk(entry: _Entry, item: dict[str, Any]) -> None:
    entry.original = entry.original or _text(item, "source_locale") or _text(item, "locale")
    entry.restricted = entry.restricted or item.get("user_segment_id") is not None or bool(item.get("user_segment_ids"))
    translations = item.get("translations")
    for version in (item, *(translations if isinstance(translations, list) else ())):
        if isinstance(version, dict):
            locale = _text(version, "locale").lower()
            entry.versions.setdefault(locale, _version(version, locale, "html_url", version.get("draft") is True))
    entry.original = entry.original.lower()


def _add_intercom(entry: _Entry, item: dict[str, Any]) -> None:
    entry.original = _text(item, "default_locale").lower()
    contents = item.get("translated_content")
    translated = contents.items() if isinstance(contents, dict) else ()
    for locale, version in ((entry.original, item), *translated):
        if isinstance(version, dict) and (version is item or _text(version, "title") or _text(version, "body")):
            draft = _text(version, "state") != "published"
            entry.versions.setdefault(locale.lower(), _version(version, locale.lower(), "url", draft))


def _version(item: dict[str, Any], locale: str, address: str, draft: bool) -> _Version:
    updated = item.get("edited_at") or item.get("updated_at")
    url = https_address(_text(item, address))
    return _Version(locale, _text(item, "title") or _text(item, "name"), _text(item, "body"), url, updated, draft)


def _documents(entry: _Entry) -> Source:
    """The original first, then its translations; one document per language."""
    ordered = sorted(entry.versions.values(), key=lambda version: version.locale != entry.original)
    seen: dict[str, str] = {}
    for version in ordered:
        key = entry.key if version is ordered[0] else f"{entry.key}/{version.locale}"
        language = version.locale.split("-")[0]
        if version.draft:
            yield Unread(key, "It is a draft.", "Publish it there, or leave it.", withdrawn=True)
        elif language and language not in LANGUAGES:
            yield _other_language(key, version.locale)
        elif language in seen:
            reason = f"It is there in this language already, as {seen[language]}."
            yield Unread(key, reason, "An article has one text per language; the first is taken.")
        else:
            try:
                page = read_html(version.html, version.url, part=True)
            except Unreadable as error:
                yield error.unread(key)
                continue
            original = next(iter(seen.values()), None)
            seen[language] = key
            yield Document(
                key,
                version.title,
                page.body,
                url=version.url,
                language=language or None,
                updated=as_date(version.updated),
                translation_of=original,
                restricted=entry.restricted,
                lost_images=page.lost_images,
            )


def _other_language(key: str, locale: str) -> Unread:
    known = ", ".join(LANGUAGES)
    return Unread(key, f"Its language is {locale}. Refill answers in {known}.", "Nothing, unless you add the language.")


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
