"""Text of PDFs as Markdown, and those that cannot be read."""

from __future__ import annotations

import datetime as dt

import pytest

from bot.knowledge.importers import pdf as module
from bot.knowledge.importers.pdf import read_pdf
from bot.knowledge.importers.source import Unreadable
from tests.knowledge.importers.files import Line, encrypted, pdf

LONG = "Crema opens the drawer when the sale is paid in cash and at no other time"
PAGE: list[Line] = [
    (780, 20, "Close the day"),
    (750, 11, f"{LONG},"),
    (737, 11, "unless you say so."),
    (710, 15, "Count the cash"),
    (690, 11, f"{LONG}."),
    (677, 11, "1. Open Day."),
    (664, 11, "2. Count."),
    (640, 11, "• Notes"),
    (627, 11, "• Coins"),
]


def test_headings_paragraphs_and_lists() -> None:
    document = read_pdf(pdf([PAGE]), "day.pdf", "Day")
    assert document.title == "Close the day"
    assert document.updated == dt.date(2026, 3, 2)
    assert document.body.split("\n\n") == [
        f"{LONG}, unless you say so.",
        "## Count the cash",
        f"{LONG}.",
        "1. Open Day.",
        "2. Count.",
        "- Notes",
        "- Coins",
    ]


def test_the_title_of_the_file_comes_first() -> None:
    document = read_pdf(pdf([PAGE], "Closing"), "day.pdf", "Day")
    assert document.title == "Closing"
    assert document.body.startswith("## Close the day")


@pytest.mark.parametrize("title", ["Microsoft Word - day.docx", "Untitled", "day.indd"])
def test_a_title_that_a_tool_has_made_up_is_none(title: str) -> None:
    assert read_pdf(pdf([PAGE], title), "day.pdf", "Day").title == "Close the day"


def test_without_one_largest_line_the_name_is_the_title() -> None:
    chapters: list[Line] = [(780, 20, "One"), (750, 11, LONG), (720, 20, "Two"), (700, 11, LONG)]
    document = read_pdf(pdf([chapters]), "day.pdf", "Day")
    assert document.title == "Day"
    assert document.body == f"## One\n\n{LONG}\n\n## Two\n\n{LONG}"


def test_running_heads_and_page_numbers_are_left_out() -> None:
    pages: list[list[Line]] = [
        [(800, 9, "Crema manual"), (700 + number, 11, f"{LONG} {number}."), (40, 9, f"Page {number}")]
        for number in (1, 2, 3)
    ]
    assert read_pdf(pdf(pages), "m.pdf", "Manual").body.split("\n\n") == [f"{LONG} {number}." for number in (1, 2, 3)]


def test_short_lines_stay_lines() -> None:
    lines: list[Line] = [(750, 11, LONG), (737, 11, "Solo 29"), (724, 11, "Team 59")]
    assert read_pdf(pdf([lines]), "m.pdf", "Manual").body == f"{LONG} Solo 29\nTeam 59"


def test_ligatures_are_written_out() -> None:
    assert module._tidy(module._Line("ﬁle ⽂ ，", 1, 1)).text == "file 文 ，"


def test_a_file_that_only_its_owner_may_change_is_read() -> None:
    assert read_pdf(encrypted(pdf([PAGE]), ""), "day.pdf", "Day").title == "Close the day"


@pytest.mark.parametrize(
    ("raw", "message", "remedy"),
    [
        (encrypted(pdf([PAGE]), "secret"), "It is encrypted.", "without a password"),
        (pdf([[], []]), "It has no text, only pictures.", "(OCR)"),
        (b"%PDF-1.4\nbroken", "It is not a valid PDF.", "print it to a new PDF"),
        (b"", "It is not a valid PDF.", "print it to a new PDF"),
        (pdf([PAGE]).replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"), "It is not a valid PDF.", "print it to a new PDF"),
    ],
    ids=["encrypted", "pictures", "broken", "empty", "circle"],
)
def test_what_cannot_be_read_is_said(raw: bytes, message: str, remedy: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_pdf(raw, "day.pdf", "Day")
    assert caught.value.message == message
    assert remedy in caught.value.remedy


def test_too_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    with pytest.raises(Unreadable, match="more than 2 pages"):
        read_pdf(pdf([PAGE] * 3), "day.pdf", "Day")


def test_too_much_text_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_CHARACTERS", 300)
    with pytest.raises(Unreadable, match="more than 300 characters"):
        read_pdf(pdf([PAGE] * 3), "day.pdf", "Day")
