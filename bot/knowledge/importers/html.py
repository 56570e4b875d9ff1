"""HTML pages as Markdown: the main content, without furniture, scripts and pictures."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from bot.knowledge.importers.source import LINK_SCHEMES, Unreadable, clean_line, clean_text, decode, https_address

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_JUNK = ("script", "style", "noscript", "template", "iframe", "object", "svg", "form", "button", "input", "select")
_FURNITURE = ("nav", "header", "footer", "aside")


@dataclass(frozen=True)
class HtmlPage:
    """What stands in an HTML page.

    Attributes:
        title: From the first `h1`, else from `title`; may be empty.
        body: The main content as Markdown, without its title; may be empty.
        language: As the page declares it, such as `en-US`.
        canonical: The address the page names as its own.
        lost_images: Images without an https address, left out.
    """

    title: str
    body: str
    language: str | None
    canonical: str | None
    lost_images: int


def decode_html(raw: bytes) -> str:
    """As `decode`; also in the encoding an HTML page declares itself."""
    from bs4.dammit import EncodingDetector

    try:
        return decode(raw)
    except Unreadable:
        declared = EncodingDetector.find_declared_encoding(raw, is_html=True)
        try:
            return raw.decode(declared or "utf-8")
        except (LookupError, UnicodeDecodeError):
            pass
        raise


def read_html(html: str, base: str | None = None, part: bool = False) -> HtmlPage:
    """Title, main content and what a page declares of itself.

    Args:
        html: A page or a part of one.
        base: The page's address; relative links and images are completed with it.
        part: The title stands elsewhere: every `h1` is a section.

    Raises:
        Unreadable: It is nested too deeply to be converted.
    """
    from bs4.exceptions import ParserRejectedMarkup
    from markdownify import MarkdownConverter

    try:
        soup = _parse_html(html)
        language, canonical = _declared(soup)
        heading = _text_of(soup, "title")
        for junk in soup.find_all(_JUNK):
            junk.decompose()
        main = soup.select_one("main, [role=main]") or soup.find("article") or soup.body or soup
        for furniture in main.find_all(_FURNITURE):
            if not furniture.find("h1"):
                furniture.decompose()
        lost = _plain_images(soup, main, base)
        _plain_links(main, base)
        first = main.find("h1")
        if first is not None and not part:
            heading = first.get_text(" ", strip=True) or heading
            first.decompose()
        for other in main.find_all(["h1", "h5", "h6"]):
            other.name = "h2" if other.name == "h1" else "h4"
        for bar in main.select("td, th"):
            for text in bar.find_all(string=re.compile(r"\|")):
                text.replace_with(text.replace("|", r"\|"))
        markdown = MarkdownConverter(
            heading_style="atx",
            bullets="-",
            autolinks=False,
            table_infer_header=True,
            code_language_callback=_code_language,
        )
        body = re.sub(r"\n{3,}", "\n\n", clean_text(markdown.convert_soup(main)))
    except (RecursionError, ParserRejectedMarkup) as error:
        message = "It is nested too deeply." if isinstance(error, RecursionError) else "It is not valid HTML."
        raise Unreadable(message, "Simplify the page, or copy its text into Markdown.") from error
    return HtmlPage(clean_line(heading), body, language, canonical, lost)


def html_to_markdown(html: str) -> tuple[str, str]:
    """Title (may be empty) and main content of a page as Markdown."""
    page = read_html(html)
    return page.title, page.body


def _parse_html(html: str) -> BeautifulSoup:
    """A tree of any markup; that a text looks like something else than HTML is no news here.

    lxml, since its time grows evenly: Python's own parser needs a minute for 100 KB of unclosed tags.
    """
    from bs4 import BeautifulSoup, UnusualUsageWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualUsageWarning)
        return BeautifulSoup(html, "lxml")


def _code_language(block: Tag) -> str | None:
    """The language a code block names in its class, as Markdown renderers write it."""
    code = block.find("code")
    found = re.search(r"\blanguage-([\w+-]+)", " ".join(code.get_attribute_list("class"))) if code else None
    return found[1] if found else None


def _text_of(soup: BeautifulSoup, name: str) -> str:
    found = soup.find(name)
    return found.get_text(" ", strip=True) if found else ""


def _declared(soup: BeautifulSoup) -> tuple[str | None, str | None]:
    """The language and the canonical address a page names."""
    language = soup.html.get("lang") if soup.html else None
    link = soup.find("link", rel="canonical")
    address = link.get("href") if link else None
    return str(language) if language else None, https_address(str(address)) if address else None


def _absolute(address: str, base: str | None) -> str:
    try:
        return urljoin(base, address.strip()) if base else address.strip()
    except ValueError:
        return ""


def _plain_images(soup: BeautifulSoup, main: Tag, base: str | None) -> int:
    """Turn images into links to them; return how many had to be left out."""
    lost = 0
    for image in main.find_all("img"):
        address = https_address(_absolute(str(image.get("src") or ""), base))
        words = clean_line(str(image.get("alt") or ""))
        if image.find_parent("a") is not None:
            image.replace_with(words)
        elif address:
            link = soup.new_tag("a", href=address)
            image.replace_with(link)
            link.string = words or urlsplit(address).path.rsplit("/", 1)[-1] or address
        else:
            lost += 1
            image.decompose()
    return lost


def _plain_links(main: Tag, base: str | None) -> None:
    """Keep links that lead somewhere a reader can go; of others, only the words."""
    for link in main.find_all("a"):
        address = _absolute(str(link.get("href") or ""), base)
        scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", address)
        if not address or address.startswith("#") or (scheme and scheme[0][:-1].lower() not in LINK_SCHEMES):
            link.unwrap()
            continue
        link["href"] = quote(address, safe="!#$%&'*+,/:;=?@[]~-._")
        link.attrs.pop("title", None)
