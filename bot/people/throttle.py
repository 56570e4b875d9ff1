"""Slow down whoever guesses passwords: each failure in a row makes the next try wait longer.

Counted in the database, so that it holds over all processes: by account and by address. Nobody learns from it whether
an account exists. The right password forgets an account's failures.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import RefillError
from bot.people.models import SignInFailure
from bot.storage.insert import locked_row

# So many failures are free: people mistype. An address may be that of a whole office.
FREE_OF_ACCOUNT = 5
FREE_OF_ADDRESS = 30
LONGEST_WAIT = dt.timedelta(minutes=10)
FORGOTTEN_AFTER = dt.timedelta(days=1)


class TooManyAttempts(RefillError):
    """Somebody has to wait before the next try.

    Args:
        seconds: How long.
    """

    code = "too_many_attempts"
    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__("Signing in failed too often.", f"Wait {seconds} seconds.")
        self.seconds = seconds


def wait_after(failures: int, free: int) -> dt.timedelta:
    """How long the next try waits: nothing at first, then 2 s, 4 s, 8 s, and so on up to LONGEST_WAIT."""
    if failures < free:
        return dt.timedelta(0)
    return min(LONGEST_WAIT, dt.timedelta(seconds=2 ** min(failures - free + 1, 30)))


def begin(session: Session, email: str, address: str) -> None:
    """Count a try as failed before the password is looked at, so that tries side by side do not pass unseen.

    Raises:
        TooManyAttempts: It comes too early; it is not counted.
    """
    counted = [
        (locked_row(session, SignInFailure, key, failures=0, last_at=now()), free)
        for key, free in ((_account(email), FREE_OF_ACCOUNT), (_address(address), FREE_OF_ADDRESS))
    ]
    moment = now()
    for row, free in counted:
        if row.last_at + FORGOTTEN_AFTER <= moment:
            row.failures = 0
        wait = wait_after(row.failures, free)
        if wait and row.last_at + wait > moment:
            raise TooManyAttempts(math.ceil((row.last_at + wait - moment).total_seconds()))
    for row, _ in counted:
        row.failures, row.last_at = row.failures + 1, moment


def succeed(session: Session, email: str, address: str) -> None:
    """Forget an account's failures; of the address only this try, which was none."""
    session.execute(delete(SignInFailure).where(SignInFailure.key == _account(email)))
    session.execute(
        update(SignInFailure)
        .where(SignInFailure.key == _address(address), SignInFailure.failures > 0)
        .values(failures=SignInFailure.failures - 1)
    )


def forget_old(session: Session, moment: dt.datetime) -> None:
    """Forget the failures that count no more at a moment."""
    session.execute(delete(SignInFailure).where(SignInFailure.last_at < moment - FORGOTTEN_AFTER))


def _account(email: str) -> str:
    return hashlib.sha256(f"account:{email.strip().lower()}".encode("utf-8", "replace")).hexdigest()


def _address(address: str) -> str:
    return address_key("address", address)


def address_key(kind: str, address: str) -> str:
    """The key an address is counted under; one house has all IPv6 addresses of a /64, so they count as one."""
    try:
        found = ip_address(address)
    except ValueError:
        found = None
    if isinstance(found, IPv6Address):
        address = str(found.ipv4_mapped or ip_network((int(found) >> 64 << 64, 64)))
    return hashlib.sha256(f"{kind}:{address}".encode("utf-8", "replace")).hexdigest()
