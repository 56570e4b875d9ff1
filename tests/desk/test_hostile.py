"""What somebody hostile writes, sends or keeps: it stays text on every page, and opens nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Delivery
from bot.conversation.models import now
from bot.desk.inbox import live
from bot.desk.pages import HERE
from bot.edge import MAX_BODY
from bot.handoff import cases
from bot.handoff.models import Escalation, Note
from bot.knowledge.render import to_html
from bot.people import people, sessions
from bot.people.models import DeskSession, Draft, Person
from bot.people.roles import operator
from tests.desk.rig import Browser, add_person, browser, new_app, new_desk, signed_in
from tests.desk.shop import Shop, open_shop
from tests.desk.test_live import listening
from tests.injection.infected import infect
from tests.injection.payloads import BY_KIND, PAYLOADS

pytestmark = pytest.mark.slow

SOME = PAYLOADS[::8]
SCHEMES = re.compile(r"(?:https?:|mailto:|tel:|[/?#]|[\w.-]*(?:[%/?#]|$))", re.IGNORECASE)
LOADS = ("href", "src", "action", "data", "content")
PART = {"hx-request": "true"}


class Markup(HTMLParser):
    """Reads a page as a browser does, and notes what a payload could have made."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.wrong: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.names |= {tag, *(f"@{name}" for name, _ in attrs)}
        for name, value in attrs:
            if name.startswith("on") or name == "style" or "pwn" in name:
                self.wrong.append(f"<{tag} {name}>")
            if name in ("href", "src", "action", "formaction", "xlink:href") and not SCHEMES.match(value or ""):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if "pwn" in (value or "") and (name.startswith("hx-") or (name in LOADS and tag != "a")):
                self.wrong.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        if "pwn" in data and self._inside in ("script", "style"):
            self.wrong.append(f"<{self._inside}>{data[:60]}")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_comment(self, data: str) -> None:
        if "pwn" in data:
            self.wrong.append(f"<!--{data[:60]}")

    def handle_decl(self, decl: str) -> None:
        if "pwn" in decl:
            self.wrong.append(f"<!{decl[:60]}")

    def unknown_decl(self, data: str) -> None:
        self.handle_decl(data)


def markup(text: str) -> Markup:
    """What stands in a page."""
    read = Markup()
    read.feed(text)
    read.close()
    return read


def _of_templates() -> set[str]:
    """Every element and attribute that the desk's own templates write."""
    text = "".join(file.read_text("utf-8") for file in sorted((HERE / "templates").rglob("*.html")))
    tags = set(re.findall(r"<([a-z][a-z0-9]*)", text))
    return tags | {f"@{name.lower()}" for name in re.findall(r"[\s\"']([a-zA-Z][\w-]*)(?=[\s=\"'>%{])", text)}


OURS = (
    _of_templates()
    | {"p", "br", "strong", "em", "code", "pre", "blockquote", "a", "hr", "h2", "h3", "h4"}
    | {
        *(
            "ul",
            "ol",
            "li",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "time",
            "@data-show",
            "@datetime",
            "@start",
            "@rel",
            "@class",
            "@href",
        ),
    }
)


def complaints(text: str) -> list[str]:
    """What is in a page that no template and no cleaned text puts there."""
    read = markup(text)
    return read.wrong + sorted(read.names - OURS)


@pytest.fixture
async def shop(engine: Engine) -> Shop:
    """The desk, with bells that ring."""
    delivery = Delivery()
    return open_shop(engine, Changes(engine, bells(delivery)), delivery=delivery)


def test_the_reader_sees() -> None:
    raw = [payload for payload in BY_KIND["tags"] if payload[1:].isascii() and "https:" not in payload]
    unseen = [payload for payload in raw if not complaints(f"{payload}</p>")]
    assert len(raw) > 60
    assert len(unseen) < 10
    assert complaints('<a href="java\nscript:pwn(1)">x</a><p class="x" title="&lt;b onclick=pwn&gt;">ok</p>')[:1] == [
        "<a href='java\\nscript:pwn(1)'>"
    ]


@pytest.mark.parametrize("kind", BY_KIND)
def test_cleaned_markdown_is_clean(kind: str) -> None:
    for payload in BY_KIND[kind]:
        _is_clean(payload)


def _is_clean(payload: str) -> None:
    for markdown in (payload, f"# {payload}", f"- {payload}", f"|a|\n|-|\n|{payload}|", f"`{payload}`", f"> {payload}"):
        html = to_html(markdown)
        assert complaints(html) == []
        assert markup(html).names <= OURS - {"form", "input", "button", "svg", "script", "link", "meta", "textarea"}


