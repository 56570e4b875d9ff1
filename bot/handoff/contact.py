"""Read contact details from what a customer writes in answer to the form's question."""

from __future__ import annotations

import re
from dataclasses import dataclass

EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,24}")
NAME_LENGTH = 80
TIME_LENGTH = 120

# Said in the middle of the form, these are not an answer to it. The first always step in; the others when it is
# plain that a question was asked: many a name or a time looks like one to the classifier.
_ALWAYS = frozenset({"request_human", "stop", "deny", "choose_article", "case_status", "ask_if_bot"})
_QUESTIONS = frozenset({"product_question", "report_problem", "billing", "out_of_scope"})
_SURE = 0.7
_VERY_SURE = 0.9
_LONG_NAME = 5


@dataclass(frozen=True)
class Detail:
    """What was found: a value, a problem (name of the response that tells it), or neither but an interruption."""

    value: str | None = None
    problem: str = ""
    interrupts: bool = False


def read_detail(kind: str, text: str, intent: str, confidence: float) -> Detail:
    """Read the answer to one question of the contact form.

    Args:
        kind: `name`, `email` or `time`.
        text: What the customer wrote.
        intent: What Rasa made of it.
        confidence: How sure it is, from 0 to 1.

    Raises:
        ValueError: The kind is none of these.
    """
    text = " ".join(text.split())
    email = EMAIL.search(text)
    if kind == "email" and email:
        return Detail(email.group())
    if _interrupts(kind, text, intent, confidence):
        return Detail(interrupts=True)
    if kind == "email":
        return Detail(problem="utter_invalid_email")
    if kind == "name":
        fits = 0 < len(text) <= NAME_LENGTH and any(character.isalpha() for character in text) and not email
        return Detail(text) if fits else Detail(problem="utter_invalid_name")
    if kind == "time":
        fits = 0 < len(text) <= TIME_LENGTH and any(character.isalnum() for character in text)
        return Detail(text) if fits else Detail(problem="utter_invalid_time")
    raise ValueError(f"kind must be name, email or time. Currently, it is {kind!r}.")


def _interrupts(kind: str, text: str, intent: str, confidence: float) -> bool:
    if intent in _ALWAYS and confidence >= _SURE:
        return True
    if intent not in _QUESTIONS:
        return False
    asks = text.endswith(("?", "？")) or (kind == "name" and len(text.split()) >= _LONG_NAME)
    return confidence >= (_SURE if asks else _VERY_SURE)
