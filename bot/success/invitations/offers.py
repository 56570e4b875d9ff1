"""Which invitations a page of a visitor gets, and with which one a conversation may begin."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, now
from bot.customers.models import Customer, Visitor
from bot.customers.visitors import customer_now
from bot.errors import NotFound
from bot.settings import Settings
from bot.storage.insert import insert_missing
from bot.success.invitations import outcomes
from bot.success.invitations.outcomes import NO_HISTORY, History, Outcome
from bot.success.invitations.rules import OF_PAGE, Rule, Segment, invitation_rules
from bot.success.models import Account, Invitation, InvitationRule
from bot.success.signals import stage_of_account

# Those that a play made are shown so often at most, on different days.
_MADE_MOST = 3
_MADE_EVERY_DAYS = 1
# The newest ones that were made for somebody are enough.
_MADE_AT_ONCE = 10


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page, as far as invitations are concerned.

    Attributes:
        language: Of the page.
        customer_id: Whom a verified identity names; None for anybody else. The next three are None then too.
        account_id: Of the customer's company.
        plan: What it pays for, in small letters.
        stage: Where it stands in its life.
    """

    language: str
    customer_id: str | None = None
    account_id: str | None = None
    plan: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Offer:
    """An invitation a page may show.

    Attributes:
        id: 32 hexadecimal digits; tells nothing of the rule behind it.
        name: Under which outcomes are kept; never shown to visitors.
        text: Markdown, in `language`.
        pages: Patterns of pages; empty for all of them.
        after: Seconds on the page.
        returning: Only for visitors who were here on an earlier day (true), or were not (false).
    """

    id: str
    name: str
    text: str
    language: str
    pages: tuple[str, ...]
    after: int
    every_days: int
    most: int
    returning: bool | None = None


@dataclass(frozen=True)
class Limits:
    """How often anybody is invited at all.

    Attributes:
        pause_hours: Between two invitations of any kind.
        not_now_days: Without any after "not now".
    """

    pause_hours: int = 24
    not_now_days: int = 30


@dataclass(frozen=True)
class Judged:
    """An invitation, and why a viewer does not get it; empty if they do."""

    offer: Offer
    why_not: str = ""


@dataclass(frozen=True)
class Offered:
    """What a page gets.

    Attributes:
        offers: In the order in which they are tried.
        limits: As configured.
        quiet_until: Nothing is shown before; None where nothing speaks against it.
    """

    offers: tuple[Offer, ...] = ()
    limits: Limits = field(default_factory=Limits)
    quiet_until: dt.datetime | None = None


class Invitations:
    """Decides who is invited.

    Args:
        rules: Of refill.toml, in order.
        limits: Of refill.toml.
        half_life: Days after which what was said counts half, for the stage of an account.
    """

    def __init__(self, rules: tuple[Rule, ...] = (), limits: Limits | None = None, half_life: float = 30.0) -> None:
        self.rules = rules
        self.limits = limits or Limits()
        self._half_life = half_life
        self._needs_stage = any(rule.segment.stages for rule in rules)

    def offered(self, session: Session, visitor: Visitor | None, language: str) -> Offered:
        """What a page gets.

        Args:
            session: To read with.
            visitor: Whose session the browser showed; None without one.
            language: Of the page.
        """
        viewer = self.viewer(session, visitor, language)
        past = outcomes.history(session, viewer.customer_id) if viewer.customer_id else NO_HISTORY
        quiet = self.quiet_until(past)
        offers = tuple(judged.offer for judged in self.judged(session, viewer, past) if not judged.why_not)
        return Offered(offers, self.limits, quiet)

    def viewer(self, session: Session, visitor: Visitor | None, language: str) -> Viewer:
        """Who looks. Only an identity that has not ended tells of a customer."""
        customer_id = customer_now(visitor) if visitor is not None else None
        return Viewer(language) if customer_id is None else self.customer(session, customer_id, language)

    def customer(self, session: Session, customer_id: str, language: str) -> Viewer:
        """A customer who looks at a page; one nobody has heard of yet has no account."""
        known = session.get(Customer, customer_id)
        account = session.get(Account, known.account_id) if known and known.account_id else None
        if account is None:
            return Viewer(language, customer_id)
        stage = stage_of_account(session, account, self._half_life)[0] if self._needs_stage else None
        return Viewer(language, customer_id, account.id, (account.plan or "").strip().casefold() or None, stage)

    def judged(self, session: Session, viewer: Viewer, past: History = NO_HISTORY) -> Iterator[Judged]:
        """All invitations that are there for a viewer: those made for them first, then the rules.

        Args:
            session: To read with.
            viewer: Who looks.
            past: What they did with invitations.
        """
        moment = now()
        for made in self._made(session, viewer):
            offer = _of_made(made, viewer.language)
            yield Judged(offer, _worn_out(offer, past, moment))
        if self.rules:
            ids = _ids(session)
            for rule in self.rules:
                offer = _of_rule(rule, ids[rule.name], viewer.language)
                why_not = _not_in_force(rule, moment) or _not_meant(rule.segment, viewer)
                yield Judged(offer, why_not or _worn_out(offer, past, moment))

    def greet(self, session: Session, visitor: Visitor, conversation: Conversation, identifier: str) -> bool:
        """Let a conversation begin with the invitation its visitor answers, as the bot's first message.

        Says nothing, and gives False, where it is not for this visitor or is over; the conversation goes on without.
        That it was shown often enough does not matter: it was shown.

        Args:
            session: Of the transaction that makes the conversation.
            visitor: Whose it is.
            conversation: In which nothing was said yet.
            identifier: Of the invitation as the browser knows it.
        """
        viewer = self.viewer(session, visitor, conversation.language)
        fitting = (one.offer for one in self.judged(session, viewer) if not one.why_not)
        offer = next((offer for offer in fitting if offer.id == identifier), None)
        if offer is None:
            return False
        events.add_message(session, conversation, "bot", offer.text, {"invitation": offer.name})
        outcomes.record(session, offer.name, "answered", viewer.customer_id, conversation.id)
        return True

    def tell(self, session: Session, visitor: Visitor, identifier: str, outcome: Outcome) -> None:
        """Keep what a customer did with an invitation. Of anonymous visitors nothing is kept.

        Args:
            session: Of the transaction.
            visitor: Who they are.
            identifier: Of the invitation as the browser knows it; `page` for those of the website's own script.
            outcome: What they did.

        Raises:
            NotFound: There is no such invitation for them.
        """
        viewer = self.viewer(session, visitor, "en")
        if viewer.customer_id is None:
            return
        if identifier == OF_PAGE:
            name = OF_PAGE
        else:
            # It may have ended since it was shown; what came of it counts.
            found = (one.offer for one in self.judged(session, viewer) if one.offer.id == identifier)
            offer = next(found, None)
            if offer is None:
                raise NotFound("There is no such invitation.", "Take an id of `invitations`, or `page`.")
            name = offer.name
        outcomes.record(session, name, outcome, viewer.customer_id)

    def prepare(self, changes: Changes) -> None:
        """Give each rule the id by which browsers know it, where it has none yet."""
        with changes.transaction() as session:
            for rule in self.rules:
                insert_missing(session, InvitationRule, name=rule.name, id=uuid.uuid4().hex)

    def quiet_until(self, past: History) -> dt.datetime | None:
        """Until when nothing is shown to somebody; None where nothing speaks against it."""
        ends = []
        if past.shown_at:
            ends.append(past.shown_at + dt.timedelta(hours=self.limits.pause_hours))
        if past.not_now_at:
            ends.append(past.not_now_at + dt.timedelta(days=self.limits.not_now_days))
        return max((end for end in ends if end > now()), default=None)

    def _made(self, session: Session, viewer: Viewer) -> list[Invitation]:
        if viewer.customer_id is None:
            return []
        theirs = Invitation.customer_id == viewer.customer_id
        if viewer.account_id is not None:
            theirs = or_(theirs, Invitation.account_id == viewer.account_id)
        return list(
            session.scalars(
                select(Invitation)
                .where(theirs, Invitation.expires_at > now())
                .order_by(Invitation.created_at.desc(), Invitation.id)
                .limit(_MADE_AT_ONCE)
            )
        )


