"""What was said, as a file: complete, in the reader's words and time, safe, and nothing of the team's own."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser

import pytest
from sqlalchemy import Engine, update

from bot.attachments.models import Attachment
from bot.conversation import events, transcript
from bot.conversation.changes import Changes
from bot.conversation.models import Message, now
from bot.conversation.store import ConversationStore
from bot.errors import InvalidInput, NotFound
from bot.handoff.changing import write_note
from bot.people.roles import SYSTEM
from bot.settings import LANGUAGES

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)>\u202e"
BASE = "https://chat.example/"
CITATION = {"article_id": "secret-id", "title": "Refund <a sale>", "url": "/help/refund", "language": "en"}
CHOICES = [{"label": "Talk to a person", "payload": "/request_human"}]


class Reader(HTMLParser):
    """What a browser makes of a file: tags with their attributes, and the text outside of styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] == "style":
            return
        self.text += data


@pytest.fixture
def there(engine: Engine) -> str:
    """A conversation with everything in it, on the evening before New Year's Day in UTC."""
    changes = Changes(engine)
    identifier, _ = ConversationStore(changes).create("webchat", "public", "tr")
    at = dt.datetime(2026, 12, 31, 21, 30, tzinfo=dt.UTC)
    with changes.transaction() as session:
        row = events.locked(session, identifier)
        events.add_message(session, row, "customer", f"How do I **refund**?\n{HOSTILE}", by="customer")
        content = {"citations": [CITATION], "choices": CHOICES, "decision": "answer"}
        events.add_message(session, row, "bot", "Open **Sales**, see [more](/help/more).", content)
        write_note(session, row, SYSTEM, "They are a difficult customer", None, None)
        events.append(session, row, "tags", {"number": 1, "names": ["churn_risk"]}, "system")
        events.add_message(session, row, "agent", f"Hello {HOSTILE}", {"name": "Ada <b>"}, "person:ada")
        session.flush()
        for number, name in ((3, "invoice<1>.pdf"), (None, "never-sent.pdf")):
            session.add(
                Attachment(
                    id=f"{number or 0:032}",
                    conversation_id=identifier,
                    number=number,
                    client_id=name,
                    by="person:ada",
                    name=name,
                    media_type="application/pdf",
                    size=1,
                    sha256="0" * 64,
                    created_at=now(),
                )
            )
        session.execute(update(Message).values(created_at=at))
        row.created_at = at
    return identifier


def made(engine: Engine, identifier: str, form: transcript.Form, zone: str = "UTC", **options: str) -> str:
    with Changes(engine).reading() as session:
        return transcript.render(session, identifier, form, transcript.zone_of(zone), BASE, **options)  # type: ignore[arg-type]


def test_text_holds_what_was_said(engine: Engine, there: str) -> None:
    text = made(engine, there, "text", "Europe/Istanbul", language="en")
    # Nobody can write a line that looks like one of another person: what was said stands indented.
    assert text.split("\n\n")[:3] == [
        "Conversation · 2027-01-01\nTimes are those of Europe/Istanbul.",
        f"[2027-01-01 00:30] You\n  How do I **refund**?\n  {HOSTILE}",
        "[2027-01-01 00:30] Assistant\n  Open **Sales**, see [more](/help/more).\n  ( ) Talk to a person\n"
        "  Source: Refund <a sale> <https://chat.example/help/refund>",
    ]
    assert f"[2027-01-01 00:30] Ada <b>\n  Hello {HOSTILE}\n  File: invoice<1>.pdf\n" in text


def test_html_needs_nothing_else_and_runs_nothing(engine: Engine, there: str) -> None:
    html = made(engine, there, "html", "Asia/Bangkok", language="en")
    found = Reader(html)
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "form"}
    assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on") or a in ("src", "style")]
    assert "default-src 'none'" in html
    assert ("a", {"href": "https://chat.example/help/refund", "rel": "noopener noreferrer"}) in found.tags
    assert ("base", {"href": BASE}) in found.tags  # So that links within answers lead somewhere.
    assert ("time", {"datetime": "2027-01-01T04:30:00+07:00"}) in found.tags
    assert "strong" in names
    for said in ("<script>alert(1)</script>", "Ada <b>", "invoice<1>.pdf", "Refund <a sale>", "Talk to a person"):
        assert said in found.text


@pytest.mark.parametrize("form", ["text", "html"])
def test_nothing_of_the_teams_own_is_in_it(engine: Engine, there: str, form: transcript.Form) -> None:
    file = made(engine, there, form)
    for hidden in ("difficult", "churn", "secret-id", "decision", "never-sent", "/request_human"):
        assert hidden not in file


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_every_language(engine: Engine, there: str, language: str) -> None:
    words = transcript._words()
    assert words[language].keys() == words["en"].keys()
    assert all(words[language].values())
    assert "{zone}" in words[language]["zone"]
    file = made(engine, there, "html", language=language)
    assert f'<html lang="{language}">' in file
    assert words[language]["you"] in file
    assert words[language]["customer"] in made(engine, there, "text", language=language, reader="customer")


def test_language_is_the_conversations_unless_told(engine: Engine, there: str) -> None:
    assert "Saatler UTC saat dilimine göredir." in made(engine, there, "text")


def test_nothing_said(engine: Engine) -> None:
    empty, _ = ConversationStore(engine).create("webchat", "public", "en")
    assert "Nothing was said yet." in made(engine, empty, "text")
    assert "Nothing was said yet." in made(engine, empty, "html")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\x00b", "Europe", "x" * 300])
def test_zones_that_are_none(zone: str) -> None:
    with pytest.raises(InvalidInput, match="time zone"):
        transcript.zone_of(zone)


def test_no_such_conversation(engine: Engine) -> None:
    with pytest.raises(NotFound):
        made(engine, "0" * 32, "text")


def test_files_are_saved_not_shown() -> None:
    for form, ending, kind in (("text", "txt", "plain"), ("html", "html", "html")):
        headers = transcript.headers(form)  # type: ignore[arg-type]
        assert headers["content-disposition"].startswith('attachment; filename="conversation-')
        assert headers["content-disposition"].endswith(f'.{ending}"')
        assert headers["content-type"] == f"text/{kind}; charset=utf-8"
        assert "sandbox" in headers["content-security-policy"]
