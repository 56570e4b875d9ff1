"""Make the pictures of the website chat in this folder: `python docs/images/make_chat_screenshots.py`.

What is said is put into a database of its own; the articles are those of `knowledge_base/`. Nothing but a browser is
needed.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FloatRect, Page, expect, sync_playwright
from sqlalchemy.orm import Session

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT))

from bot.attachments.faces import set_face, squared  # noqa: E402
from bot.conversation import events  # noqa: E402
from bot.conversation.models import Conversation  # noqa: E402
from bot.conversation.reading import mark_read  # noqa: E402
from bot.customers import visitors  # noqa: E402
from bot.handoff import cases  # noqa: E402
from bot.handoff.escalation import escalate  # noqa: E402
from bot.handoff.routing import Routing  # noqa: E402
from bot.knowledge.answer import Answerer  # noqa: E402
from bot.knowledge.article import Article  # noqa: E402
from bot.knowledge.loader import load_knowledge_base  # noqa: E402
from bot.people.models import Person  # noqa: E402
from tests.conversation.fakes import domain_replies, new_database  # noqa: E402
from tests.desk.shop import Shop, served  # noqa: E402
from tests.knowledge.fakes import WordEncoder, index_of  # noqa: E402
from tests.needs import browser  # noqa: E402

DESKTOP = (1280, 800)
PHONE = (360, 740)
COLOURS = 224
SHARP = 1.5
CORNER: FloatRect = {"x": 840, "y": 80, "width": 440, "height": 720}
INVITED = "Three cafés and counting? Ask us how one price list serves them all."
EARLIER = (
    "The receipt printer prints blank paper",
    "Can I change the tax rate for takeaway?",
    "We open a second café in March. What changes?",
    "How do I add a manager PIN?",
)


@dataclass(frozen=True)
class Picture:
    """One file.

    Attributes:
        talk: Which conversation is shown; None for none.
        click: What is clicked once the chat is open.
        whole: Whether all of the window is kept, not only the corner with the chat.
    """

    name: str
    talk: str | None
    path: str = "/?lang=en"
    theme: str = "light"
    size: tuple[int, int] = DESKTOP
    click: tuple[str, ...] = ()
    whole: bool = False
    invited: str = ""


PICTURES = (
    Picture("demo", "answer", whole=True),
    Picture("chat-answer", "answer"),
    Picture("chat-dark", "person", theme="dark"),
    Picture("chat-handoff", "person"),
    Picture("chat-phone", "answer", size=PHONE, whole=True),
    Picture("chat-thai", "th", path="/?lang=th"),
    Picture("chat-chinese", "zh", path="/?lang=zh"),
    Picture("chat-earlier", "answer", click=("[data-menu]", "[data-earlier]")),
    Picture("chat-menu", "answer", click=("[data-menu]",)),
    Picture("chat-invitation", None, invited=INVITED),
    Picture("help", None, path="/help?lang=en", whole=True),
)


def face() -> bytes:
    """A drawn face, as somebody of the team would upload one."""
    image = Image.new("RGB", (512, 512), "#f0d9b8")
    draw = ImageDraw.Draw(image)
    draw.ellipse((86, 60, 426, 470), fill="#3a2a22")
    draw.ellipse((60, 380, 452, 700), fill="#2f6b52")
    draw.ellipse((146, 120, 366, 400), fill="#d9a27c")
    draw.pieslice((130, 86, 382, 330), 180, 360, fill="#3a2a22")
    draw.ellipse((196, 250, 218, 274), fill="#2a1d17")
    draw.ellipse((294, 250, 316, 274), fill="#2a1d17")
    draw.arc((210, 270, 302, 350), 20, 160, fill="#8a3b2e", width=9)
    made = io.BytesIO()
    image.save(made, "PNG")
    return squared(made.getvalue())


def begin(session: Session, visitor: str, language: str) -> Conversation:
    """A conversation of a visitor's."""
    made = Conversation(id=f"{session.query(Conversation).count():032x}", channel="webchat", audience="public")
    made.language, made.token_hash, made.visitor_id = language, "x", visitor
    session.add(made)
    session.flush()
    return made