def invitations(settings: Settings) -> Invitations:
    """As the operator set them.

    Raises:
        SettingsError: A rule is not valid.
    """
    limits = Limits(settings["webchat.invitation_pause_hours"], settings["webchat.not_now_days"])
    return Invitations(invitation_rules(settings), limits, settings["tagging.half_life"])


def _ids(session: Session) -> Mapping[str, str]:
    """The ids of rules by their names."""
    return {row.name: row.id for row in session.scalars(select(InvitationRule))}


def _of_rule(rule: Rule, identifier: str, language: str) -> Offer:
    text, written = _text(rule.texts, language)
    return Offer(
        identifier,
        rule.name,
        text,
        written,
        tuple(rule.pages),
        rule.after,
        rule.every_days,
        rule.most,
        rule.segment.returning,
    )


def _of_made(made: Invitation, language: str) -> Offer:
    text, written = _text(made.texts, language)
    return Offer(made.id, made.id, text, written, tuple(made.pages), made.after, _MADE_EVERY_DAYS, _MADE_MOST)


def _text(texts: Mapping[str, str], language: str) -> tuple[str, str]:
    """The text in a language, else in the one that was written first; and its language."""
    written = language if language in texts else next(iter(texts))
    return texts[written], written


def _not_in_force(rule: Rule, moment: dt.datetime) -> str:
    today = moment.date()
    if not rule.enabled:
        return "it is not enabled"
    if rule.first_day and today < rule.first_day:
        return f"it begins on {rule.first_day}"
    if rule.last_day and today > rule.last_day:
        return f"it ended on {rule.last_day}"
    return ""


def _not_meant(segment: Segment, viewer: Viewer) -> str:
    """Why a segment does not mean a viewer; empty where it does."""
    identified = viewer.customer_id is not None
    if segment.languages and viewer.language not in segment.languages:
        return f"the page's language is {viewer.language}, not {' or '.join(segment.languages)}"
    if segment.identified is not None and segment.identified != identified:
        return "it is for identified customers" if segment.identified else "it is for anonymous visitors"
    if segment.needs_account and viewer.account_id is None:
        return "no account of theirs is known"
    for what, value, wanted in (
        ("account", viewer.account_id, segment.accounts),
        ("plan", viewer.plan, segment.plans),
        ("stage", viewer.stage, segment.stages),
    ):
        if wanted and value not in wanted:
            return f"the {what} is {value or 'not known'}, not {' or '.join(wanted)}"
    return ""


def _worn_out(offer: Offer, past: History, moment: dt.datetime) -> str:
    """Why somebody has seen an invitation often enough; empty where they have not."""
    seen = past.of(offer.name)
    if seen.answered:
        return "they answered it"
    if seen.shown >= offer.most:
        return f"it was shown {seen.shown} times"
    if seen.shown_at and seen.shown_at + dt.timedelta(days=offer.every_days) > moment:
        return f"it was shown on {seen.shown_at.date()}"
    return ""
