"""The real tagger on the real encoder: the coffee scene, look-alikes, evidence, odd texts, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bot.tagging.sentences import Span
from bot.tagging.tagger import Tagger, _in_original

if TYPE_CHECKING:
    from bot.encoder.encoder import Encoder

COFFEE = {
    "en": (
        "The receipt printer at the counter is not printing anything since this morning. "
        "By the way, we are opening two more cafés in May and need registers for them.",
        "receipt printer",
        "two more cafés",
    ),
    "zh": (
        "吧台的小票打印机从早上开始就打不出单子了。对了，我们五月份还要再开两家新店，需要加收银机。",
        "打印机",
        "两家新店",
    ),
    "tr": (
        "Tezgahtaki fiş yazıcısı sabahtan beri hiçbir şey basmıyor. "
        "Bu arada mayısta iki şube daha açıyoruz, oralar için de kasa lazım olacak.",
        "yazıcısı",
        "iki şube daha",
    ),
    "th": (
        "เครื่องพิมพ์ใบเสร็จหน้าเคาน์เตอร์พิมพ์ไม่ออกตั้งแต่เช้าแล้วค่ะ อีกเรื่องนึง เดือนพฤษภาคมเราจะเปิดเพิ่มอีกสองสาขาค่ะ",
        "เครื่องพิมพ์",
        "สองสาขา",
    ),
}


@pytest.mark.encoder
@pytest.mark.parametrize("language", COFFEE)
def test_one_visit_both(tagger: Tagger, language: str) -> None:
    text, problem, wish = COFFEE[language]
    found = tagger.tag(text, language)
    assert found.kind == "both"
    quotes = {tag.name: tag.quote for tag in found.tags}
    assert problem in quotes["defect"]
    assert wish not in quotes["defect"]
    assert wish in quotes["expansion"]
    assert problem not in quotes["expansion"]
    assert found.stage == "expansion"
    assert found.language == language
    assert found.model == tagger.version


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("Please cancel yesterday's order of two card readers.", "churn_risk"),
        ("The certificate of our domain expires next week.", "renewal"),
        ("How do I upgrade the app to the newest version?", "expansion"),
        ("Thanks, it works now.", "advocacy"),
        ("Our guests love the new oat milk.", "advocacy"),
    ],
)
def test_look_alikes_are_not_it(tagger: Tagger, text: str, absent: str) -> None:
    assert absent not in {tag.name for tag in tagger.tag(text, "en").tags}


@pytest.mark.encoder
@pytest.mark.parametrize("text", ["Hello!", "thank you so much", "谢谢", "merhaba", "สวัสดีค่ะ"])
def test_greetings_carry_nothing(tagger: Tagger, text: str) -> None:
    found = tagger.tag(text, "en")
    assert (found.kind, found.tags, found.urgent, found.stage) == ("neither", (), False, None)


@pytest.mark.encoder
@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\x00", "\ud800", "😀", "a" * 4000, "the till is dead. " * 220, "ไม่" * 900, "?!"]
)
def test_any_text_is_read_and_quoted_exactly(tagger: Tagger, text: str) -> None:
    for language in ("en", "th"):
        for tag in tagger.tag(text, language).tags:
            assert text[tag.start : tag.end] == tag.quote
            assert tag.quote
            assert 0 < tag.probability <= 1


@pytest.mark.encoder
def test_letters_with_marks_of_their_own_are_quoted_as_they_were_written(tagger: Tagger) -> None:
    text = "Le cafe\u0301 est ferme\u0301. The printer in the cafe\u0301 is dead again, nothing prints."
    found = {tag.name: tag for tag in tagger.tag(text, "en").topics}["defect"]
    assert text[found.start : found.end] == found.quote
    assert "printer" in found.quote


@pytest.mark.encoder
def test_threads_get_what_one_gets(tagger: Tagger) -> None:
    texts = [text for text, _, _ in COFFEE.values()] * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: tagger.tag(text, "en"), texts))
    assert found == [tagger.tag(text, "en") for text in texts]


@pytest.mark.encoder
def test_tagging_does_not_encode_again(tagger: Tagger, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder.encode(["Our third shop opens tomorrow and nothing works"], "query")

    def fail(*arguments: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(encoder, "_read", fail)
    tagger.tag("Our third shop opens tomorrow and nothing works", "en")


def test_places_are_taken_back_to_the_text_as_written() -> None:
    text, read = "cafe\u0301 bar", "caf\u00e9 bar"
    assert _in_original(Span(5, 8), text, read) == Span(6, 9)
    assert _in_original(Span(0, 4), text, read) == Span(0, 5)
    assert _in_original(Span(1, 3), read, read) == Span(1, 3)
