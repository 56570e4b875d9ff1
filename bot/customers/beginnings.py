"""How many visitors and conversations one address may begin within an hour, and how many files it may send.

Counted in the database, so that it holds over all processes, in windows of an hour that begin with the first request.
Only addresses of the internet are counted: this machine's own and those of private networks are a proxy's or a
colleague's. The limit is one for whole offices and mobile networks, against programs that begin thousands.
"""

from __future__ import annotations

import datetime as dt
import math
from ipaddress import ip_address
from typing import Literal

from sqlalchemy import delete
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.customers.models import Beginnings
from bot.errors import RefillError
from bot.people.throttle import address_key
from bot.storage.insert import locked_row

WINDOW = dt.timedelta(hours=1)

Begun = Literal["visitor", "conversation", "file"]


class TooManyBegun(RefillError):
    """An address has begun too much; it has to wait.

    Args:
        seconds: How long.
    """

    code = "too_many"
    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "Too much was begun or sent from this address.",
            f"Wait {seconds} seconds, or go on with one that is there; the setting webchat.new_per_hour is the limit.",
        )
        self.retry_after = seconds


def counts(address: str) -> bool:
    """Whether what an address begins is counted: it is one of the internet's."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_global


def begin(session: Session, kind: Begun, address: str, most: int) -> None:
    """Count what an address begins.

    Args:
        session: Within a transaction.
        kind: What is begun.
        address: Whose; all IPv6 addresses of a /64 are one.
        most: Within an hour.

    Raises:
        TooManyBegun: There were so many before.
    """
    row = locked_row(session, Beginnings, address_key(kind, address), number=0, started_at=now())
    moment = now()
    if row.started_at + WINDOW <= moment:
        row.started_at, row.number = moment, 0
        session.execute(delete(Beginnings).where(Beginnings.started_at <= moment - WINDOW))
    if row.number >= most:
        raise TooManyBegun(math.ceil((row.started_at + WINDOW - moment).total_seconds()))
    row.number += 1
