"""Cutting articles into chunks."""

from __future__ import annotations

import re

import pytest

from bot.knowledge.loader import load_knowledge_base
from bot.knowledge.splitter import Chunk, sentences, split
from bot.settings import Settings
from tests.knowledge.fakes import article

LIST = "1. Open **Sales**.\n2. Touch the sale.\n3. Touch **Refund**.\n   - in full\n   - in part"
TABLE = "| Message | Remedy |\n|---|---|\n| Declined | Another card |\n| Offline | Wait |"


def cut(body: str, size: int = 1400) -> list[Chunk]:
    return split(article("a", body), size)


def test_a_short_article_is_one_chunk() -> None:
    assert cut("One.\n\nTwo.") == [Chunk("", "One.\n\nTwo.")]


def test_each_section_is_a_chunk_with_its_heading() -> None:
    body = "Opening.\n\n## First part\n\nOne.\n\n### Deeper #\n\nTwo.\n\nUnderlined\n----------\n\nThree."
    assert cut(body) == [
        Chunk("", "Opening."),
        Chunk("First part", "One."),
        Chunk("Deeper", "Two."),
        Chunk("Underlined", "Three."),
    ]


def test_a_long_section_is_cut_between_blocks_and_keeps_its_heading() -> None:
    paragraphs = [f"Paragraph {number} " + "x" * 50 for number in range(6)]
    chunks = cut("## Part\n\n" + "\n\n".join(paragraphs), 140)
    assert [chunk.heading for chunk in chunks] == ["Part"] * 3
    assert "\n\n".join(chunk.text for chunk in chunks) == "\n\n".join(paragraphs)
    assert all(len(chunk.text) <= 140 for chunk in chunks)


@pytest.mark.parametrize("block", [LIST, TABLE, "```\n# no heading\n\nx = 1\n```", "> Careful:\n>\n> This is final."])
def test_a_list_a_table_and_the_like_stay_whole(block: str) -> None:
    chunks = cut(f"Before it.\n\n{block}\n\nAfter it.", 10)
    assert [chunk.text for chunk in chunks] == ["Before it.", block, "After it."]


def test_a_loose_list_stays_whole() -> None:
    loose = "- one\n\n- two\n\n  more of two\n\n- three"
    assert [chunk.text for chunk in cut(f"Before.\n\n{loose}", 5)] == ["Before.", loose]


@pytest.mark.parametrize("line", ["Do this:", "请这样做：", "**Then:** do this:"])
@pytest.mark.parametrize("block", [LIST, TABLE])
def test_an_introducing_line_stays_with_what_it_introduces(line: str, block: str) -> None:
    chunks = cut(f"{'x' * 69}\n\n{line}\n\n{block}\n\n{'y' * 69}", 70)
    assert [chunk.text for chunk in chunks] == ["x" * 69, f"{line}\n\n{block}", "y" * 69]


def test_what_stands_before_an_introducing_line_stays_if_it_fits() -> None:
    chunks = cut(f"Short.\n\nDo this:\n\n{LIST}\n\n{'y' * 69}", 70)
    assert [chunk.text for chunk in chunks] == [f"Short.\n\nDo this:\n\n{LIST}", "y" * 69]


def test_a_long_paragraph_is_never_cut() -> None:
    text = "word " * 1000
    assert [chunk.text for chunk in cut(f"{text}\n\nshort", 100)] == [text.strip(), "short"]


def test_headings_without_text_leave_no_empty_chunk() -> None:
    assert cut("## One\n\n## Two\n\nText.") == [Chunk("Two", "Text.")]


def test_an_article_of_headings_alone_is_one_chunk() -> None:
    assert cut("## One\n\n## Two") == [Chunk("", "## One\n\n## Two")]


@pytest.mark.parametrize("size", [0, -5])
def test_the_size_must_be_positive(size: int) -> None:
    with pytest.raises(ValueError, match=rf"max_characters must be at least 1\. Currently, it is {size}\."):
        cut("x", size)


# Sentences -----------------------------------------------------------------------------------------------------------

LONG = "The register goes on selling without the internet for up to three days."
LONGER = "Card payments are taken as soon as it is back, in the order they came."
CODE = "```\n# a comment, no heading\ncurl https://api.example/v1 --data total=3.50\n```"


