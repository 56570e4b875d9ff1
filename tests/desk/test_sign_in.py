"""Signing in to the desk with a password, and out; what a session is worth."""

from __future__ import annotations

import datetime as dt
import re
from http.cookies import SimpleCookie

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.desk.pages import COOKIE, own_path
from bot.people import throttle
from bot.people.models import AuditEntry, DeskSession, Person, SignInFailure
from bot.people.passwords import Passwords
from bot.people.sessions import hash_of
from bot.settings import load_settings
from tests.conversation.fakes import PROJECT
from tests.desk.rig import PASSWORD, QUICK, add_person, browser, new_app, new_desk, signed_in

pytestmark = pytest.mark.slow

WRONG = "do not match"


def audited(engine: Engine) -> list[tuple[str, str, str]]:
    """What the audit log says: who, what, on what."""
    with Session(engine) as session:
        return [(entry.by, entry.action, entry.target) for entry in session.scalars(select(AuditEntry))]


def cookie(answer: httpx.Response) -> str:
    """How the session's cookie was set."""
    return next(value for value in answer.headers.get_list("set-cookie") if value.startswith(f"{COOKIE}="))


async def test_signing_in_and_out(engine: Engine) -> None:
    ada = add_person(engine)
    app = new_app(new_desk(engine))
    one = browser(app)
    answer = await one.sign_in(" Ada@Example.com ", next="/desk/settings?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/settings?x=1")
    assert {"HttpOnly", "Path=/desk", "SameSite=lax"} <= set(cookie(answer).split("; "))
    assert "Secure" not in cookie(answer)
    token = SimpleCookie(cookie(answer))[COOKIE].value
    with Session(engine) as session:
        assert [one.token_hash for one in session.scalars(select(DeskSession))] == [hash_of(token)]
    assert (await one.get("/desk/sign-in?next=/desk/settings")).headers["location"] == "/desk/settings"
    with Session(engine) as session:
        assert session.get_one(Person, ada.id).online
    await one.post("/desk/presence", {"online": "no"})
    assert "No new cases are given to you." in (await one.get("/desk/settings")).text
    await one.post("/desk/presence", {"online": "yes"})
    assert "until you sign out" in (await one.get("/desk/settings")).text
    answer = await one.post("/desk/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in")
    one.http.cookies.set(COOKIE, token, domain="desk.example", path="/desk")
    assert (await one.get("/desk/settings")).status_code == 303
    label, target = f"person:{ada.id}", f"person:{ada.id}"
    actions = ("session.start", "person.away", "person.online", "session.end")
    assert audited(engine)[1:] == [(label, action, target) for action in actions]
    with Session(engine) as session:
        assert not session.get_one(Person, ada.id).online


async def test_the_cookie_goes_over_https_only_where_the_desk_is_there(engine: Engine) -> None:
    add_person(engine)
    settings = load_settings(PROJECT, {"REFILL_SERVER_BASE_URL": "https://desk.example"})
    answer = await browser(new_app(new_desk(engine, settings))).sign_in("ada@example.com")
    assert "Secure" in cookie(answer).split("; ")


async def test_a_new_sign_in_ends_the_session_of_before(engine: Engine) -> None:
    add_person(engine)
    app = new_app(new_desk(engine))
    one = await signed_in(app, "ada@example.com")
    first = one.http.cookies[COOKIE]
    page = await browser(app).get("/desk/sign-in")
    door = re.search(r'name="door" value="([^"]+)"', page.text)
    assert door
    one.http.cookies.update(page.cookies)
    fields = {"door": door[1], "next": "/desk", "email": "ada@example.com", "password": PASSWORD}
    await one.http.post("/desk/sign-in", data=fields)
    assert one.http.cookies[COOKIE] != first
    with Session(engine) as session:
        assert session.get(DeskSession, hash_of(first)) is None


@pytest.mark.parametrize("state", ["unknown", "wrong password", "no password", "no access", "far too long"])
async def test_who_is_not_let_in_gets_the_same_answer(engine: Engine, state: str) -> None:
    password = "some-other-password" if state == "wrong password" else PASSWORD
    if state == "no password":
        add_person(engine, password_hash=None)
    elif state != "unknown":
        ada = add_person(engine)
        if state == "no access":
            with Session(engine) as session, session.begin():
                session.get_one(Person, ada.id).disabled_at = now()
    if state == "far too long":
        password = PASSWORD + "x" * 5000
    tried: list[str | None] = []

    class Watched(Passwords):
        """Notes that a hash was computed."""

        def matches(self, stored: str | None, password: str) -> bool:
            tried.append(stored)
            return QUICK.matches(stored, password)

    one = browser(new_app(new_desk(engine, passwords=Watched())))
    answer = await one.sign_in("ada@example.com", password)
    assert answer.status_code == 401
    assert WRONG in answer.text
    assert 'value="ada@example.com"' in answer.text
    assert COOKIE not in one.http.cookies
    assert len(tried) == 1, "the time it takes must not tell whether the account exists"
    assert [entry[:2] for entry in audited(engine)][-1] == ("nobody", "session.fail")


