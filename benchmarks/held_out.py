"""The held-out questions for the shipped knowledge base, `data/knowledge_base.yml`, asked as customers do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import yaml
from pydantic import BaseModel, TypeAdapter

from bot.knowledge.answer import Answerer
from bot.knowledge.metrics import Asked
from bot.language import detect
from bot.settings import LANGUAGES, Settings

Shares = dict[str, float | int | None]


class HeldOut(BaseModel):
    """A question; its subject is None where no article answers it."""

    text: str
    language: Literal["en", "zh", "tr", "th"]
    subject: str | None
    also: tuple[str, ...] = ()
    kind: Literal["near", "off_topic", ""] = ""

    def label(self, subject: str | None) -> str | None:
        """A subject; the question's own for one that answers the question as well."""
        return self.subject if subject in self.also else subject


def _content(settings: Settings) -> dict[str, Any]:
    file = settings.path("benchmarks", "data", "knowledge_base.yml")
    content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return content


def held_out(settings: Settings) -> list[HeldOut]:
    """The single questions, answerable ones first."""
    content = _content(settings)
    return TypeAdapter(list[HeldOut]).validate_python(content["answerable"] + content["unanswerable"])


def ask(answerer: Answerer, questions: Sequence[HeldOut]) -> tuple[list[Asked], float]:
    """Decisions on questions, with their subject as label; and milliseconds of one."""
    subjects = {article.id: article.subject for article in answerer.articles("public")}
    for question in questions[:10]:
        answerer.decide(question.text[::-1], "public", question.language)
    rows = []
    seconds = 0.0
    for question in questions:
        language = detect(question.text, question.language)
        begun = time.perf_counter()
        answer = answerer.decide(question.text, "public", language)
        seconds += time.perf_counter() - begun
        choices = [question.label(subjects[choice.article_id]) or "" for choice in answer.alternatives]
        top = question.label(subjects[answer.article_id]) if answer.article_id else None
        rows.append(Asked(question.subject, top, answer.confidence, answer.decision == "answer", tuple(choices)))
    return rows, 1000 * seconds / len(rows)


class FollowUp(BaseModel):
    """Two messages in a row; `elliptical` needs the first to be understood, `new` does not."""

    first: str
    then: str
    language: Literal["en", "zh", "tr", "th"]
    kind: Literal["elliptical", "new"]
    subject: str
    also: tuple[str, ...] = ()


class TwoPart(BaseModel):
    """A message that asks two things, one answered by each subject."""

    text: str
    language: Literal["en", "zh", "tr", "th"]
    subjects: tuple[str, str]


def ask_follow_ups_and_two_part(answerer: Answerer, settings: Settings) -> dict[str, Shares]:
    """What was decided on the lists `follow_ups`, with and without the question before, and `two_part`."""
    content = _content(settings)
    subjects = {article.id: article.subject for article in answerer.articles("public")}
    follow_ups = TypeAdapter(list[FollowUp]).validate_python(content["follow_ups"])
    found: dict[str, Shares] = {}
    for kind in ("elliptical", "new"):
        for before in (True, False):
            rows = []
            for one in follow_ups:
                if one.kind == kind:
                    language = detect(one.then, one.language)
                    answer = answerer.decide(one.then, "public", language, one.first if before else None)
                    choices = tuple(subjects[choice.article_id] for choice in answer.alternatives)
                    top = subjects[answer.article_id] if answer.article_id else None
                    top = one.subject if top in one.also else top
                    rows.append(Asked(one.subject, top, answer.confidence, answer.decision == "answer", choices))
            found[f"follow-up, {kind}, {'with' if before else 'without'} the question before"] = shares(rows)
    cited, wrong = [], []
    two_part = TypeAdapter(list[TwoPart]).validate_python(content["two_part"])
    for asked in two_part:
        answer = answerer.decide(asked.text, "public", asked.language)
        given = {subjects[citation.article_id] for citation in answer.citations}
        cited.append(len(given & set(asked.subjects)))
        wrong.append(bool(given - set(asked.subjects)))
    found["two-part"] = {
        "answerable": len(cited),
        "both_answered": _share(count == 2 for count in cited),
        "one_answered": _share(count == 1 for count in cited),
        "wrong_article": _share(wrong),
    }
    return found


def passages(answerer: Answerer, settings: Settings) -> Shares:
    """How often the passage of the right article holds the section that answers, and how much of the article it is.

    The article is given, so that only the choice within it counts. Questions with an article in their own language are
    left out: sections are named by the headings of the English original.
    """
    content = _content(settings)
    articles = {article.id: article for article in answerer.articles("public")}
    hits, lengths = [], []
    for entry in content["answerable"]:
        article = articles[entry["subject"]]
        if entry["language"] != "en" and any(
            other.translation_of == article.id and other.language == entry["language"] for other in articles.values()
        ):
            continue
        answer = answerer.article_answer(article.id, entry["text"])
        assert answer is not None
        assert answer.answer is not None
        section = entry["section"]
        opening = article.body.split("\n## ")[0].strip()[:60]
        hits.append(f"**{section}**" in answer.answer if section else answer.answer.startswith(opening[:40]))
        lengths.append(len(answer.answer) / len(article.body))
    return {"answerable": len(hits), "right_section": _share(hits), "share_of_article": sum(lengths) / len(lengths)}


def by_kind(questions: Sequence[HeldOut], rows: Sequence[Asked]) -> dict[str, Shares]:
    """What was decided, in all, by language, and by kind of unanswerable question."""
    both = list(zip(questions, rows, strict=True))
    return {
        "all": shares(rows),
        **{language: shares([row for one, row in both if one.language == language]) for language in LANGUAGES},
        **{kind: shares([row for one, row in both if one.kind == kind]) for kind in ("near", "off_topic")},
    }


def shares(rows: Iterable[Asked]) -> Shares:
    """Counts and shares of some decisions; None where there are none to count."""
    rows = list(rows)
    inside = [row for row in rows if row.label is not None]
    outside = [row for row in rows if row.label is None]
    return {
        "answerable": len(inside),
        "unanswerable": len(outside),
        "right_first": _share(row.top_is_right for row in inside),
        "answered": _share(row.answered for row in inside),
        "right_when_answered": _share(row.top_is_right for row in inside if row.answered),
        "asked_back": _share(bool(row.choices) for row in inside),
        "right_among_choices": _share(row.label in row.choices for row in inside if row.choices),
        "not_answered": _share(not row.answered for row in outside),
    }


def _share(values: Iterable[bool]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
