"""The bot's sentences: all there, in all languages, with the same blanks and the same buttons."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.dialogue.replies import Replies
from bot.errors import SettingsError
from bot.settings import LANGUAGES

PROJECT = Path(__file__).resolve().parents[2]
DOMAIN: dict[str, Any] = yaml.safe_load((PROJECT / "domain.yml").read_text("utf-8"))
RESPONSES: dict[str, list[dict[str, Any]]] = DOMAIN["responses"]

# In which script a sentence has to be; Turkish and English share one.
SCRIPTS = {"zh": re.compile("[\u4e00-\u9fff]"), "th": re.compile("[\u0e00-\u0e7f]")}


def language_of(variation: dict[str, Any]) -> str:
    """The language a variation is for."""
    conditions = variation.get("condition")
    if not conditions:
        return "en"
    (condition,) = conditions
    assert (condition["type"], condition["name"]) == ("slot", "language")
    return str(condition["value"])


@pytest.mark.parametrize("name", RESPONSES)
def test_response_is_there_in_every_language_once(name: str) -> None:
    assert Counter(map(language_of, RESPONSES[name])) == Counter(LANGUAGES)


@pytest.mark.parametrize("name", RESPONSES)
def test_response_says_something_in_the_language_s_script(name: str) -> None:
    for variation in RESPONSES[name]:
        language = language_of(variation)
        said = [variation["text"], *(button["title"] for button in variation.get("buttons", []))]
        for text in said:
            assert text.strip()
            for other, script in SCRIPTS.items():
                assert bool(script.search(text)) == (other == language), (language, text)


@pytest.mark.parametrize("name", RESPONSES)
def test_languages_have_the_same_blanks(name: str) -> None:
    blanks = {language_of(v): sorted(re.findall(r"{(\w+)}", v["text"])) for v in RESPONSES[name]}
    assert set(map(tuple, blanks.values())) == {tuple(blanks["en"])}, blanks


@pytest.mark.parametrize("name", RESPONSES)
def test_languages_have_the_same_buttons(name: str) -> None:
    payloads = {language_of(v): [b["payload"] for b in v.get("buttons", [])] for v in RESPONSES[name]}
    assert all(payload == payloads["en"] for payload in payloads.values()), payloads


def test_buttons_name_known_intents() -> None:
    known = {next(iter(intent)) if isinstance(intent, dict) else intent for intent in DOMAIN["intents"]}
    used = {
        button["payload"].removeprefix("/").partition("{")[0]
        for variations in RESPONSES.values()
        for variation in variations
        for button in variation.get("buttons", [])
    }
    assert used
    assert used <= known


@pytest.mark.parametrize("language", LANGUAGES)
def test_reply_in_a_language(language: str) -> None:
    replies = Replies(PROJECT / "domain.yml")
    (wanted,) = (v for v in RESPONSES["utter_no_answer"] if language_of(v) == language)
    reply = replies.reply("utter_no_answer", language)
    assert reply.text == wanted["text"]
    assert [(c.label, c.payload) for c in reply.choices] == [(wanted["buttons"][0]["title"], "/request_human")]


@pytest.mark.parametrize("language", ["fr", "", "EN", "zh-Hans"])
def test_other_languages_get_english(language: str) -> None:
    replies = Replies(PROJECT / "domain.yml")
    assert replies.reply("utter_greet", language) == replies.reply("utter_greet", "en")


def test_unknown_response() -> None:
    with pytest.raises(SettingsError, match="utter_nothing"):
        Replies(PROJECT / "domain.yml").reply("utter_nothing", "en")


@pytest.mark.parametrize("content", ["", "responses", "a: [", "intents: []", "- a"])
def test_broken_domain(tmp_path: Path, content: str) -> None:
    file = tmp_path / "domain.yml"
    file.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=r"domain\.yml has no readable 'responses'"):
        Replies(file)


def test_missing_domain(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"domain\.yml has no readable 'responses'"):
        Replies(tmp_path / "domain.yml")