async def test_guessing_is_slowed_down_over_all_processes(engine: Engine) -> None:
    add_person(engine)
    first, second = (browser(new_app(new_desk(engine)), f"203.0.113.{n}") for n in (1, 2))
    for _ in range(throttle.FREE_OF_ACCOUNT):
        assert (await first.sign_in("ada@example.com", "wrong-password")).status_code == 401
    answer = await second.sign_in("ADA@example.com")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 2
    assert f"Wait {answer.headers['retry-after']} s" in answer.text
    assert (await second.sign_in("grace@example.com")).status_code == 401, "another account is not concerned"
    with Session(engine) as session, session.begin():
        session.execute(update(SignInFailure).values(last_at=now() - dt.timedelta(seconds=3)))
    assert (await second.sign_in("ada@example.com")).status_code == 303
    assert (await first.sign_in("ada@example.com", "wrong-password")).status_code == 401, "the failures are forgotten"


async def test_an_address_is_slowed_down_over_all_accounts(engine: Engine) -> None:
    one = browser(new_app(new_desk(engine)))
    for number in range(throttle.FREE_OF_ADDRESS):
        assert (await one.sign_in(f"guess-{number}@example.com")).status_code == 401
    assert (await one.sign_in("guess-x@example.com")).status_code == 429


async def test_a_hash_of_other_parameters_is_made_anew(engine: Engine) -> None:
    old = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)).hash(PASSWORD)
    ada = add_person(engine, password_hash=old)
    await signed_in(new_app(new_desk(engine)), "ada@example.com")
    with Session(engine) as session:
        stored = session.get_one(Person, ada.id).password_hash
    assert stored != old
    assert QUICK.matches(stored, PASSWORD)


async def test_the_sign_in_form_carries_a_token_of_its_own(engine: Engine) -> None:
    add_person(engine)
    one = browser(new_app(new_desk(engine)))
    fields = {"email": "ada@example.com", "password": PASSWORD, "next": "/desk"}
    assert (await one.http.post("/desk/sign-in", data=fields)).status_code == 403
    await one.get("/desk/sign-in")
    assert (await one.http.post("/desk/sign-in", data={**fields, "door": "forged"})).status_code == 403
    assert COOKIE not in one.http.cookies


@pytest.mark.parametrize(
    ("column", "age", "stays"),
    [
        ("seen_at", dt.timedelta(hours=11, minutes=59), True),
        ("seen_at", dt.timedelta(hours=12), False),
        ("expires_at", dt.timedelta(seconds=-5), True),
        ("expires_at", dt.timedelta(0), False),
    ],
)
async def test_a_session_ends(engine: Engine, column: str, age: dt.timedelta, stays: bool) -> None:
    ada = add_person(engine)
    one = await signed_in(new_app(new_desk(engine)), "ada@example.com")
    with Session(engine) as session, session.begin():
        session.execute(update(DeskSession).values({column: now() - age}))
        session.get_one(Person, ada.id).seen_at = None
    assert (await one.get("/desk/settings")).status_code == (200 if stays else 303)
    if stays:
        with Session(engine) as session:
            seen = session.scalar(select(DeskSession.seen_at))
            assert seen is not None
            assert now() - seen < dt.timedelta(minutes=1), "a request keeps it"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/desk/people?x=1", True),
        ("/desk?queue=mine", True),
        ("https://evil.example/desk", False),
        ("//evil.example/desk", False),
        ("/desk//evil.example", False),
        ("/desk\\evil", False),
        ("/desk/\r\nset-cookie: a=b", False),
        ("/deskevil", False),
        ("/desk/sign-out", False),
        ("/desk/sign-in?next=/desk", False),
        ("/api/v1/people", False),
        ("", False),
    ],
)
def test_next_leads_to_the_desk_only(given: str, kept: bool) -> None:
    assert own_path(given) == (given if kept else "/desk")


async def test_who_is_not_signed_in_is_sent_to_the_door_and_back(engine: Engine) -> None:
    one = browser(new_app(new_desk(engine)))
    answer = await one.get("/desk/people?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in?next=%2Fdesk%2Fpeople%3Fx%3D1")
    asked = {"hx-request": "true", "hx-current-url": "https://desk.example/desk/audit?by=x"}
    answer = await one.http.post("/desk/presence", headers=asked)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/desk/sign-in?next=%2Fdesk%2Faudit%3Fby%3Dx")
    answer = await one.get("/desk/settings", headers={"accept": "text/event-stream"})
    assert answer.status_code == 401


async def test_pages_are_kept_by_nobody_and_framed_by_nobody(engine: Engine) -> None:
    add_person(engine)
    one = await signed_in(new_app(new_desk(engine)), "ada@example.com")
    for path, status in (("/desk/settings", 200), ("/desk/people", 403), ("/desk/sign-in", 303)):
        answer = await one.get(path)
        assert answer.status_code == status
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await one.get("/desk/static/desk.css")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("header", "asked", "shown"), [("th,en", "", "เข้าสู่"), ("th", "tr", "giriş"), ("fr", "", "Sign")]
)
async def test_the_door_speaks_the_readers_language(engine: Engine, header: str, asked: str, shown: str) -> None:
    one = browser(new_app(new_desk(engine)))
    answer = await one.get(f"/desk/sign-in?lang={asked}", headers={"accept-language": header})
    assert shown in answer.text
