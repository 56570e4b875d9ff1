"""HTML as Markdown: what is kept, what is left out, and that no page takes long."""

from __future__ import annotations

import time

import pytest

from bot.knowledge.importers.html import decode_html, html_to_markdown, read_html
from bot.knowledge.importers.source import Unreadable

PAGE = """<!doctype html><html lang="tr-TR"><head><title>Kasa | Crema</title>
<link rel="canonical" href="https://help.crema.example/kasa"><style>p {}</style></head>
<body><nav><a href="/">Home</a></nav><header>Crema</header>
<main><header><h1>Open the <em>drawer</em></h1></header>
<p>Tap <strong>Cash</strong>, then <a href="b.html#x" title="B">go</a>.</p>
<h5>Deep</h5><ol><li>One<ul><li>Inner</li></ul></li><li>Two</li></ol>
<table><tr><td>Plan</td><td>Price</td></tr><tr><td>Solo</td><td>29|30</td></tr></table>
<pre><code class="hl language-sh">a  b
c</code></pre><script>alert(1)</script><form>No</form><aside>No</aside></main>
<footer>Bye</footer></body></html>"""


def test_a_page() -> None:
    page = read_html(PAGE)
    assert (page.title, page.language, page.canonical) == (
        "Open the drawer",
        "tr-TR",
        "https://help.crema.example/kasa",
    )
    assert page.body == (
        "Tap **Cash**, then [go](b.html#x).\n\n#### Deep\n\n1. One\n   - Inner\n2. Two\n\n"
        "| Plan | Price |\n| --- | --- |\n| Solo | 29\\|30 |\n\n```sh\na  b\nc\n```"
    )
    assert html_to_markdown(PAGE) == (page.title, page.body)


@pytest.mark.parametrize(
    ("html", "title", "body"),
    [
        ("<title>Kasa</title><p>x", "Kasa", "x"),
        ("<h1>A</h1><p>x</p><h1>B</h1>", "A", "x\n\n## B"),
        ("just words", "", "just words"),
        ("", "", ""),
        ("<![broken", "", ""),
        ("<article><h1>A</h1>x</article><p>y", "A", "x"),
        ("<p>if a &lt;b&gt; _c_", "", "if a <b> \\_c\\_"),
    ],
)
def test_parts_of_pages(html: str, title: str, body: str) -> None:
    assert html_to_markdown(html) == (title, body)


def test_in_a_part_every_heading_is_a_section() -> None:
    page = read_html("<h1>Before</h1><p>x</p>", part=True)
    assert (page.title, page.body) == ("", "## Before\n\nx")


@pytest.mark.parametrize(
    ("html", "body", "lost"),
    [
        ('<img src="https://c.example/a.png" alt="The till">', "[The till](https://c.example/a.png)", 0),
        ('<img src="https://c.example/a.png">', "[a.png](https://c.example/a.png)", 0),
        ('x<img src="data:image/png;base64,AAAA" alt="z">', "x", 1),
        ('x<img src="http://c.example/a.png"><img src="/a.png"><img>', "x", 3),
        ('<a href="https://c.example/"><img src="data:," alt="Crema"></a>', "[Crema](https://c.example/)", 0),
    ],
)
def test_images_become_links_or_are_left_out(html: str, body: str, lost: int) -> None:
    page = read_html(html)
    assert (page.body, page.lost_images) == (body, lost)


@pytest.mark.parametrize(
    ("href", "body"),
    [
        ("javascript:alert(1)", "x"),
        (" JavaScript:alert(1)", "x"),
        ("data:text/html,x", "x"),
        ("#part", "x"),
        ("", "x"),
        ("https://[bad", "[x](https://[bad)"),
        ("mailto:a@crema.example", "[x](mailto:a@crema.example)"),
        ("a b (c).html", "[x](a%20b%20%28c%29.html)"),
    ],
)
def test_links_that_lead_nowhere_become_words(href: str, body: str) -> None:
    assert read_html(f'<a href="{href}">x</a>').body == body


def test_relative_addresses_are_completed() -> None:
    page = read_html('<a href="b">x</a> <img src="c.png">', "https://h.example/hc/a")
    assert page.body == "[x](https://h.example/hc/b) [c.png](https://h.example/hc/c.png)"


def test_a_declared_encoding_is_used() -> None:
    html = '<meta charset="windows-1254"><p>Kasayı aç'
    assert "Kasayı aç" in decode_html(html.encode("windows-1254"))
    assert decode_html("<p>退款".encode()) == "<p>退款"


@pytest.mark.parametrize("head", ["", '<meta charset="nonsense">'])
def test_an_unknown_encoding_is_said(head: str) -> None:
    with pytest.raises(Unreadable, match="not valid UTF-8"):
        decode_html(f"{head}<p>caf".encode() + b"\xe9")


@pytest.mark.parametrize("tag", ["<div>", "<b>x", "<table><tr><td>"])
def test_what_is_nested_too_deeply_is_said(tag: str) -> None:
    with pytest.raises(Unreadable, match="nested too deeply"):
        read_html(tag * 800)


@pytest.mark.parametrize("tag", ["<p>", "<li>a", "<a>", '<img src="data:x">'])
def test_unclosed_tags_take_no_time(tag: str) -> None:
    begun = time.monotonic()
    read_html(tag * 5_000)
    assert time.monotonic() - begun < 5
