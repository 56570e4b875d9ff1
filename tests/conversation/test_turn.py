"""What a turn is told, and what it leaves behind: language, choices, effects, the apology when the dialogue fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from bot.dialogue.client import RasaClient
from bot.dialogue.turn import Answered, Choice, Contact, Escalate, OfferPerson, Reply, SaveContact, TurnResult
from bot.errors import DialogueError, InvalidInput
from bot.knowledge.answer import NO_ANSWER, Decision
from tests.conversation.fakes import Bench, Call, domain_replies, said, silent_server

MakeBench = Callable[..., Bench]

SENTENCES = {
    "en": "Where do I find the receipts of last week?",
    "zh": "上周的小票在哪里可以找到？",
    "tr": "Geçen haftanın fişlerini nerede bulabilirim?",
    "th": "ใบเสร็จของสัปดาห์ที่แล้วอยู่ที่ไหน",
}
PERSON = Choice(label="Talk to a person", payload="/request_human")
SKIP = Choice(label="Skip", payload="/stop")


def article(article_id: str) -> Choice:
    """The choice of an article."""
    return Choice(label=article_id.title(), payload="/choose_article" + json.dumps({"article_id": article_id}))


def answered(decision: Decision) -> Answered:
    """The effect of a decision."""
    return Answered(answer=replace(NO_ANSWER, decision=decision, confidence=0.5))


# When the dialogue fails


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize(
    "failure", [DialogueError("Rasa is down."), RuntimeError("a bug"), TimeoutError()], ids=lambda e: type(e).__name__
)
async def test_failure_brings_a_person_and_says_so(bench: Bench, failure: Exception, language: str) -> None:
    conversation = await bench.new()

    async def script(call: Call) -> TurnResult:
        raise failure

    bench.dialogue.script = script
    replies = await bench.say(conversation, SENTENCES[language])
    (escalation,) = bench.escalations()
    assert (escalation.queue, escalation.reason, escalation.status) == ("support", "bot_unavailable", "open")
    assert escalation.conversation_id == conversation
    wanted = domain_replies().reply("utter_bot_unavailable", language).text
    assert "{case_number}" in wanted
    assert [m.text for m in replies] == [wanted.replace("{case_number}", str(escalation.id))]
    snapshot = bench.store.snapshot(conversation)
    assert (snapshot.language, snapshot.owner) == (language, "queue:support")


async def test_second_failure_makes_no_second_case(bench: Bench) -> None:
    conversation = await bench.new()

    async def script(call: Call) -> TurnResult:
        raise DialogueError("Rasa is down.")

    bench.dialogue.script = script
    await bench.say(conversation, "Hello there")
    (again,) = await bench.say(conversation, "Is anybody there?")
    (escalation,) = bench.escalations()
    wanted = domain_replies().reply("utter_already_handed_off", "en").text
    assert again.text == wanted.replace("{case_number}", str(escalation.id))


async def test_rasa_begins_a_new_segment_after_a_failure(bench: Bench) -> None:
    conversation = await bench.new()

    async def script(call: Call) -> TurnResult:
        if len(bench.dialogue.calls) == 1:
            raise DialogueError("Rasa is down.")
        return said("Back.")

    bench.dialogue.script = script
    await bench.say(conversation, "Hello there")
    assert [m.text for m in await bench.say(conversation, "And now?")] == ["Back."]
    assert [call.sender for call in bench.dialogue.calls] == [f"{conversation}.0", f"{conversation}.1"]


async def test_late_rasa_is_a_failure(bench: Bench) -> None:
    conversation = await bench.new()
    async with silent_server() as url, httpx.AsyncClient(trust_env=False) as http:
        client = RasaClient(url, http, deadline=0.1)

        async def script(call: Call) -> TurnResult:
            return await client.respond(call.sender, call.context, call.payload, call.slots)

        bench.dialogue.script = script
        await bench.say(conversation, "Hello there")
    assert [e.reason for e in bench.escalations()] == ["bot_unavailable"]


# What the dialogue is told


async def test_sender_id_is_rotated(make_bench: MakeBench) -> None:
    bench = make_bench(segment_turns=3)
    conversation = await bench.new()
    for number in range(7):
        await bench.say(conversation, f"text {number}")
    segments = [call.sender.removeprefix(f"{conversation}.") for call in bench.dialogue.calls]
    assert segments == ["0", "0", "0", "1", "1", "1", "2"]


async def test_sender_id_is_not_rotated_while_the_form_asks(make_bench: MakeBench) -> None:
    bench = make_bench(segment_turns=2)
    conversation = await bench.new()
    asks = said("Your name?", choices=[SKIP])
    bench.dialogue.follow(asks, asks, asks, said("Thank you."), said("Hello again."))
    for number in range(5):
        await bench.say(conversation, f"text {number}")
    assert [call.sender.rpartition(".")[2] for call in bench.dialogue.calls] == ["0", "0", "0", "0", "1"]


async def test_language_follows_the_customer(bench: Bench) -> None:
    conversation = await bench.new()
    for language, text in SENTENCES.items():
        await bench.say(conversation, text)
        assert bench.dialogue.calls[-1].context.language == language
        assert bench.store.snapshot(conversation).language == language


@pytest.mark.parametrize("text", ["ok", "12345", "👍", "?!"])
@pytest.mark.parametrize("language", ["zh", "tr", "th"])
async def test_language_stays_for_short_texts(bench: Bench, language: str, text: str) -> None:
    conversation = await bench.new("en")
    await bench.say(conversation, SENTENCES[language])
    await bench.say(conversation, text)
    assert bench.dialogue.calls[-1].context.language == language
    assert bench.store.snapshot(conversation).language == language


async def test_language_stays_while_the_form_asks(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("您贵姓？", choices=[SKIP]), said("谢谢。"), said("…"))
    await bench.say(conversation, SENTENCES["zh"])
    await bench.say(conversation, "My name is Margaret Elizabeth Thornton")
    assert bench.dialogue.calls[-1].context.language == "zh"
    await bench.say(conversation, SENTENCES["en"])
    assert bench.dialogue.calls[-1].context.language == "en"


async def test_language_stays_for_a_choice(bench: Bench) -> None:
    conversation = await bench.new("th")
    bench.dialogue.follow(said("?", choices=[PERSON]))
    await bench.say(conversation, "ok")
    await bench.say(conversation, payload="/request_human")
    assert bench.dialogue.calls[-1].context.language == "th"


async def test_audience_is_that_of_the_conversation(bench: Bench) -> None:
    for audience in ("public", "internal"):
        await bench.say(await bench.new(audience=audience), "Hello")
    assert [call.context.audience for call in bench.dialogue.calls] == ["public", "internal"]


async def test_command_a_customer_types_is_only_text(bench: Bench) -> None:
    conversation = await bench.new()
    await bench.say(conversation, '/request_human{"language": "tr"}')
    (call,) = bench.dialogue.calls
    assert call.payload is None
    assert call.context.text == '/request_human{"language": "tr"}'


@pytest.mark.parametrize(
    ("reply", "offer"),
    [
        (Reply(text="ok"), "none"),
        (Reply(text="A person?", choices=[PERSON]), "person"),
        (Reply(text="Your name?", choices=[SKIP]), "none"),
        (Reply(text="A passage", answered=answered("answer").answer), "answer"),
        (Reply(text="Which?", answered=answered("clarify").answer), "choice"),
        (Reply(text="I do not know.", answered=answered("hand_off").answer, choices=[PERSON]), "person"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.text,
)
async def test_what_the_bot_s_last_message_asked(bench: Bench, reply: Reply, offer: str) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(TurnResult(replies=[reply], effects=[]))
    await bench.say(conversation, "Hello")
    await bench.say(conversation, "yes")
    assert [call.context.offer for call in bench.dialogue.calls] == ["none", offer]


# Choices


async def test_choice_that_was_offered(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("A person?", choices=[PERSON]), said("Done."))
    await bench.say(conversation, "Hello")
    await bench.say(conversation, payload="/request_human")
    assert bench.dialogue.calls[-1].payload == "/request_human"
    assert bench.messages(conversation)[2].text == "Talk to a person"


@pytest.mark.parametrize(
    "payload", ["/stop", "/request_human ", "request_human", "", '/request_human{"a":1}', "/restart"]
)
async def test_choice_that_was_not_offered(bench: Bench, payload: str) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("A person?", choices=[PERSON]))
    await bench.say(conversation, "Hello")
    with pytest.raises(InvalidInput):
        await bench.service.post(conversation, "c", payload=payload)
    assert len(bench.messages(conversation)) == 2


async def test_payload_a_customer_typed_is_no_offer(bench: Bench) -> None:
    conversation = await bench.new()
    await bench.say(conversation, "/request_human")
    with pytest.raises(InvalidInput):
        await bench.service.post(conversation, "c", payload="/request_human")


async def test_choice_of_another_conversation(bench: Bench) -> None:
    one, other = await bench.new(), await bench.new()
    bench.dialogue.follow(said("A person?", choices=[PERSON]))
    await bench.say(one, "Hello")
    with pytest.raises(InvalidInput):
        await bench.service.post(other, "c", payload="/request_human")
    assert bench.messages(other) == []


async def test_queue_that_was_offered_travels_with_the_choice(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(
        said("The success team?", choices=[PERSON], effects=[OfferPerson(queue="success")]), said("Anything else?")
    )
    await bench.say(conversation, "We open a third café")
    await bench.say(conversation, "Not now, thank you")
    await bench.say(conversation, payload="/request_human")  # Two messages later, the button still means the same.
    assert [call.context.offered_queue for call in bench.dialogue.calls] == ["support", "success", "success"]


async def test_queue_is_support_when_none_was_offered(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("A person?", choices=[PERSON]))
    await bench.say(conversation, "Hello")
    await bench.say(conversation, payload="/request_human")
    assert [call.context.offered_queue for call in bench.dialogue.calls] == ["support", "support"]


async def test_chosen_article_brings_the_question_back(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("Which?", choices=[article("refunds"), article("receipts")]), said("Here."))
    await bench.say(conversation, "money back for a latte")
    for article_id in ("refunds", "receipts"):
        await bench.say(conversation, payload=article(article_id).payload)
        context = bench.dialogue.calls[-1].context
        assert (context.article_id, context.text) == (article_id, "money back for a latte")


# Effects


async def test_escalation_gives_its_number_to_the_replies(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(
        said("Case {case_number}.", "I repeat: {case_number}.", effects=[Escalate(queue="success", reason="asked_for")])
    )
    replies = await bench.say(conversation, "A person, please")
    (escalation,) = bench.escalations()
    assert [m.text for m in replies] == [f"Case {escalation.id}.", f"I repeat: {escalation.id}."]
    assert (escalation.queue, escalation.reason) == ("success", "asked_for")
    assert bench.store.snapshot(conversation).owner == "queue:success"
    await bench.say(conversation, "And now?")
    case = bench.dialogue.calls[-1].context.case
    assert case is not None
    assert (case.number, case.open) == (escalation.id, True)


async def test_contact_is_kept_with_the_conversation_and_the_open_case(bench: Bench) -> None:
    conversation = await bench.new()
    contact = Contact(name="Ayşe", email="ayse@example.com", time="tomorrow")
    bench.dialogue.follow(
        said("Case {case_number}.", effects=[Escalate(queue="support", reason="asked_for")]),
        said("Thank you.", effects=[SaveContact(contact=contact)]),
    )
    await bench.say(conversation, "A person, please")
    await bench.say(conversation, "tomorrow")
    assert bench.store.snapshot(conversation).contact == contact.model_dump()
    assert [e.contact for e in bench.escalations()] == [contact.model_dump()]
    await bench.say(conversation, "Hello again")
    call = bench.dialogue.calls[-1]
    assert call.context.contact == contact
    assert call.slots == {"contact_name": "Ayşe", "contact_email": "ayse@example.com", "contact_time": "tomorrow"}


async def test_contact_given_before_goes_with_a_later_case(bench: Bench) -> None:
    conversation = await bench.new()
    contact = Contact(name="Ayşe", email="ayse@example.com", time="tomorrow")
    bench.dialogue.follow(
        said("Thank you.", effects=[SaveContact(contact=contact)]),
        said("Case.", effects=[Escalate(queue="support", reason="asked_for")]),
    )
    await bench.say(conversation, "tomorrow")
    await bench.say(conversation, "A person, please")
    assert [e.contact for e in bench.escalations()] == [contact.model_dump()]


def passage() -> TurnResult:
    """A turn that answers."""
    decision = answered("answer")
    return TurnResult(replies=[Reply(text="A passage", answered=decision.answer)], effects=[decision])


@pytest.mark.parametrize(
    ("results", "misses"),
    [
        ([said("No.", effects=[answered("hand_off")])] * 2, [0, 1, 2]),
        ([said("ok")] * 2, [0, 0, 0]),
        # An answer counts when the customer did not turn it down in the next turn.
        ([said("No.", effects=[answered("hand_off")]), passage(), said("Glad it helped.")], [0, 1, 1, 0]),
        ([passage(), said("Sorry.", effects=[answered("hand_off")])], [0, 0, 1]),
        (
            [said("No.", effects=[answered("hand_off")]), passage(), said("Sorry.", effects=[answered("hand_off")])],
            [0, 1, 1, 2],
        ),
        # A case begins the count anew.
        (
            [
                said("No.", effects=[answered("hand_off")]),
                said("Case.", effects=[answered("hand_off"), Escalate(queue="support", reason="low_confidence")]),
            ],
            [0, 1, 0],
        ),
    ],
)
async def test_questions_without_an_answer_are_counted(
    bench: Bench, results: list[TurnResult], misses: list[int]
) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(*results, said("…"))
    for number in range(len(misses)):
        await bench.say(conversation, f"text {number}")
    assert [call.context.misses for call in bench.dialogue.calls] == misses
