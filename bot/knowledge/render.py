"""Markdown to safe HTML, and links between articles to links that work for the reader."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from bot.knowledge.images import FOLDER, NAME

_ARTICLE_LINK = re.compile(
    r"\[([^\]\n]*)\]"  # the words shown
    r"\(<?(?:\.{1,2}/)*(?:[a-z]+/)*([a-z0-9-]+)\.md(#[^\s)>]*)?>?"  # the file, and a place in it
    r"""(?:\s+["'][^)\n]*["'])?\)"""  # a title, which is dropped
)
_OUR_IMAGE = re.compile(rf"{FOLDER}{NAME}\?w=(\d{{1,4}})&h=(\d{{1,4}})&v=[0-9a-f]{{16}}")
_TAGS = {
    *("p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr"),
    *("h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "img"),
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
    """Safe HTML: no scripts, no styles, only images of the knowledge base, links to http(s), mail and this site."""
    return nh3.clean(
        _markdown().render(markdown),
        tags=_TAGS,
        attributes={
            "a": {"href"},
            "ol": {"start"},
            "code": {"class"},
            "img": {"src", "alt", "width", "height", "loading"},
        },
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
    )


@functools.cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    made.add_render_rule("image", _image)
    return made


def _image(renderer: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    """An image of the knowledge base, as `bot.knowledge.images` links it; any other is left out."""
    token = tokens[place]
    source = str(token.attrs.get("src", ""))
    size = _OUR_IMAGE.fullmatch(source)
    if size is None:
        return ""
    alt = renderer.renderInlineAsText(token.children, options, env)
    return (
        f'<img src="{escapeHtml(source)}" alt="{escapeHtml(alt)}" width="{size[1]}" height="{size[2]}" loading="lazy">'
    )