async def test_words_stay_words_on_every_page(shop: Shop) -> None:
    infected = infect(shop, SOME)
    add_person(shop.engine, "adam@example.com", "administrator", name="</b><script>pwn(1)</script>")
    adam = await signed_in(shop.app, "adam@example.com")
    places = ["/desk?view=all", "/desk?view=all&sort=updated", "/desk/replies", "/desk/people", "/desk/tokens"]
    places += ["/desk/webhooks", "/desk/deliveries", "/desk/deliveries?show=dead", "/desk/audit", "/desk/signals"]
    places += ["/desk/signals?state=reported", f"/desk/webhooks/{0:032x}", "/desk/replies/1", "/desk/settings"]
    places += [f"/desk/cases/{number}?pane=yes" for number in infected]
    first = min(infected)
    places += [f"/desk/cases/{first}/replies", f"/desk/cases/{first}", "/desk/signals?account=account-0"]
    for path in places:
        answer = await adam.get(path, headers=PART if "pane" in path else {})
        assert answer.status_code == 200, (path, answer.text[-500:])
        assert complaints(answer.text) == [], path
        number = int(path.split("/")[3].split("?")[0]) if path.startswith("/desk/cases/") else 0
        assert "pwn" in answer.text or number in infected or path == "/desk/replies/1", path


@pytest.mark.parametrize("signed", [True, False])
async def test_what_an_address_holds_stays_words(shop: Shop, signed: bool) -> None:
    one = await signed_in(shop.app, "lena@example.com") if signed else browser(shop.app)
    for payload in (payload for payload in SOME[::2] if len(payload) < 300):
        for path in ("/desk", "/desk/sign-in", "/desk/signals", "/desk/audit", "/desk/deliveries", "/desk/list"):
            names = (
                "q",
                "view",
                "next",
                "lang",
                "account",
                "target",
                "by",
                "webhook",
                "done",
                "before",
                "after",
                "tag",
            )
            query = {name: payload for name in names if (name, path) != ("before", "/desk/deliveries")}
            answer = await one.get(path, params=query)
            assert answer.status_code in (200, 303), (path, payload)
            assert complaints(answer.text) == [], (path, payload)
            assert "\n" not in answer.headers.get("location", "")
            assert answer.headers.get("location", "/desk").startswith("/desk")


async def _act(one: Browser, number: int, what: str, **data: Any) -> int:
    return (await one.post(f"/desk/cases/{number}/{what}", {"client_id": "c", **data}, headers=PART)).status_code


async def test_numbers_of_other_cases_do_nothing(shop: Shop) -> None:
    mine, other, business = shop.cases[0], shop.cases[1], shop.cases[2]
    ada = await signed_in(shop.app, "ada@example.com")
    assert await _act(ada, business, "note", text="Mind.") == 404
    assert await _act(ada, mine, "merge", into=str(business)) == 404
    assert await _act(ada, mine, "merge", into=str(other)) == 422
    assert await _act(ada, mine, "tags", message="99", name="defect", verdict="add") == 404
    assert await _act(ada, mine, "transfer", to="person:nobody") in (404, 422)
    assert await _act(ada, mine, "transfer", to=f"person:{shop.people['mei@example.com'].id}", note="") in (
        403,
        409,
        422,
    )
    assert await _act(ada, mine, "priority", priority="p" * 5000) == 422
    assert await _act(ada, mine, "draft", kind="reply", text="x", person_id=shop.people["mei@example.com"].id) == 204
    with Session(shop.engine) as session:
        assert session.query(Note).count() == 0
        assert {one.person_id for one in session.query(Draft)} == {shop.people["ada@example.com"].id}


async def test_notes_about_signals_are_read_by_those_who_may(shop: Shop) -> None:
    """A conversation may have a case that an agent works on, and work on signals that is not for them."""
    number = shop.cases[0]
    with shop.desk.changes.transaction() as session:
        here = session.get_one(Escalation, number).conversation_id
        about = session.query(Escalation).filter_by(conversation_id=here, reason="signal").one()
        cases.add_note(session, here, shop.by("mei@example.com"), "They may leave us.", about.id)
    for email, sees in (("ada@example.com", False), ("lena@example.com", True)):
        one = await signed_in(shop.app, email)
        for path in (f"/desk/cases/{number}", f"/desk/cases/{number}/entries?after=0"):
            assert ("They may leave us." in (await one.get(path)).text) == sees, (email, path)
        async with listening(one, f"/desk/cases/{number}/events", after=0) as heard:
            shop.write(number, "The end")
            said = []
            while "The end" not in (html := (await heard.next("entry"))[1]):
                said.append(html)
        assert ("They may leave us." in "".join(said)) == sees


async def _sign_out(shop: Shop, one: Browser) -> None:
    assert (await one.post("/desk/sign-out")).status_code == 303


async def _disable(shop: Shop, one: Browser) -> None:
    with shop.desk.changes.transaction() as session:
        people.disable(session, operator("x"), session.get_one(Person, shop.people["ada@example.com"].id))


async def _other_queue(shop: Shop, one: Browser) -> None:
    with shop.desk.changes.transaction() as session:
        session.get_one(Person, shop.people["ada@example.com"].id).role = "success_manager"


async def _other_password(shop: Shop, one: Browser) -> None:
    with shop.desk.changes.transaction() as session:
        people.set_password(session, operator("x"), session.get_one(Person, shop.people["ada@example.com"].id), "x")


