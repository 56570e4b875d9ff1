"""Parts that hang or fail in the real product: the customer hears in time, and others do not notice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rasa_sdk.executor import ActionExecutor

from bot.encoder.encoder import Encoder
from bot.errors import EncoderError
from tests.conftest import Product
from tests.scenarios.visitor import Visitor, texts

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]

# The promise: the deadline of a turn, and two seconds.
HEARS_WITHIN = 12.0
OTHERS = 10
TURNS = 3
QUESTION = "I forgot my Back Office password"


@pytest.fixture
def visitors(product: Product) -> Iterator[Callable[[int], list[Visitor]]]:
    """Makes visitors of the product, and sees them off at the end."""
    made: list[Visitor] = []

    def make(number: int) -> list[Visitor]:
        made.extend(Visitor(product.url, "en") for _ in range(number))
        return made[-number:]

    yield make
    for visitor in made:
        visitor.http.close()


def assert_handed_over(visitor: Visitor, replies: Sequence[dict[str, Any]], seconds: float) -> None:
    """The customer was told in time that a person takes over, and there is a case for one."""
    assert seconds < HEARS_WITHIN
    state = visitor.state()
    assert state["case"]["open"] is True
    assert state["owner"]["kind"] == "queue"
    assert str(state["case"]["number"]) in texts(list(replies))


def timed(visitor: Visitor, text: str) -> tuple[list[dict[str, Any]], float]:
    """Say something; the replies, and how long they took."""
    begun = time.monotonic()
    return visitor.say(text), time.monotonic() - begun


def test_a_hanging_action_holds_up_one_customer_for_12_seconds_and_no_other(
    visitors: Callable[[int], list[Visitor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *others = visitors(1 + OTHERS)
    run = ActionExecutor.run
    hanging = threading.Event()

    async def hang(executor: ActionExecutor, call: Any) -> Any:
        if call["sender_id"].startswith(stuck.id):
            hanging.set()
            await asyncio.sleep(HEARS_WITHIN)
        return await run(executor, call)

    monkeypatch.setattr(ActionExecutor, "run", hang)
    with ThreadPoolExecutor(OTHERS + 1) as pool:
        waiting = pool.submit(timed, stuck, QUESTION)
        assert hanging.wait(HEARS_WITHIN)
        for answered in pool.map(lambda other: [other.say(QUESTION) for _ in range(TURNS)], others):
            assert all(replies[0]["citations"] for replies in answered), "answered as ever"
        assert not waiting.done(), "the others were served while the one waited"
        assert_handed_over(stuck, *waiting.result())
    monkeypatch.undo()
    assert texts(stuck.say(QUESTION))


@pytest.mark.parametrize("late", [False, True], ids=["down", "late"])
def test_an_encoder_that_is_down_or_late_means_a_person(
    visitors: Callable[[int], list[Visitor]], monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    guests = visitors(OTHERS)
    for guest in guests:
        guest.say("hello")
    release = threading.Event()

    def encode(encoder: Encoder, texts: Sequence[str], *given: Any) -> Any:
        if late:
            release.wait(60)
        raise EncoderError("The encoder is gone.")

    with monkeypatch.context() as broken, ThreadPoolExecutor(OTHERS) as pool:
        broken.setattr(Encoder, "encode", encode)
        try:
            texts_ = [f"how do I pair scale {number} {'late' if late else 'now'}?" for number in range(OTHERS)]
            told = list(pool.map(timed, guests, texts_))
        finally:
            release.set()
    for guest, (replies, seconds) in zip(guests, told, strict=True):
        assert_handed_over(guest, replies, seconds)
    assert texts(guests[0].say("hello"))
