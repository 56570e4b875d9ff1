"""The demo page and the help pages: their languages, what they show, what they never show."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from PIL import Image

from bot.app import create_app
from bot.channels.webchat.bundle import WIDGET
from bot.channels.webchat.pages import STATIC, preferred_language, words
from bot.channels.webchat.site import Site
from bot.channels.webchat.state import WebchatState
from bot.knowledge.answer import Answerer
from bot.knowledge.article import Article
from bot.knowledge.images import Images
from bot.settings import LANGUAGES
from tests.channels.webchat.conftest import assert_error
from tests.knowledge.fakes import WordEncoder, article, index_of, write

pytestmark = pytest.mark.slow

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "en"}
ARTICLES = (
    article("refund-a-sale", "Open **Sales**. See [Offline](offline-mode.md) and [Limits](refund-limits.md)."),
    article("refund-a-sale-tr", language="tr", title="Satışı iade etme", translation_of="refund-a-sale"),
    article("offline-mode", title='"Offline <script>alert(1)</script> mode"', updated="2026-11-02"),
    article("plans-and-prices", title="Plans and prices", topics="[pre_sales, billing]"),
    article("refund-limits", title="Secret refund limits", audience="internal"),
)


class Tags(HTMLParser):
    """Start tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        """Attributes of every tag of a name."""
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    answerer = Answerer(index_of(*ARTICLES), WordEncoder())
    state = WebchatState(cast(Any, None), cast(Any, None), cast(Any, None), lambda: answerer)
    transport = httpx.ASGITransport(create_app(state, cast(Any, None), lambda: True))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=BROWSER) as client:
        yield client


def keys(value: object, path: str = "") -> dict[str, tuple[str, ...]]:
    """Every text below a value by its path, with the placeholders in it."""
    if isinstance(value, str):
        return {path: tuple(sorted(re.findall(r"\{\w+\}", value)))}
    pairs = value.items() if isinstance(value, dict) else enumerate(cast(list[object], value))
    return {key: text for name, part in pairs for key, text in keys(part, f"{path}.{name}").items()}


# Words


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    assert keys(words(language)) == keys(words("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_missing_or_left_in_english(language: str) -> None:
    chat = words(language)["chat"]
    assert all(text for text in chat.values())
    if language != "en":
        assert not set(map(str, chat.values())) & set(map(str, words("en")["chat"].values()))


def test_every_word_of_the_chat_is_used() -> None:
    used = "\n".join(file.read_text("utf-8") for file in WIDGET.glob("*.js"))
    taken = " ".join(re.findall(r"const \{([^}]*)\} = [\w.#]*words;", used))
    computed = {"pending", "queued", "retry", "remove"}
    unused = [
        key
        for key in words("en")["chat"]
        if not re.search(rf"words\??\.{key}\b", used) and not re.search(rf"\b{key}\b", taken)
    ]
    assert set(unused) <= computed


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        ("zh-TW", "zh"),
        ("de-DE,de;q=0.9,th;q=0.5,en;q=0.4", "th"),
        ("en;q=0.5,zh;q=0.9", "zh"),
        ("tr;q=0, th", "th"),
        ("tr;q=much, *", "en"),
        ("de, *;q=0.1", "en"),
        (",;q=,;;;", "en"),
    ],
)
def test_language_a_browser_prefers(header: str, language: str) -> None:
    assert preferred_language(header) == language


# Every page


