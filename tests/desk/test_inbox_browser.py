"""The working pages in a real browser: two agents on one desk, live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.handoff import cases
from bot.handoff.escalation import escalate
from bot.handoff.routing import Routing
from bot.people.models import Person, SavedReply
from tests.desk.rig import PASSWORD
from tests.desk.shop import Shop, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}
# Counts notices and tones instead of making them; the person looks elsewhere while `away` is true.
ELSEWHERE = """
window.away = true;
window.told = [];
window.shown = [];
window.tones = 0;
document.hasFocus = () => !window.away;
window.Notification = class extends EventTarget {
  static permission = "granted";
  constructor(title, { body, tag }) {
    super();
    told.push({ title, body, tag });
    shown.push(this);
  }
  close() {}
};
const set = () => {};
window.AudioContext = class {
  currentTime = 0;
  resume() {}
  createOscillator() {
    return { frequency: {}, connect: (to) => to, start: () => (tones += 1), stop: set };
  }
  createGain() {
    const gain = { setValueAtTime: set, linearRampToValueAtTime: set, exponentialRampToValueAtTime: set };
    return { gain, connect: (to) => to };
  }
};
"""
# What a screen reader would stumble over: controls without a name, ids that are missing or there twice.
UNNAMED = """() => {
  const text = (id) => document.getElementById(id)?.textContent ?? "";
  const name = (one) =>
    one.getAttribute("aria-label") ||
    (one.getAttribute("aria-labelledby") || "").split(" ").map(text).join("") ||
    [...(one.labels || [])].map((label) => label.textContent).join("") ||
    (one.matches("input, select, textarea") ? "" : one.textContent) ||
    one.title;
  const controls =
    "button, a[href], input:not([type=hidden]), select, textarea, summary, [role=dialog], dialog, nav, aside";
  const unnamed = [...document.querySelectorAll(controls)].filter((one) => !one.ariaHidden && !name(one).trim());
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const lost = ["for", "aria-controls", "aria-labelledby", "aria-describedby"].flatMap((kind) =>
    [...document.querySelectorAll(`[${kind}]`)]
      .flatMap((one) => one.getAttribute(kind).split(" "))
      .filter((id) => !ids.includes(id)),
  );
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  return [...unnamed.map((one) => one.outerHTML.slice(0, 200)), ...twice, ...lost];
}"""


class Desk:
    """The shop's desk and browsers at it."""

    def __init__(self, shop: Shop, url: str, chromium: Browser) -> None:
        self.shop = shop
        self.url = url
        self.complaints: list[str] = []
        self._chromium = chromium

    def enter(self, name: str, path: str = "/desk", size: dict[str, int] = DESKTOP, script: str = "") -> Page:
        """A browser of somebody who signed in, on a page; every page runs the script before its own."""
        context = self._chromium.new_context(viewport=size, locale="en-GB")  # type: ignore[arg-type]
        context.grant_permissions(["notifications"], origin=self.url)
        if script:
            context.add_init_script(script)
        context.on("console", self._note)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        page = context.new_page()
        page.goto(f"{self.url}/desk/sign-in")
        page.locator("[name=email]").fill(f"{name}@example.com")
        page.locator("[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("nav.rail")).to_be_visible()
        page.goto(self.url + path)
        expect(page.locator("html[data-inbox=ready]")).to_be_attached()
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location['url']})")


@pytest.fixture
def desk(engine: Engine, chromium: Browser) -> Iterator[Desk]:
    """A desk on which no page may complain."""
    with served(engine) as (shop, url):
        made = Desk(shop, url, chromium)
        yield made
        for context in chromium.contexts:
            context.close()
    # The browser notes each answer of 409 by itself: that is how a stale reply is told.
    assert [text for text in made.complaints if "409 (Conflict)" not in text] == []


