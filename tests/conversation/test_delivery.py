"""Bells ring for those who read the conversation, and for nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.conversation import delivery as delivery_module
from bot.conversation.delivery import Bell, Delivery
from tests.conversation.fakes import PATIENCE


async def test_every_reader_of_the_conversation_is_woken() -> None:
    delivery = Delivery()
    with delivery.reader("a") as one, delivery.reader("a") as two, delivery.reader("b") as other:
        waiting = [asyncio.create_task(reader.wait(PATIENCE)) for reader in (one, two)]
        await asyncio.sleep(0)
        delivery.notify("a")
        assert await asyncio.gather(*waiting) == [True, True]
        assert not await other.wait(0.001)


async def test_bell_that_rang_before_is_heard_once() -> None:
    delivery = Delivery()
    with delivery.reader("a") as reader:
        delivery.notify("a")
        delivery.notify("a")
        assert await reader.wait(PATIENCE)
        assert not await reader.wait(0.001)


async def test_typing_sign_stays_until_it_is_taken_down() -> None:
    delivery = Delivery()
    with delivery.reader("a") as reader:
        assert not reader.typing
        delivery.notify("a", typing=True)
        delivery.notify("a")
        assert reader.typing
        with delivery.reader("a") as late, delivery.reader("b") as other:
            assert late.typing
            assert not other.typing
        delivery.notify("a", typing=False)
        assert not reader.typing


async def test_reader_who_left_is_not_rung() -> None:
    delivery = Delivery()
    with delivery.reader("a") as reader:
        pass
    delivery.notify("a", typing=True)
    assert not reader.typing
    assert not await reader.wait(0.001)


async def test_everybody_who_types_is_known() -> None:
    delivery = Delivery()
    with delivery.reader("a") as reader:
        delivery.typing("a", "customer", True)
        delivery.typing("a", "agent:7", True)
        assert reader.typists == {"customer", "agent:7"}
        assert not reader.typing
        delivery.typing("a", "bot", True)
        assert reader.typing
        delivery.typing("a", "customer", False)
        delivery.notify("a", typing=False)
        assert reader.typists == {"agent:7"}
        with delivery.reader("a") as late:
            assert late.typists == {"agent:7"}


@pytest.mark.parametrize("who", ["", "agent", "agent:", "Ayşe"])
async def test_nobody_in_particular_does_not_type(who: str) -> None:
    with pytest.raises(ValueError, match="bot, customer or agent:<id>"):
        Delivery().typing("a", who, True)


async def test_typing_sign_of_a_person_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "PERSON_SECONDS", 0.01)
    delivery = Delivery()
    with delivery.reader("a") as reader:
        delivery.notify("a", typing=True)
        delivery.typing("a", "customer", True)
        assert await reader.wait(PATIENCE)
        assert reader.typists == {"bot", "customer"}
        assert await reader.wait(PATIENCE)
        assert reader.typists == {"bot"}


async def test_every_key_puts_the_end_off_without_ringing(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    ends: list[asyncio.TimerHandle] = []

    def call_later(seconds: float, *arguments: Any) -> asyncio.TimerHandle:
        ends.append(loop.call_at(loop.time() + seconds, *arguments))
        return ends[-1]

    monkeypatch.setattr(loop, "call_later", call_later)
    delivery = Delivery()
    with delivery.reader("a") as reader:
        delivery.typing("a", "customer", True)
        assert await reader.wait(PATIENCE)
        ends.clear()
        delivery.typing("a", "customer", True)
        delivery.typing("a", "customer", True)
        (first, second) = ends
        assert first.cancelled()
        assert not second.cancelled()
        assert second.when() - loop.time() > 5
        second.cancel()
        assert not reader._bell.is_set()


async def test_topic() -> None:
    delivery = Delivery()
    with delivery.reader("topic:cases") as cases, delivery.reader("topic:signals") as signals:
        delivery.notify_topic("cases")
        assert await cases.wait(PATIENCE)
        assert not await signals.wait(0.001)


async def test_relay_is_told_and_what_it_brings_is_not_sent_back() -> None:
    delivery = Delivery()
    sent: list[Bell] = []
    delivery.relay = sent.append
    delivery.notify("a")
    delivery.notify("a", typing=False)
    delivery.typing("a", "agent:7", True)
    delivery.typing("a", "agent:7", False)
    delivery.notify_topic("cases")
    expected = [
        *(Bell("a"), Bell("a", "bot", False), Bell("a", "agent:7", True), Bell("a", "agent:7", False)),
        Bell("topic:cases"),
    ]
    assert sent == expected
    with delivery.reader("a") as one, delivery.reader("topic:cases") as two:
        delivery.receive(Bell(""))
        assert await one.wait(PATIENCE)
        assert await two.wait(PATIENCE)
        delivery.receive(Bell("a", "customer", True))
        assert one.typists == {"customer"}
        delivery.receive(Bell("a", "customer", False))
    assert sent == expected


async def test_typing_sign_of_a_bot_elsewhere_ends_though_its_process_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "RELAYED_BOT_SECONDS", 0.01)
    delivery = Delivery()
    with delivery.reader("a") as reader:
        delivery.receive(Bell("a", "bot", True))
        assert await reader.wait(PATIENCE)
        assert reader.typing
        assert await reader.wait(PATIENCE)
        assert not reader.typing
