"""The desk's working pages, in this process: who sees and does what, how a case changes, what hostile words do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, MessageTag, now
from bot.handoff.models import Escalation, Note
from bot.people.models import AuditEntry, Draft, Person, SavedReply
from bot.people.roles import SYSTEM
from bot.success.models import Account, AccountSignal
from tests.desk.rig import Browser, signed_in
from tests.desk.shop import Shop, open_shop

pytestmark = pytest.mark.slow

PART = {"hx-request": "true"}
HOSTILE = (
    "</li><script>alert(1)</script><img src=x onerror=alert(2)> ![x](javascript:alert(3)) [y](javascript:alert(4))"
)


@pytest.fixture
def shop(engine: Engine) -> Shop:
    """The desk with its cases."""
    return open_shop(engine)


def told(answer: Any) -> dict[str, Any]:
    """What a page with scripts is told after an action."""
    assert answer.status_code == 204, answer.text
    found: dict[str, Any] = json.loads(answer.headers["hx-trigger"])["desk:done"]
    return found


async def act(browser: Browser, number: int, what: str, **data: Any) -> Any:
    """Press a button of a case, as a page with scripts does."""
    return await browser.post(f"/desk/cases/{number}/{what}", data, headers=PART)


async def test_everybody_sees_the_cases_of_their_queues(shop: Shop) -> None:
    support, business = shop.cases[0], shop.cases[2]
    ada, mei, lena = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "mei", "lena")]
    for browser, sees, misses in ((ada, support, business), (mei, business, support), (lena, support, None)):
        listed = (await browser.get("/desk?view=all")).text + (await browser.get("/desk?view=unassigned")).text
        assert f'id="row-{sees}"' in listed
        assert (await browser.get(f"/desk/cases/{sees}")).status_code == 200
        if misses is None:
            continue
        assert f'id="row-{misses}"' not in listed
        for path in ("", "/head", "/side", "/composer", "/suggestions", "/earlier?before=9", "/entries", "/replies"):
            assert (await browser.get(f"/desk/cases/{misses}{path}")).status_code == 404, path
        assert (await browser.get(f"/desk/cases/{misses}/events")).status_code == 404
        for what in ("claim", "release", "transfer", "priority", "resolve", "return", "reopen", "merge", "undo"):
            given = {"to": "queue:success", "priority": "low", "resolution": "solved", "into": str(sees)}
            assert (await act(browser, misses, what, **given)).status_code in (404, 409), what
        for what in ("reply", "note", "draft", "typing", "tags"):
            given = {"text": "x", "client_id": "c", "kind": "note", "message": "1", "name": "defect", "verdict": "add"}
            assert (await act(browser, misses, what, **given)).status_code == 404, what
        assert shop.case(misses).version == shop.case(business if misses == business else support).version
    assert (await ada.get("/desk/signals")).status_code == 403
    assert (await ada.get("/desk/replies")).status_code == 403
    # Work on signals of the same conversation is not told to those who may not read signals.
    assert "Success: signal" not in (await ada.get(f"/desk/cases/{support}")).text
    assert "Success: signal" in (await lena.get(f"/desk/cases/{support}")).text


async def test_every_form_needs_the_token_of_its_page(shop: Shop) -> None:
    ada = await signed_in(shop.app, "ada@example.com")
    ada.csrf = "0" * 64
    for what in ("claim", "release", "transfer", "priority", "resolve", "return", "reopen", "merge", "undo", "tags"):
        assert (await act(ada, shop.cases[0], what)).status_code == 403, what
    for what in ("reply", "note", "draft", "typing"):
        assert (await act(ada, shop.cases[0], what, text="Hello", client_id="c")).status_code == 403, what
    assert shop.case(shop.cases[0]).assignee is None
    assert [author for author, _ in shop.texts(shop.cases[0])].count("agent") == 0


async def test_the_desk_begins_where_there_is_something_to_see(shop: Shop) -> None:
    def view(page: str) -> str:
        found = re.search(r'<input type="hidden" name="view" value="(\w+)">', page)
        return found[1] if found else ""

    ada = await signed_in(shop.app, "ada@example.com")
    assert view((await ada.get("/desk")).text) == "unassigned"
    assert view((await ada.get("/desk?view=mine")).text) == "mine"
    assert view((await ada.get("/desk")).text) == "unassigned"  # Nothing is theirs yet.
    told(await act(ada, shop.cases[0], "claim"))
    assert view((await ada.get("/desk")).text) == "mine"
    assert view((await ada.get("/desk?view=closed")).text) == "closed"
    assert view((await ada.get("/desk")).text) == "closed"
    await ada.get("/desk?view=nonsense")
    await ada.get("/desk/list?view=support", headers=PART)
    assert view((await ada.get(f"/desk/cases/{shop.cases[1]}")).text) == "closed"


async def test_refusals_speak_the_readers_language(shop: Shop) -> None:
    number = shop.cases[0]
    ada, deniz = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "deniz")]
    told(await act(ada, number, "claim"))
    with Session(shop.engine) as session, session.begin():
        session.execute(update(Person).values(language="tr"))
    assert "Bu talep Ada Yılmaz adlı kişide." in (await act(deniz, number, "claim")).text
    stranger = shop.people["mei@example.com"].id
    refused = await act(ada, number, "transfer", to=f"person:{stranger}")
    assert "Mei Chen, Destek kuyruğunun üyesi değil." in refused.text
    assert "Şimdiki haliyle".casefold() in (await act(ada, number, "undo")).text.casefold()
    too_long = await act(ada, number, "transfer", to="queue:success", note="x" * 4001)
    assert (too_long.status_code, "Bu metin 4001 karakter." in too_long.text) == (422, True)
    told(await act(ada, number, "resolve", resolution="solved"))
    assert f"{number} numaralı talep zaten kapalı." in (await act(ada, number, "release")).text


async def test_a_case_from_claim_to_undo(shop: Shop) -> None:
    number = shop.cases[0]
    ada, deniz = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "deniz")]
    assert told(await act(ada, number, "claim"))["text"] == f"Case {number} is yours."
    refused = await act(deniz, number, "claim")
    assert refused.status_code == 409
    assert "Ada" in refused.text
    assert (await act(deniz, number, "reply", text="Me too", client_id="d")).status_code == 409
    assert 'id="box-reply"' not in (await deniz.get(f"/desk/cases/{number}/composer")).text

    seen = str(len(shop.texts(number)))
    told(await act(ada, number, "reply", text="Hello", client_id="one", seen_number=seen, citation="refund-a-sale"))
    told(await act(ada, number, "reply", text="Hello", client_id="one", seen_number=seen))  # A double click.
    assert shop.texts(number)[-1] == ("agent", "Hello")
    assert [author for author, _ in shop.texts(number)].count("agent") == 1
    page = (await ada.get(f"/desk/cases/{number}")).text
    assert 'class="citation" href="/help/refund-a-sale"' in page
    assert (await act(ada, number, "reply", text="x", client_id="two", citation="grey-buttons")).status_code == 422

    told(await act(ada, number, "priority", priority="urgent"))
    gone = told(await act(ada, number, "resolve", resolution="solved", note="By the book."))
    assert (gone["undo"], gone["leave"]) == (True, True)
    assert "Solved" in (await ada.get("/desk?view=closed")).text
    told(await act(ada, number, "undo"))
    case = shop.case(number)
    assert (case.status, case.assignee, case.priority) == ("open", shop.people["ada@example.com"].id, "urgent")
    assert told(await act(ada, number, "transfer", to="queue:success", note="For you."))["undo"]
    assert (await ada.get(f"/desk/cases/{number}")).status_code == 404
    told(await act(ada, number, "undo"))
    told(await act(ada, number, "return"))
    assert shop.case(number).resolution == "returned_to_bot"
    told(await act(ada, number, "reopen"))
    told(await act(ada, number, "release"))
    assert shop.case(number).assignee is None
    plain = await ada.post(f"/desk/cases/{number}/claim")
    assert (plain.status_code, plain.headers["location"]) == (303, f"/desk/cases/{number}")
    with Session(shop.engine) as session:
        done = set(session.scalars(select(AuditEntry.action).where(AuditEntry.target == f"case:{number}")))
    assert {"case.claim", "case.reply", "case.resolve", "case.undo", "case.transfer", "case.reopen"} <= done


async def test_stale_reply_shows_what_was_said_and_sends_nothing(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    seen = len(shop.texts(number))
    last = shop.write(number, f"Wait, {HOSTILE}")
    refused = await act(ada, number, "reply", text="All is well", client_id="one", seen_number=str(seen))
    assert refused.status_code == 409
    assert "Wait, &lt;/li&gt;" in refused.text
    assert f'data-send-anyway="{last}"' in refused.text
    assert shop.texts(number)[-1][0] == "customer"
    assert shop.case(number).assignee is None
    told(await act(ada, number, "reply", text="All is well", client_id="one", seen_number=str(last)))
    assert shop.texts(number)[-1] == ("agent", "All is well")


async def test_notes_and_drafts_stay_what_they_are(shop: Shop) -> None:
    number = shop.cases[0]
    ada, deniz = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "deniz")]
    assert (await act(ada, number, "draft", kind="note", text="Do not tell", seen_number="3")).status_code == 204
    assert (await act(ada, number, "draft", kind="letter", text="x", seen_number="3")).status_code == 422
    page = (await ada.get(f"/desk/cases/{number}")).text
    assert re.search(r'<textarea[^>]*id="note-text"[^>]*>Do not tell</textarea>', page)
    assert re.search(r'<textarea[^>]*id="reply-text"[^>]*></textarea>', page)
    assert "Do not tell" not in (await deniz.get(f"/desk/cases/{number}")).text
    for _ in range(2):  # A double click.
        told(await act(ada, number, "note", text="Do not tell", client_id="one"))
    assert (await act(ada, number, "note", text="Another", client_id="one")).status_code == 409
    assert (await act(ada, number, "note", text="Another")).status_code == 422
    assert "Do not tell" in (await deniz.get(f"/desk/cases/{number}")).text
    assert all("tell" not in text for _, text in shop.texts(number))
    with Session(shop.engine) as session:
        assert session.scalars(select(Draft)).all() == []
        told_to_visitor = events.events_after(session, shop.case(number).conversation_id, 0, visible_only=True)
        assert "note" not in {one.kind for one in told_to_visitor}
        assert session.scalars(select(Note.text)).all() == ["Do not tell"]

    # A reply's draft that is older than the last message says so, and keeps its place.
    await act(ada, number, "draft", kind="reply", text="I look into", seen_number="5")
    shop.write(number, "Hello?")
    page = (await ada.get(f"/desk/cases/{number}/composer")).text
    assert "older than the last message" in page
    assert '<input type="hidden" name="seen_number" value="5">' in page


async def test_hostile_words_are_only_words(shop: Shop) -> None:
    number = shop.cases[0]
    conversation_id = shop.case(number).conversation_id
    with shop.desk.changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        conversation.contact = {"name": HOSTILE, "email": "x@example.com", "time": HOSTILE}
        session.get_one(Escalation, number).contact = conversation.contact
        session.get_one(Account, "bluebird").name = HOSTILE
        link = [{"title": HOSTILE, "url": "/help/x", "language": "en", "article_id": "x"}]
        events.add_message(session, conversation, "bot", HOSTILE, {"citations": link, "choices": [{"label": HOSTILE}]})
        events.add_message(session, conversation, "agent", HOSTILE, {"name": HOSTILE}, "person:nobody")
        session.add(AccountSignal(**_report(HOSTILE)))
        session.add(SavedReply(title=HOSTILE[:100], texts={"en": HOSTILE + " {customer_name}"}, by="x"))
    shop.write(number, HOSTILE)
    lena = await signed_in(shop.app, "lena@example.com")
    told(await act(lena, number, "note", text=HOSTILE, client_id="h"))
    pages = [f"/desk/cases/{number}", f"/desk/cases/{number}/replies", "/desk?view=all", "/desk/replies"]
    for path in [*pages, "/desk/signals", "/desk/signals?state=reported", "/desk/signals?account=bluebird"]:
        text = (await lena.get(path)).text
        assert "alert(" in text, path
        assert not re.search(r"<(script|img)[^>]*>?[^<]*alert|onerror=alert\(2\)>[^&]*<|href=.javascript", text), path
        assert "<script>" not in text
        assert "<img" not in text
    for query in ("q=%22%3E%3Cscript%3E", "view=%3Cb%3E", "tag='&sla=x&sort=%00", "after=9-9-9", "q=%25_%5C"):
        answer = await lena.get(f"/desk?{query}")
        assert answer.status_code == 200
        assert "<script>" not in answer.text


def _report(text: str) -> dict[str, Any]:
    made = {"account_id": "bluebird", "external_id": "1", "name": "renewal", "source": "employee", "by": text[:50]}
    return {**made, "text": text, "quote": text, "probability": 0.8, "occurred_at": now(), "created_at": now()}


async def test_tags_are_corrected(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")

    def states() -> dict[str, str]:
        with Session(shop.engine) as session:
            here = MessageTag.conversation_id == shop.case(number).conversation_id
            return {tag.name: tag.state for tag in session.scalars(select(MessageTag).where(here))}

    told(await act(ada, number, "tags", message="3", name="defect", verdict="confirm"))
    told(await act(ada, number, "tags", message="3", name="churn_risk", verdict="reject"))
    told(await act(ada, number, "tags", message="5", name="goal", verdict="add"))
    assert (states()["defect"], states()["churn_risk"], states()["goal"]) == ("confirmed", "rejected", "confirmed")
    told(await act(ada, number, "tags", message="3", name="churn_risk", verdict="withdraw"))
    assert states()["churn_risk"] == "open"
    assert (await act(ada, number, "tags", message="3", name="nonsense", verdict="add")).status_code == 422
    assert (await act(ada, number, "tags", message="x", name="goal", verdict="add")).status_code == 422


async def test_same_person_s_cases_are_offered_to_be_merged(shop: Shop) -> None:
    first, second = shop.cases[0], shop.cases[4]
    ada = await signed_in(shop.app, "ada@example.com")
    assert 'name="into"' not in (await ada.get(f"/desk/cases/{first}/head")).text
    with Session(shop.engine) as session, session.begin():
        session.get_one(Conversation, shop.case(second).conversation_id).customer_id = "u-1881"
    assert f'name="into" value="{first}"' in (await ada.get(f"/desk/cases/{second}/head")).text
    assert told(await act(ada, second, "merge", into=str(first)))["case"] == first
    assert shop.case(second).merged_into == first
    assert f"Go to case {first}" in (await ada.get(f"/desk/cases/{second}")).text


async def test_signals_are_claimed_done_and_taken_back(shop: Shop) -> None:
    mei = await signed_in(shop.app, "mei@example.com")
    shown = (await mei.get("/desk/signals")).text
    assert "<mark>we will look at other tills</mark>" in shown
    found = re.search(r'id="signal-(\d+)"', shown)
    assert found
    number = int(found[1])
    told(await act(mei, number, "claim"))
    assert 'id="signal-' not in (await mei.get("/desk/signals?signal=renewal&list=yes", headers=PART)).text
    assert f"signal-{number}" in (await mei.get("/desk/signals?state=mine&account=bluebird")).text

    def state() -> str | None:
        with Session(shop.engine) as session:
            return session.scalar(select(MessageTag.state).where(MessageTag.name == "churn_risk"))

    told(await act(mei, number, "resolve", resolution="not_a_signal"))
    assert (shop.case(number).resolution, state()) == ("not_a_signal", "rejected")
    assert "is-rejected" in (await mei.get("/desk/signals?state=closed")).text
    told(await act(mei, number, "undo"))
    assert (shop.case(number).status, state()) == ("open", "open")
    told(await act(mei, number, "resolve", resolution="done"))
    assert (await act(mei, number, "resolve", resolution="done")).status_code == 409
    moved = await mei.post("/desk/accounts/bluebird/stage", {"stage": "expansion"})
    assert moved.headers["location"] == "/desk/signals?account=bluebird"
    assert "set by hand" in (await mei.get("/desk/signals?account=bluebird")).text
    assert (await mei.post("/desk/accounts/bluebird/stage", {"stage": "gone"})).status_code == 422


async def test_saved_replies_are_written_and_used(shop: Shop) -> None:
    lena, ada = [await signed_in(shop.app, f"{name}@example.com") for name in ("lena", "ada")]
    assert "No saved replies yet" in (await lena.get("/desk/replies")).text
    text = {"text_en": "Hello {customer_name}", "text_th": "สวัสดีค่ะ {customer_name}"}
    wrong = await lena.post("/desk/replies", {"title": "Hello", "text_en": "Hello {nobody}"})
    assert wrong.status_code == 422
    assert "{nobody} is not filled in" in wrong.text
    assert (await lena.post("/desk/replies", {"title": "", **text})).status_code == 422
    assert (await lena.post("/desk/replies", {"title": "Empty"})).status_code == 422
    assert (await lena.post("/desk/replies", {"title": "Hello", "queue": "", **text})).status_code == 303
    assert (await ada.post("/desk/replies", {"title": "Mine", **text})).status_code == 403
    preview = await lena.post("/desk/replies/preview", {"language": "en", "text_en": "**Hi** {customer_name}"})
    assert preview.text.strip() == "<p><strong>Hi</strong> Sofia Marsh</p>"
    assert 'data-insert-reply="Hello Emre Aksoy"' in (await ada.get(f"/desk/cases/{shop.cases[1]}/replies")).text
    assert "สวัสดีค่ะ กมลา ศรีสุข" in (await ada.get(f"/desk/cases/{shop.cases[3]}/replies")).text
    assert (await lena.post("/desk/replies/1", {"title": "Hi", "queue": "success", **text})).status_code == 303
    assert "Hello Emre" not in (await ada.get(f"/desk/cases/{shop.cases[1]}/replies")).text
    assert (await lena.post("/desk/replies/1/delete")).status_code == 303
    assert (await lena.get("/desk/replies/1")).status_code == 404


async def test_every_page_speaks_every_language(shop: Shop) -> None:
    number = shop.cases[0]
    with shop.desk.changes.transaction() as session:
        # Events as other versions and systems may have written them.
        conversation = events.locked(session, shop.case(number).conversation_id)
        for data in ({"case": number, "action": "opened"}, {"case": number, "action": "something new", "queue": "x"}):
            events.append(session, conversation, "case", data, SYSTEM.label)
    lena = await signed_in(shop.app, "lena@example.com")
    steps: dict[str, dict[str, str]] = {
        "claim": {},
        "priority": {"priority": "low"},
        "note": {"text": "x", "client_id": "x"},
    }
    for what, given in {**steps, "resolve": {"resolution": "solved"}}.items():
        told(await act(lena, number, what, **given))
    views = ("mine", "unassigned", "support", "success", "all", "closed")
    paths = [f"/desk/list?view={view}" for view in views]
    paths += [f"/desk/signals?list=yes&state={state}" for state in ("open", "mine", "closed", "reported")]
    paths += [f"/desk/cases/{number}?pane=yes", f"/desk/cases/{number}/suggestions", "/desk/nothing"]
    words = {"en": "Customer", "zh": "客户", "tr": "Müşteri", "th": "ลูกค้า"}
    for language, word in words.items():
        with Session(shop.engine) as session, session.begin():
            session.execute(update(Person).values(language=language))
        for path in paths:
            assert (await lena.get(path, headers=PART)).status_code == 200, path
        for path in (f"/desk/cases/{shop.cases[4]}?view=all", "/desk/signals?account=bluebird", "/desk/replies/new"):
            answer = await lena.get(path)
            assert answer.status_code == 200, path
        assert word in (await lena.get(f"/desk/cases/{number}/side", headers=PART)).text
