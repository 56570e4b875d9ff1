"""The desk says the same in every language, and every page finds its words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest

from bot.desk.pages import templates
from bot.desk.words import Words, fill, sentence, words
from bot.errors import InvalidInput
from bot.handoff.changing import Stale
from bot.people.roles import PERMISSIONS, ROLES
from bot.settings import LANGUAGES
from tests.conversation.fakes import PROJECT

# Errors of what people do with cases.
REFUSALS = ("Stale", "InvalidInput", "ConversationError", "DuplicateId")
TEMPLATES = sorted((PROJECT / "bot/desk/templates").rglob("*.html"))


def texts(found: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every text by its name, as `people.title`."""
    for key, value in vars(found).items():
        if isinstance(value, Words):
            yield from texts(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def places(text: object) -> set[str]:
    """What is filled in: `{count}`."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None} if isinstance(text, str) else set()


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_says_everything(language: str) -> None:
    english, other = dict(texts(words("en"))), dict(texts(words(language)))
    assert english.keys() == other.keys()
    assert {name: places(text) for name, text in english.items()} == {name: places(other[name]) for name in english}
    assert [name for name, text in other.items() if not text] == []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_templates_name_words_that_are_there(file: Any) -> None:
    source = file.read_text("utf-8")
    known = words("en")
    for section, key in re.findall(r"\bt\.([a-z_]+)\.([a-z_0-9]+)\b", source):
        assert hasattr(getattr(known, section), key), f"{section}.{key}"
    templates.env.parse(source)
    assert not re.search(r"<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=", source), "the policy forbids it"


def test_a_page_that_lacks_a_word_fails() -> None:
    with pytest.raises(AttributeError):
        words("en")["nothing"]
    assert fill("{count} open", count=3) == "3 open"


def test_what_agents_are_refused_has_words() -> None:
    """What operations on cases refuse has a rule; each rule has a sentence with places for what is given only."""
    must = {"cases", "changing", "closing", "writing", "suggestions", "actions"}
    known = vars(words("en").rules)
    silent, used = [], set()
    for file in (PROJECT / "bot").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in REFUSALS):
                continue
            given = {one.arg: one.value for one in call.keywords}
            rule = given.pop("rule", None)
            if isinstance(rule, ast.Constant):
                used.add(rule.value)
                assert places(known[str(rule.value)]) <= given.keys(), f"{file.name}:{call.lineno}"
            elif file.stem in must and file.parent.name in ("handoff", "inbox"):
                silent.append(f"{file.name}:{call.lineno}")
    assert {"case_taken", "case_closed", "transfer_no_member", "undo_late", "tag_there", "message_long"} <= used
    assert silent == []


def test_a_refusal_without_words_is_in_english() -> None:
    thai = words("th")
    assert sentence(Stale("Too late.", "Look again."), thai) == "Too late. Look again."
    assert sentence(Stale("Too late.", rule="nothing_of_this_name"), thai) == "Too late."
    error = InvalidInput("x", rule="transfer_no_member", name="Ada", queue="support")
    assert sentence(error, thai) == thai.rules.transfer_no_member.format(name="Ada", queue=thai.queues.support)


def test_every_rule_role_and_scope_has_its_words() -> None:
    source = "".join(file.read_text("utf-8") for file in (PROJECT / "bot").rglob("*.py"))
    rules = set(re.findall(r'FieldError\(\s*[a-z_"]+,\s*"([a-z_]+)"', source))
    assert {"short", "taken", "capacity", "last_administrator"} <= rules
    assert rules - vars(words("en").rules).keys() == set()
    assert {*ROLES, *(f"{role}_hint" for role in ROLES)} <= vars(words("en").roles).keys()
    assert {scope.replace(":", "_") for scope in PERMISSIONS} == vars(words("en").scopes).keys()
