"""From a response to a document."""

from __future__ import annotations

import datetime as dt
import random
import time

import httpx
import pytest

from bot.knowledge.importers.source import Document, Unreadable
from bot.knowledge.importers.web.fetch import Response
from bot.knowledge.importers.web.page import read_page
from tests.knowledge.importers.files import pdf

URL = "https://help.example.com/en/articles/1-refund?lang=en"
PORTS = frozenset({80, 443})
THAI = "วิธีคืนเงินให้ลูกค้าในระบบ"


def read(
    body: str | bytes, kind: str = "text/html", url: str = URL, updated: dt.date | None = None, **headers: str
) -> Document:
    """A document from a body and headers."""
    raw = body.encode() if isinstance(body, str) else body
    named = tuple((name.replace("_", "-"), value) for name, value in {"content_type": kind, **headers}.items())
    return read_page(Response(httpx.URL(url), named, raw), updated, PORTS)


def page(
    body: str = "<main><h1>Refunds</h1><p>Open <b>Sales</b>.</p></main>", head: str = "", attributes: str = ""
) -> str:
    return f"<!doctype html><html {attributes}><head>{head}</head><body>{body}</body></html>"


def test_a_page_is_a_document() -> None:
    found = read(page(head="<title>Refunds – Help</title>", attributes="lang=en-GB"), updated=dt.date(2026, 3, 1))
    assert found == Document(
        key=URL, title="Refunds", body="Open **Sales**.", url=URL, language="en-GB", updated=dt.date(2026, 3, 1)
    )


@pytest.mark.parametrize(
    "body",
    [
        "<nav>Menu</nav><main><h1>Refunds</h1><p>Text</p></main><footer>Imprint</footer>",
        "<div>Menu</div><div role=main><h1>Refunds</h1><p>Text</p></div>",
        "<div>Menu</div><article><h1>Refunds</h1><p>Text</p></article><div>Imprint</div>",
        "<nav>Menu</nav><header>Logo</header><aside>Ad</aside><h1>Refunds</h1><p>Text</p><footer>Imprint</footer>",
        "<h1>Refunds</h1><script>track()</script><style>p{}</style><p>Text<!-- secret --></p><noscript>Menu</noscript>",
        "<form action=/postback><main><h1>Refunds</h1><p>Text</p></main></form>",
        "<h1>Refunds</h1><form><input name=q><button>Search</button></form><p>Text",
    ],
)
def test_only_the_main_content_is_taken(body: str) -> None:
    found = read(page(body))
    assert (found.title, found.body) == ("Refunds", "Text")


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>Other</title>", "<h1>Refunds</h1><p>x</p>", "Refunds"),
        ("<title>Refunds</title>", "<p>x</p>", "Refunds"),
        ("<meta property='og:title' content='Refunds'>", "<p>x</p>", "Refunds"),
    ],
)
def test_the_title(head: str, body: str, title: str) -> None:
    assert read(page(body, head)).title == title


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (page("<p>Text</p>"), "no title"),
        (page("<h1>Refunds</h1><div id=app></div><script src=app.js></script>"), "no text"),
        ("", "no title"),
        ("<" * 200_000, "tags"),
    ],
)
def test_what_makes_no_article_is_said(body: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(body)


@pytest.mark.parametrize(
    ("link", "key"),
    [
        (
            "<link rel=canonical href='https://help.example.com/en/articles/1-refund'>",
            "https://help.example.com/en/articles/1-refund",
        ),
        ("<link rel=canonical href='/a#b'>", "https://help.example.com/a"),
        ("<link rel=canonical href='http://www.help.example.com/a'>", "https://www.help.example.com/a"),
        ("<link rel=canonical href='https://other.example.com/a'>", URL),
        ("<link rel=canonical href='https://help.example.com:6379/a'>", URL),
        ("<link rel=canonical href='https://user:x@help.example.com/a'>", URL),
        ("<link rel=canonical href='javascript:alert(1)'>", URL),
        ("<link rel=canonical href='https://['>", URL),
        ("<link rel=canonical href=''>", URL),
        ("<link rel=canonical>", URL),
    ],
)
def test_a_page_may_name_its_own_address(link: str, key: str) -> None:
    found = read(page(head=link))
    assert found.key == key
    assert found.url == key


def test_an_address_without_encryption_is_not_linked_to() -> None:
    found = read(page(), url="http://help.example.com/a")
    assert found.key == "http://help.example.com/a"
    assert found.url is None


@pytest.mark.parametrize(
    "head",
    [
        "<meta name=robots content=noindex>",
        "<meta name=ROBOTS content='nofollow, NOINDEX'>",
        "<meta name='robots' content='none'>",
        "<meta name=refillimporter content=noindex>",
    ],
)
def test_a_page_may_ask_not_to_be_indexed(head: str) -> None:
    with pytest.raises(Unreadable, match="noindex"):
        read(page(head=head))


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ("noindex", True),
        ("nofollow, noindex", True),
        ("none", True),
        ("RefillImporter: noindex", True),
        ("otherbot: noindex, nofollow", False),
        ("nofollow", False),
        ("unavailable_after: 25 Jun 2040 15:00:00 PST", False),
        ("max-snippet:-1, noindex", True),
    ],
)
def test_a_header_may_ask_for_the_same(value: str, hidden: bool) -> None:
    if hidden:
        with pytest.raises(Unreadable, match="noindex"):
            read(page(), x_robots_tag=value)
    else:
        assert read(page(), x_robots_tag=value).title == "Refunds"


