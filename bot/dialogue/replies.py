"""The bot's sentences for the moments when Rasa cannot say them.

They stand in domain.yml; those that Rasa never says stand in replies.yml beside this file, and train no model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bot.dialogue.turn import Choice, Reply
from bot.errors import SettingsError

_OWN = Path(__file__).with_name("replies.yml")


class Replies:
    """Responses by name and language.

    Args:
        domain: Rasa's file with responses.

    Raises:
        SettingsError: It cannot be read.
    """

    def __init__(self, domain: Path) -> None:
        try:
            self._responses: dict[str, list[dict[str, Any]]] = {
                **yaml.safe_load(domain.read_text("utf-8"))["responses"],
                **yaml.safe_load(_OWN.read_text("utf-8"))["responses"],
            }
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise SettingsError(f"{domain.name} has no readable 'responses': {error}.") from error

    def reply(self, name: str, language: str) -> Reply:
        """A response in a language; the variation without a condition stands in for any other."""
        variations = self._responses.get(name)
        if not variations:
            raise SettingsError(f"Neither domain.yml nor replies.yml has a response '{name}'.")
        default = next((v for v in variations if not v.get("condition")), variations[0])
        wanted = {"type": "slot", "name": "language", "value": language}
        found = next((v for v in variations if wanted in (v.get("condition") or [])), default)
        choices = [Choice(label=button["title"], payload=button["payload"]) for button in found.get("buttons", [])]
        return Reply(text=found["text"], choices=choices)
