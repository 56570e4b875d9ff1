"""Saved replies: what may be saved, who sees it, and how variables are filled in."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.errors import InvalidInput, NotFound
from bot.people.models import AuditEntry, SavedReply
from bot.people.roles import PERMISSIONS_OF, Forbidden, Principal
from bot.people.saved_replies import (
    change_saved_reply,
    create_saved_reply,
    delete_saved_reply,
    find_saved_reply,
    list_saved_replies,
    render,
)

LEAD = Principal("person", "lea", "Lea", PERMISSIONS_OF["lead"])
AGENT = Principal("person", "ada", "Ada", PERMISSIONS_OF["agent"], frozenset({"support"}))


@pytest.mark.parametrize(
    ("language", "values", "text"),
    [
        ("en", {"customer_name": "Mia", "case_number": "12"}, "Hello Mia, case 12 is yours."),
        ("tr", {"customer_name": "Mia", "case_number": "12"}, "Merhaba Mia"),
        ("th", {"customer_name": "Mia", "case_number": "12"}, "Hello Mia, case 12 is yours."),
        ("en", {"customer_name": None, "case_number": "12"}, "Hello, case 12 is yours."),
        ("en", {}, "Hello, case is yours."),
        ("tr", {"customer_name": "{agent_name}"}, r"Merhaba \{agent\_name\}"),
        ("tr", {"customer_name": "[x](http://y)\n# Mia"}, r"Merhaba \[x\]\(http://y\) \# Mia"),
    ],
)
def test_variables_are_filled_in(language: str, values: dict[str, str | None], text: str) -> None:
    texts = {"en": "Hello {customer_name}, case {case_number} is yours.", "tr": "Merhaba {customer_name}"}
    assert render(texts, language, values) == text


def test_other_braces_stay() -> None:
    assert render({"zh": "a {x} {}"}, "en", {"x": "1"}) == "a {x} {}"
    assert render({}, "en", {}) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": "a" * 101},
        {"title": "two\nlines"},
        {"texts": {}},
        {"texts": {"fr": "Bonjour"}},
        {"texts": {"en": " "}},
        {"texts": {"en": "a" * 4001}},
        {"texts": {"en": "a\x00"}},
        {"texts": {"en": "Hello {customer}"}},
        {"texts": {"en": "Hello {}"}},
        {"queue": "sales"},
    ],
)
def test_bad_replies(engine: Engine, change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"title": "Hello", "texts": {"en": "Hello {customer_name}"}, "queue": None}
    with Session(engine) as session:
        with pytest.raises(InvalidInput):
            create_saved_reply(session, LEAD, **{**good, **change})
        made = create_saved_reply(session, LEAD, **good)
        session.commit()
        with pytest.raises(InvalidInput):
            change_saved_reply(session, made.id, LEAD, change)
        assert session.query(SavedReply).count() == 1


def test_who_may_use_and_change_them(engine: Engine) -> None:
    with Session(engine) as session:
        for_all = create_saved_reply(session, LEAD, "Hello", {"en": "Hello"})
        supports = create_saved_reply(session, LEAD, "Again", {"en": "Restart it."}, "support")
        others = create_saved_reply(session, LEAD, "Bye", {"en": "Bye"}, "success")
        assert list_saved_replies(session, LEAD) == [supports, others, for_all]
        assert list_saved_replies(session, AGENT) == [supports, for_all]
        assert list_saved_replies(session, LEAD, "success") == [others, for_all]
        with pytest.raises(NotFound):
            find_saved_reply(session, others.id, AGENT)
        for refused in (
            lambda: create_saved_reply(session, AGENT, "Mine", {"en": "Mine"}),
            lambda: change_saved_reply(session, supports.id, AGENT, {"title": "Mine"}),
            lambda: delete_saved_reply(session, supports.id, AGENT),
        ):
            with pytest.raises(Forbidden):
                refused()
        change_saved_reply(session, supports.id, LEAD, {"title": "Once more"})
        assert (supports.title, supports.queue, supports.texts) == ("Once more", "support", {"en": "Restart it."})
        delete_saved_reply(session, others.id, LEAD)
        session.flush()
        assert list_saved_replies(session, LEAD) == [for_all, supports]
        actions = [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.id)]
        assert actions == [*["reply.create"] * 3, "reply.change", "reply.delete"]
