"""The coffee scene with the whole product: one message, a problem for support and a signal for account management.

A guest says that there is no milk in the coffee, and in the same breath that two more cafés open in May.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Tagging
from bot.encoder.encoder import Encoder
from bot.errors import TaggingError
from bot.handoff.models import Escalation
from bot.knowledge.answer import Answerer
from bot.settings import Settings
from bot.storage.engine import open_engine
from bot.tagging.tagger import Tagger
from bot.tagging.tags import Tagged
from tests.conftest import TEAM_KEY, Product, start_product
from tests.conversation.fakes import agent_says
from tests.handoff.fakes import close
from tests.scenarios.conftest import Visit
from tests.scenarios.visitor import Visitor

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]
PATIENCE = 20.0


@dataclass(frozen=True)
class Scene:
    """What a guest says.

    Attributes:
        message: A defect, and that more cafés open.
        problem: Words the defect's quote must have.
        growth: Words the signal's quote must have.
        person: A wish for a person.
    """

    message: str
    problem: str
    growth: str
    person: str


SCENES = {
    "en": Scene(
        "The card reader keeps losing its connection. By the way, we are opening two more cafés in May.",
        "card reader",
        "two more cafés",
        "can I please talk to a real person",
    ),
    "zh": Scene("读卡器老是连不上。顺便说一下，我们五月要再开两家咖啡店。", "读卡器", "再开两家咖啡店", "转人工"),
    "tr": Scene(
        "Kart okuyucu sürekli bağlantıyı kaybediyor. Bu arada mayısta iki kafe daha açıyoruz.",
        "Kart okuyucu",
        "iki kafe daha",
        "bir insanla konuşmak istiyorum",
    ),
    "th": Scene(
        "เครื่องพิมพ์ใบเสร็จไม่พิมพ์ตั้งแต่เช้าครับ อีกเรื่อง เดือนพฤษภาคมเราจะเปิดคาเฟ่เพิ่มอีกสองสาขา",
        "เครื่องพิมพ์ใบเสร็จไม่พิมพ์",
        "อีกสองสาขา",
        "ขอคุยกับเจ้าหน้าที่",
    ),
}


@contextlib.contextmanager
def _database(product: Product) -> Iterator[Session]:
    engine = open_engine(product.settings)
    with Session(engine) as session, session.begin():
        yield session
    engine.dispose()


def _tagged(product: Product, guest: Visitor) -> set[int]:
    """Numbers of the messages that were tagged."""
    with _database(product) as session:
        return set(session.scalars(select(Tagging.number).where(Tagging.conversation_id == guest.id)))


def _wait_for_tags(product: Product, guest: Visitor) -> int:
    """Wait until the guest's last message is tagged; gives its number."""
    number: int = max(message["number"] for message in guest.messages() if message["author"] == "customer")
    end = time.monotonic() + PATIENCE
    while number not in _tagged(product, guest):
        assert time.monotonic() < end, f"Message {number} was not tagged within {PATIENCE:.0f} s."
        time.sleep(0.05)
    return number


def _open_cases(product: Product, guest: Visitor) -> list[tuple[str, str, list[str] | None]]:
    """(queue, reason, signals) of all that is open in a conversation, the oldest first."""
    return [(case.queue, case.reason, case.signals) for case in _cases(product, guest) if case.status == "open"]


def _cases(product: Product, guest: Visitor) -> list[Escalation]:
    with _database(product) as session:
        found = session.scalars(
            select(Escalation).where(Escalation.conversation_id == guest.id).order_by(Escalation.id)
        ).all()
        session.expunge_all()
    return list(found)


def _close(product: Product, number: int) -> None:
    with _database(product) as session:
        close(session, number)


@contextlib.contextmanager
def _team(product: Product) -> Iterator[httpx.Client]:
    """Somebody with the team's key."""
    headers = {"authorization": f"Bearer {TEAM_KEY}"}
    with httpx.Client(base_url=product.url, headers=headers, trust_env=False) as client:
        yield client


def _read_tags(product: Product, guest: Visitor) -> dict[str, Any]:
    with _team(product) as team:
        found: dict[str, Any] = team.get(f"{guest.base}/tags").raise_for_status().json()
    return found


def _report_and_ask_for_a_person(product: Product, guest: Visitor, scene: Scene) -> tuple[int, int]:
    """Play the scene; gives the numbers of the customer's case and of the work on the signal."""
    guest.say(scene.message)
    _wait_for_tags(product, guest)
    guest.say(scene.person)
    _wait_for_tags(product, guest)
    numbers = {case.reason: case.id for case in _cases(product, guest)}
    return numbers["asked_for"], numbers["signal"]


