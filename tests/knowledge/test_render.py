"""Markdown to HTML that is safe whatever an article or a reply contains."""

from __future__ import annotations

import re

import pytest

from bot.knowledge.render import link_articles, to_html

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example"onclick="alert(1))',
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    "![x](/help/images/a.png)",
    "![x](https://evil.example/help/images/a.png?w=1&h=1&v=0123456789abcdef)",
    "![x](//evil.example/help/images/a.png?w=1&h=1&v=0123456789abcdef)",
    "![x](/help/images/../../x.png?w=1&h=1&v=0123456789abcdef)",
    '![x](/help/images/a.png?w=1&h=1&v=0123456789abcdef"onload="alert(1))',
    "![x](/api/v1/visitors/me)",
    "![x](data:image/png;base64,AAAA)",
    '<svg onload="alert(1)"><path/></svg>',
    '<iframe src="https://evil.example"></iframe>',
    "<style>body{display:none}</style>",
    '<div style="position:fixed">x</div>',
    "<form action=/x><input name=password></form>",
    '```"onload="alert(1)\ncode\n```',
    "| <script>alert(1)</script> |\n|---|\n| <b onclick=alert(1)>x</b> |",
    "<!-- <script>alert(1)</script> -->",
    "`<script>alert(1)</script>`",
    "\x00<script\x00>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
]
TAG = re.compile(r"<\s*/?\s*([a-zA-Z!][^\s>/]*)([^>]*)>")
ALLOWED = {
    *("p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr"),
    *("h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "img"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_or_loads_gets_through(attack: str) -> None:
    for name, attributes in TAG.findall(to_html(f"before {attack}") + to_html(attack)):
        assert name.lower() in ALLOWED
        assert not re.search(r"\bon\w+\s*=|\bstyle\s*=|\bsrc\s*=", re.sub(r'"[^"]*"', '""', attributes), re.IGNORECASE)
        for address in re.findall(r'href="([^"]*)"', attributes):
            assert address.startswith("https://a.example")


def test_raw_html_is_shown_as_text() -> None:
    assert to_html("a <b>bold</b> claim") == "<p>a &lt;b&gt;bold&lt;/b&gt; claim</p>\n"


def test_text_stays_readable() -> None:
    html = to_html("# Big\n\n## Part\n\n1. **One**\n2. *two*\n\n- `x`\n\n> note\n\nline\nbreak")
    for piece in ("<h2>Part</h2>", "<ol>", "<strong>One</strong>", "<em>two</em>", "<code>x</code>", "<br", "Big"):
        assert piece in html


def test_tables_and_numbered_lists() -> None:
    html = to_html("| a | b |\n|---|---|\n| 1 | 2 |\n\ntext\n\n3. three")
    assert "<th>a</th>" in html
    assert "<td>2</td>" in html
    assert '<ol start="3">' in html


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://crema.example/x", True),
        ("http://crema.example", True),
        ("mailto:help@crema.example", True),
        ("tel:+66800000000", True),
        ("/help/refund-a-sale", True),
        ("ftp://crema.example", False),
        ("file:///etc/passwd", False),
        ("intent://x", False),
    ],
)
def test_links_lead_to_the_web_mail_phone_and_this_site(address: str, kept: bool) -> None:
    assert (f'href="{address}"' in to_html(f"[x]({address})")) is kept


def test_a_link_does_not_tell_the_other_site_where_it_came_from() -> None:
    assert 'rel="noopener noreferrer"' in to_html("[x](https://other.example)")


# Links between articles ----------------------------------------------------------------------------------------------


def resolve(slug: str) -> str | None:
    return f"/help/{slug}" if slug in ("offline-mode", "refund2") else None


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[Offline mode](offline-mode.md)", "[Offline mode](/help/offline-mode)"),
        ("[a](refund2.md) and [b](offline-mode.md).", "[a](/help/refund2) and [b](/help/offline-mode)."),
        ("[a](../../public/en/offline-mode.md)", "[a](/help/offline-mode)"),
        ("[a](../en/offline-mode.md)", "[a](/help/offline-mode)"),
        ("[**Offline** mode](offline-mode.md)", "[**Offline** mode](/help/offline-mode)"),
        ("[离线](offline-mode.md)", "[离线](/help/offline-mode)"),
        ("See [the rules](escalation-rules.md).", "See the rules."),
        ("[web](https://crema.example/x.md)", "[web](https://crema.example/x.md)"),
        ("[web](https://crema.example)", "[web](https://crema.example)"),
        ("no link (offline-mode.md)", "no link (offline-mode.md)"),
        ("", ""),
    ],
)
def test_links_to_articles_lead_to_pages_and_dead_ones_become_text(written: str, shown: str) -> None:
    assert link_articles(written, resolve) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[a](offline-mode.md#sales)", "[a](/help/offline-mode#sales)"),
        ("[a](escalation-rules.md#rules)", "a"),
        ('[a](offline-mode.md "Offline")', "[a](/help/offline-mode)"),
        ("[a](./offline-mode.md)", "[a](/help/offline-mode)"),
        ("[a](<escalation-rules.md>)", "a"),
    ],
)
def test_other_forms_of_links_to_articles(written: str, shown: str) -> None:
    assert link_articles(written, resolve) == shown


OURS = "/help/images/till.png?w=640&h=360&v=0123456789abcdef"


def test_an_image_of_the_knowledge_base_keeps_its_place_free() -> None:
    assert to_html(f'![The **till** & "more"]({OURS} "gone")') == (
        '<p><img src="/help/images/till.png?w=640&amp;h=360&amp;v=0123456789abcdef" '
        'alt="The till &amp; &quot;more&quot;" width="640" height="360" loading="lazy"></p>\n'
    )


@pytest.mark.parametrize("source", ["images/till.png", "https://a.example/till.png", "/static/till.png", f"x{OURS}"])
def test_other_images_are_left_out(source: str) -> None:
    assert to_html(f"before ![The till]({source}) after") == "<p>before  after</p>\n"
