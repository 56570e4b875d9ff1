"""A customer whom a website vouches for, with the whole product: nobody asks for what is known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.dialogue.replies import Replies
from tests.conftest import Product
from tests.customers.signing import Website
from tests.scenarios.conftest import Visit
from tests.scenarios.visitor import texts

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]


@pytest.fixture
def website(product: Product) -> Iterator[Website]:
    """Vouches for customers, as long as the test lasts."""
    webchat = product.running.webchat
    before, website = webchat.identity, Website()
    webchat.identity = website.trusted
    yield website
    webchat.identity = before


@pytest.mark.parametrize("join", [True, False], ids=["signs in meanwhile", "is signed in"])
def test_the_contact_form_is_left_out(product: Product, website: Website, visit: Visit, join: bool) -> None:
    guest = visit(product)
    made = guest.http.post("/api/v1/visitors").json()
    guest.http.headers["authorization"] = f"Bearer {made['token']}"

    def begin() -> None:
        guest.id = guest.http.post("/api/v1/conversations", json={"language": "en"}).json()["id"]
        guest.base = f"/api/v1/conversations/{guest.id}"

    if join:
        begin()
        guest.say("hello")
    token = website.token(f"customer {join}", name="Ada", email="ada@example.com")
    identified = guest.http.post("/api/v1/visitors/me/identity", json={"token": token}).json()
    assert identified["joined"] == int(join)
    if not join:
        begin()
    said = texts(guest.say("I want to talk to a person"))
    state = guest.state()["case"]
    assert state["reachable"] is True
    assert str(state["number"]) in said
    replies = Replies(product.settings.path("domain.yml"))
    for part in ("name", "email", "time"):
        assert replies.reply(f"utter_ask_contact_{part}", "en").text not in said
    assert guest.choices == []
    assert texts(guest.say("hello")) == replies.reply("utter_greet", "en").text
