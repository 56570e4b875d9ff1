"""The `refill` command: what it prints, and how it fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy.orm import Session

from bot import cli
from bot.conversation.models import Conversation, MessageTag
from bot.conversation.records import Outcome
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Contact, Effect, Escalate, Reply, SaveContact
from bot.handoff.models import Escalation
from bot.settings import SETTINGS, load_settings
from bot.storage.engine import open_engine
from tests.commands import Refill, command_in
from tests.conversation.fakes import DOMAIN, new_database
from tests.tagging.fakes import word_tagger


@pytest.fixture
def refill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refill:
    """Runs the command in a project of its own, on a wide terminal."""
    monkeypatch.setattr(cli, "out", Console(highlight=False, width=400))
    monkeypatch.setattr(cli, "err", Console(stderr=True, highlight=False, width=400))
    return command_in(tmp_path, monkeypatch, capsys)


@pytest.fixture
def case(tmp_path: Path) -> int:
    """The number of an open case."""
    (tmp_path / "var").mkdir()
    (tmp_path / "domain.yml").write_bytes(DOMAIN.read_bytes())
    engine = new_database(tmp_path / "var")
    store = ConversationStore(engine)
    conversation, _ = store.create("webchat", "public", "tr")
    message, _ = store.add_customer_message(conversation, "a", "[bold]Bir insan[/] lütfen", {})
    effects: list[Effect] = [
        Escalate(queue="support", reason="asked_for"),
        SaveContact(contact=Contact(name="Ayşe", email="ayse@example.com", time="yarın")),
    ]
    store.finish_turn(message, 0, Outcome([Reply(text="Kayıt {case_number}.")], effects, "tr"))
    with Session(engine) as session:
        number = session.query(Escalation).one().id
    engine.dispose()
    return number


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("ask", "Hello", "--audience", "everyone"),
            "--audience must be public or internal. Currently, it is 'everyone'",
        ),
        (("ask", "Hello", "--language", "fr"), "--language must be one of en, zh, tr, th. Currently, it is 'fr'"),
        (("setup", "--rebuild", "everything"), "--rebuild must be encoder, index, tagger, model or all"),
        (("cases", "99"), "There is no case 99."),
        (("chat", "--url", "http://127.0.0.1:9"), "No bot answers at http://127.0.0.1:9"),
        (("ask", "Hello"), "There is no encoder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_error_is_shown_without_a_traceback(refill: Refill, arguments: tuple[str, ...], message: str) -> None:
    result = refill(*arguments)
    assert result.status == 1
    assert message in result.err
    assert "✗" in result.err
    assert "Traceback" not in result.err + result.out
    assert result.out == ""


def test_remedy_is_shown(refill: Refill) -> None:
    assert "→ `refill cases` lists them." in refill("cases", "99").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "No such command"),
        (("ask",), "Missing argument"),
        (("cases", "many"), "Invalid value"),
        (("ask", "Hello", "--colour", "red"), "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use(refill: Refill, arguments: tuple[str, ...], message: str) -> None:
    result = refill(*arguments)
    assert result.status == 2
    assert message in result.err


def test_wrong_setting_is_named(refill: Refill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refill.toml").write_text('[server]\nport = "[red]"\n', "utf-8")
    result = refill("settings")
    assert result.status == 1
    assert "Setting 'server.port' has value '[red]' in refill.toml" in result.err
    (tmp_path / "refill.toml").write_text("[server\n", "utf-8")
    assert "refill.toml is not valid TOML" in refill("cases").err
    (tmp_path / "refill.toml").unlink()
    monkeypatch.setenv("REFILL_SERVER_PORT", "70000")
    assert "REFILL_SERVER_PORT" in refill("settings").err


def test_database_that_cannot_be_used(refill: Refill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFILL_STORAGE_URL", "mysql://me:s3cret@localhost/refill")
    result = refill("cases")
    assert result.status == 1
    assert "storage.url must name a SQLite file or a PostgreSQL database" in result.err
    assert "s3cret" not in result.err


def test_help_names_every_command(refill: Refill) -> None:
    result = refill("--help")
    assert result.status == 0
    for command in ("setup", "serve", "index", "train", "ask", "chat", "cases", "check", "settings"):
        assert command in result.out


# Settings


def test_settings_are_all_listed(refill: Refill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refill.toml").write_text("[conversation]\nmax_length = 1234\n", "utf-8")
    monkeypatch.setenv("REFILL_SERVER_PORT", "8123")
    result = refill("settings")
    assert result.status == 0
    for setting in SETTINGS:
        assert setting.name in result.out
        assert setting.variable in result.out
        assert setting.help in result.out
    assert "1234" in result.out
    assert "8123" in result.out


def test_key_of_the_team_api_is_never_printed(refill: Refill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFILL_SERVER_API_KEY", "0123456789abcdef")
    listed = refill("settings")
    assert re.search(r"server\.api_key +│ \(hidden\)", listed.out)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text("", "utf-8")
    for result in (listed, refill("check")):
        assert "0123456789abcdef" not in result.out + result.err
    monkeypatch.setenv("REFILL_SERVER_API_KEY", "s3cret")
    result = refill("check")
    assert (result.status, "s3cret" in result.out + result.err) == (1, False)


# Cases


def test_no_cases(refill: Refill) -> None:
    result = refill("cases")
    assert result.status == 0
    assert result.out.startswith("No cases. They appear here when")


def test_no_cases_as_json(refill: Refill) -> None:
    assert refill("cases", "--json").json == []
    assert refill("cases", "--closed", "--json").json == []


def test_cases(refill: Refill, case: int) -> None:
    result = refill("cases")
    assert result.status == 0
    for shown in (str(case), "support", "asked_for", "tr", "ayse@example.com"):
        assert shown in result.out
    assert refill("cases", "--closed").out.startswith("No cases")


def test_cases_as_json(refill: Refill, case: int) -> None:
    (row,) = refill("cases", "--json").json
    since, due = row.pop("since"), row["sla"]["due"]
    assert row == {
        "number": case,
        "queue": "support",
        "reason": "asked_for",
        "language": "tr",
        "contact": "ayse@example.com",
        "signals": [],
        "priority": "normal",
        "assignee": None,
        "resolution": None,
        "sla": {"clock": "first_response", "state": "ok", "due": due},
        "tags": {
            "kind": "neither",
            "topics": [],
            "signals": [],
            "urgent": False,
            "sentiment": "neutral",
            "stage": None,
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*(UTC|\+00:00)", since)


def test_closed_cases(refill: Refill, case: int, tmp_path: Path) -> None:
    engine = open_engine(load_settings(tmp_path, {}))
    with Session(engine) as session, session.begin():
        session.query(Escalation).update({"status": "closed"})
    engine.dispose()
    assert refill("cases", "--json").json == []
    assert [row["number"] for row in refill("cases", "--closed", "--json").json] == [case]


def test_one_case(refill: Refill, case: int) -> None:
    result = refill("cases", str(case))
    assert result.status == 0
    assert f"Case {case}  open  queue support  reason asked_for" in result.out
    assert "Contact: Ayşe, ayse@example.com, yarın" in result.out
    assert "customer  [bold]Bir insan[/] lütfen" in result.out
    assert f"bot  Kayıt {case}." in result.out


def test_one_case_as_json(refill: Refill, case: int) -> None:
    found = refill("cases", str(case), "--json").json
    assert (found["number"], found["queue"], found["status"]) == (case, "support", "open")
    assert found["contact"] == {"name": "Ayşe", "email": "ayse@example.com", "time": "yarın"}
    assert [(line["number"], line["author"], line["text"]) for line in found["transcript"]] == [
        (1, "customer", "[bold]Bir insan[/] lütfen"),
        (2, "bot", f"Kayıt {case}."),
    ]


@pytest.fixture
def tagged_case(case: int, tmp_path: Path) -> int:
    """The number of work on signals in the conversation of the case."""
    heard = word_tagger({"yazıcı": ("defect", 0.97), "iki şube": ("expansion", 0.912), "acil": "urgent"})
    engine = open_engine(load_settings(tmp_path, {}))
    store = ConversationStore(engine)
    with Session(engine) as session:
        conversation = session.query(Conversation).one().id
    for number, text in enumerate(("acil, yazıcı [bozuk]", "iki şube\ndaha açıyoruz, yazıcı")):
        message, _ = store.add_customer_message(conversation, f"t{number}", text, {})
        assert store.record_tags(message, heard(text, "tr"))
    with Session(engine) as session:
        number = session.query(Escalation).filter_by(reason="signal").one().id
        session.query(MessageTag).filter_by(name="expansion").update({"state": "confirmed"})
        session.commit()
    engine.dispose()
    return number


def test_work_on_signals_explains_itself(refill: Refill, case: int, tagged_case: int) -> None:
    listed = refill("cases").out
    (line,) = [line for line in listed.splitlines() if "support" in line]
    assert "asked_for" in line
    assert re.search("account_management.*signal:", listed)
    assert "expansion" in listed
    shown = refill("cases", str(tagged_case)).out
    assert f"Case {tagged_case}  open  queue account_management  reason signal" in shown
    assert "Heard in what was said: expansion. The customer does not know of this case." in shown
    assert "Heard in" not in refill("cases", str(case)).out


def test_case_shows_the_tags_with_their_quotes(refill: Refill, case: int, tagged_case: int) -> None:
    for number in (case, tagged_case):
        shown = re.sub(" +", " ", refill("cases", str(number)).out)
        assert "Kind: both, urgent, sentiment neutral, stage expansion\n" in shown
        assert " defect 0.97 “yazıcı” (message 4)\n “yazıcı” (message 3)\n" in shown
        assert " expansion 1.00 “iki şube” (message 4, confirmed)\n" in shown
        assert " 4 customer iki şube\ndaha açıyoruz" in shown


def test_tags_of_cases_as_json(refill: Refill, case: int, tagged_case: int) -> None:
    listed = refill("cases", "--json").json
    assert [(row["number"], row["reason"], row["signals"]) for row in listed] == [
        (case, "asked_for", []),
        (tagged_case, "signal", ["expansion"]),
    ]
    one = refill("cases", str(tagged_case), "--json").json
    assert one["signals"] == ["expansion"]
    assert one["tags"] == listed[0]["tags"] == listed[1]["tags"]
    assert (one["tags"]["kind"], one["tags"]["urgent"]) == ("both", True)
    (topic,) = one["tags"]["topics"]
    assert (topic["name"], topic["probability"]) == ("defect", 0.97)
    assert [(e["number"], e["quote"], e["start"], e["end"]) for e in topic["evidence"]] == [
        (4, "yazıcı", 24, 30),
        (3, "yazıcı", 6, 12),
    ]


# Answering a case


def test_reply_and_close(refill: Refill, case: int, tmp_path: Path) -> None:
    result = refill("reply", str(case), "  Merhaba, ben Ayşe. ", "--agent", "ayse")
    assert result.status == 0
    assert f"refill close {case}" in result.out
    transcript = refill("cases", str(case), "--json").json["transcript"]
    assert (transcript[-1]["author"], transcript[-1]["text"]) == ("agent", "Merhaba, ben Ayşe.")
    assert owner(tmp_path) == "agent:ayse"
    assert refill("close", str(case)).out.strip() == f"Case {case} is closed."
    assert owner(tmp_path) == "bot"
    assert refill("cases", "--json").json == []


def owner(root: Path) -> str:
    """Of the only conversation."""
    engine = open_engine(load_settings(root, {}))
    with Session(engine) as session:
        found = session.query(Conversation).one().owner
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reply", "99", "Hello"), "There is no case 99."),
        (("reply", "1", "  "), "The message is empty."),
        (("reply", "1", "x" * 4001), "4,001 characters"),
        (("close", "99"), "There is no case 99."),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, tuple) else "",
)
def test_reply_that_cannot_be_sent(refill: Refill, case: int, arguments: tuple[str, ...], message: str) -> None:
    assert case == 1
    result = refill(*arguments)
    assert result.status == 1
    assert message in result.err
    assert len(refill("cases", "1", "--json").json["transcript"]) == 2


def test_closed_case_gets_no_reply(refill: Refill, case: int) -> None:
    refill("close", str(case))
    for arguments in (("reply", str(case), "Hello"), ("close", str(case))):
        result = refill(*arguments)
        assert result.status == 1
        assert f"Case {case} is closed" in result.err
    assert len(refill("cases", str(case), "--json").json["transcript"]) == 2


def test_a_case_from_hand_to_hand(refill: Refill, case: int, tagged_case: int) -> None:
    def row(*options: str) -> dict[str, object]:
        return next(one for one in refill("cases", "--json", *options).json if one["number"] == case)

    number = str(case)
    assert refill("claim", number, "--agent", "ada").out.strip() == f"Case {case} is yours."
    assert row("--mine", "--agent", "ada")["assignee"] == "ada"
    assert "with ada" in refill("cases", number).out
    assert refill("claim", number, "--agent", "bob", "--take-over").status == 0
    assert row()["assignee"] == "bob"
    assert refill("note", number, "Ask **Ada**.", "--agent", "bob").out.strip() == "Noted."
    moved = refill("transfer", number, "--queue", "success", "--note", "Yours?", "--agent", "bob")
    assert moved.out.strip() == f"Case {case} is in the queue success."
    assert (row("--queue", "success")["assignee"], refill("cases", "--queue", "support").out[:8]) == (None, "No cases")
    assert "nobody with the address x@example.com" in refill("transfer", number, "--person", "x@example.com").err
    assert "no queue 'kitchen'" in refill("cases", "--queue", "kitchen").err
    refill("claim", number)
    assert refill("release", number).out.strip() == f"Case {case} waits in the queue success."
    assert "cannot be closed as 'sold'" in refill("close", number, "--resolution", "sold").err
    assert refill("close", number, "--resolution", "no_reply").status == 0
    assert row("--closed")["resolution"] == "no_reply"
    assert refill("reopen", number).out.strip() == f"Case {case} is open."
    assert refill("close", number, "--resolution", "returned_to_bot").status == 0
    assert refill("cases", number, "--json").json["transcript"][-1]["author"] == "bot"
    assert refill("close", str(tagged_case)).status == 0
    assert "--agent must have 1 to 40 characters" in refill("claim", number, "--agent", "x" * 41).err


def test_check_of_an_empty_project(refill: Refill, tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text("", "utf-8")
    result = refill("check")
    assert result.status == 1
    assert "✗ Rasa's runtime" in result.out
    assert "→ Run `make setup`." in result.out
    assert "not in order" in result.err


# As a program


def test_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "bot.cli", "cases", "99"],
        env={"REFILL_ROOT": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stdout == ""
    assert "There is no case 99." in found.stderr
    assert "Traceback" not in found.stderr
