"""Markdown to safe HTML, and links between articles to links that work for the reader."""

from __future__ import annotations

import re
from collections.abc import Callable

import nh3
from markdown_it import MarkdownIt

_ARTICLE_LINK = re.compile(
    r"\[([^\]\n]*)\]"  # the words shown
    r"\(<?(?:\.{1,2}/)*(?:[a-z]+/)*([a-z0-9-]+)\.md(#[^\s)>]*)?>?"  # the file, and a place in it
    r"""(?:\s+["'][^)\n]*["'])?\)"""  # a title, which is dropped
)
_TAGS = {
    *("p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr"),
    *("h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td"),
}


def link_articles(markdown: str, resolve: Callable[[str], str | None]) -> str:
    """Point links to other articles' files at their pages; a link that leads nowhere for the reader becomes text.

    Args:
        markdown: With links such as `[Offline mode](offline-mode.md)`.
        resolve: Address for a file's name without `.md`, or None if the reader has no such article.
    """

    def replace(match: re.Match[str]) -> str:
        address = resolve(match.group(2))
        return f"[{match.group(1)}]({address}{match.group(3) or ''})" if address else match.group(1)

    return _ARTICLE_LINK.sub(replace, markdown)


def to_html(markdown: str) -> str:
    """Safe HTML: no scripts, no styles, no images, links only to http(s), mail and this site."""
    html = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").render(markdown)
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}, "code": {"class"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
    )