@pytest.mark.parametrize("head", ["<meta name=robots content='index, follow'>", "<meta name=otherbot content=noindex>"])
def test_other_rules_do_not_matter(head: str) -> None:
    assert read(page(head=head)).title == "Refunds"


@pytest.mark.parametrize(
    ("text", "encoding", "kind", "head"),
    [
        (THAI, "utf-8", "text/html", ""),
        (THAI, "utf-8", "text/html; charset=UTF-8", ""),
        (THAI, "utf-8-sig", "text/html; charset=iso-8859-1", ""),
        (THAI, "utf-16", "text/html", ""),
        (THAI, "cp874", "text/html; charset=TIS-620", ""),
        (THAI, "cp874", "text/html", "<meta charset=windows-874>"),
        ("İade nasıl yapılır? Şöyle: ğüşıöç", "cp1254", "text/html; charset=iso-8859-9", ""),
        (
            "İade nasıl yapılır?",
            "cp1254",
            "text/html",
            "<meta http-equiv=Content-Type content='text/html; charset=ISO-8859-9'>",
        ),
        ("如何给顾客退款？", "gb18030", 'text/html; charset="gb2312"', ""),
        ("如何給顧客退款？", "big5", "text/html; charset=Big5", ""),
        ("如何给顾客退款？", "gb18030", "text/html", "<?xml version='1.0' encoding='gbk'?>"),
        ("“Quoted” – £5", "cp1252", "text/html; charset=latin1", ""),
        ("“Quoted” – £5", "cp1252", "text/html", ""),
        ("如何给顾客退款？", "utf-8", "text/html; charset=no-such", ""),
        ("如何给顾客退款？", "utf-8", "text/html; charset=unicode_escape", ""),
    ],
)
def test_encodings(text: str, encoding: str, kind: str, head: str) -> None:
    found = read(page(f"<h1>{text}</h1><p>{text}</p>", head).encode(encoding), kind)
    assert (found.title, found.body) == (text, text)


def test_the_wrong_encoding_is_reported_and_a_single_wrong_byte_is_not() -> None:
    raw = page(f"<h1>{THAI}</h1><p>{THAI * 20}</p>").encode("cp874")
    with pytest.raises(Unreadable, match="its encoding is utf-8, and it is not"):
        read(raw, "text/html; charset=utf-8")
    assert (
        read(page("<h1>Refunds</h1><p>x</p>").encode() + b"\xff" + b" " * 500, "text/html; charset=utf-8").title
        == "Refunds"
    )


