"""Make the pictures of the desk's working pages in this folder: `python docs/images/make_screenshots.py`.

The cases are those of the tests (`tests/desk/shop.py`); nothing but a browser is needed.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import update
from sqlalchemy.orm import Session

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1]))

from bot.conversation.models import now  # noqa: E402
from bot.handoff import cases  # noqa: E402
from bot.people.models import Person, SavedReply  # noqa: E402
from bot.success.models import AccountSignal  # noqa: E402
from tests.conversation.fakes import new_database  # noqa: E402
from tests.desk.rig import PASSWORD  # noqa: E402
from tests.desk.shop import Shop, served  # noqa: E402
from tests.needs import browser  # noqa: E402

DESKTOP = (1440, 900)
PHONE = (360, 740)
COLOURS = 192


@dataclass(frozen=True)
class Picture:
    """One file.

    Attributes:
        who: Signs in; as `ada` in ada@example.com.
        click: What is clicked before.
    """

    name: str
    who: str
    path: str
    theme: str = "light"
    size: tuple[int, int] = DESKTOP
    click: str = ""


PICTURES = (
    Picture("desk-cases", "lena", "/desk?view=all"),
    Picture("desk-case", "ada", "/desk/cases/1?view=mine"),
    Picture("desk-case-dark", "deniz", "/desk/cases/3?view=unassigned", "dark", click="#mode-note"),
    Picture("desk-cases-phone-dark", "deniz", "/desk?view=unassigned", "dark", PHONE),
    Picture("desk-case-phone", "ada", "/desk/cases/1?view=mine", "light", PHONE),
    Picture("desk-menu-phone", "ada", "/desk?view=unassigned", "light", PHONE, click="#me > summary"),
    Picture("desk-signals", "mei", "/desk/signals?account=bluebird", "light"),
    Picture("desk-signals-phone-dark", "mei", "/desk/signals", "dark", PHONE),
    Picture("desk-reply-dark", "lena", "/desk/replies/1", "dark"),
)


def fill(shop: Shop) -> None:
    """Let something happen: a case taken, a note, an answer; a saved reply; a signal from the till."""
    number, ada = shop.cases[0], shop.by("ada@example.com")
    conversation_id = shop.case(number).conversation_id
    with shop.desk.changes.transaction() as session:
        cases.claim(session, number, ada)
        cases.add_note(session, conversation_id, ada, "Version 5.2, *cash only* is on. Mei knows them well.", number)
        text = "Hello Sofia, Ada here. I have put your tills back to 5.1: the button works again in a minute."
        cases.reply(session, number, ada, text, "hello")
    shop.write(number, "It does! You saved our morning.")
    with Session(shop.engine) as session, session.begin():
        session.execute(update(Person).values(online=True))
        texts = {
            "en": "Hello {customer_name},\n\nI am **{agent_name}** and look into case {case_number} now.",
            "tr": "Merhaba {customer_name},\n\nBen **{agent_name}**. {case_number} numaralı talebe şimdi bakıyorum.",
            "th": "สวัสดีค่ะ คุณ {customer_name}\n\n**{agent_name}** กำลังดูเคส {case_number} ให้ค่ะ",
        }
        session.add(SavedReply(title="First hello", texts=texts, by=ada.label))
        told = {"source": "product_usage", "external_id": "1", "created_at": now(), "occurred_at": now()}
        words = "Tills in use fell from 9 to 4 within 30 days."
        session.add(
            AccountSignal(account_id="bluebird", name="low_adoption", text=words, quote=words, probability=1, **told)
        )


def take(chromium: Browser, url: str, picture: Picture) -> None:
    """Sign in, open the page, store what it looks like."""
    width, height = picture.size
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        locale="en-GB",
        timezone_id="Europe/Istanbul",
    )
    page: Page = context.new_page()
    page.goto(f"{url}/desk/sign-in")
    page.locator("[name=email]").fill(f"{picture.who}@example.com")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()
    page.goto(url + picture.path)
    page.wait_for_load_state("load")
    if picture.click:
        page.locator(picture.click).click()
    page.wait_for_timeout(1200)
    file = FOLDER / f"{picture.name}.png"
    page.screenshot(path=file)
    context.close()
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> None:
    """Make all of them."""
    with tempfile.TemporaryDirectory() as folder:
        engine = new_database(Path(folder))
        with served(engine) as (shop, url), sync_playwright() as playwright:
            fill(shop)
            chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
            for picture in PICTURES:
                take(chromium, url, picture)
            chromium.close()
        engine.dispose()


if __name__ == "__main__":
    main()