def test_two_agents_work_on_one_case(desk: Desk) -> None:
    case = desk.shop.cases[0]
    ada = desk.enter("ada", f"/desk/cases/{case}?view=unassigned")
    deniz = desk.enter("deniz", f"/desk/cases/{case}?view=unassigned")
    expect(ada.locator("#presence")).to_contain_text("Deniz Kaya is looking too")
    ada.keyboard.press("c")
    expect(ada.locator(".case-facts")).to_contain_text("Yours")
    expect(deniz.locator(".case-facts")).to_contain_text("Ada Yılmaz has it")
    expect(deniz.locator("#box-reply")).to_have_count(0)
    expect(deniz.locator(f"#row-{case}")).to_have_count(0)

    # A note never reaches the customer, and its draft stays a note's.
    ada.keyboard.press("n")
    ada.keyboard.type("They are about to leave.")
    expect(ada.locator("#saved")).to_have_text("Draft saved")
    ada.reload()
    expect(ada.locator("#note-text")).to_have_value("They are about to leave.")
    expect(ada.locator("#composer")).to_have_attribute("data-mode", "note")
    ada.locator("#mode-reply").click()
    expect(ada.locator("#reply-text")).to_have_value("")
    ada.locator("#mode-note").click()
    ada.keyboard.press("Control+Enter")
    expect(deniz.locator(".entry.note")).to_contain_text("They are about to leave.")
    assert all("leave." not in text for _, text in desk.shop.texts(case))

    # Saved replies by a slash, a suggestion with its article.
    ada.locator("#mode-reply").click()
    ada.keyboard.type("/")
    expect(ada.locator("#saved-find")).to_be_focused()
    ada.keyboard.type("hel")
    ada.keyboard.press("Enter")
    expect(ada.locator("#reply-text")).to_have_value("Hello Sofia Marsh, Ada Yılmaz here.")
    ada.locator(".suggestion").first.get_by_role("button", name="Insert").click()
    expect(ada.locator("#attached li")).to_contain_text("Refund a sale")
    expect(ada.locator(".suggestion.is-internal")).to_contain_text("Internal: do not quote")
    expect(ada.locator(".suggestion.is-internal [data-insert]")).to_have_count(0)
    expect(deniz.locator("#presence")).to_contain_text("Ada Yılmaz is writing a reply")

    # Something was said meanwhile: it is shown, and asked for once more.
    ada.evaluate("document.getElementById('newer').hidden = false")
    desk.shop.write(case, "It is urgent now!")
    expect(ada.locator(".by-customer").last).to_contain_text("It is urgent now!")
    ada.keyboard.press("Control+Enter")
    expect(ada.locator(".stale")).to_contain_text("It is urgent now!")
    assert desk.shop.texts(case)[-1] == ("customer", "It is urgent now!")
    with ada.expect_request(lambda request: request.url.endswith("/typing") and request.post_data == "on=no"):
        ada.locator("[data-send-anyway]").dblclick()
    expect(ada.locator(".by-agent .bubble")).to_have_count(1)
    expect(ada.locator(".by-agent .citation")).to_have_text("Refund a sale")
    expect(ada.locator("#reply-text")).to_have_value("")
    expect(deniz.locator(".by-agent .bubble")).to_have_count(1)
    assert [author for author, _ in desk.shop.texts(case)].count("agent") == 1

    # Resolved, the next case opens; undone, this one is back.
    ada.keyboard.press("Escape")
    ada.keyboard.press("e")
    ada.keyboard.press("Enter")
    expect(ada.locator("#toasts")).to_contain_text(f"Case {case} is resolved.")
    assert desk.shop.case(case).status == "closed"
    expect(ada.locator("#case")).not_to_have_attribute("data-number", str(case))
    ada.keyboard.press("u")
    expect(ada.locator(".case-facts")).to_contain_text("Yours")
    assert desk.shop.case(case).status == "open"
    expect(deniz.locator("#entries")).to_contain_text("took the last step back")

    # Passed on with a note.
    ada.keyboard.press("t")
    ada.locator("#transfer-to").select_option(label="Deniz Kaya")
    ada.locator("#transfer-note").fill("You know tills better.")
    ada.get_by_role("button", name="Pass it on").click()
    expect(deniz.locator(".case-facts")).to_contain_text("Yours")
    expect(deniz.locator("#box-reply")).to_be_visible()
    expect(deniz.locator(".entry.note").last).to_contain_text("You know tills better.")


