"""Files between a visitor on somebody else's website and a person at the desk, in real browsers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.desk.pages import COOKIE
from bot.handoff.models import Escalation
from bot.people import sessions
from bot.people.models import Person
from tests.attachments.samples import PDF, picture
from tests.embedding.chat import PATIENCE, Chat
from tests.embedding.host import Host
from tests.embedding.shop import Shop

if TYPE_CHECKING:
    from tests.embedding.conftest import Complaints

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("shop")]

PHOTO = FilePayload(name="fiş 茶.png", mimeType="image/png", buffer=picture("PNG", (600, 300)))
NOTES = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"<script>document.title = 'run'</script>")
PRICES = FilePayload(name="prices.pdf", mimeType="application/pdf", buffer=PDF)
DROP = """(place, {kind, name}) => {
  const data = new DataTransfer();
  data.items.add(new File(["dropped"], name, {type: "text/plain"}));
  const named = {bubbles: true, cancelable: true, composed: true};
  if (kind === "paste") place.dispatchEvent(new ClipboardEvent("paste", {...named, clipboardData: data}));
  else for (const one of ["dragover", "drop"]) place.dispatchEvent(new DragEvent(one, {...named, dataTransfer: data}));
}"""


@pytest.fixture
def desk(chromium: Browser, shop: Shop) -> Iterator[Page]:
    """Ada's browser, signed in."""
    with Session(shop.engine) as session, session.begin():
        token = sessions.start(session, session.get_one(Person, shop.ada.id))
    context = chromium.new_context()
    context.add_cookies([{"name": COOKIE, "value": token, "url": shop.url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def begin(page: Page, host: Host, name: str = "plain") -> Chat:
    """A chat that is open."""
    page.goto(f"{host.url}/{name}.html")
    chat = Chat(page)
    chat.open()
    return chat


def test_files_go_both_ways_on_a_page_with_a_strict_policy(page: Page, desk: Page, shop: Shop, host: Host) -> None:
    chat = begin(page, host, "strict")
    chat.part("file-input").set_input_files([PHOTO, NOTES])
    chips = chat.part("files").locator("li")
    expect(chips).to_have_count(2)
    expect(chat.part("files").locator("[data-state=ready]")).to_have_count(2, timeout=PATIENCE)
    chat.say("A person should see these")
    expect(chips).to_have_count(0)
    sent = chat.own().locator("[data-file]")
    expect(sent).to_contain_text(["fiş 茶.png", "notes.txt"])
    expect(sent.first.locator("canvas")).to_be_visible(timeout=PATIENCE)
    expect(chat.part("case-text")).to_be_visible(timeout=PATIENCE)
    with Session(shop.engine) as session:
        case = max(session.scalars(select(Escalation.id)))

    desk.goto(f"{shop.url}/desk/cases/{case}")
    got = desk.locator(".by-customer .entry-file")
    expect(got).to_contain_text(["fiş 茶.png", "notes.txt"])
    image = got.first.locator("img")
    assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 600
    with desk.expect_download() as download:
        got.nth(1).click()
    assert Path(download.value.path()).read_bytes() == NOTES["buffer"]
    desk.locator("#reply-files").set_input_files([PRICES])
    expect(desk.locator("#files [data-state=ready]")).to_have_count(1)
    desk.locator("#reply-text").fill("Here are the **prices**.")
    desk.locator("#box-reply .send").click()
    expect(desk.locator("#files li")).to_have_count(0)
    expect(desk.locator(".by-agent .entry-file")).to_contain_text("prices.pdf", timeout=PATIENCE)

    answer = page.locator("refill-chat .message.agent")
    expect(answer.locator("[data-file]")).to_contain_text("prices.pdf", timeout=PATIENCE)
    with page.expect_download() as download:
        answer.locator("[data-file]").click()
    assert (download.value.suggested_filename, Path(download.value.path()).read_bytes()) == ("prices.pdf", PDF)
    assert page.title() != "run"


def test_a_persons_face_is_seen_by_the_customer(page: Page, desk: Page, shop: Shop, host: Host) -> None:
    desk.goto(f"{shop.url}/desk/settings")
    large = FilePayload(name="me.png", mimeType="image/png", buffer=picture("PNG", (3000, 2000)))
    desk.locator("#picture").set_input_files([large])
    # The browser has made it small before it is sent.
    desk.wait_for_function("document.querySelector('#picture').files[0].size < 50_000")
    desk.get_by_role("button", name="Save picture").click()
    expect(desk.get_by_role("img", name="Your picture")).to_be_visible()
    chat = begin(page, host, "strict")
    chat.say("A person, please")
    expect(chat.part("case-text")).to_be_visible(timeout=PATIENCE)
    shop.reply("Hello")
    for place in (chat.part("face"), page.locator("refill-chat .message.agent .author")):
        image = place.locator(".face img")
        expect(image).to_be_visible(timeout=PATIENCE)
        assert image.evaluate("(image) => image.naturalWidth") == 256
    desk.get_by_role("button", name="Remove picture").click()
    expect(desk.get_by_text("No picture yet")).to_be_visible()


def test_files_alone_pasted_dropped_and_taken_away(page: Page, host: Host) -> None:
    chat = begin(page, host)
    send = chat.part("send")
    expect(send).to_be_disabled()
    chat.part("text").evaluate(DROP, {"kind": "paste", "name": "pasted.txt"})
    chat.part("panel").evaluate(DROP, {"kind": "drop", "name": "dropped.txt"})
    ready = chat.part("files").locator("[data-state=ready]")
    expect(ready).to_have_count(2, timeout=PATIENCE)
    ready.first.get_by_role("button", name="Remove pasted.txt").click()
    expect(ready).to_have_count(1)
    expect(chat.part("text")).to_be_focused()
    send.click()
    expect(chat.own("stored").locator("[data-file]")).to_have_text(["dropped.txt0.1 kB"])
    expect(chat.own().locator(".bubble")).to_have_count(0)
    expect(chat.answers).to_contain_text("I cannot open files myself", timeout=PATIENCE)
    page.reload()
    expect(chat.own("stored").locator("[data-file]")).to_contain_text("dropped.txt")


def test_what_cannot_be_sent_is_said_before(page: Page, host: Host) -> None:
    chat = begin(page, host)
    with page.expect_file_chooser() as chooser:
        chat.part("attach").press("Enter")
    empty = FilePayload(name="empty.txt", mimeType="text/plain", buffer=b"")
    chooser.value.set_files([empty])
    expect(chat.part("toast")).to_have_text("empty.txt: This file is empty.")
    page_of = FilePayload(name="page.html", mimeType="text/html", buffer=b"<p>")
    chat.part("file-input").set_input_files([page_of])
    expect(chat.part("toast")).to_have_text("page.html: Files of this kind cannot be sent here.")
    expect(chat.part("files")).to_be_hidden()
    chat.part("file-input").set_input_files([NOTES] * 6)
    expect(chat.part("files").locator("[data-state=ready]")).to_have_count(5, timeout=PATIENCE)
    expect(chat.part("toast")).to_have_text("notes.txt: A message takes 5 files at most.")


def test_files_wait_for_the_network_and_are_tried_again(
    page: Page, shop: Shop, host: Host, complaints: Complaints
) -> None:
    chat = begin(page, host)
    chat.ask("one")
    chips = chat.part("files").locator("li")
    page.context.set_offline(True)
    chat.part("file-input").set_input_files([NOTES])
    expect(chips).to_contain_text("Waiting for the internet")
    chat.part("text").fill("two")
    chat.part("send").click()
    expect(chat.part("counter")).to_have_text("Sent as soon as the files are uploaded.")
    expect(chat.part("send")).to_be_disabled()
    page.context.set_offline(False)
    sent = chat.own("stored").last
    expect(sent.locator("[data-file]")).to_contain_text("notes.txt", timeout=PATIENCE)
    expect(sent.locator(".bubble")).to_have_text("two")
    expect(chat.part("counter")).to_be_empty()
    expect(chat.part("files")).to_be_hidden()
    page.route(f"{shop.url}/api/v1/conversations/*/attachments*", lambda route: route.abort())
    chat.part("file-input").set_input_files([PRICES])
    failed = chat.part("files").locator("[data-state=failed]")
    expect(failed).to_contain_text("The server could not be reached.")
    page.unroute(f"{shop.url}/api/v1/conversations/*/attachments*")
    failed.get_by_role("button", name="Try again").click()
    expect(chat.part("files").locator("[data-state=ready]")).to_have_count(1, timeout=PATIENCE)
    liar = FilePayload(name="picture.png", mimeType="image/png", buffer=PDF)
    chat.part("file-input").set_input_files([liar])
    expect(failed).to_contain_text("Files of this kind cannot be sent here.")
    expect(failed.get_by_role("button", name="Try again")).to_have_count(0)
    chat.part("send").click()
    expect(chat.own("stored").last.locator("[data-file]")).to_contain_text("prices.pdf")
    expect(failed).to_have_count(1)
    complaints.forgive("net::ERR", "422")