def _events(guest: Visitor, last: int) -> list[tuple[str, str]]:
    """(event, data) of all that is sent to one who follows the conversation, until the message with this number."""
    found: list[tuple[str, str]] = []
    event = ""
    with guest.http.stream("GET", f"{guest.base}/events") as response:
        for line in response.iter_lines():
            key, _, value = line.partition(": ")
            if key == "event":
                event = value
            elif key == "data":
                found.append((event, value))
                if value.startswith(f'{{"number":{last},'):
                    return found
    raise AssertionError(f"The events ended before message {last}.")


@pytest.mark.parametrize("language", SCENES)
def test_the_problem_goes_to_support_and_the_signal_to_account_management(
    product: Product, visit: Visit, language: str
) -> None:
    scene, guest = SCENES[language], visit(product, language)
    guest.say(scene.message)
    number = _wait_for_tags(product, guest)
    # Work for people, of which the customer knows nothing: the bot goes on answering.
    assert _open_cases(product, guest) == [("account_management", "signal", ["expansion"])]
    assert guest.state()["case"] is None
    assert guest.state()["owner"]["kind"] == "bot"
    guest.say(scene.person)
    _wait_for_tags(product, guest)
    assert sorted(_open_cases(product, guest), key=lambda case: case[0]) == [
        ("account_management", "signal", ["expansion"]),
        ("support", "asked_for", None),
    ]

    tags = _read_tags(product, guest)
    assert (tags["kind"], tags["stage"]) == ("both", "expansion")
    assert [tag["name"] for tag in (*tags["topics"], *tags["signals"])] == ["defect", "expansion"]
    (defect,) = tags["topics"][0]["evidence"]
    (expansion,) = tags["signals"][0]["evidence"]
    for evidence in (defect, expansion):
        assert evidence["number"] == number
        assert evidence["quote"] == scene.message[evidence["start"] : evidence["end"]]
    assert scene.problem in defect["quote"]
    assert scene.growth in expansion["quote"]
    assert defect["end"] <= expansion["start"]


@pytest.mark.parametrize("language", SCENES)
def test_the_customer_is_shown_neither_tags_nor_the_signals_work(product: Product, visit: Visit, language: str) -> None:
    guest = visit(product, language)
    case, _ = _report_and_ask_for_a_person(product, guest, SCENES[language])
    state, messages = guest.state(), guest.messages()
    events = _events(guest, state["last_number"])
    known = {"id", "language", "owner", "last_number", "last_event", "case", "rating"}
    assert set(state) == {*known, "read_by_customer", "read_by_team"}
    assert state["owner"]["name"] is None
    assert (state["owner"]["kind"], state["case"]["number"]) == ("queue", case)
    assert set(state["case"]) == {
        "number",
        "open",
        "since",
        "position",
        "expected_minutes",
        "open_now",
        "next_opening",
        "reachable",
    }
    assert {key for message in messages for key in message} == {
        "number",
        "author",
        "name",
        "client_id",
        "text",
        "html",
        "choices",
        "citations",
        "answer",
        "thumb",
        "rating",
        "attachments",
        "picture",
        "created_at",
    }
    assert {event for event, _ in events} <= {"message", "typing", "owner", "case"}
    assert len([event for event, _ in events if event == "message"]) == len(messages)
    shown = f"{state} {messages} {events}"
    for word in ("defect", "expansion", "account_management", "proactive", "probability", "evidence"):
        assert word not in shown


