"""What customers ask in vain comes out on top of `refill gaps`, through the whole product."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.conversation import gaps_cli
from bot.encoder.encoder import Encoder
from tests.conftest import Product
from tests.scenarios.conftest import Visit

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]

UNCOVERED = {
    "en": "Can my guests pay with bitcoin?",
    "tr": "Müşterilerim bitcoin ile ödeyebilir mi?",
    "zh": "客人可以用比特币付款吗？",
}


@pytest.fixture
def gaps(
    own_product: Product, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs `refill gaps --json` on the product's database; gives the rows."""
    monkeypatch.setattr(gaps_cli, "load_settings", lambda: own_product.settings)
    monkeypatch.setattr("bot.encoder.encoder.load_encoder", lambda settings: encoder)

    def run() -> list[dict[str, Any]]:
        capsys.readouterr()
        gaps_cli.gaps(as_json=True)
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    return run


def test_three_customers_in_three_languages_are_one_gap(own_product: Product, visit: Visit, gaps: Any) -> None:
    for language, question in UNCOVERED.items():
        visit(own_product, language).say(question)
    visit(own_product, "en").say("How do I refund a sale?")
    visit(own_product, "en").say("Can the register print my tarot cards for the guests?")
    first, *rest = gaps()
    assert (first["questions"], first["conversations"]) == (3, 3)
    assert set(first["examples"]) == set(UNCOVERED.values())
    assert set(first["languages"]) == set(UNCOVERED)
    assert first["kind"] != "not_helpful"
    assert all(row["conversations"] < 3 for row in rest)
    assert not any("refund" in text for row in rest for text in row["examples"])


def test_answer_that_customers_turn_down_is_a_gap(own_product: Product, visit: Visit, gaps: Any) -> None:
    thumb, words, again, person = (visit(own_product, "en") for _ in range(4))
    (answer,) = thumb.say("How do I refund a sale?")
    assert gaps() == []
    response = thumb.http.post(f"{thumb.base}/messages/{answer['number']}/thumb", json={"thumb": "down"})
    assert response.json() == {"number": answer["number"], "thumb": "down"}
    words.say("How do I refund a sale?")
    words.say("That did not help")
    again.say("How do I refund a sale?")
    again.say("How can I refund a sale")
    person.say("How do I refund a sale?")
    person.say("I want to talk to a person")
    first, *rest = gaps()
    assert (first["kind"], first["article_id"], first["conversations"]) == ("not_helpful", "refund-a-sale", 4)
    assert first["reasons"] == {"did_not_help": 1, "handed_off": 1, "rephrased": 1, "thumb_down": 1}
    assert rest == []
    assert [m["thumb"] for m in thumb.messages()] == [None, "down"]
