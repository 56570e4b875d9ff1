"""Cutting articles into chunks."""

from __future__ import annotations

import pytest

from bot.knowledge.splitter import Chunk, split
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