def test_closing_the_case_leaves_the_work_open_and_gives_the_conversation_back(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    case, work = _report_and_ask_for_a_person(product, guest, SCENES["en"])
    _close(product, case)
    assert _open_cases(product, guest) == [("account_management", "signal", ["expansion"])]
    assert (guest.state()["owner"]["kind"], guest.state()["case"]["open"]) == ("bot", False)
    _close(product, work)
    assert _open_cases(product, guest) == []
    assert guest.state()["owner"]["kind"] == "bot"
    assert guest.say("How do I reset my Back Office password?")[0]["citations"]


def test_closing_the_work_disturbs_neither_the_case_nor_the_conversation(product: Product, visit: Visit) -> None:
    guest = visit(product, "tr")
    case, work = _report_and_ask_for_a_person(product, guest, SCENES["tr"])

    def owner() -> tuple[str, int]:
        with _database(product) as session:
            conversation = session.get_one(Conversation, guest.id)
            return conversation.owner, conversation.owner_version

    before = guest.state(), owner()
    assert before[1][0] == "queue:support"
    _close(product, work)
    assert (guest.state(), owner()) == before
    assert _open_cases(product, guest) == [("support", "asked_for", None)]
    _close(product, case)
    assert owner()[0] == "bot"


@pytest.mark.parametrize("language", ["zh", "th"])
def test_the_account_has_the_signal_until_somebody_rejects_it(product: Product, visit: Visit, language: str) -> None:
    scene, guest = SCENES[language], visit(product, language)
    guest.say(scene.message)
    number = _wait_for_tags(product, guest)
    account = f"cafe-{guest.id}"
    with _team(product) as team:
        team.put(f"{guest.base}/account", json={"account": account}).raise_for_status()
        (signal,) = team.get(f"/api/v1/accounts/{account}/signals").raise_for_status().json()["signals"]
        assert (signal["name"], signal["source"]) == ("expansion", "conversation")
        assert (signal["conversation_id"], signal["number"]) == (guest.id, number)
        assert scene.growth in signal["quote"]
        assert team.get(f"/api/v1/accounts/{account}").json()["stage"] == "expansion"
        wrong = {"number": number, "name": "expansion", "verdict": "reject", "by": "ada"}
        team.post(f"{guest.base}/corrections", json=wrong).raise_for_status()
        assert team.get(f"/api/v1/accounts/{account}/signals").json()["signals"] == []
    assert _read_tags(product, guest)["kind"] == "reactive_support"


@pytest.mark.parametrize(
    ("language", "leaving", "greeting"),
    [
        ("en", "We are thinking of leaving Crema for another provider.", "hello"),
        ("zh", "我们在考虑不再续用 Crema，换别家了。", "你好"),
        ("tr", "Crema'yı bırakıp başka bir firmaya geçmeyi düşünüyoruz.", "merhaba"),
        ("th", "เรากำลังคิดจะเลิกใช้ Crema แล้วย้ายไปใช้เจ้าอื่น", "สวัสดี"),
    ],
)
def test_a_person_for_one_who_only_thinks_of_leaving_is_of_the_success_team(
    product: Product, visit: Visit, language: str, leaving: str, greeting: str
) -> None:
    guest = visit(product, language)
    guest.say(leaving)
    _wait_for_tags(product, guest)
    assert _open_cases(product, guest) == [("success", "signal", ["churn_risk"])]
    # The bot has offered the success team; after a greeting, nothing but the tags tells where the case belongs.
    guest.say(greeting)
    told = guest.say(SCENES[language].person)
    number = guest.state()["case"]["number"]
    assert str(number) in told[0]["text"]
    _wait_for_tags(product, guest)
    assert _open_cases(product, guest) == [("success", "asked_for", None)]
    assert (guest.state()["case"]["number"], guest.state()["owner"]["kind"]) == (number, "queue")


def test_what_the_customer_writes_to_a_person_is_tagged_and_nothing_the_bot_or_the_person_says(
    product: Product, visit: Visit
) -> None:
    guest = visit(product, "en")
    guest.say("can I please talk to a real person")
    engine = open_engine(product.settings)
    agent_says(
        engine,
        guest.id,
        "ada",
        "Your receipt printer is broken, and we open two more cafés in May. Are you leaving us?",
    )
    engine.dispose()
    guest.post(text="The receipt printer prints nothing at all.").raise_for_status()
    number = _wait_for_tags(product, guest)
    assert guest.state()["owner"]["kind"] == "agent"
    messages = guest.messages()
    assert {"bot", "agent", "customer"} == {message["author"] for message in messages}
    assert messages[-1]["number"] == number, "the bot talked over a person"
    assert _tagged(product, guest) == {message["number"] for message in messages if message["author"] == "customer"}
    tags = _read_tags(product, guest)
    assert [tag["name"] for tag in tags["topics"]] == ["defect"]
    assert [evidence["number"] for evidence in tags["topics"][0]["evidence"]] == [number]
    assert tags["signals"] == []


class _FailingTagger(Tagger):
    """A tagger that is out of order."""

    def __init__(self) -> None:
        pass

    def tag(self, text: str, language: str) -> Tagged:
        raise TaggingError("The tagger is out of order.", "Start again.")


def test_what_was_not_tagged_when_the_process_ended_is_tagged_after_the_next_start(
    settings: Settings, encoder: Encoder, answerer: Answerer, tagger: Tagger, tmp_path: Path, visit: Visit
) -> None:
    scene, database = SCENES["en"], tmp_path / "refill.db"
    run = contextlib.contextmanager(start_product)
    with run(settings, encoder, answerer, _FailingTagger(), database) as before:
        guest = visit(before, "en")
        answers = guest.say(scene.message)
        assert answers
        assert _tagged(before, guest) == set()
        assert _open_cases(before, guest) == []
    with run(settings, encoder, answerer, tagger, database) as after:
        guest.http.base_url = httpx.URL(after.url)
        assert _wait_for_tags(after, guest) == 1
        assert _open_cases(after, guest) == [("account_management", "signal", ["expansion"])]
        assert _read_tags(after, guest)["kind"] == "both"
        # What is heard late is no reason to speak to the customer out of the blue.
        assert len(guest.messages()) == 1 + len(answers)
