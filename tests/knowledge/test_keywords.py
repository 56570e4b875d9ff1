"""Terms of four languages, and the share of a question's weight that a text has."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from bot.knowledge import keywords
from bot.knowledge.keywords import Keywords, terms

TEXTS = (
    "How do I refund a sale?",
    "Refund, refund and once more refund",
    "The printer does not print receipts",
    "怎么给客人退款",
    "收据打印机不打印了",
    "จะคืนเงินให้ลูกค้าอย่างไร",
    "Bir satışı nasıl iade ederim?",
    "",
    "???",
)


# Terms ---------------------------------------------------------------------------------------------------------------


def test_a_word_is_a_term_whole_and_in_pieces_of_four() -> None:
    assert terms("Refund") == ["refund", "_ref", "refu", "efun", "fund", "und_"]
    assert terms("72 hrs") == ["72", "_72_", "hrs", "_hrs", "hrs_"]
    assert terms("a") == ["a"]


def test_an_ending_or_a_slip_costs_some_pieces_only() -> None:
    for written in ("printers", "printr", "prinetr"):
        shared = set(terms("printer")) & set(terms(written))
        assert 0 < len(shared) < len(set(terms("printer")))


def test_chinese_is_read_in_characters_and_pairs() -> None:
    assert terms("退款单") == ["退", "款", "单", "退款", "款单"]


def test_thai_is_read_in_three_and_four_characters() -> None:
    assert terms("คืนเงิน") == ["คืน", "ืนเ", "นเง", "เงิ", "งิน", "คืนเ", "ืนเง", "นเงิ", "เงิน"]


def test_scripts_in_one_text_are_read_each_in_its_way() -> None:
    assert terms("iPad退款คืน") == [*terms("iPad"), *terms("退款"), *terms("คืน")]


def test_marks_and_space_are_no_terms() -> None:
    assert terms("?! _ -- \u200b ☕ \x00") == []
    assert terms("off-line") == [*terms("off"), *terms("line")]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("İADE", "iade"),
        ("Iade", "iade"),
        ("IŞIK", "ışık"),
        ("isik", "ışık"),
        ("Çığ ÖĞÜN", "cig ogun"),
        ("satisi", "satışı"),
        ("İnternet'te", "internet te"),
        ("CAFÉ", "cafe"),
        ("cafe\u0301", "café"),
        ("ＲＥＦＵＮＤ", "refund"),
        ("ﬁne", "fine"),
        ("Straße", "strasse"),
    ],
)
def test_letters_are_alike_however_they_are_written(written: str, meant: str) -> None:
    assert terms(written) == terms(meant)


def test_thai_keeps_its_marks() -> None:
    assert set(terms("กำนำ")) != set(terms("กานา"))


def test_repetitions_are_kept() -> None:
    assert terms("no no") == ["no", "_no_"] * 2


# Scores --------------------------------------------------------------------------------------------------------------


def share(texts: tuple[str, ...], question: str) -> list[float]:
    found: list[float] = Keywords.of(texts).scores(terms(question)).tolist()
    return found


@pytest.mark.parametrize(
    "question",
    [*TEXTS, "refund " * 50, "refund the printer", "zebra", "refund zebra", "退款 refund คืนเงิน iade", "x" * 2000],
)
def test_a_share_is_from_nothing_to_all(question: str) -> None:
    scores = Keywords.of(TEXTS).scores(terms(question))
    assert scores.shape == (len(TEXTS),)
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    assert (scores <= 1).all()


@pytest.mark.parametrize("row", range(7))
def test_a_text_finds_itself(row: int) -> None:
    assert int(np.argmax(share(TEXTS, TEXTS[row]))) == row


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("refunding sales", 0),
        ("pritner receipt", 2),
        ("退款怎么办", 3),
        ("打印", 4),
        ("คืนเงินลูกค้า", 5),
        ("SATISI IADE", 6),
    ],
)
def test_the_text_with_the_questions_words_is_best(question: str, row: int) -> None:
    assert int(np.argmax(share(TEXTS, question))) == row


def test_a_share_is_bm25_over_what_any_text_could_have() -> None:
    texts = ("an ox", "an ax", "ox ox ox ox")
    lengths = np.array([len(terms(text)) for text in texts])
    # "ox" and "_ox_" are in two texts of three, "by" and "_by_" in none.
    known, unknown = np.log(1 + 1.5 / 2.5), np.log(1 + 3.5 / 0.5)
    counts = np.array([1, 0, 4])
    saturated = counts / (counts + 1.2 * (0.25 + 0.75 * lengths / lengths.mean()))
    expected = 2 * known * saturated / (2 * known + 2 * unknown)
    assert share(texts, "ox by ox") == pytest.approx(expected.tolist(), rel=1e-5)


def test_words_no_text_has_lower_the_share() -> None:
    assert 0 < share(TEXTS, "refund zebra")[0] < share(TEXTS, "refund")[0]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    texts = ("the milk", "the cups", "the beans")
    milk, cups, _ = share(texts, "the milk")
    assert milk > 2 * cups > 0


@pytest.mark.parametrize("question", ["", "???", "zebra"])
def test_a_question_without_words_in_common_finds_nothing(question: str) -> None:
    assert share(TEXTS[:3], question) == [0, 0, 0]


@pytest.mark.parametrize("texts", [(), ("",), ("???", "")])
def test_texts_without_words(texts: tuple[str, ...]) -> None:
    assert share(texts, "refund") == [0] * len(texts)


def test_the_best_are_those_with_any_of_the_words() -> None:
    scores = np.array([0.2, 0, 0.5, 0.1, 0], dtype=np.float32)
    assert sorted(Keywords.best(scores, 10)) == [0, 2, 3]
    assert sorted(Keywords.best(scores, 5)) == [0, 2, 3]
    assert sorted(Keywords.best(scores, 2)) == [0, 2]
    assert Keywords.best(scores * 0, 2) == []
    assert Keywords.best(scores[:0], 2) == []


@pytest.mark.parametrize("count", [1, 7, 30])
@pytest.mark.parametrize("size", [29, 5_000, 20_000, 20_123])
@pytest.mark.parametrize("matching", [0.0, 0.001, 0.5])
def test_the_best_of_very_many_are_the_best(size: int, count: int, matching: float) -> None:
    random = np.random.default_rng(size)
    scores = (random.random(size) * (random.random(size) < matching)).astype(np.float32)
    found = Keywords.best(scores, count)
    wanted = min(count, int((scores > 0).sum()))
    assert len(set(found)) == wanted
    assert sorted(scores[found].tolist(), reverse=True) == np.sort(scores)[::-1][:wanted].tolist()


def test_a_term_of_very_many_texts_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = tuple(f"the {word}" for word in ("milk", "cups", "beans", "foam"))
    assert share(texts, "the milk")[1] > 0
    monkeypatch.setattr(keywords, "_COMMON", 2)
    milk, *others = share(texts, "the milk")
    assert milk > 0
    assert others == [0, 0, 0]


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [TEXTS, (), ("",), ("???", ""), ("one",)])
def test_what_was_written_is_read(tmp_path: Path, texts: tuple[str, ...]) -> None:
    made = Keywords.of(texts)
    made.write(tmp_path / "words.npz")
    back = Keywords.read(tmp_path / "words.npz")
    for question in (*TEXTS, "refund zebra", "one"):
        assert np.array_equal(back.scores(terms(question)), made.scores(terms(question)))
    back.write(tmp_path / "again.npz")
    assert Keywords.read(tmp_path / "again.npz").scores(terms("refund")).shape == (len(texts),)


def test_indexing_says_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.NOTSET)
    Keywords.of(TEXTS)
    assert [record for record in caplog.records if record.name == "bm25s"] == []
