"""Cases, their transcripts and events, work on signals, people and saved replies over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from bot.conversation import corrections, events
from bot.conversation.models import MessageTag
from bot.conversation.tags import record
from bot.people.models import AuditEntry, Person
from bot.people.roles import PERMISSIONS_OF, Permission
from tests.channels.webchat.conftest import assert_error
from tests.desk.world import KEY, TAG, Place, World, new_world

pytestmark = pytest.mark.slow

API = "/api/v1"
CASES = f"{API}/cases"
AGENT = sorted(PERMISSIONS_OF["agent"])


class Api:
    """The team API of a world with two queues.

    Attributes:
        place: The queue `support`.
    """

    def __init__(self, http: httpx.AsyncClient, world: World) -> None:
        self.http = http
        self.world = world
        self.place: Place = world.places["support"]
        self.case = f"{CASES}/{self.place.case}"

    async def get(self, path: str, token: str = KEY, **query: Any) -> httpx.Response:
        """Read something."""
        return await self.http.get(path, params=query, headers={"authorization": f"Bearer {token}"})

    async def post(self, path: str, token: str = KEY, **body: Any) -> httpx.Response:
        """Do something."""
        return await self.http.post(path, json=body, headers={"authorization": f"Bearer {token}"})

    def agent(self, *more: Permission) -> str:
        """The token of an agent of `support`."""
        return self.world.holder([*AGENT, *more], ["support"])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """On a world of its own."""
    world = new_world()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://test") as http:
        yield Api(http, world)
    world.engine.dispose()


# Cases


async def test_case_with_all_one_needs(api: Api) -> None:
    body = (await api.get(api.case)).json()
    assert (body["number"], body["queue"], body["status"], body["owner"]) == (1, "support", "open", "queue:support")
    assert (body["last_number"], body["assignee"], body["contact"]["name"]) == (2, None, api.place.secret)
    (tried,) = body["summary"]["tried"]
    assert (tried["number"], tried["reply_number"], tried["decision"], tried["article_id"]) == (
        1,
        2,
        "answer",
        "printer",
    )
    assert [tag["name"] for tag in body["summary"]["tags"]["topics"]] == ["defect"]
    assert body["customer"]["verified"] is True
    assert {case["number"] for one in body["customer"]["earlier"] for case in one["cases"]} == {
        api.place.twin,
        api.place.closed,
    }
    assert [rating["csat"] for rating in body["customer"]["ratings"]] == []


async def test_cases_are_filtered_and_paged(api: Api) -> None:
    async def numbers(**query: Any) -> list[int]:
        return [case["number"] for case in (await api.get(CASES, **query)).json()["cases"]]

    other = api.world.places["account_management"]
    assert set(await numbers(status="open")) == {api.place.case, api.place.twin, other.case, other.twin}
    assert await numbers(queue="support", status="closed") == [api.place.closed]
    assert await numbers(text=f"#{other.case}") == [other.case]
    assert set(await numbers(text=api.place.secret.upper())) == {api.place.case, api.place.twin, api.place.closed}
    await api.post(f"{api.case}/claim")
    assert await numbers(assignee="me") == [api.place.case]
    assert api.place.case not in await numbers(assignee="nobody")
    first = (await api.get(CASES, limit=4, order="newest")).json()
    rest = (await api.get(CASES, limit=4, order="newest", after=first["next"])).json()
    found = [case["number"] for page in (first, rest) for case in page["cases"]]
    assert (len(set(found)), found, rest["next"]) == (6, sorted(found, reverse=True), None)


async def test_work_from_claim_to_resolve_and_back(api: Api) -> None:
    claimed = (await api.post(f"{api.case}/claim")).json()
    assert claimed["assignee"] == {"id": "Team", "name": "Team"}
    sent = await api.post(f"{api.case}/replies", client_id="r-1", text="Is **it** on?", seen_number=2)
    assert sent.status_code == 201
    assert (sent.json()["author"], sent.json()["name"]) == ("agent", "Team")
    assert sent.json()["html"].strip() == "<p>Is <strong>it</strong> on?</p>"
    note = await api.post(f"{api.case}/notes", text="They sound tired.")
    assert (note.status_code, note.json()["case"]) == (201, api.place.case)
    urgent = (await api.post(f"{api.case}/priority", priority="urgent")).json()
    assert urgent["priority"] == "urgent"
    resolved = (await api.post(f"{api.case}/resolve", resolution="solved", note="It was off.")).json()
    assert (resolved["status"], resolved["resolution"]) == ("closed", "solved")
    assert (await api.post(f"{api.case}/undo")).json()["status"] == "open"
    returned = (await api.post(f"{api.case}/return")).json()
    assert (returned["status"], returned["resolution"]) == ("closed", "returned_to_bot")
    assert (await api.post(f"{api.case}/reopen")).json()["reopened"] == 1
    merged = (await api.post(f"{api.case}/merge", into=api.place.twin)).json()
    assert merged["number"] == api.place.twin
    assert (await api.get(api.case)).json()["merged_into"] == api.place.twin
    notes = [note["text"] for note in (await api.get(f"{api.case}/notes")).json()["notes"]]
    assert notes == [f"Mind {api.place.secret}.", "They sound tired.", "It was off."]
    with Session(api.world.engine) as session:
        done = [entry.action for entry in session.query(AuditEntry).filter_by(by="key:Team", target="case:1")]
    assert done[:4] == ["case.claim", "case.reply", "case.note", "case.priority"]


async def test_same_reply_is_sent_once(api: Api) -> None:
    first, again = [await api.post(f"{api.case}/replies", client_id="r", text="Is it on?") for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()) == (201, 200, again.json())
    other = await api.post(f"{api.case}/replies", client_id="r", text="Is it off?")
    assert_error(other, 409, "duplicate_id")
    assert (await api.get(f"{api.case}/messages")).json()["last_number"] == 3


async def test_who_looked_at_something_older_is_told(api: Api) -> None:
    version = (await api.get(api.case)).json()["version"]
    await api.post(f"{api.case}/priority", priority="high", version=version)
    for name, body in (("transfer", {"queue": "success"}), ("claim", {}), ("resolve", {"resolution": "solved"})):
        assert_error(await api.post(f"{api.case}/{name}", version=version, **body), 409, "stale")
    assert_error(await api.post(f"{api.case}/replies", client_id="r", text="Hello", seen_number=1), 409, "stale")
    fresh = (await api.get(api.case)).json()
    assert (fresh["version"], fresh["last_number"], fresh["queue"]) == (version + 1, 2, "support")


async def test_another_persons_case_is_theirs(api: Api) -> None:
    await api.post(f"{api.case}/claim")
    agent = api.agent()
    for name, body in (
        ("claim", {}),
        ("claim", {"take_over": True}),
        ("replies", {"client_id": "r", "text": "Hello"}),
        ("resolve", {"resolution": "solved"}),
    ):
        refused = await api.post(f"{api.case}/{name}", agent, **body)
        assert_error(refused, 409, "stale")
    lead = api.world.holder(sorted(PERMISSIONS_OF["lead"]))
    taken = await api.post(f"{api.case}/claim", lead, take_over=True)
    assert taken.json()["assignee"]["name"] == "Another system"


async def test_case_that_was_passed_on_is_seen_no_more(api: Api) -> None:
    agent = api.agent()
    moved = await api.post(f"{api.case}/transfer", agent, queue="success", note="For you.")
    assert (moved.status_code, moved.json()["queue"]) == (200, "success")
    assert_error(await api.get(api.case, agent), 404, "not_found")
    back = await api.post(f"{api.case}/undo", agent)
    assert (back.status_code, back.json()["queue"]) == (200, "support")


# What happened


async def test_events_tell_work_on_signals_to_those_who_may_read_signals(api: Api) -> None:
    await api.post(f"{API}/signals/{api.place.work}/claim")
    await api.post(f"{API}/signals/{api.place.work}/notes", text="Call them.")

    async def of(token: str) -> set[int]:
        found = (await api.get(f"{api.case}/events", token)).json()
        assert found["next"] == found["last_event"]
        return {event["data"].get("case") for event in found["events"] if event["kind"] in ("case", "note")}

    assert await of(KEY) == {api.place.case, api.place.work}
    assert await of(api.agent()) == {api.place.case}
    assert await of(api.agent("signals:read")) == {api.place.case, api.place.work}
    notes = (await api.get(f"{api.case}/notes", api.agent())).json()["notes"]
    assert [note["text"] for note in notes] == [f"Mind {api.place.secret}."]


async def test_events_go_on_where_one_stopped(api: Api) -> None:
    pages, after = [], 0
    while True:
        page = (await api.get(f"{api.case}/events", after=after, limit=1)).json()
        if not page["events"]:
            break
        pages += page["events"]
        after = page["next"]
    assert pages == (await api.get(f"{api.case}/events")).json()["events"]
    assert [(event["kind"], event["message"] and event["message"]["number"]) for event in pages] == [
        ("message", 1),
        ("message", 2),
        ("case", None),
    ]


async def streamed(api: Api, token: str, after: str) -> list[tuple[str, Any]]:
    """Events of the stream until it ends, and what they carry."""
    headers = {"authorization": f"Bearer {token}", "last-event-id": after}
    answer = await api.http.get(f"{api.case}/stream", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in answer.text.split("\n\n") if block]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


async def test_stream_gives_what_was_missed_and_ends_with_the_right_to_see(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = api.agent()
    monkeypatch.setattr("bot.desk.api.transcript._HEARTBEAT_SECONDS", 0.01)
    api.world.state.delivery.typing(api.place.conversation, "customer", True)
    looks = 0
    principal = api.world.state.principal

    def until_revoked(token: str) -> Any:
        nonlocal looks
        looks += token == agent
        return principal("rf_wrong" if looks > 3 else token)

    monkeypatch.setattr(api.world.state, "principal", until_revoked)
    found = await streamed(api, agent, "1")
    assert [kind for kind, _ in found] == ["message", "case", "typing"]
    assert (found[0][1]["number"], found[0][1]["message"]["author"], found[2][1]) == (2, "bot", ["customer"])
    assert looks > 3


# Work on signals


async def test_work_on_signals_with_evidence(api: Api) -> None:
    works = (await api.get(f"{API}/signals", queue="support")).json()["work"]
    (work,) = works
    assert (work["number"], work["signals"], work["status"]) == (api.place.work, ["expansion"], "open")
    (evidence,) = work["evidence"]
    assert (evidence["quote"], evidence["number"], evidence["state"]) == ("two more cafés", 1, "open")
    assert (await api.get(f"{API}/signals", signal="renewal")).json()["work"] == []
    done = await api.post(f"{API}/signals/{api.place.work}/done", note="They got an offer.")
    assert (done.json()["status"], done.json()["resolution"]) == ("closed", "done")
    assert_error(await api.post(f"{API}/signals/{api.place.case}/done"), 404, "not_found")


async def test_what_was_no_signal_teaches(api: Api) -> None:
    closed = await api.post(f"{API}/signals/{api.place.work}/not-a-signal")
    assert (closed.json()["resolution"], closed.json()["evidence"][0]["state"]) == ("not_a_signal", "rejected")
    with Session(api.world.engine) as session:
        states = {
            tag.name: tag.state
            for tag in session.query(MessageTag).filter_by(conversation_id=api.place.conversation, number=1)
        }
    assert states == {"defect": "open", "expansion": "rejected"}


async def test_undo_of_not_a_signal_gives_back_only_its_own_tags(api: Api) -> None:
    conversation, work = api.place.conversation, f"{API}/signals/{api.place.work}"
    with Session(api.world.engine) as session, session.begin():
        # A second message with the signal, which somebody rejected long before.
        there = events.locked(session, conversation)
        number = events.add_message(session, there, "customer", "We open two more cafés.", by="customer").number
        session.flush()
        record(session, conversation, number, TAG("We open two more cafés.", "en"))
        corrections.correct(session, conversation, number, "expansion", "reject", "Holder")
    closed = (await api.post(f"{work}/not-a-signal")).json()
    assert {one["state"] for one in closed["evidence"]} == {"rejected"}
    assert (await api.post(f"{CASES}/{api.place.work}/undo")).json()["status"] == "open"
    with Session(api.world.engine) as session:
        found = session.query(MessageTag).filter_by(conversation_id=conversation, name="expansion")
        assert {tag.number: tag.state for tag in found} == {1: "open", number: "rejected"}


async def test_note_sent_twice_is_one(api: Api) -> None:
    for url in (f"{api.case}/notes", f"{API}/signals/{api.place.work}/notes"):
        given = {"text": "They sound tired.", "client_id": url[-20:].replace("/", "-")}
        first, second = [await api.post(url, **given) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        assert_error(await api.post(url, **{**given, "text": "Another"}), 409, "duplicate_id")


# People, saved replies, queues, webhooks


async def test_people_are_made_and_let_go(api: Api) -> None:
    made = (await api.post(f"{API}/people", email="Cy@example.com", name="Cy", role="agent", languages=["tr"])).json()
    person = made["person"]
    assert (person["email"], person["queues"], person["online"]) == ("cy@example.com", ["support"], False)
    assert api.world.state.passwords.matches(_hash_of(api, person["id"]), made["password"])
    url = f"{API}/people/{person['id']}"
    headers = {"authorization": f"Bearer {KEY}"}
    changed = (await api.http.patch(url, json={"role": "lead", "capacity": 3}, headers=headers)).json()
    assert (changed["role"], changed["capacity"], changed["name"], changed["languages"]) == ("lead", 3, "Cy", ["tr"])
    assert (await api.http.patch(url, json={"capacity": None}, headers=headers)).json()["capacity"] is None
    new = (await api.post(f"{url}/password")).json()["password"]
    assert api.world.state.passwords.matches(_hash_of(api, person["id"]), new)
    assert (await api.post(f"{url}/disable")).json()["disabled_at"]
    shown = (await api.get(f"{API}/people", api.agent())).json()["people"]
    assert [(one["name"], one["email"]) for one in shown] == [("Ada", None), ("Boss", None)]
    assert (await api.post(f"{url}/enable")).json()["disabled_at"] is None
    boss = next(one for one in (await api.get(f"{API}/people")).json()["people"] if one["name"] == "Boss")
    assert_error(await api.post(f"{API}/people/{boss['id']}/disable"), 422, "invalid_input")


def _hash_of(api: Api, person: str) -> str:
    with Session(api.world.engine) as session:
        return session.get_one(Person, person).password_hash or ""


async def test_nobody_makes_somebody_who_may_more(api: Api) -> None:
    manager = api.world.holder(["people:manage", *AGENT])
    body = {"email": "cy@example.com", "name": "Cy"}
    assert (await api.post(f"{API}/people", manager, role="agent", **body)).status_code == 201
    refused = await api.post(f"{API}/people", manager, role="administrator", **{**body, "email": "di@example.com"})
    assert_error(refused, 403, "forbidden")
    boss = next(one for one in (await api.get(f"{API}/people")).json()["people"] if one["name"] == "Boss")
    assert_error(await api.post(f"{API}/people/{boss['id']}/password", manager), 403, "forbidden")


async def test_queues_are_counted(api: Api) -> None:
    (support,) = (await api.get(f"{API}/queues", api.agent())).json()["queues"]
    assert (support["name"], support["open"], support["unassigned"], support["mine"]) == ("support", 2, 2, 0)
    assert len((await api.get(f"{API}/queues")).json()["queues"]) == 3


async def test_ratings_of_ones_queues(api: Api) -> None:
    mine = (await api.get(f"{API}/ratings", api.agent())).json()
    assert [(one["case"], one["csat"]) for one in mine["ratings"]] == [(api.place.closed, 4), (api.place.case, None)]
    first = (await api.get(f"{API}/ratings", limit=1)).json()
    rest = (await api.get(f"{API}/ratings", before=first["next"])).json()
    assert len(first["ratings"] + rest["ratings"]) == 4


async def test_saved_replies(api: Api) -> None:
    texts = {"tr": "Merhaba {customer_name}", "en": "Hello {customer_name}"}
    made = await api.post(f"{API}/saved-replies", title=" Hello ", texts=texts, queue="success")
    assert (made.status_code, made.json()["title"], list(made.json()["texts"])) == (201, "Hello", ["en", "tr"])
    url = f"{API}/saved-replies/{made.json()['id']}"
    wrong = await api.post(f"{API}/saved-replies", title="x", texts={"en": "Hello {custmer}"})
    assert_error(wrong, 422, "invalid_input")
    assert "{custmer}" in wrong.json()["error"]["message"]
    assert_error(await api.get(url, api.agent()), 404, "not_found")
    fitting = (await api.get(f"{API}/saved-replies", queue="success")).json()
    assert [reply["title"] for reply in fitting["replies"]] == ["Hello"]
    assert fitting["variables"] == ["customer_name", "agent_name", "case_number", "account"]
    headers = {"authorization": f"Bearer {KEY}"}
    assert (await api.http.patch(url, json={"queue": None}, headers=headers)).json()["queue"] is None
    assert (await api.get(url, api.agent())).status_code == 200
    assert (await api.http.delete(url, headers=headers)).status_code == 204
    assert_error(await api.get(url), 404, "not_found")


async def test_webhook_tells_its_secret_once(api: Api) -> None:
    made = (await api.post(f"{API}/webhooks", url="https://example.com/in", events=["case.*"])).json()
    assert made["secret"].startswith("whsec_")
    listed = await api.get(f"{API}/webhooks")
    assert made["webhook"] in listed.json()["webhooks"]
    assert made["secret"] not in listed.text
    assert_error(await api.post(f"{API}/webhooks", url="http://10.0.0.1/", events=["*"]), 422, "invalid_input")
    await api.post(f"{api.case}/claim")
    deliveries = (await api.get(f"{API}/deliveries", webhook=made["webhook"]["id"])).json()
    assert ([one["event"] for one in deliveries["deliveries"]], deliveries["counts"]["pending"]) == (
        ["case.claimed"],
        1,
    )


async def test_audit_says_who_did_what(api: Api) -> None:
    await api.post(f"{api.case}/claim", api.agent())
    await api.post(f"{api.case}/priority", priority="low")
    log = (await api.get(f"{API}/audit", target="case:1", limit=1)).json()
    (last,) = log["entries"]
    assert (last["action"], last["by"], last["detail"]["priority"]) == ("case.priority", "key:Team", "low")
    (first,) = (await api.get(f"{API}/audit", target="case:1", before=log["next"])).json()["entries"]
    assert first["by"].startswith("token:")
