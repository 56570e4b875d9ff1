"""Check identity tokens: short-lived JWTs in which a website says who its visitor is.

Every rule is checked on every token: the key is known and its own algorithm is used, the signature is right, the token
is for Refill, has begun and has not ended, and is not made for longer than allowed. A token is never logged.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from bot.conversation.lines import one_line
from bot.conversation.models import now
from bot.customers.errors import IdentityExpired, IdentityRefused
from bot.customers.keys import Key, KeyFile, key_file
from bot.errors import InvalidInput
from bot.handoff.contact import EMAIL
from bot.settings import Settings
from bot.success.accounts import ACCOUNT_PATTERN

LONGEST = 8192
LEEWAY = dt.timedelta(seconds=60)
NAME_LENGTH = 200
EMAIL_LENGTH = 254
PLAN_LENGTH = 50
# These would let a token say itself how it is to be checked.
_REFUSED_HEADERS = ("crit", "jku", "x5u", "jwk", "x5c")
# As tokens name the algorithm of a key; RFC 9864 renamed EdDSA with this curve.
_NAMES = {"HS256": ("HS256",), "EdDSA": ("EdDSA", "Ed25519")}
# Marks by which a name could make what stands around it read otherwise.
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PARTS = re.compile(r"([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)


@dataclass(frozen=True)
class Identity:
    """Whom a token vouches for.

    Attributes:
        customer_id: `sub`: as the website knows the person.
        account: Id of their company; None if the token says none.
        plan: What the company pays for.
        issued_at: When it was signed.
        expires_at: When it ends.
        key_id: Which key signed it.
        digest: SHA-256 of what was signed: the same for every spelling of the token.
    """

    customer_id: str
    name: str | None
    email: str | None
    account: str | None
    plan: str | None
    issued_at: dt.datetime
    expires_at: dt.datetime
    key_id: str
    digest: str


@dataclass(frozen=True)
class IdentityTokens:
    """Checks tokens.

    Attributes:
        find_key: Gives the key of a name, None if there is none.
        audience: What `aud` must name.
        longest: A token may be valid for.
    """

    find_key: Callable[[str], Key | None] = lambda kid: None
    audience: str = "refill"
    longest: dt.timedelta = dt.timedelta(hours=24)

    def check(self, token: str, moment: dt.datetime | None = None) -> Identity:
        """Whom a token vouches for.

        Args:
            token: A JWT in its compact form.
            moment: That counts as now.

        Raises:
            IdentityRefused: It breaks a rule; the message says which.
            IdentityExpired: It is right in all else, and over.
        """
        parts = _PARTS.fullmatch(token) if len(token) <= LONGEST else None
        if parts is None:
            raise IdentityRefused(
                f"It is no signed JWT of at most {LONGEST:,} bytes.", "Send what the website's server has signed."
            )
        key = self._key(token)
        signed, signature = parts.groups()
        if not _is_signed(key, signed, signature):
            raise IdentityRefused(
                f"Its signature is not that of key '{key.kid}'.", "Sign it with the key of its 'kid'."
            )
        claims = _claims(signed)
        issued_at, expires_at = self._times(claims, moment or now())
        return Identity(
            customer_id=_subject(claims),
            name=_line(claims, "name", NAME_LENGTH),
            email=_email(claims),
            account=_account(claims),
            plan=_plan(claims),
            issued_at=issued_at,
            expires_at=expires_at,
            key_id=key.kid,
            digest=hashlib.sha256(signed.encode()).hexdigest(),
        )

    def _key(self, token: str) -> Key:
        """The key a token's header names, if it may be used as the header says."""
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise IdentityRefused("Its header cannot be read.", "Make it with a JWT library.") from error
        if not isinstance(header, Mapping):
            raise IdentityRefused("Its header cannot be read.", "Make it with a JWT library.")
        for name in _REFUSED_HEADERS:
            if name in header:
                raise IdentityRefused(f"Its header has '{name}'.", "Leave it out.")
        kid = header.get("kid")
        key = self.find_key(kid) if isinstance(kid, str) else None
        if key is None:
            raise IdentityRefused(
                "Its header names no key that is known here.", "Set 'kid' to one of `refill identity keys`."
            )
        if header.get("alg") not in _NAMES[key.algorithm]:
            raise IdentityRefused(f"Key '{key.kid}' is for {key.algorithm} only.", "Set 'alg' to it.")
        return key

    def _times(self, claims: Mapping[str, Any], moment: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise IdentityRefused(f"Its 'aud' is not '{self.audience}'.", "Set it so: the setting identity.audience.")
        issued_at, expires_at = _moment(claims, "iat"), _moment(claims, "exp")
        if issued_at > moment + LEEWAY:
            raise IdentityRefused("Its 'iat' lies in the future.", "Set the clock of the website's server right.")
        if expires_at - issued_at > self.longest:
            hours = self.longest.total_seconds() / 3600
            raise IdentityRefused(
                f"It is valid for longer than {hours:g} hours.", "Let it end sooner, or raise identity.longest_hours."
            )
        if expires_at <= issued_at:
            raise IdentityRefused("It ends before it begins.", "Set 'exp' later than 'iat'.")
        if "nbf" in claims and _moment(claims, "nbf") > moment + LEEWAY:
            raise IdentityRefused("Its 'nbf' lies in the future.", "Send it later.")
        if expires_at <= moment:
            raise IdentityExpired("The identity token has ended.", "Send a new one.")
        return issued_at, expires_at


def identity_tokens(settings: Settings) -> IdentityTokens:
    """As the operator set it.

    Raises:
        KeyFileError: The file of keys is broken.
    """
    longest = dt.timedelta(hours=settings["identity.longest_hours"])
    return IdentityTokens(KeyFile(key_file(settings)).find, settings["identity.audience"], longest)


def _is_signed(key: Key, signed: str, signature: str) -> bool:
    """By the key's own algorithm, whatever the token says."""
    try:
        return JWSRegistry.algorithms[key.algorithm].verify(
            signed.encode(), urlsafe_b64decode(signature.encode()), key.jwk
        )
    except (JoseError, ValueError, TypeError):
        return False


def _claims(signed: str) -> Mapping[str, Any]:
    try:
        claims = json.loads(urlsafe_b64decode(signed.partition(".")[2].encode()))
    except (ValueError, RecursionError) as error:
        raise IdentityRefused("Its claims cannot be read.", "Make it with a JWT library.") from error
    if not isinstance(claims, dict):
        raise IdentityRefused("Its claims are no object.", "Make it with a JWT library.")
    return claims


def _missing(name: str) -> IdentityRefused:
    return IdentityRefused(f"It has no '{name}'.", "docs/identity.md lists what it needs.")


def _subject(claims: Mapping[str, Any]) -> str:
    subject = _line(claims, "sub", 100)
    if subject is None:
        raise _missing("sub")
    if subject != claims["sub"]:
        raise IdentityRefused("Its 'sub' has space around it.", "Take it off.")
    return subject


def _moment(claims: Mapping[str, Any], name: str) -> dt.datetime:
    value = claims.get(name)
    if value is None:
        raise _missing(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**40:
        raise IdentityRefused(f"Its '{name}' is no time in seconds since 1970.", "A number, not a text.")
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise IdentityRefused(f"Its '{name}' is too far away.", "Seconds, not milliseconds.") from error


def _line(claims: Mapping[str, Any], name: str, longest: int) -> str | None:
    """A claim that is one line of text; None where it is left out, null or empty."""
    value = claims.get(name)
    if value is None or value == "":
        return None
    try:
        line = one_line(value if isinstance(value, str) else "", name, longest)
    except InvalidInput as error:
        raise IdentityRefused(f"Its '{name}' is no line of 1 to {longest} characters.", "A text, in JSON.") from error
    if any(character in _DIRECTIONS for character in line):
        raise IdentityRefused(f"Its '{name}' turns the direction of the text around it.", "Take these signs out.")
    return line


def _email(claims: Mapping[str, Any]) -> str | None:
    value = _line(claims, "email", EMAIL_LENGTH)
    if value is not None and not EMAIL.fullmatch(value):
        raise IdentityRefused("Its 'email' is no e-mail address.", "It should read like name@example.com.")
    return value


def _account(claims: Mapping[str, Any]) -> str | None:
    value = _line(claims, "account", 100)
    if value is not None and not re.fullmatch(ACCOUNT_PATTERN, value):
        raise IdentityRefused("Its 'account' is no account's id.", "1 to 100 letters, digits or . _ : @ -.")
    return value


def _plan(claims: Mapping[str, Any]) -> str | None:
    value = _line(claims, "plan", PLAN_LENGTH)
    if value is not None and not claims.get("account"):
        raise IdentityRefused("Its 'plan' is that of no account.", "Say 'account' too, or leave 'plan' out.")
    return value