def ask(session: Session, conversation: Conversation, article: Article, question: str) -> None:
    """Let the bot answer a question from an article, with its source."""
    events.add_message(session, conversation, "customer", question, by="customer")
    paragraphs = article.body.split("\n\n")
    steps = next((part for part in paragraphs[1:] if part.startswith("1. ")), "")
    steps = "\n".join(steps.split("\n")[:2])  # So that the question stays in view.
    link = {"article_id": article.id, "title": article.title, "url": f"/help/{article.id}"}
    content = {"decision": "answer", "citations": [{**link, "language": article.language}]}
    events.add_message(session, conversation, "bot", "\n\n".join(filter(None, (paragraphs[0], steps))), content)


def fill(shop: Shop, articles: Mapping[Any, Article]) -> tuple[dict[str, str], dict[str, str]]:
    """What was said; gives the visitor, and the conversations by their names."""
    talks = {}
    ada = shop.people["ada@example.com"]
    with shop.desk.changes.transaction() as session:
        person = session.get_one(Person, ada.id)
        set_face(session, person, face())
        visitor, token = visitors.create(session, "")
        for text in EARLIER:
            old = begin(session, visitor.id, "en")
            events.add_message(session, old, "customer", text, by="customer")
            events.add_message(session, old, "bot", "Here is what our help pages say.")
            old.read_by_customer = 2 if text != EARLIER[1] else 1
        for name, language in (("answer", "en"), ("th", "th"), ("zh", "zh"), ("person", "en")):
            here = begin(session, visitor.id, language)
            found = articles[language]
            ask(session, here, found, found.questions[0])
            here.read_by_customer = here.last_number
            talks[name] = here.id
        talk = session.get_one(Conversation, talks["person"])
        events.add_message(session, talk, "customer", "The button is grey for every sale since the update.")
        session.flush()
        number = escalate(session, talk, "support", "asked_for", 3, Routing(queues=shop.desk.queues)).id
        told = domain_replies().reply("utter_handed_off", "en").text.replace("{case_number}", str(number))
        events.add_message(session, talk, "bot", told)
    with shop.desk.changes.transaction() as session:
        cases.claim(session, number, shop.by("ada@example.com"))
        said = "Hello, Ada here. I have put your tills back to 5.1: the button works again in a minute."
        cases.reply(session, number, shop.by("ada@example.com"), said, "hello")
    last = shop.write(number, "It does! You saved our morning.")
    mark_read(shop.desk.changes, talks["person"], "team", last)
    with shop.desk.changes.transaction() as session:
        session.get_one(Conversation, talks["person"]).read_by_customer = last
    return {"id": visitor.id, "token": token}, talks


def take(chromium: Browser, url: str, picture: Picture, visitor: dict[str, str], talks: dict[str, str]) -> None:
    """Open the page, do what is to be done, store what it looks like."""
    width, height = picture.size
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        locale="en-GB",
        timezone_id="Europe/Istanbul",
        device_scale_factor=SHARP,
        reduced_motion="reduce",
        has_touch=picture.size == PHONE,
    )
    page: Page = context.new_page()
    if picture.talk:
        kept = json.dumps({"visitor": visitor, "conversation": talks[picture.talk]})
        page.goto(f"{url}/health")
        page.evaluate("([key, kept]) => localStorage.setItem(key, kept)", [f"refill.session {url}", kept])
    page.goto(url + picture.path)
    page.wait_for_load_state("load")
    if picture.talk:
        page.locator("[data-launcher]").click()
        expect(page.locator(".message.bot").first).to_be_visible()
        page.wait_for_timeout(600)
    for selector in picture.click:
        page.locator(selector).click()
    if picture.invited:
        page.evaluate("(text) => Refill.invite({ id: 'chain', text })", picture.invited)
        expect(page.locator("[data-invitation]")).to_be_visible()
    page.mouse.move(20, 20)
    page.wait_for_timeout(900)
    file = FOLDER / f"{picture.name}.png"
    page.screenshot(path=file, clip=None if picture.whole else CORNER)
    context.close()
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> None:
    """Make all of them."""
    articles = load_knowledge_base(ROOT / "knowledge_base").articles
    answerer = Answerer(index_of(*articles), WordEncoder())
    refunds = {one.language: one for one in articles if one.subject == "refund-a-sale" and one.audience == "public"}
    with tempfile.TemporaryDirectory() as folder:
        engine = new_database(Path(folder))
        with served(engine, answerer=lambda: answerer) as (shop, url), sync_playwright() as playwright:
            visitor, talks = fill(shop, refunds)
            chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
            for picture in PICTURES:
                take(chromium, url, picture, visitor, talks)
            chromium.close()
        engine.dispose()


if __name__ == "__main__":
    main()
