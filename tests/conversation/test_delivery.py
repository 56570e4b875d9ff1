"""Bells ring for those who read the conversation, and for nobody else."""

from __future__ import annotations

import asyncio

from bot.conversation.delivery import Delivery
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
