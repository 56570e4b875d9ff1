"""Texts that people send often, with variables that are filled in when one is used."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.conversation.lines import one_line
from bot.conversation.models import now
from bot.errors import InvalidInput, NotFound
from bot.handoff.queues import QUEUES
from bot.people import audit
from bot.people.models import SavedReply
from bot.people.roles import Principal
from bot.settings import LANGUAGES

Variable = Literal["customer_name", "agent_name", "case_number", "account"]
VARIABLES: tuple[Variable, ...] = get_args(Variable)
LONGEST_TITLE = 100
LONGEST_TEXT = 4000
_VARIABLE = re.compile(r"\{([^{}\n]*)\}")
# For the database's integers.
_TOO_LARGE = 2**31


def list_saved_replies(session: Session, by: Principal, queue: str | None = None) -> list[SavedReply]:
    """Those somebody may use, by title.

    Args:
        session: To read with.
        by: Who asks; replies of queues they do not see are left out.
        queue: Only those that fit a case in this queue.
    """
    query = select(SavedReply).order_by(SavedReply.title, SavedReply.id)
    if by.queues is not None:
        query = query.where(or_(SavedReply.queue.is_(None), SavedReply.queue.in_(by.queues)))
    if queue is not None:
        query = query.where(or_(SavedReply.queue.is_(None), SavedReply.queue == queue))
    return list(session.scalars(query))


def find_saved_reply(session: Session, number: int, by: Principal) -> SavedReply:
    """One of those somebody may use.

    Raises:
        NotFound: There is none with this number, or it belongs to a queue they do not see.
    """
    found = session.get(SavedReply, number) if 0 < number < _TOO_LARGE else None
    if found is None or (found.queue is not None and not by.sees(found.queue)):
        raise NotFound(f"There is no saved reply {number}.", "Look at the list of saved replies.")
    return found


def create_saved_reply(
    session: Session, by: Principal, title: str, texts: Mapping[str, str], queue: str | None = None
) -> SavedReply:
    """Keep a text for others to use.

    Args:
        session: Of the transaction.
        by: Who keeps it; needs `replies:write`.
        title: By which people find it, 1 to LONGEST_TITLE characters.
        texts: Markdown by language, at least one, each 1 to LONGEST_TEXT characters; may hold `{variables}` of
            VARIABLES.
        queue: For cases of this queue only; None for all.

    Raises:
        Forbidden: `by` may not.
        InvalidInput: A rule is broken; nothing was kept.
    """
    by.demand("replies:write")
    made = SavedReply(
        title=one_line(title, "title", LONGEST_TITLE),
        texts=_texts(texts),
        queue=_queue(queue, by),
        by=by.label,
        updated_at=now(),
    )
    session.add(made)
    session.flush()
    audit.note(session, by, "reply.create", f"reply:{made.id}", {"title": made.title, "queue": made.queue})
    return made


def change_saved_reply(session: Session, number: int, by: Principal, changes: Mapping[str, Any]) -> SavedReply:
    """Change `title`, `texts` (all of them) or `queue`; what is left out stays.

    Raises:
        Forbidden: `by` may not.
        NotFound: There is no such reply.
        InvalidInput: A rule is broken; nothing changed.
    """
    by.demand("replies:write")
    found = find_saved_reply(session, number, by)
    if "title" in changes:
        found.title = one_line(changes["title"], "title", LONGEST_TITLE)
    if "texts" in changes:
        found.texts = _texts(changes["texts"])
    if "queue" in changes:
        found.queue = _queue(changes["queue"], by)
    found.by, found.updated_at = by.label, now()
    audit.note(session, by, "reply.change", f"reply:{found.id}", {"changed": sorted(changes)})
    return found


def delete_saved_reply(session: Session, number: int, by: Principal) -> None:
    """Delete one for good.

    Raises:
        Forbidden: `by` may not.
        NotFound: There is no such reply.
    """
    by.demand("replies:write")
    found = find_saved_reply(session, number, by)
    session.delete(found)
    audit.note(session, by, "reply.delete", f"reply:{found.id}", {"title": found.title})


def render(texts: Mapping[str, str], language: str, values: Mapping[str, str | None]) -> str:
    """The text in a language, with its variables filled in.

    A text that is not there in the language stands in English, else in the first language there is. A variable
    without a value vanishes, together with a blank or comma before it.

    Args:
        texts: By language.
        language: Of the customer.
        values: By the names of VARIABLES; a name or account from outside may hold anything, it is not read as Markdown.
    """
    text = next((texts[one] for one in (language, "en", *texts) if one in texts), "")

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[2])
        return f"{match[1]}{_plain(value)}" if value else ""

    return re.sub(r"(,?[ \t]?)\{(" + "|".join(VARIABLES) + r")\}", fill, text).strip()


def _plain(value: str) -> str:
    """A value as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", r"\\\1", " ".join(value.split()))


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(texts) - set(LANGUAGES))
    if unknown:
        raise InvalidInput(f"There is no language {unknown[0]!r}.", f"Languages are {', '.join(LANGUAGES)}.")
    cleaned = {language: _text(texts[language], language) for language in LANGUAGES if language in texts}
    if not cleaned:
        raise InvalidInput("A saved reply needs a text in at least one language.", "Write one.")
    return cleaned


def _text(text: str, language: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise InvalidInput(
            f"The text in '{language}' must have 1 to {LONGEST_TEXT:,} characters. Currently, it has {len(text):,}."
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t" for character in text):
        raise InvalidInput(f"The text in '{language}' has control characters.", "Remove them.")
    unknown = sorted({name for name in _VARIABLE.findall(text) if name not in VARIABLES})
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in VARIABLES)
        raise InvalidInput(f"There is no variable {{{unknown[0]}}}.", f"Variables are {known}.")
    return text


def _queue(queue: str | None, by: Principal) -> str | None:
    if queue is None:
        return None
    if queue not in QUEUES or not by.sees(queue):
        shown: Sequence[str] = [name for name in QUEUES if by.sees(name)]
        raise InvalidInput(f"There is no queue {queue!r}.", f"Queues are {', '.join(shown)}; leave it out for all.")
    return queue
