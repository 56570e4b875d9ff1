"""Conversations with the whole product: the real Rasa, encoder, index and database, in four languages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.orm import Session

from bot.dialogue.replies import Replies
from bot.handoff.escalation import Case, read_case
from bot.storage.engine import open_engine
from tests.conftest import Product
from tests.scenarios.conftest import Visit
from tests.scenarios.visitor import texts

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]


def _reply(product: Product, name: str, language: str) -> str:
    return Replies(product.settings.path("domain.yml")).reply(name, language).text


def _case(product: Product, number: int) -> Case:
    engine = open_engine(product.settings)
    with Session(engine) as session:
        case = read_case(session, number)
    engine.dispose()
    return case


@pytest.mark.parametrize(
    ("language", "greeting", "question", "subject"),
    [
        ("en", "hello", "how do I reset my back office password", "reset-password"),
        ("zh", "你好", "打印机打不出小票怎么办", "printer-not-printing-zh"),
        ("tr", "merhaba", "kart okuyucu bağlanmıyor", "card-reader-problems-tr"),
        ("th", "สวัสดี", "ลืมรหัส PIN ทำยังไง", "staff-pin-th"),
    ],
)
def test_greets_and_answers_with_a_citation(
    product: Product, visit: Visit, language: str, greeting: str, question: str, subject: str
) -> None:
    guest = visit(product)
    assert texts(guest.say(greeting)) == _reply(product, "utter_greet", language)
    (answer,) = guest.say(question)
    assert [citation["url"] for citation in answer["citations"]] == [f"/help/{subject}"]
    page = guest.http.get(answer["citations"][0]["url"], headers={"accept": "text/html"})
    assert page.status_code == 200
    assert answer["citations"][0]["title"] in page.text
    # No invention: what the bot said is in the article, word for word.
    article = product.running.webchat.answerer().find(subject)
    assert article is not None
    opening = article.body.split("\n\n")[0]
    assert opening in answer["text"] or answer["text"].split("\n\n", 1)[1][:60] in article.body
    assert guest.state()["language"] == language


@pytest.mark.parametrize(
    ("language", "request_text", "name", "time"),
    [
        ("en", "can I please talk to a real person", "Ada Wood", "tomorrow morning"),
        ("zh", "转人工", "王伟", "明天上午"),
        ("tr", "bir insanla konuşmak istiyorum", "Ayşe Yılmaz", "yarın sabah"),
        ("th", "ขอคุยกับเจ้าหน้าที่", "สมชาย ใจดี", "พรุ่งนี้เช้า"),
    ],
)
def test_a_person_within_one_turn_and_contact_afterwards(
    product: Product, visit: Visit, language: str, request_text: str, name: str, time: str
) -> None:
    guest = visit(product, language)
    told, asked = guest.say(request_text)
    state = guest.state()
    assert state["owner"]["kind"] == "queue"
    assert str(state["case"]["number"]) in told["text"]
    assert asked["text"] == _reply(product, "utter_ask_contact_name", language)
    guest.say(name)
    guest.say("guest@example.com")
    (thanks,) = guest.say(time)
    assert "guest@example.com" in thanks["text"]
    case = _case(product, state["case"]["number"])
    assert (case.queue, case.reason, case.language) == ("support", "asked_for", language)
    assert case.contact == {"name": name, "email": "guest@example.com", "time": time}
    assert [line.text for line in case.transcript][:2] == [request_text, told["text"]]


@pytest.mark.parametrize(
    ("language", "first", "again"),
    [
        ("en", "agent please", "I said I want to talk to a human being now"),
        ("zh", "我要转人工", "我要跟真人客服说话"),
        ("tr", "temsilciye bağlanmak istiyorum", "gerçek bir insanla görüşmek istiyorum"),
        ("th", "ขอคุยกับเจ้าหน้าที่", "อยากคุยกับคนจริงๆ"),
    ],
)
def test_a_person_in_the_middle_of_the_form(
    product: Product, visit: Visit, language: str, first: str, again: str
) -> None:
    guest = visit(product, language)
    guest.say(first)
    number = guest.state()["case"]["number"]
    replies = guest.say(again)
    assert str(number) in replies[0]["text"]
    assert replies[-1]["text"] == _reply(product, "utter_ask_contact_name", language)
    assert guest.state()["case"]["number"] == number


def test_a_person_right_after_an_answer_and_after_a_clarification(product: Product, visit: Visit) -> None:
    for before in ("how do I reset my back office password", "printer"):
        guest = visit(product, "en")
        guest.say(before)
        guest.say("this is not enough, get me a human")
        assert guest.state()["owner"]["kind"] == "queue"


def test_the_form_is_interrupted_by_a_question_and_goes_on(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    guest.say("human please")
    replies = guest.say("How do I reset my Back Office password?")
    assert replies[0]["citations"][0]["url"] == "/help/reset-password"
    assert replies[-1]["text"] == _reply(product, "utter_ask_contact_name", "en")
    assert _reply(product, "utter_ask_contact_email", "en") in texts(guest.say("Ada Wood"))


@pytest.mark.parametrize(
    ("language", "word"), [("en", "never mind"), ("zh", "算了，取消吧"), ("tr", "boşver"), ("th", "ไม่เอาแล้ว ยกเลิก")]
)
def test_the_form_can_be_cancelled(product: Product, visit: Visit, language: str, word: str) -> None:
    guest = visit(product, language)
    guest.say({"en": "human", "zh": "人工客服", "tr": "temsilciye bağla", "th": "ขอคุยกับคน"}[language])
    assert texts(guest.say(word)) == _reply(product, "utter_contact_skipped", language)
    assert _reply(product, "utter_ask_contact_name", language) not in texts(guest.say("PIN"))


def test_the_form_is_cancelled_by_its_button(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    guest.say("I want a person")
    assert texts(guest.choose("/stop")) == _reply(product, "utter_contact_skipped", "en")


def test_a_wrong_address_is_asked_for_again(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    guest.say("I want a person")
    guest.say("Ada Wood")
    replies = guest.say("ada at example")
    assert [reply["text"] for reply in replies] == [
        _reply(product, "utter_invalid_email", "en"),
        _reply(product, "utter_ask_contact_email", "en"),
    ]


def test_clarifies_and_answers_from_the_choice(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    (asked,) = guest.say("printer")
    assert asked["text"] == _reply(product, "utter_clarify", "en")
    assert 2 <= len(asked["choices"]) <= 4
    (answer,) = guest.choose("/choose_article")
    assert answer["citations"][0]["title"] == asked["choices"][0]["label"]


def test_no_answer_twice_makes_a_case(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    first = guest.say("how do I connect the register to my pizza oven")
    assert _reply(product, "utter_no_answer", "en") == texts(first)
    assert guest.state()["case"] is None
    guest.say("how do I connect the register to my pizza oven")
    case = _case(product, guest.state()["case"]["number"])
    assert case.reason == "low_confidence"


@pytest.mark.parametrize(
    "typed", ["/restart", "/session_start", '/request_human{"language":"tr"}', "/choose_article", "//stop"]
)
def test_a_typed_command_is_plain_text(product: Product, visit: Visit, typed: str) -> None:
    guest = visit(product, "en")
    guest.say("how do I reset my back office password")
    replies = guest.say(typed)
    assert replies, "every message gets an answer"
    assert guest.messages()[-len(replies) - 1]["text"] == typed
    assert guest.state()["language"] == "en"


def test_offers_of_success_lead_to_their_queue(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    offer = guest.say("we would like to add ten more registers and three sites")
    assert _reply(product, "utter_offer_success", "en") in texts(offer)
    guest.say("yes please")
    assert _case(product, guest.state()["case"]["number"]).queue == "account_management"


def test_status_of_my_case(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    assert _reply(product, "utter_case_none", "en") == texts(guest.say("what is the status of my ticket"))
    guest.say("connect me to an agent")
    guest.choose("/stop")
    number = guest.state()["case"]["number"]
    assert str(number) in texts(guest.say("what is the status of my ticket"))


def test_nothing_internal_reaches_a_customer(product: Product, visit: Visit) -> None:
    internal = [
        article for article in product.running.webchat.answerer().articles("internal") if article.audience == "internal"
    ]
    assert len(internal) >= 20
    for article in internal:
        guest = visit(product, "en")
        replies = guest.say(article.questions[0])
        shown = str(replies)
        assert article.id not in shown
        assert article.title not in shown
        assert guest.http.get(f"/help/{article.id}").status_code == 404


def test_twenty_customers_at_once_each_get_their_own_answer(product: Product, visit: Visit) -> None:
    questions = {
        "how do I reset my back office password": "reset-password",
        "kart okuyucu bağlanmıyor": "card-reader-problems-tr",
    }

    def ask(number: int) -> tuple[str, list[str]]:
        question = list(questions)[number % 2]
        replies = visit(product).say(question)
        return questions[question], [citation["url"] for reply in replies for citation in reply["citations"]]

    with ThreadPoolExecutor(20) as pool:
        for wanted, urls in pool.map(ask, range(20)):
            assert urls == [f"/help/{wanted}"]


def test_a_long_conversation_stays_in_order_and_in_step(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    for _ in range(20):
        assert texts(guest.say("hello")) == _reply(product, "utter_greet", "en")
    numbers = [message["number"] for message in guest.messages()]
    assert numbers == list(range(1, 41))


def test_a_follow_up_is_understood_with_the_question_before(product: Product, visit: Visit) -> None:
    guest = visit(product, "en")
    guest.say("How do I refund a sale?")
    (answer,) = guest.say("and for a single item?")
    assert [citation["url"] for citation in answer["citations"]] == ["/help/refund-a-sale"]
    (asked_back,) = visit(product, "en").say("and for a single item?")
    assert not asked_back["citations"]
