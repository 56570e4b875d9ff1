"""What the desk's pages need; made once by the application."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from bot.attachments.intake import Intake
from bot.conversation.changes import Changes
from bot.conversation.delivery import Delivery
from bot.dialogue.turn import Reply
from bot.handoff.queues import Queues
from bot.knowledge.answer import Answerer
from bot.people.passwords import Passwords
from bot.settings import Settings
from bot.tagging.tags import Tagged


@dataclass
class DeskState:
    """Services of the desk.

    Attributes:
        settings: In force.
        changes: Makes transactions; bells ring after them.
        delivery: Rings the bells of open pages.
        queues: As configured.
        answerer: Gives the answerer in force, for suggested answers.
        say: A sentence of the bot's, by its name in domain.yml and language.
        tag: Hears what a text in a language carries.
        passwords: Hashes and checks them.
        files: Takes files in.
        closing: The server is about to stop; streams end.
    """

    settings: Settings
    changes: Changes
    delivery: Delivery
    queues: Queues
    answerer: Callable[[], Answerer]
    say: Callable[[str, str], Reply]
    tag: Callable[[str, str], Tagged]
    passwords: Passwords = field(default_factory=Passwords)
    files: Intake = field(default_factory=Intake)
    closing: bool = False

    @property
    def idle(self) -> dt.timedelta:
        """How long a browser may be silent before it is signed out."""
        return dt.timedelta(hours=self.settings["desk.session_hours"])

    @property
    def secure(self) -> bool:
        """Whether cookies go over https only."""
        return str(self.settings["server.base_url"]).startswith("https://")


def desk_of(request: Request) -> DeskState:
    """The state of the application a request came to."""
    state: DeskState = request.app.state.desk
    return state
