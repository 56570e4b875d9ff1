"""One try of a delivery: read it, post it, write down what became of it."""

from __future__ import annotations

import json
import time
from typing import Literal, TypedDict

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.outbox.models import Outgoing, Webhook
from bot.outbox.sender import Answer, Sender
from bot.outbox.signature import signed_headers
from bot.outbox.timing import Backoff
from bot.people import audit
from bot.people.roles import SYSTEM

GONE = 410
LONGEST_RETRY_AFTER = 3600.0


class Outcome(TypedDict):
    """What became of a try, fit for JSON.

    Attributes:
        state: `delivered`; `dead`: given up; `again`: to be tried again; `over`: there is nothing to do any more, or
            not here.
        seconds: To wait before the next try.
    """

    state: Literal["delivered", "dead", "again", "over"]
    seconds: float


class Attempts:
    """Makes tries; safe from any thread.

    Args:
        engine: Of a migrated database.
        sender: Posts.
        most: Tries in a round before it is given up.
        backoff: Between two.
        holder: This process; what another one holds is left alone.
    """

    def __init__(self, engine: Engine, sender: Sender, most: int, backoff: Backoff, holder: str) -> None:
        self._engine = engine
        self._sender = sender
        self._most = most
        self._backoff = backoff
        self._holder = holder

    def make(self, delivery: str, tries: int) -> Outcome:
        """Try once.

        Args:
            delivery: Its id.
            tries: How many there will have been in this round, this one included.
        """
        with Session(self._engine) as session, session.begin():
            outgoing = session.get(Outgoing, delivery)
            if outgoing is None or outgoing.state != "pending" or outgoing.holder != self._holder:
                return {"state": "over", "seconds": 0.0}
            webhook = session.get_one(Webhook, outgoing.webhook_id)
            if not webhook.active:
                put_off(outgoing)
                return {"state": "over", "seconds": 0.0}
            url = webhook.url
            secrets = [webhook.secret]
            if webhook.old_secret and webhook.old_secret_until and webhook.old_secret_until > now():
                secrets.append(webhook.old_secret)
            body = json.dumps(outgoing.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(secrets, int(time.time()), delivery, body)
        return self._note(delivery, tries, self._sender.post(url, headers, body))

    def _note(self, delivery: str, tries: int, answer: Answer) -> Outcome:
        gone = answer.status == GONE
        outcome: Outcome
        if answer.accepted:
            outcome = {"state": "delivered", "seconds": 0.0}
        elif gone or tries >= self._most:
            outcome = {"state": "dead", "seconds": 0.0}
        else:
            asked = min(answer.retry_after, LONGEST_RETRY_AFTER)
            outcome = {"state": "again", "seconds": max(self._backoff.seconds(tries), asked)}
        values: dict[str, object] = {
            "attempts": Outgoing.attempts + 1,
            "last_status": answer.status,
            "last_error": answer.error or None,
        }
        if outcome["state"] != "again":
            values |= {"state": outcome["state"], "finished_at": now(), "holder": None, "held_until": None}
        with Session(self._engine) as session, session.begin():
            if gone:
                # Before the delivery, as when somebody deletes the webhook: so neither waits for the other.
                _pause(session, delivery)
                session.flush()
            session.execute(
                update(Outgoing)
                .where(Outgoing.id == delivery, Outgoing.state == "pending")
                .values(values)
                .execution_options(synchronize_session=False)
            )
        return outcome


def put_off(outgoing: Outgoing) -> None:
    """Leave a delivery waiting, for a workflow of its own later."""
    outgoing.round += 1
    outgoing.holder = None
    outgoing.held_until = None
    outgoing.started_at = None


def _pause(session: Session, delivery: str) -> None:
    """Set the webhook of a delivery inactive: its receiver says that it is gone."""
    outgoing = session.get(Outgoing, delivery)
    webhook = session.get(Webhook, outgoing.webhook_id) if outgoing else None
    if webhook and webhook.active:
        webhook.active = False
        webhook.paused_reason = f"It answered 410 Gone on {now():%Y-%m-%d at %H:%M} UTC."
        audit.note(session, SYSTEM, "webhook.pause", f"webhook:{webhook.id}", {"status": GONE})