def words(text: str) -> list[str]:
    """The words of Markdown, where links lead left out."""
    return re.findall(r"[^\W_]+", re.sub(r"\]\([^)]*\)", "] ", text))


def test_running_text_is_cut_after_its_sentences() -> None:
    assert sentences(f"{LONG} {LONGER}\n\n{LONG}", "en") == [LONG, LONGER, LONG]
    assert sentences(f"{LONG}\n{LONGER}", "tr") == [LONG, LONGER]


def test_numbers_and_abbreviations_do_not_end_a_sentence() -> None:
    text = "A fee of 1.5 percent, i.e. of 3.50 out of 233.33, is taken at v2.1 of the plan."
    assert sentences(text, "en") == [text]


def test_what_is_short_goes_with_what_follows_it() -> None:
    assert sentences(f"Yes. Of course! {LONG} Why? {LONGER}", "en") == [f"Yes. Of course! {LONG}", f"Why? {LONGER}"]
    assert sentences(f"{LONG} Done.", "en") == [LONG, "Done."]


def test_the_points_of_a_list_are_sentences() -> None:
    points = ["Open the page of sales and look for the sale", "Touch the sale, then touch the button for refunds"]
    for mark in ("- {}", "* {}", "1) {}", "   + {}"):
        assert sentences("\n".join(mark.format(point) for point in points), "en") == points


def test_the_rows_of_a_table_are_sentences() -> None:
    rows = [("Message on the terminal", "What you can do about it"), ("Declined by the bank", "Ask for another card")]
    table = "\n".join(["| {} | {} |".format(*rows[0]), "|:---|---:|", "| {} | {} |".format(*rows[1])])
    assert sentences(table, "en") == [" ".join(row) for row in rows]


def test_marks_are_taken_out_and_their_words_stay() -> None:
    text = "Open **Back Office**, then `Settings`, as in [the guide](guide.md#part) and ![the picture](a.png) below."
    assert words(" ".join(sentences(text, "en"))) == words(text)
    assert not re.search(r"[*`\[\]()]|guide\.md|a\.png", " ".join(sentences(text, "en")))


def test_chinese_ends_its_sentences_without_a_space() -> None:
    parts = (
        "先打开后台的设置页面，然后选择付款方式。",
        "点击离线收款的开关，并再次确认修改！",
        "网络恢复之后系统会自动上传付款；",
        "请不要关闭收银机的电源。",
    )
    assert sentences("".join(parts), "zh") == list(parts)


def test_short_chinese_goes_with_what_follows_it() -> None:
    text = "可以。先打开后台的设置页面，然后选择付款方式。"
    assert [part.replace(" ", "") for part in sentences(text, "zh")] == [text]


def test_thai_is_cut_at_spaces_once_there_is_enough() -> None:
    phrases = ["กดปุ่มคืนเงินที่หน้าจอขาย", "แล้วเลือกรายการที่ต้องการคืน", "จากนั้นยืนยันการทำรายการ", "และพิมพ์ใบเสร็จให้ลูกค้า"] * 3
    found = sentences(" ".join(phrases), "th")
    assert " ".join(found) == " ".join(phrases)
    assert len(found) > 1
    assert all(100 <= len(sentence) < 200 for sentence in found[:-1])


@pytest.mark.parametrize("language", ["en", "zh", "tr", "th"])
@pytest.mark.parametrize(
    "block", [LIST, TABLE, CODE, f"{LONG} {LONGER}", "退款。完成！", "คืนเงิน ยืนยัน", "> Careful: final."]
)
def test_no_word_is_lost_in_any_language(block: str, language: str) -> None:
    found = sentences(f"Do this:\n\n{block}", language)
    assert words(" ".join(found)) == words(f"Do this:\n\n{block}")
    assert all(sentence.strip() for sentence in found)


@pytest.mark.parametrize("text", ["***", "---", "|---|---|", "…", "a"])
def test_there_is_at_least_one_sentence(text: str) -> None:
    assert sentences(text, "en") == [text]


def test_no_word_of_the_shipped_articles_is_lost(settings: Settings) -> None:
    for one in load_knowledge_base(settings.knowledge_folder).articles:
        for chunk in split(one):
            found = sentences(chunk.text, one.language)
            missing = set(words(chunk.text)) - set(words(" ".join(found)))
            assert all(word.isdigit() for word in missing), (one.id, missing)  # A list's numbers are marks.
