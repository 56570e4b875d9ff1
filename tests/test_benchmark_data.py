"""The held-out questions for the shipped knowledge base: complete, correct, and not taken from the articles."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Literal, get_args

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from bot.knowledge.article import Article
from bot.knowledge.loader import load_knowledge_base
from bot.language import detect

ROOT = Path(__file__).parents[1]
FILE = ROOT / "benchmarks" / "data" / "knowledge_base.yml"
OUT_OF_SCOPE = ROOT / "data" / "nlu" / "out_of_scope.yml"
LIKENESS = 0.6

Language = Literal["en", "zh", "tr", "th"]
TRANSLATED: tuple[Language, ...] = ("zh", "tr", "th")


class Entry(BaseModel):
    """What all entries have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Language

    def texts(self) -> list[str]:
        raise NotImplementedError

    def subjects_named(self) -> list[str]:
        return []


class Answerable(Entry):
    """A question that the section of a subject's article answers."""

    text: str = Field(min_length=1)
    subject: str
    also: tuple[str, ...] = ()
    section: str

    def texts(self) -> list[str]:
        return [self.text]

    def subjects_named(self) -> list[str]:
        return [self.subject, *self.also]


class Unanswerable(Entry):
    """A question that no public article answers."""

    text: str = Field(min_length=1)
    subject: None
    kind: Literal["near", "off_topic"]

    def texts(self) -> list[str]:
        return [self.text]


class FollowUp(Entry):
    """A question and the next one; elliptical, or new as a control."""

    first: str = Field(min_length=1)
    then: str = Field(min_length=1)
    kind: Literal["elliptical", "new"]
    subject: str
    also: tuple[str, ...] = ()

    def texts(self) -> list[str]:
        return [self.first, self.then]

    def subjects_named(self) -> list[str]:
        return [self.subject, *self.also]


class TwoPart(Entry):
    """A message that asks two things."""

    text: str = Field(min_length=1)
    subjects: tuple[str, str]

    def texts(self) -> list[str]:
        return [self.text]

    def subjects_named(self) -> list[str]:
        return list(self.subjects)


class HeldOut(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answerable: tuple[Answerable, ...]
    unanswerable: tuple[Unanswerable, ...]
    follow_ups: tuple[FollowUp, ...]
    two_part: tuple[TwoPart, ...]

    @property
    def entries(self) -> list[Entry]:
        return [*self.answerable, *self.unanswerable, *self.follow_ups, *self.two_part]


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    return HeldOut.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    """The public articles, all languages."""
    base = load_knowledge_base(ROOT / "knowledge_base")
    assert not base.errors
    return [article for article in base.articles if article.audience == "public"]


def bare(text: str) -> str:
    """The text without case, punctuation, symbols and space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] not in "PSZC")


def trigrams(text: str) -> set[str]:
    """The runs of three characters of a bare text; the text itself when shorter."""
    plain = bare(text)
    return {plain[start : start + 3] for start in range(max(len(plain) - 2, 1))}


def likeness(one: str, other: str) -> float:
    """Jaccard index of the character trigrams, 0 to 1."""
    left, right = trigrams(one), trigrams(other)
    return len(left & right) / len(left | right)


def out_of_scope_lines() -> list[str]:
    training = yaml.safe_load(OUT_OF_SCOPE.read_text(encoding="utf-8"))
    return [line.removeprefix("- ") for block in training["nlu"] for line in block["examples"].splitlines()]


def test_there_are_enough_of_each_kind(held_out: HeldOut) -> None:
    answerable = Counter(entry.language for entry in held_out.answerable)
    unanswerable = Counter(entry.language for entry in held_out.unanswerable)
    elliptical = Counter(entry.language for entry in held_out.follow_ups if entry.kind == "elliptical")
    two_part = Counter(entry.language for entry in held_out.two_part)
    near = sum(entry.kind == "near" for entry in held_out.unanswerable)

    assert answerable["en"] >= 120
    assert unanswerable["en"] >= 45
    for language in TRANSLATED:
        assert answerable[language] >= 60
        assert unanswerable[language] >= 25
    assert near >= 0.6 * len(held_out.unanswerable)
    for language in get_args(Language):
        assert elliptical[language] >= 6
        assert two_part[language] >= 4
    assert sum(entry.kind == "new" for entry in held_out.follow_ups) >= 8


def test_every_subject_is_asked_about(held_out: HeldOut, articles: list[Article]) -> None:
    subjects = {article.subject for article in articles}
    asked = {language: set[str]() for language in get_args(Language)}
    for entry in held_out.answerable:
        asked[entry.language].add(entry.subject)

    assert asked["en"] == subjects
    for language in TRANSLATED:
        translated = {article.subject for article in articles if article.language == language}
        assert asked[language] >= translated
        assert len(asked[language] - translated) >= 20


def test_subjects_exist_and_are_public(held_out: HeldOut, articles: list[Article]) -> None:
    subjects = {article.subject for article in articles}
    for entry in held_out.entries:
        named = entry.subjects_named()
        assert set(named) <= subjects, entry
        assert len(named) == len(set(named)), entry


def test_sections_are_headings_of_the_original(held_out: HeldOut, articles: list[Article]) -> None:
    originals = {article.id: article for article in articles if article.translation_of is None}
    for entry in held_out.answerable:
        headings = re.findall(r"^#+ +(.+?) *$", originals[entry.subject].body, flags=re.MULTILINE)
        assert entry.section == "" or entry.section in headings, entry


def test_texts_are_in_the_language_they_say(held_out: HeldOut) -> None:
    for entry in held_out.entries:
        for text in entry.texts():
            if entry.language in ("zh", "th"):
                assert detect(text) == entry.language, text
            else:
                assert detect(text, entry.language) in ("en", "tr"), text


def test_no_text_stands_twice(held_out: HeldOut) -> None:
    texts = Counter(bare(text) for entry in held_out.entries for text in entry.texts())
    assert [text for text, times in texts.items() if times > 1] == []


def test_no_text_is_one_the_product_learns_from(held_out: HeldOut, articles: list[Article]) -> None:
    known = {bare(text) for article in articles for text in (article.title, *article.questions)}
    known |= {bare(line) for line in out_of_scope_lines()}
    assert [text for entry in held_out.entries for text in entry.texts() if bare(text) in known] == []


def test_no_text_is_nearly_one_of_its_subjects_questions(held_out: HeldOut, articles: list[Article]) -> None:
    known: dict[str, list[str]] = {}
    for article in articles:
        known.setdefault(article.subject, []).extend((article.title, *article.questions))
    near = [
        (text, question)
        for entry in held_out.entries
        for text in entry.texts()
        for subject in entry.subjects_named()
        for question in known[subject]
        if likeness(text, question) > LIKENESS
    ]
    assert near == []


def test_no_unanswerable_text_is_nearly_an_out_of_scope_example(held_out: HeldOut) -> None:
    lines = out_of_scope_lines()
    near = [
        (entry.text, line) for entry in held_out.unanswerable for line in lines if likeness(entry.text, line) > LIKENESS
    ]
    assert near == []
