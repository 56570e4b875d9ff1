"""Administration on the desk: who may see it, what it does, what it says when something is wrong."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, now
from bot.desk.pages import COOKIE
from bot.handoff.models import Escalation
from bot.handoff.queues import HasRole
from bot.outbox.models import Outgoing, Webhook
from bot.people import audit, people, tokens
from bot.people.models import ApiToken, AuditEntry, DeskSession, Person
from bot.people.roles import PERMISSIONS_OF, ROLES, operator
from tests.desk.rig import PASSWORD, QUICK, Browser, add_person, browser, new_app, new_desk, signed_in

pytestmark = pytest.mark.slow

PAGES = {
    "/desk/settings": None,
    "/desk/people": "people:manage",
    "/desk/people/new": "people:manage",
    "/desk/tokens": "tokens:manage",
    "/desk/tokens/new": "tokens:manage",
    "/desk/webhooks": "webhooks:manage",
    "/desk/webhooks/new": "webhooks:manage",
    "/desk/deliveries": "deliveries:manage",
    "/desk/audit": "audit:read",
}
FORMS = {
    "/desk/people": "people:manage",
    "/desk/people/x": "people:manage",
    "/desk/people/x/password": "people:manage",
    "/desk/people/x/disable": "people:manage",
    "/desk/people/x/enable": "people:manage",
    "/desk/tokens": "tokens:manage",
    "/desk/tokens/x/revoke": "tokens:manage",
    "/desk/webhooks": "webhooks:manage",
    "/desk/webhooks/x": "webhooks:manage",
    "/desk/webhooks/x/delete": "webhooks:manage",
    "/desk/deliveries/x/retry": "deliveries:manage",
    "/desk/deliveries/retry": "deliveries:manage",
}
HOSTILE = "<script>alert(1)</script>\"'&"


async def grace(engine: Engine) -> Browser:
    """The browser of an administrator."""
    add_person(engine, "grace@example.com", "administrator")
    return await signed_in(new_app(new_desk(engine)), "grace@example.com")


def problems(text: str) -> list[str]:
    """What a page says is wrong, beside the fields."""
    return re.findall(r'class="wrong" id="(\w+)-problem"', text)


def actions(engine: Engine) -> list[str]:
    """What the audit log has, newest first."""
    with Session(engine) as session:
        return [entry.action for entry in audit.entries(session)]


@pytest.mark.parametrize("role", ROLES)
async def test_every_page_and_form_is_for_those_who_may(engine: Engine, role: str) -> None:
    add_person(engine, role=role)
    one = await signed_in(new_app(new_desk(engine)), "ada@example.com")
    allowed = next(permissions for name, permissions in PERMISSIONS_OF.items() if name == role)
    for path, permission in PAGES.items():
        answer = await one.get(path)
        may = permission is None or permission in allowed
        assert answer.status_code == (200 if may else 403), path
        assert ("ask an administrator" in answer.text) == (not may)
        assert (f'href="{path}"' in (await one.get("/desk/settings")).text) == may or path.endswith("/new")
    for path, permission in FORMS.items():
        status = (await one.post(path)).status_code
        assert (status == 403) == (permission not in allowed), path
        assert status < 500


async def test_no_form_is_taken_without_the_pages_token(engine: Engine) -> None:
    one = await grace(engine)
    paths = [*FORMS, "/desk/settings", "/desk/preferences", "/desk/presence", "/desk/settings/password"]
    for path in [*paths, "/desk/settings/browsers", "/desk/sign-out"]:
        for given in ({}, {"csrf": "0" * 64}, {"csrf": "ü"}):
            answer = await one.http.post(path, data=given)
            assert (answer.status_code, "too old" in answer.text) == (403, True), path
    header = {"x-csrf-token": one.csrf, "hx-request": "true"}
    assert (await one.http.post("/desk/presence", data={"online": "no"}, headers=header)).status_code == 204
    assert actions(engine) == ["person.away", "session.start", "person.create"]


async def test_somebody_is_added_and_signs_in(engine: Engine) -> None:
    one = await grace(engine)
    fields = {"email": "Ada@Example.com", "name": HOSTILE, "role": "agent", "languages": ["th", "en"], "capacity": "3"}
    answer = await one.post("/desk/people", {**fields, "language": "tr"})
    assert answer.status_code == 201
    assert HOSTILE not in answer.text
    shown = re.search(r"<code>([\w-]{23})</code>", answer.text)
    assert shown
    with Session(engine) as session:
        ada = session.scalars(select(Person).where(Person.email == "ada@example.com")).one()
        assert (ada.name, ada.role, ada.languages, ada.capacity, ada.language) == (
            HOSTILE,
            "agent",
            ["en", "th"],
            3,
            "tr",
        )
    assert HOSTILE not in (await one.get("/desk/people")).text
    ada_too = browser(new_app(new_desk(engine)))
    assert (await ada_too.sign_in("ada@example.com", shown[1])).status_code == 303
    assert '<html lang="tr"' in (await ada_too.get("/desk/settings")).text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "grace@example.com"}, "email"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"role": "king"}, "role"),
        ({"capacity": "many"}, "capacity"),
        ({"capacity": "1001"}, "capacity"),
        ({"capacity": "0"}, "capacity"),
    ],
)
async def test_what_is_wrong_with_a_person_stands_beside_the_field(
    engine: Engine, change: dict[str, str], field: str
) -> None:
    one = await grace(engine)
    right = {"email": "ada@example.com", "name": "Ada", "role": "agent", "language": "en", "capacity": "5"}
    answer = await one.post("/desk/people", {**right, **change})
    assert (answer.status_code, problems(answer.text)) == (422, [field])
    assert 'value="Ada"' in answer.text or field == "name"
    with Session(engine) as session:
        assert len(people.list_people(session)) == 1


async def test_the_last_administrator_stays(engine: Engine) -> None:
    one = await grace(engine)
    with Session(engine) as session:
        me = people.named(session, "grace@example.com").id
    answer = await one.post(f"/desk/people/{me}", {"name": "Grace", "role": "lead"})
    assert (answer.status_code, problems(answer.text)) == (422, ["role"])
    assert (await one.post(f"/desk/people/{me}/disable")).status_code == 422
    other = add_person(engine, role="administrator")
    assert (await one.post(f"/desk/people/{me}", {"name": "Grace", "role": "lead"})).status_code == 303
    assert (await one.get("/desk/people")).status_code == 403, "the new role holds at once"
    with Session(engine) as session:
        assert session.get_one(Person, other.id).role == "administrator"


async def test_access_is_taken_away_at_once(engine: Engine) -> None:
    one = await grace(engine)
    ada = add_person(engine)
    ada_too = await signed_in(new_app(new_desk(engine)), "ada@example.com")
    with Session(engine) as session, session.begin():
        session.add(
            Conversation(
                id="c" * 32, channel="webchat", audience="public", language="en", token_hash="", owner=f"agent:{ada.id}"
            )
        )
        session.flush()
        case = Escalation(
            conversation_id="c" * 32,
            reason="asked_for",
            queue="support",
            language="en",
            assignee=ada.id,
            opened_at_number=0,
            created_at=now(),
        )
        session.add(case)
    answer = await one.post(f"/desk/people/{ada.id}/disable")
    assert answer.headers["location"] == "/desk/people?done=disabled"
    with Session(engine) as session:
        assert session.scalar(select(Escalation.assignee)) is None
        assert session.get_one(Conversation, "c" * 32).owner == "queue:support"
    assert (await ada_too.get("/desk/settings")).status_code == 303
    assert (await one.post(f"/desk/people/{ada.id}/enable")).status_code == 303
    assert (await ada_too.get("/desk/settings")).status_code == 303, "sessions of before stay ended"
    assert (await browser(new_app(new_desk(engine))).sign_in("ada@example.com")).status_code == 303
    assert {"person.disable", "person.enable", "case.release"} <= set(actions(engine))


async def test_an_administrator_sets_a_new_password(engine: Engine) -> None:
    one = await grace(engine)
    ada = add_person(engine)
    ada_too = await signed_in(new_app(new_desk(engine)), "ada@example.com")
    answer = await one.post(f"/desk/people/{ada.id}/password")
    shown = re.search(r"<code>([\w-]{23})</code>", answer.text)
    assert shown
    assert (await ada_too.get("/desk/settings")).status_code == 303
    fresh = browser(new_app(new_desk(engine)))
    assert (await fresh.sign_in("ada@example.com")).status_code == 401
    assert (await fresh.sign_in("ada@example.com", shown[1])).status_code == 303


async def test_own_password(engine: Engine) -> None:
    add_person(engine)
    app = new_app(new_desk(engine))
    here, there = await signed_in(app, "ada@example.com"), await signed_in(app, "ada@example.com")
    for fields, field in (
        ({"current": "wrong", "password": "another-long-one", "again": "another-long-one"}, "current"),
        ({"current": PASSWORD, "password": "short", "again": "short"}, "password"),
        ({"current": PASSWORD, "password": "ada@EXAMPLE.com", "again": "ada@EXAMPLE.com"}, "password"),
        ({"current": PASSWORD, "password": "x" * 201, "again": "x" * 201}, "password"),
        ({"current": PASSWORD, "password": "another-long-one", "again": "other"}, "again"),
    ):
        answer = await here.post("/desk/settings/password", fields)
        assert (answer.status_code, problems(answer.text)) == (422, [field])
        assert "another-long-one" not in answer.text
    fields = {"current": PASSWORD, "password": "another-long-one", "again": "another-long-one"}
    assert (await here.post("/desk/settings/password", fields)).status_code == 303
    assert (await here.get("/desk/settings?done=password")).status_code == 200
    assert (await there.get("/desk/settings")).status_code == 303
    with Session(engine) as session:
        assert QUICK.matches(people.named(session, "ada@example.com").password_hash, "another-long-one")


async def test_guessing_the_own_password_is_slowed_down(engine: Engine) -> None:
    add_person(engine)
    here = await signed_in(new_app(new_desk(engine)), "ada@example.com")
    fields = {"current": "wrong", "password": "another-long-one", "again": "another-long-one"}
    answers = [await here.post("/desk/settings/password", fields) for _ in range(6)]
    assert "Too many wrong tries" not in answers[4].text
    assert "Too many wrong tries" in answers[5].text


async def test_own_settings(engine: Engine) -> None:
    ada = add_person(engine)
    app = new_app(new_desk(engine))
    here, there = await signed_in(app, "ada@example.com"), await signed_in(app, "ada@example.com")
    fields = {"language": "th", "theme": "dark", "sound": "yes", "languages": ["tr", "xx"]}
    await here.post("/desk/settings", fields)
    page = (await here.get("/desk/settings?done=saved")).text
    assert '<html lang="th" data-theme="dark">' in page
    await here.post("/desk/preferences", {"theme": "light", "language": "xx", "next": "/desk/people"})
    await here.post("/desk/presence", {"online": "yes"})
    with Session(engine) as session:
        stored = session.get_one(Person, ada.id)
        assert (stored.language, stored.languages, stored.online) == ("th", ["tr"], True)
        assert stored.preferences == {"theme": "light", "sound": True, "notices": False}
        assert len(session.scalars(select(DeskSession)).all()) == 2
    await here.post("/desk/settings/browsers")
    assert (await there.get("/desk/settings")).status_code == 303
    answer = await here.post("/desk/preferences", {"sound": "no", "next": "https://evil.example"})
    assert answer.headers["location"] == "/desk"


async def test_a_token_is_shown_once_and_taken_back(engine: Engine) -> None:
    one = await grace(engine)
    assert "No tokens yet" in (await one.get("/desk/tokens")).text
    answer = await one.post("/desk/tokens", {"name": "", "days": "7"})
    assert (answer.status_code, problems(answer.text)) == (422, ["name", "scopes"])
    scopes = ["conversations:read", "tags:write"]
    fields = {"name": HOSTILE, "scopes": scopes, "queues": ["support"], "days": "30"}
    answer = await one.post("/desk/tokens", fields)
    shown = re.search(r"<code>(rf_[\w-]+)</code>", answer.text)
    assert answer.status_code == 201
    assert shown
    page = (await one.get("/desk/tokens")).text
    assert shown[1] not in page
    assert HOSTILE not in page
    with Session(engine) as session, session.begin():
        made = session.scalars(select(ApiToken)).one()
        assert made.expires_at is not None
        assert dt.timedelta(days=29) < made.expires_at - now() < dt.timedelta(days=31)
        principal = tokens.find_token(session, shown[1])
        assert principal is not None
        assert (sorted(principal.permissions), principal.queues) == (scopes, frozenset({"support"}))
        id = made.id
    assert (await one.post(f"/desk/tokens/{id}/revoke")).status_code == 303
    with Session(engine) as session, session.begin():
        assert tokens.find_token(session, shown[1]) is None
    assert "Revoked" in (await one.get("/desk/tokens?done=revoked")).text
    assert (await one.post("/desk/tokens", {**fields, "scopes": ["everything"]})).status_code == 422


async def test_webhooks_and_their_deliveries(engine: Engine) -> None:
    one = await grace(engine)
    assert "No webhooks yet" in (await one.get("/desk/webhooks")).text
    assert "No webhooks, no deliveries" in (await one.get("/desk/deliveries")).text
    answer = await one.post("/desk/webhooks", {"url": "http://10.0.0.1/", "description": "x" * 201})
    assert (answer.status_code, problems(answer.text)) == (422, ["url", "description", "events"])
    fields = {"url": "https://hooks.example.com/refill", "description": HOSTILE, "events": ["case.*", "rating.given"]}
    answer = await one.post("/desk/webhooks", fields)
    shown = re.search(r"<code>(whsec_[\w-]+)</code>", answer.text)
    assert shown
    with Session(engine) as session:
        id = session.scalars(select(Webhook.id)).one()
    for path in ("/desk/webhooks", f"/desk/webhooks/{id}"):
        page = (await one.get(path)).text
        assert shown[1] not in page
        assert HOSTILE not in page
    assert (await one.post(f"/desk/webhooks/{id}", {**fields, "url": "ftp://x"})).status_code == 422
    assert (await one.post(f"/desk/webhooks/{id}", {**fields, "events": ["*", "case.*"]})).status_code == 303
    rotated = await one.post(f"/desk/webhooks/{id}/rotate")
    assert re.search(r"<code>(whsec_[\w-]+)</code>", rotated.text)
    assert shown[1] not in rotated.text
    answer = await one.post(f"/desk/webhooks/{id}/test")
    assert answer.headers["location"] == f"/desk/deliveries?webhook={id}"
    with Session(engine) as session, session.begin():
        sent = session.scalars(select(Outgoing)).one()
        sent.state, sent.last_error, sent.attempts = "dead", f"HTTP 500 {HOSTILE}", 12
        assert session.get_one(Webhook, id).events == ["*"]
        delivery = sent.id
    page = (await one.get("/desk/deliveries?show=dead")).text
    assert "HTTP 500" in page
    assert HOSTILE not in page
    assert (await one.post(f"/desk/deliveries/{delivery}/retry")).status_code == 303
    assert "Waiting" in (await one.get("/desk/deliveries?show=pending")).text
    assert (await one.post(f"/desk/deliveries/{delivery}/retry")).status_code == 409
    assert (await one.post("/desk/deliveries/retry", {"webhook": id})).status_code == 303
    assert (await one.post(f"/desk/webhooks/{id}/pause")).status_code == 303
    assert "Held" in (await one.get("/desk/deliveries")).text
    assert (await one.post(f"/desk/webhooks/{id}/resume")).status_code == 303
    assert (await one.post(f"/desk/webhooks/{id}/explode")).status_code == 404
    assert (await one.post(f"/desk/webhooks/{id}/delete")).status_code == 303
    assert (await one.get(f"/desk/webhooks/{id}")).status_code == 404
    assert (await one.get("/desk/deliveries?before=x")).status_code == 404


async def test_the_audit_log_is_filtered_and_paged(engine: Engine) -> None:
    one = await grace(engine)
    with Session(engine) as session, session.begin():
        for number in range(120):
            audit.note(session, operator("root"), "case.claim", f"case:{number}", {"note": HOSTILE})
        audit.note(session, "nobody", "unheard.of", "thing:1")
    first = (await one.get("/desk/audit?area=case")).text
    assert HOSTILE not in first
    older = re.search(r'href="(/desk/audit\?[^"]+before=\d+[^"]*)"', first)
    assert older
    second = (await one.get(older[1].replace("&amp;", "&"))).text
    assert "Case 119" in first
    assert "Case 119" not in second
    assert "Case 69" in second
    assert "Case 7<" in (await one.get("/desk/audit?target=case:7")).text
    assert "unheard.of" in (await one.get("/desk/audit?by=nobody")).text
    assert "Nothing found" in (await one.get("/desk/audit?by=person:nobody&before=abc")).text


async def test_what_goes_wrong_is_a_page(engine: Engine) -> None:
    one = await grace(engine)
    answer = await one.get("/desk/people/nobody")
    assert (answer.status_code, "Nothing here" in answer.text) == (404, True)
    part = await one.get("/desk/people/nobody", headers={"hx-request": "true"})
    assert part.status_code == 404
    assert "<html" not in part.text
    assert 'data-problem="not_found"' in part.text
    huge = await one.post("/desk/people", {"name": "x" * (1 << 20)})
    assert huge.status_code == 413
    many = await one.http.post("/desk/people", data={"csrf": one.csrf, **{f"f{n}": "x" for n in range(300)}})
    assert many.status_code == 422
    assert COOKIE in one.http.cookies


async def test_an_unexpected_error_tells_nothing_of_the_inside(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    add_person(engine, "grace@example.com", "administrator")
    desk = new_desk(engine)
    one = await signed_in(new_app(desk), "grace@example.com")

    def broken(person: HasRole) -> frozenset[str]:
        raise RuntimeError("the inside")

    desk.queues.of = broken  # type: ignore[method-assign]
    answer = await one.get("/desk/people")
    assert answer.status_code == 500
    assert "Something is wrong on our side" in answer.text
    assert "the inside" not in answer.text
    assert "the inside" in caplog.text


def test_entries_stay_as_they_are(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        audit.note(session, operator("x"), "case_a.b", "t")
        audit.note(session, operator("x"), "caseXa.b", "t")
    with Session(engine) as session:
        assert [entry.action for entry in audit.entries(session, area="case_a")] == ["case_a.b"]
        assert session.scalars(select(AuditEntry.address)).all() == [None, None]
