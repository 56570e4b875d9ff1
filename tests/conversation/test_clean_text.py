"""What may be written: any text of some length, without what no text should have in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.conversation.service import clean_text
from bot.errors import InvalidInput
from tests.conversation.fakes import Bench


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("  Hello  ", "Hello"),
        ("one\r\ntwo\rthree\n", "one\ntwo\nthree"),
        ("a\tb", "a\tb"),
        ("nul\x00 bell\x07 escape\x1b[31m del\x7f c1\x85", "nul bell escape[31m del c1"),
        ("half \ud83d of a smile", "half ? of a smile"),
        ("\u202egnirts\u202c", "\u202egnirts\u202c"),
        ("مرحبا \u200fبكم", "مرحبا \u200fبكم"),
        ("👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("/restart", "/restart"),
        ('/intent{"x":1}', '/intent{"x":1}'),
        ("x" * 4000, "x" * 4000),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_text_fit_to_be_stored(raw: str, stored: str) -> None:
    assert clean_text(raw, 4000) == stored


@pytest.mark.parametrize(
    "raw", ["", " ", "\n\t \r\n", "\x00", "\x00 \x1b\x07", "\u3000\u00a0\u2003", "\x85"], ids=ascii
)
def test_nothing_to_store(raw: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        clean_text(raw, 4000)


@pytest.mark.parametrize("length", [4001, 100_000])
def test_too_long(length: int) -> None:
    with pytest.raises(InvalidInput, match=rf"{length:,}.*4,000"):
        clean_text("ก" * length, 4000)


@pytest.mark.parametrize("text", ["", "  \n", "\x00", "x" * 101], ids=ascii)
async def test_refused_text_is_not_stored(make_bench: Callable[..., Bench], text: str) -> None:
    bench = make_bench(max_length=100)
    conversation = await bench.new()
    with pytest.raises(InvalidInput):
        await bench.service.post(conversation, "a", text)
    assert bench.count() == 0
    assert bench.store.snapshot(conversation).last_number == 0
