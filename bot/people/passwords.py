"""Passwords of the team: Argon2id with the second recommended parameters of RFC 9106 (64 MiB, 3 passes, 4 lanes)."""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from bot.errors import FieldError

SHORTEST = 12
LONGEST = 200
# Hashed at the same time: each takes the memory above.
AT_ONCE = 4
# Without letters and digits that look alike.
_ALPHABET = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"


def check(password: str, email: str) -> None:
    """Let those passwords pass that may be set.

    Raises:
        FieldError: It is too short, too long, or the person's e-mail address.
    """
    if len(password) < SHORTEST:
        raise FieldError(
            "password", "short", f"A password needs at least {SHORTEST} characters.", "Several words are easy to keep."
        )
    if len(password) > LONGEST:
        raise FieldError("password", "long", f"A password has at most {LONGEST} characters.", "Shorten it.")
    if password.strip().casefold() in (email.casefold(), email.casefold().partition("@")[0]):
        raise FieldError("password", "is_email", "A password must not be the e-mail address.", "Choose another one.")


def random_password() -> str:
    """A password for somebody else to begin with: 20 characters in groups of five, over 110 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


class Passwords:
    """Hashes passwords and checks them; safe from any thread.

    Args:
        hasher: With the parameters wanted; by default those of RFC 9106 for little memory.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
        self._gate = threading.BoundedSemaphore(AT_ONCE)
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """The hash to store, with its salt and parameters in it."""
        with self._gate:
            return self._hasher.hash(password)

    def matches(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one of a hash.

        Without a hash, it takes the same time and never is: nobody learns from it who has an account.
        """
        if stored is None and self._nobodys is None:
            self._nobodys = self.hash(secrets.token_urlsafe(16))
        with self._gate:
            try:
                return self._hasher.verify(stored or self._nobodys or "", password) and stored is not None
            except (VerifyMismatchError, InvalidHashError):
                return False

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters; it is made anew at the next sign-in."""
        return self._hasher.check_needs_rehash(stored)
