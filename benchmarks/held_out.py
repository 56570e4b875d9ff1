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


def ask_follow_ups_and_two_part(answerer: Answerer, settings: Settings) -> dict[str, Shares]:
    """What was decided on the lists `follow_ups` and `two_part`, by kind; empty: nothing decides on them yet."""
    return {}


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