async def _too_old(shop: Shop, one: Browser) -> None:
    with Session(shop.engine) as session, session.begin():
        session.query(DeskSession).update({"expires_at": now()})


@pytest.mark.parametrize("end", [_sign_out, _disable, _other_queue, _other_password, _too_old])
async def test_streams_end_with_the_right_to_them(shop: Shop, end: Any) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    case, everything = f"/desk/cases/{number}/events", "/desk/events"
    async with listening(ada, case, after=100) as heard, listening(ada, everything) as listed:
        await heard.next("lookers")
        await listed.next("change")
        await end(shop, ada)
        shop.write(number, "pwn")
        assert (await heard.next("bye", "entry", "parts"))[0] == "bye"
        if end is _other_queue:
            shop.write(shop.cases[2], "Hello")  # A case they see now.
            assert json.loads((await listed.next("change", "notice"))[1]) == {"changed": True}
        else:
            assert (await listed.next("bye", "notice"))[0] == "bye"


def test_text_in_a_stream_begins_no_field() -> None:
    sent = live.event("entry", "a\rid: 9\r\nevent: bye\n\ndata: x", 4)
    fields = [line.split(":")[0] for line in re.split("\r\n|\r|\n", sent) if line]
    assert fields == ["id", "event", "data", "data", "data", "data", "data"]


async def test_nothing_is_too_large_or_too_odd(shop: Shop) -> None:
    ada = await signed_in(shop.app, "lena@example.com")
    number = shop.cases[0]
    long = "9" * 5000
    for path in (
        f"/desk/cases/{long}",
        "/desk/cases/-1",
        "/desk/cases/1e9",
        f"/desk/replies/{long}",
        "/desk/cases/%00",
    ):
        assert (await ada.get(path)).status_code == 404, path
    for query in (f"before={long}", "after=9-9-9", f"after={long}", "before=%00", f"q={long}", "account=%00"):
        for path in ("/desk", "/desk/audit", f"/desk/cases/{number}/earlier", f"/desk/cases/{number}/entries"):
            assert (await ada.get(f"{path}?{query}")).status_code == 200, (path, query)
    for fields in ({"text": "x" * 4001}, {"text": ""}, {"text": "\0"}, {"text": "x", "client_id": "\r\nx: y"}):
        assert await _act(ada, number, "reply", **fields) == 422
    assert await _act(ada, number, "note", text="x" * (MAX_BODY + 1)) == 413
    many = "&".join(f"a{index}=b" for index in range(300))
    form = {"content-type": "application/x-www-form-urlencoded", "x-csrf-token": ada.csrf}
    assert (await ada.http.post("/desk/presence", content=many, headers=form)).status_code == 422
    answer = await ada.http.post("/desk/presence", data={"csrf": ada.csrf}, files={"online": b"yes"})
    assert answer.status_code == 422
    deep = {"content-type": "application/json"}
    for body in ("[" * 100_000, '{"language": ' * 50_000, '{"language": 1' + "0" * 5000 + "}"):
        answer = await ada.http.post("/api/v1/conversations", content=body, headers=deep)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    "address",
    ["", "//pwn.example", "https://pwn.example/desk", "https://[", "https://desk.example", "javascript:pwn//x", "\xff"],
)
async def test_the_way_back_stays_on_the_desk(engine: Engine, address: str) -> None:
    headers = {b"hx-request": b"true", b"hx-current-url": address.encode("latin-1"), b"host": b"pwn.example"}
    answer = await browser(new_app(new_desk(engine))).http.get("/desk/list", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] in ("/desk/sign-in", "/desk/sign-in?next=%2Fdesk")


async def test_no_session_is_taken_over_from_outside(engine: Engine) -> None:
    """A cookie somebody planted is never the session that begins; nothing of it is kept."""
    add_person(engine)
    desk = new_desk(engine)
    one = browser(new_app(desk))
    one.http.cookies.set("refill_desk", "planted", domain="desk.example", path="/desk")
    assert (await one.sign_in("ada@example.com")).status_code == 303
    with Session(engine) as session:
        assert sessions.find(session, "planted", desk.idle) is None
        assert session.query(DeskSession).count() == 1


async def test_answers_are_kept_by_nobody(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    visitor = {"authorization": f"Bearer {shop.tokens[number]}"}
    path = f"/api/v1/conversations/{shop.case(number).conversation_id}/messages"
    answers = [await ada.get(f"/desk/cases/{number}"), await ada.http.get(path, headers=visitor)]
    answers += [
        await ada.post(f"/desk/cases/{number}/claim"),
        await ada.get("/desk/nowhere"),
        await ada.get("/desk/list"),
    ]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store", answer.url
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_values_stand_in_no_error_of_the_database(engine: Engine) -> None:
    """Such errors are logged; no customer's words, password's hash or webhook's secret may be in them."""
    add_person(engine, "ada@example.com")
    twin = Person(id="x", email="ada@example.com", name="Ada", role="agent", password_hash="pwn", languages=[])
    with Session(engine) as session:
        session.add(twin)
        with pytest.raises(IntegrityError) as caught:
            session.flush()
    assert "pwn" not in str(caught.value)