def test_keyboard_and_list(desk: Desk) -> None:
    page = desk.enter("lena", "/desk?view=all")
    expect(page.locator(".row")).to_have_count(5)
    page.keyboard.press("j")
    expect(page.locator(".row").nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#case")).to_be_visible()
    number = page.locator("#case").get_attribute("data-number")
    assert page.url.endswith(f"/desk/cases/{number}?view=all&q=&sort=due&priority=&language=&sla=&tag=")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("Yazıcı")
    expect(page.locator(".row")).to_have_count(1)
    page.keyboard.type(" nowhere")
    expect(page.locator(".list .empty")).to_contain_text("No case fits")
    page.go_back()
    expect(page.locator(".no-case")).to_be_visible()

    # A new message moves no list from under the reader, and rings the title of a page that looks elsewhere.
    page.goto(desk.url + "/desk?view=all")
    page.locator(".row").nth(2).focus()
    focused = page.locator(".row").nth(2).get_attribute("id")
    desk.shop.write(desk.shop.cases[4], "Are you there?")
    expect(page.locator(".row", has_text="Are you there?")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == focused


def test_told_while_looking_elsewhere(desk: Desk, engine: Engine) -> None:
    shop, own = desk.shop, desk.shop.cases[0]
    with Session(engine) as session, session.begin():
        session.execute(update(Person).values(preferences={"sound": True, "notices": True}))
    with shop.desk.changes.transaction() as session:
        cases.claim(session, own, shop.by("ada@example.com"))
    page = desk.enter("ada", "/desk?view=mine", script=ELSEWHERE)
    plain = page.title()
    page.keyboard.press("Escape")  # Only who touched the page hears sounds.

    conversation_id, _ = shop.store.create("webchat", "public", "en")
    with shop.desk.changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        events.add_message(session, conversation, "customer", "Is anybody there?", by="customer")
        new = escalate(session, conversation, "support", "asked_for", 1, Routing(queues=shop.desk.queues)).id
    expect(page).to_have_title(f"(1) {plain}")
    shop.write(own, "It happened again!")
    expect(page).to_have_title(f"(2) {plain}")
    expect(page.locator("#rail-count")).to_have_text("2")
    assert page.evaluate("told") == [
        {"title": f"New case {new}: Visitor", "body": "", "tag": f"case-{new}"},
        {"title": f"Sofia Marsh wrote in case {own}", "body": "It happened again!", "tag": f"case-{own}"},
    ]
    assert page.evaluate("tones") == 2, "one sound, of two tones, for what comes at once"
    shop.write(desk.shop.cases[1], "Nobody's case, nobody's notice.")
    expect(page.locator("[data-view=unassigned] .queue-count")).to_contain_text("4")

    # The notice leads to its case; what is looked at is read, and tells of nothing more.
    page.evaluate("shown[1].dispatchEvent(new Event('click'))")
    expect(page.locator("#case")).to_have_attribute("data-number", str(own))
    expect(page).to_have_title(f"(1) Sofia Marsh Case {own} · {plain}")
    page.evaluate("window.away = false")
    shop.write(own, "Hello?")
    expect(page.locator(".by-customer").last).to_contain_text("Hello?")
    assert page.evaluate("told.length") == 2
    expect(page).to_have_title(f"(1) Sofia Marsh Case {own} · {plain}")


def test_keys_rest_while_typing_and_focus_comes_back(desk: Desk) -> None:
    case = desk.shop.cases[0]
    page = desk.enter("lena", f"/desk/cases/{case}?view=all")
    page.locator(".row").first.focus()
    for key, row in (("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(page.locator(".row").nth(row)).to_be_focused()
    page.keyboard.press("Control+c")
    page.keyboard.press("r")
    expect(page.locator("#reply-text")).to_be_focused()
    page.keyboard.type("jkcrntebu?")
    expect(page.locator("#reply-text")).to_have_value("jkcrntebu?")
    expect(page.locator("dialog[open], details.menu[open], .toast")).to_have_count(0)
    assert desk.shop.case(case).assignee is None

    # Saved replies keep the focus until they are closed.
    page.keyboard.type(" /")
    expect(page.locator("#saved-find")).to_be_focused()
    for keys in ("Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"):
        page.keyboard.press(keys)
        assert page.evaluate("Boolean(document.activeElement.closest('#saved-pop'))")
    page.keyboard.press("Escape")
    expect(page.locator("#reply-text")).to_be_focused()
    page.keyboard.press("Escape")

    # So does the overview of keys, and a menu gives the focus back to its button.
    page.locator("#thread").focus()
    page.keyboard.press("?")
    for _ in range(3):
        page.keyboard.press("Tab")
        assert page.evaluate("['keys', ''].includes((document.activeElement.closest('dialog') || {id: ''}).id)")
        assert page.evaluate("!document.activeElement.closest('main')")
    page.keyboard.press("Escape")
    expect(page.locator("#thread")).to_be_focused()
    page.keyboard.press("t")
    expect(page.locator("#transfer-to")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-menu=transfer] summary")).to_be_focused()
    expect(page.locator("details.menu[open]")).to_have_count(0)

    paths = (f"/desk/cases/{case}?view=all", "/desk/signals?account=bluebird", "/desk/replies/1", "/desk/settings")
    for path in paths:
        page.goto(desk.url + path)
        page.wait_for_load_state("networkidle" if path.startswith("/desk/replies") else "load")
        assert page.evaluate(UNNAMED) == [], path


def test_phone_shows_one_pane_at_a_time(desk: Desk) -> None:
    page = desk.enter("ada", "/desk?view=unassigned", PHONE)
    page.locator(".row").first.click()
    expect(page.locator("#case")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    page.get_by_role("button", name="Claim").click()
    expect(page.locator(".case-facts")).to_contain_text("Yours")
    page.locator("#reply-text").fill("I am on it.")
    page.get_by_role("button", name="Send to customer").click()
    expect(page.locator(".by-agent .bubble")).to_have_text("I am on it.")
    page.locator("[data-side]").click()
    expect(page.locator("#side")).to_be_visible()
    page.locator("[data-side]").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("[data-back]").click()
    expect(page.locator("#list")).to_be_visible()
    expect(page.locator("#case")).to_have_count(0)


def test_signals_are_worked_on_and_taken_back(desk: Desk) -> None:
    page = desk.enter("mei", "/desk/signals")
    item = page.locator(".signal").first
    expect(item).to_contain_text("we will look at other tills")
    item.get_by_role("button", name="Claim").click()
    expect(item).to_contain_text("Yours")
    item.get_by_role("button", name="Not a signal").click()
    expect(page.locator(".signal")).to_have_count(0)
    page.locator(".toast-undo").last.click()
    expect(page.locator(".signal")).to_have_count(1)
    expect(page.locator(".evidence.is-rejected")).to_have_count(0)


@pytest.fixture(autouse=True)
def _saved(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        text = "Hello {customer_name}, {agent_name} here."
        session.add(SavedReply(title="Hello", texts={"en": text}, by="person:lena"))
        session.add(SavedReply(title="Bye", texts={"en": "Goodbye!"}, by="person:lena"))