@pytest.mark.parametrize("path", ["/", "/help", "/help/refund-a-sale", "/help/nothing"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_page_in_a_language(http: httpx.AsyncClient, path: str, language: str) -> None:
    response = await http.get(path, params={"lang": language})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    tags = Tags(response.text)
    assert tags.named("html") == [{"lang": words(language)["tag"], "data-language": language}]
    assert {"src": "/widget.js", "async": None, "data-language": language} in tags.named("script")
    assert len(tags.named("h1")) == 1
    current = [a for a in tags.named("a") if a.get("aria-current") and a.get("hreflang")]
    assert [a["hreflang"] for a in current] == [words(language)["tag"]]


@pytest.mark.parametrize("path", ["/", "/help", "/help/offline-mode", "/help/nothing", "/chat"])
async def test_page_keeps_to_the_content_policy(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert "default-src '" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    for tag, attributes in Tags(response.text).found:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        if tag == "script":
            assert attributes.get("type") == "module" or "async" in attributes
        if tag in ("script", "link", "img"):
            assert (attributes.get("src") or attributes.get("href") or "").startswith("/")


@pytest.mark.parametrize("path", ["/", "/help", "/help/refund-a-sale", "/help/nothing"])
async def test_page_names_only_files_that_exist(http: httpx.AsyncClient, path: str) -> None:
    tags = Tags((await http.get(path)).text)
    files = [a.get("src") or a.get("href") for _, a in tags.found]
    served = sorted({file for file in files if file and file.startswith("/static/")})
    assert len(served) >= 5
    for file in served:
        assert (await http.get(file)).status_code == 200, file


async def test_scripts_import_only_files_that_exist(http: httpx.AsyncClient) -> None:
    for script in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./(.+?)"', script.read_text("utf-8")):
            assert (await http.get(f"/static/{name}")).status_code == 200, name


@pytest.mark.parametrize("lang", ["xx", "", "EN", "<script>", "../en"])
async def test_unknown_language_is_the_browsers(http: httpx.AsyncClient, lang: str) -> None:
    response = await http.get("/", params={"lang": lang}, headers={"accept-language": "th"})
    assert response.status_code == 200
    assert 'data-language="th"' in response.text
    assert "accept-language" in response.headers["vary"]


# The demo page


async def test_demo_links_the_plans_article(http: httpx.AsyncClient) -> None:
    assert "/help/plans-and-prices?lang=tr" in (await http.get("/?lang=tr")).text


# The chat as a page


async def test_chat_page_is_in_a_language_and_loads_the_chat(http: httpx.AsyncClient) -> None:
    tags = Tags((await http.get("/chat", params={"lang": "th"})).text)
    assert tags.named("html") == [{"lang": "th", "data-language": "th"}]
    assert tags.named("script") == [
        {"src": "/widget.js", "async": None, "data-mode": "page", "data-language": "th"},
    ]


@pytest.mark.parametrize(
    ("origins", "ancestors"),
    [
        (frozenset(), "frame-ancestors 'self'"),
        (frozenset({"https://b.example", "https://a.example"}), "frame-ancestors 'self' https://a.example https://b"),
        (frozenset({"*"}), "frame-ancestors 'self' *"),
    ],
)
async def test_chat_page_is_framed_by_websites_that_may_use_the_chat_only(
    origins: frozenset[str], ancestors: str
) -> None:
    app = create_app(cast(Any, None), cast(Any, None), lambda: True, site=Site(origins=origins))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        chat, page = await http.get("/chat"), await http.get("/nothing")
    policy = chat.headers["content-security-policy"]
    assert ancestors in policy
    assert {"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"} <= set(policy.split("; "))
    assert "x-frame-options" not in chat.headers
    assert page.headers["x-frame-options"] == "SAMEORIGIN"


# Help


async def test_index_lists_a_language_and_what_exists_only_in_english(http: httpx.AsyncClient) -> None:
    page = (await http.get("/help?lang=tr")).text
    own, others = page.split(words("tr")["help"]["only_english"])
    assert "Satışı iade etme" in own
    assert "Plans and prices" not in own
    assert "Plans and prices" in others
    assert "/help/refund-a-sale?" not in page


async def test_article_shows_what_it_should(http: httpx.AsyncClient) -> None:
    page = (await http.get("/help/refund-a-sale")).text
    tags = Tags(page)
    assert "<h1>Refund a sale</h1>" in page
    assert "<strong>Sales</strong>" in page
    assert tags.named("time") == [{"datetime": "2026-10-12"}]
    links = {a.get("href"): a for a in tags.named("a")}
    assert links["/help/refund-a-sale-tr"]["hreflang"] == "tr"
    assert "/help/offline-mode" in links
    assert "/help?lang=en" in links


async def test_article_is_shown_in_its_own_language(http: httpx.AsyncClient) -> None:
    page = (await http.get("/help/refund-a-sale-tr")).text
    assert 'data-language="tr"' in page
    other = (await http.get("/help/refund-a-sale-tr?lang=th")).text
    assert 'data-language="th"' in other
    assert '<article lang="tr">' in other


async def test_markup_in_a_title_is_text(http: httpx.AsyncClient) -> None:
    for path in ("/help", "/help/offline-mode"):
        page = (await http.get(path)).text
        assert "Offline &lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


async def test_nothing_of_an_internal_article_is_shown(http: httpx.AsyncClient) -> None:
    for path in ("/", "/help", "/help/refund-a-sale", "/help/refund-limits", "/help/refund-limits?lang=tr"):
        page = (await http.get(path)).text
        assert "Secret" not in page
        assert 'href="/help/refund-limits' not in page


async def test_internal_article_is_as_unknown_as_none(http: httpx.AsyncClient) -> None:
    hidden, none = await http.get("/help/refund-limits"), await http.get("/help/no-such-article")
    assert hidden.status_code == none.status_code == 404
    assert hidden.text == none.text
    assert hidden.headers == none.headers


@pytest.mark.parametrize("identifier", ["nothing", "%3Cscript%3E", "a" * 3000, "%00", "%F0%9F%98%80"])
async def test_wrong_id(http: httpx.AsyncClient, identifier: str) -> None:
    page = await http.get(f"/help/{identifier}")
    assert page.status_code == 404
    if not page.headers["content-type"].startswith("application/json"):
        assert words("en")["site"]["missing_title"] in page.text
        assert "<script>" not in page.text
    for accept in ("application/json", "*/*"):
        assert_error(await http.get(f"/help/{identifier}", headers={"accept": accept}), 404, "not_found")


def test_every_topic_has_a_name() -> None:
    schema = json.dumps(Article.model_json_schema()["properties"]["topics"])
    topics = re.findall(r'"(how_to|defect|outage|access|billing|pre_sales)"', schema)
    assert len(topics) == 6
    assert set(topics) <= set(words("en")["help"])


# Images of articles


@pytest.fixture
async def illustrated(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The pages of a knowledge base with an image for each audience."""
    file = io.BytesIO()
    Image.new("L", (64, 36)).save(file, "PNG")
    for place in ("public/images/till.png", "internal/images/inside.png"):
        write(tmp_path, place, file.getvalue())
    body = "Look.\n\n![The till](../images/till.png)\n\n![x](https://stranger.example/pixel.png)"
    images = Images(tmp_path / "knowledge_base")
    answerer = Answerer(index_of(article("refund-a-sale", body)), WordEncoder(), images=images)
    state = WebchatState(cast(Any, None), cast(Any, None), cast(Any, None), lambda: answerer)
    transport = httpx.ASGITransport(create_app(state, cast(Any, None), lambda: True))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=BROWSER) as client:
        yield client


async def test_article_shows_its_image(illustrated: httpx.AsyncClient) -> None:
    (image,) = Tags((await illustrated.get("/help/refund-a-sale")).text).named("img")
    assert {**image, "src": ""} == {"src": "", "alt": "The till", "width": "64", "height": "36", "loading": "lazy"}
    response = await illustrated.get(str(image["src"]), headers={"origin": "https://shop.example"})
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "sandbox" in response.headers["content-security-policy"]
    older = await illustrated.get("/help/images/till.png?v=0123456789abcdef")
    assert older.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["inside.png", "nothing.png", "Till.png", "till.png.html", "..%2Fimages%2Ftill.png", "%2e%2e"]
)
async def test_internal_image_is_as_unknown_as_one_that_does_not_exist(
    illustrated: httpx.AsyncClient, name: str
) -> None:
    missing = await illustrated.get("/help/images/other.png", headers={"accept": "*/*"})
    response = await illustrated.get(f"/help/images/{name}", headers={"accept": "*/*"})
    assert_error(response, 404, "not_found")
    if name.endswith(".png") and "%" not in name:
        assert response.text == missing.text
