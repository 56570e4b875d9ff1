"""Ask Rasa for a turn."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
from pydantic import ValidationError

from bot.dialogue.turn import (
    Answered,
    Choice,
    Effect,
    Reply,
    TurnContext,
    TurnResult,
    read_effect,
)
from bot.errors import DialogueError

_LEADING = re.compile(r"^[\s/]+")


class RasaClient:
    """Talks to Rasa's REST channel.

    Args:
        url: Rasa's address, without a path.
        http: Client to use; its owner closes it.
        deadline: Seconds a turn may take.
    """

    def __init__(self, url: str, http: httpx.AsyncClient, deadline: float) -> None:
        if deadline <= 0:
            raise ValueError(f"deadline must be greater than 0. Currently, it is {deadline}.")
        self._url = f"{url.rstrip('/')}/webhooks/rest/webhook"
        self._http = http
        self._deadline = deadline

    async def respond(
        self, sender: str, context: TurnContext, payload: str | None, slots: dict[str, str]
    ) -> TurnResult:
        """What the bot says and does to a message.

        Args:
            sender: Rasa's id of the conversation's segment.
            context: The turn; its text is what the customer wrote.
            payload: The command of a button that was pressed, instead of the text.
            slots: Values Rasa's slots take, as far as config.yml lets them pass.

        Raises:
            DialogueError: Rasa is down or late, or said nothing that can be used.
        """
        slots = {**slots, "language": context.language, "last_offer": context.offer}
        message = _command(payload, slots) if payload else plain_text(context.text)
        body = {
            "sender": sender,
            "message": message,
            "metadata": {"slots": slots, "turn": context.model_dump(mode="json")},
        }
        try:
            response = await self._http.post(self._url, json=body, timeout=self._deadline)
            response.raise_for_status()
            messages = response.json()
        except httpx.TimeoutException as error:
            raise DialogueError(f"Rasa did not answer within {self._deadline:g} seconds.") from error
        except (httpx.HTTPError, ValueError) as error:
            raise DialogueError(f"Rasa cannot be reached: {error or type(error).__name__}.") from error
        result = read_messages(messages)
        if not result.replies:
            raise DialogueError("Rasa said nothing.", "Its log tells which component or action failed.")
        return result


def plain_text(text: str) -> str:
    """A customer's text such that Rasa reads no command in it.

    Rasa takes a text that begins with a slash for an intent. Refill's own commands go another way.
    """
    return _LEADING.sub("", text).rstrip() or "…"


def _command(payload: str, slots: dict[str, str]) -> str:
    """A button's intent with the turn's slots, which would be lost otherwise (a command replaces the entities)."""
    intent, _, _ = payload.partition("{")
    return intent + json.dumps(slots, ensure_ascii=False)


def read_messages(messages: Any) -> TurnResult:
    """Replies and effects from what Rasa's REST channel returned.

    Raises:
        DialogueError: It is not in the channel's form.
    """
    replies: list[Reply] = []
    effects: list[Effect] = []
    try:
        for message in messages:
            if custom := message.get("custom"):
                effect = read_effect(custom)
                effects.append(effect)
                if isinstance(effect, Answered) and effect.answer.answer is not None:
                    found = effect.answer
                    replies.append(Reply(text=found.answer, citations=list(found.citations), answered=found))
            if text := message.get("text"):
                buttons = message.get("buttons") or []
                choices = [Choice(label=button["title"], payload=button["payload"]) for button in buttons]
                # Rasa puts an action's buttons behind the response's own; the articles to choose from come first.
                choices.sort(key=lambda choice: not choice.payload.startswith("/choose_article"))
                replies.append(Reply(text=text, choices=choices))
    except (AttributeError, KeyError, TypeError, ValidationError) as error:
        raise DialogueError(f"Rasa's answer is not in a known form: {error}.") from error
    decisions = (effect.answer for effect in effects if isinstance(effect, Answered))
    undecided = next((answer for answer in decisions if answer.answer is None), None)
    if undecided and replies:
        replies[0] = replies[0].model_copy(update={"answered": undecided})
    return TurnResult(replies=replies, effects=effects)
