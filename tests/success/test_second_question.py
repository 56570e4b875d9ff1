"""Whether to ask the second question, and what it is for."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.dialogue.replies import Replies
from bot.settings import LANGUAGES, load_settings
from bot.success.second_question import QUESTIONS, Facts, Policy, due, policy
from bot.tagging.tags import SIGNALS, STAGES, Stage, stage_of

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
FACTS = Facts(
    moment=NOW,
    solved=True,
    timely=True,
    own=True,
    angry=False,
    urgent=False,
    people=False,
    asked_at=None,
    stage=None,
    signals=frozenset(),
)


def test_asked_after_a_solved_problem() -> None:
    assert due(FACTS, Policy()) == "adoption"


@pytest.mark.parametrize("stage", STAGES)
def test_the_question_fits_the_stage(stage: Stage) -> None:
    assert due(replace(FACTS, stage=stage), Policy()) == stage


@pytest.mark.parametrize(
    "against",
    [
        {"solved": False},
        {"timely": False},
        {"own": False},
        {"angry": True},
        {"urgent": True},
        {"people": True},
        {"asked_at": NOW},
        {"asked_at": NOW - dt.timedelta(days=29, hours=23)},
        {"signals": frozenset({"goal"})},
    ],
    ids=lambda against: next(iter(against)),
)
def test_reasons_not_to_ask(against: dict[str, Any]) -> None:
    assert due(replace(FACTS, **against), Policy()) is None


def test_switched_off() -> None:
    assert due(FACTS, Policy(enabled=False)) is None


def test_asked_again_after_the_pause() -> None:
    assert due(replace(FACTS, asked_at=NOW - dt.timedelta(days=30)), Policy()) == "adoption"
    assert due(replace(FACTS, asked_at=NOW - dt.timedelta(days=30)), Policy(pause=dt.timedelta(days=31))) is None


def test_without_a_default_stage_only_those_whose_stage_is_known_are_asked() -> None:
    assert due(FACTS, Policy(default_stage=None)) is None
    assert due(replace(FACTS, stage="expansion"), Policy(default_stage=None)) == "expansion"


@pytest.mark.parametrize("stage", STAGES)
def test_what_was_heard_already_is_not_asked(stage: Stage) -> None:
    heard = QUESTIONS[stage].signal
    others = frozenset(SIGNALS) - {heard}
    assert due(replace(FACTS, stage=stage, signals=frozenset({heard})), Policy()) is None
    assert due(replace(FACTS, stage=stage, signals=others), Policy()) == stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_question_hears_a_signal_of_its_stage(stage: Stage) -> None:
    assert stage_of({QUESTIONS[stage].signal: 1.0}) == stage


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", Policy()),
        ("enabled = false\npause = 7\ndefault_stage = 'none'", Policy(False, dt.timedelta(days=7), None)),
        ("default_stage = 'retention'", Policy(default_stage="retention")),
    ],
)
def test_policy_of_the_settings(tmp_path: Path, written: str, expected: Policy) -> None:
    (tmp_path / "refill.toml").write_text(f"[second_question]\n{written}\n", "utf-8")
    assert policy(load_settings(tmp_path, {})) == expected


# The wording

REPLIES = Replies(Path(__file__).resolve().parents[2] / "domain.yml")
SENTENCE_END = re.compile(r"[.!?。！？](?=\s|$)")
PROMISE = re.compile(
    r"\d|%|€|\$|free|discount|guarantee|免费|优惠|保证|ücretsiz|indirim|garanti|ฟรี|ส่วนลด|รับประกัน", re.IGNORECASE
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_question_is_one_short_sentence_that_promises_nothing(stage: Stage, language: str) -> None:
    question = REPLIES.reply(f"utter_second_question_{stage}", language)
    assert len(question.text) <= 110
    assert len(SENTENCE_END.findall(question.text)) <= 1
    assert not PROMISE.search(question.text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_question_can_be_put_off_and_answered_where_yes_or_no_fits(stage: Stage, language: str) -> None:
    choices = REPLIES.reply(f"utter_second_question_{stage}", language).choices
    yes_and_no = ["/affirm", "/deny"] if QUESTIONS[stage].telling else []
    assert [choice.payload for choice in choices] == [*yes_and_no, "/not_now"]
    assert len({choice.label.casefold() for choice in choices}) == len(choices)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stage", [stage for stage in STAGES if QUESTIONS[stage].telling])
def test_reply_to_a_signal_offers_a_person_and_promises_nothing(stage: Stage, language: str) -> None:
    reply = REPLIES.reply(f"utter_second_answer_{stage}", language)
    assert [choice.payload for choice in reply.choices] == ["/request_human"]
    assert not PROMISE.search(reply.text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reply_before_it_asks_nothing(language: str) -> None:
    """Else a "no" would answer that, not the second question."""
    assert not re.search(r"[?？]|ไหม|หรือ", REPLIES.reply("utter_glad", language).text)