def test_links_and_images_are_completed() -> None:
    found = read(
        page(
            "<h1>T</h1><p><a href=2-other>two</a> <a href='#x'>part</a> <a href='javascript:x()'>bad</a></p>"
            "<img src=/i.png alt=Pic>"
        ),
        url="https://help.example.com/en/1",
    )
    assert "[two](https://help.example.com/en/2-other)" in found.body
    assert "[Pic](https://help.example.com/i.png)" in found.body
    assert "javascript" not in found.body
    based = read(page("<h1>T</h1><a href=x>x</a>", "<base href='https://other.example.com/docs/'>"))
    assert based.body == "[x](https://other.example.com/docs/x)"


@pytest.mark.parametrize(
    ("headers", "attributes", "language"),
    [
        ({}, "lang=tr", "tr"),
        ({"content_language": "th, en"}, "", "th"),
        ({"content_language": "en"}, "lang=zh-Hans", "zh-Hans"),
        ({}, "", None),
    ],
)
def test_the_language(headers: dict[str, str], attributes: str, language: str | None) -> None:
    assert read(page(attributes=attributes), **headers).language == language  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("Sun, 01 Mar 2026 10:00:00 GMT", dt.date(2026, 3, 1)),
        ("yesterday", None),
        ("", None),
        ("Sun, 99 Mar 2026 10:00:00 GMT", None),
    ],
)
def test_the_day_of_the_last_change(value: str, day: dt.date | None) -> None:
    assert read(page(), last_modified=value).updated == day
    assert read(page(), last_modified=value, updated=dt.date(2026, 2, 2)).updated == dt.date(2026, 2, 2)


def test_xhtml() -> None:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="th">'
    found = read(f"{head}<body><h1>{THAI}</h1><p>a</p></body></html>", "application/xhtml+xml")
    assert (found.title, found.body, found.language) == (THAI, "a", "th")


def attempt(body: str) -> str:
    """The title, or what is wrong."""
    try:
        return read(body).title
    except Unreadable as error:
        return error.message


def test_a_pdf() -> None:
    raw = pdf([[(700, 18, "Refunds"), (650, 10, "Open Sales.")]])
    found = read_page(
        Response(httpx.URL(URL), (("content-type", "application/pdf"), ("content-language", "en")), raw), None, PORTS
    )
    assert (found.key, found.url, found.title, found.language) == (URL, URL, "Refunds", "en")
    assert "Open Sales." in found.body
    with pytest.raises(Unreadable, match="not a valid PDF"):
        read(b"no pdf", "application/pdf")


M = 1_000_000
HOSTILE = {
    "unclosed tags": "<a " * (M // 3),
    "unclosed comments": "<!--" * (M // 4),
    "declarations": "<!" * (M // 2),
    "end tags": "</" * (M // 2),
    "attributes": "<a " + " ".join(f"x{number}=1" for number in range(M // 8)) + ">",
    "quotes": "<a x='" * (M // 6),
    "references": "&#x" * (M // 3),
    "scripts": "<script>" + "</" * 90_000,
    "deep": "<div>" * 90_000 + "x",
    "deep lists": "<ul><li>" * 45_000 + "x",
    "deep tables": "<table><td>" * 45_000 + "x",
    "formatting": "<b><p>" * 45_000 + "x",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(60)
def test_hostile_markup_takes_no_long_time(name: str) -> None:
    """5 MB at most reach this; 1 MB of each, so that a time growing with the square would show."""
    began = time.monotonic()
    assert attempt("<h1>T</h1><p>x</p>" + HOSTILE[name])
    assert time.monotonic() - began < 20


def test_broken_markup_raises_nothing_else() -> None:
    pieces = [
        "<h1>",
        "</h1>",
        "<p",
        ">",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml",
        "?>",
        "&",
        "&#0;",
        "&#xd800;",
        "\0",
        "\x1b",
    ]
    pieces += [
        "<main>",
        "<svg>",
        "<math>",
        "<template>",
        "<table>",
        "<td>",
        "'",
        '"',
        "=",
        "<base href='http://['>",
        "x",
        "é",
        "\U0010ffff",
    ]
    pieces += [
        "<a href='http://[::'>",
        "<img src='//['>",
        "<form>",
        "<plaintext>",
        "<textarea>",
        "<frameset>",
        "<html lang>",
        "\ufeff",
    ]
    chance = random.Random(7)
    for _ in range(400):
        body = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 40)))
        assert attempt(body)
