"""How to reach an identified customer, so that nobody asks them for what is known."""

from __future__ import annotations

from bot.customers.models import Customer
from bot.handoff.contact import NAME_LENGTH


def known_contact(customer: Customer) -> dict[str, str] | None:
    """As a conversation keeps it (`Conversation.contact`); None where no e-mail address is known."""
    if customer.email is None:
        return None
    return {"name": (customer.name or "")[:NAME_LENGTH], "email": customer.email, "time": ""}
