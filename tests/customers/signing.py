"""A website that vouches for its customers: makes keys, signs tokens, right and wrong ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.customers.keys import Key, parse_key
from bot.customers.tokens import IdentityTokens


def encoded(value: bytes | dict[str, Any]) -> str:
    """As base64url without padding; a dict as JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(value: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def hs256(secret: bytes, signed: str) -> bytes:
    """A signature with a shared secret."""
    return hmac.new(secret, signed.encode(), hashlib.sha256).digest()


class Website:
    """Signs as PHP, Node or Ruby would, without the library Refill reads with.

    Attributes:
        secret: Of the HS256 key `shared`.
        private: Of the EdDSA key `pair`.
    """

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32).encode()
        self.private = Ed25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        """Of the EdDSA key, raw."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def keys(self) -> dict[str, Key]:
        """As Refill has them."""
        pair = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "pair", "x": encoded(self.public)}
        shared = {"kty": "oct", "alg": "HS256", "kid": "shared", "k": encoded(self.secret)}
        return {kid: parse_key(jwk) for kid, jwk in (("pair", pair), ("shared", shared))}

    @property
    def trusted(self) -> IdentityTokens:
        """What Refill checks tokens with."""
        return IdentityTokens(self.keys.get)

    def claims(self, sub: str = "u1", **changed: Any) -> dict[str, Any]:
        """Right ones, for an hour; None takes one away."""
        moment = int(time.time())
        made: dict[str, Any] = {"sub": sub, "aud": "refill", "iat": moment, "exp": moment + 3600}
        # Two tokens of one second are two.
        made["jti"] = base64.urlsafe_b64encode(time.time_ns().to_bytes(8, "big")).decode()
        return {name: value for name, value in {**made, **changed}.items() if value is not None}

    def sign(self, claims: dict[str, Any] | bytes, header: dict[str, Any] | None = None, kid: str = "shared") -> str:
        """A token with any claims and any header, signed rightly with the key named."""
        algorithm = {"shared": "HS256", "pair": "EdDSA"}[kid]
        signed = f"{encoded({'typ': 'JWT', 'alg': algorithm, 'kid': kid, **(header or {})})}.{encoded(claims)}"
        signature = hs256(self.secret, signed) if kid == "shared" else self.private.sign(signed.encode())
        return f"{signed}.{encoded(signature)}"

    def token(self, sub: str = "u1", kid: str = "shared", **changed: Any) -> str:
        """A right token, but for what is changed."""
        return self.sign(self.claims(sub, **changed), kid=kid)
