"""Read contact details from what a customer writes in answer to the form's question."""

from __future__ import annotations

import re
from dataclasses import dataclass

EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,24}")
NAME_LENGTH = 80
TIME_LENGTH = 120

# Said in the middle of the form, these are never an answer to it.
_ALWAYS = frozenset({"request_human", "stop", "deny", "choose_article", "case_status", "ask_if_bot"})
# These are, unless it is plain that a question was asked: many a name or a time looks like one to the classifier.
_QUESTIONS = frozenset({"product_question", "report_problem", "billing", "out_of_scope"})
_SURE = 0.7
_VERY_SURE = 0.9
_LONG_NAME = 5
# Scripts without spaces between words, and the longest names in them: Thai, Han.
_UNSPACED = (("\u0e00", "\u0e7f", 30), ("\u3400", "\u9fff", 10))


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
    if text.endswith(("?", "？")):
        return True
    if kind == "name" and _is_sentence(text) and intent != "nlu_fallback":
        return True
    return intent in _QUESTIONS and confidence >= _VERY_SURE


def _is_sentence(text: str) -> bool:
    """Longer than names are, in words, or in characters where words are not spaced."""
    for first, last, longest in _UNSPACED:
        if 2 * sum(first <= character <= last for character in text) > len(text):
            return len(text) > longest
    return len(text.split()) >= _LONG_NAME
