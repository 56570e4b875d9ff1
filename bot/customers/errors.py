"""What a visitor or a website is told when an identity, or a session, does not hold."""

from __future__ import annotations

from bot.errors import ConversationError, NotFound, RefillError


class UnknownVisitor(NotFound):
    """There is no such visitor, the session was ended, or it belongs to another website."""

    code = "visitor_unknown"


class OtherCustomer(ConversationError):
    """The visitor was identified as somebody else before."""

    code = "other_customer"


class IdentityRefused(RefillError):
    """An identity token cannot be trusted; nothing has changed."""

    code = "identity_refused"
    status = 401


class IdentityExpired(RefillError):
    """The identity token has ended, and with it what it opened; a new one opens it again."""

    code = "identity_expired"
    status = 401
