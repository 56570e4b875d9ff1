"""What customers see when parts fail: told at once, a person gets the conversation, nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.conftest import Product
from tests.scenarios.conftest import Visit
from tests.scenarios.visitor import texts

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


def test_a_killed_rasa_is_replaced_and_customers_are_handed_to_people_meanwhile(
    own_product: Product, visit: Visit
) -> None:
    guest = visit(own_product, "tr")
    assert texts(guest.say("merhaba")).startswith("Merhaba")
    sidecar = own_product.running.sidecar
    first = sidecar.pid
    assert first
    os.kill(first, signal.SIGKILL)
    replies = guest.say("kart okuyucu bağlanmıyor")
    state = guest.state()
    assert state["owner"]["kind"] == "queue"
    assert f"{state['case']['number']} numarasıyla" in texts(replies)
    assert _wait_until(lambda: guest.http.get("/health").json()["status"] == "degraded", 10)
    # Said again while it is down: the same case, not a second one.
    guest.say("hâlâ bağlanmıyor")
    assert guest.state()["case"]["number"] == state["case"]["number"]
    assert _wait_until(lambda: sidecar.pid not in (None, first) and sidecar.ready.is_set(), 90)
    other = visit(own_product, "tr")
    assert other.say("kart okuyucu bağlanmıyor")[0]["citations"]
    assert guest.say("yazıcı yazdırmıyor")[0]["author"] == "bot"
    numbers = [message["number"] for message in guest.messages()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_hanging_rasa_does_not_keep_the_customer_waiting(own_product: Product, visit: Visit) -> None:
    guest = visit(own_product, "en")
    guest.say("hello")
    pid = own_product.running.sidecar.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        replies = guest.say("how do I reset my back office password")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "case" in texts(replies)
    assert guest.state()["case"]["open"] is True
