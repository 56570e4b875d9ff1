"""Identity tokens: right ones are believed, and every way to make a wrong one is refused."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.conversation.models import now
from bot.customers.errors import IdentityExpired, IdentityRefused
from bot.customers.tokens import LEEWAY, LONGEST, IdentityTokens
from tests.customers.signing import Website, decoded, encoded, hs256

SITE = Website()
TRUSTED = SITE.trusted


def public_pem() -> bytes:
    """The public key as a file has it, which a careless checker would take for a shared secret."""
    return SITE.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def with_header(**header: Any) -> str:
    """A token that is right but for its header."""
    return SITE.sign(SITE.claims(), header)


def signed_with(secret: bytes, **header: Any) -> str:
    """A token whose signature was made with some other secret."""
    signed = f"{encoded({'alg': 'HS256', 'kid': 'shared', **header})}.{encoded(SITE.claims())}"
    return f"{signed}.{encoded(hs256(secret, signed))}"


def unsigned(algorithm: Any, signature: str = "", **header: Any) -> str:
    """A token that says it needs no signature."""
    return f"{encoded({'alg': algorithm, 'kid': 'shared', **header})}.{encoded(SITE.claims())}.{signature}"


def tampered() -> str:
    """A right token whose customer was changed."""
    header, claims, signature = SITE.token().split(".")
    return f"{header}.{encoded({**json.loads(decoded(claims)), 'sub': 'boss'})}.{signature}"


def swapped() -> str:
    """The signature of another token."""
    head, _, _ = SITE.token("u1").rpartition(".")
    return f"{head}.{SITE.token('u2').rpartition('.')[2]}"


def other_pair() -> str:
    """Signed with a pair of keys nobody knows, under the name of a known one."""
    signed, _, _ = SITE.token(kid="pair").rpartition(".")
    return f"{signed}.{encoded(Ed25519PrivateKey.generate().sign(signed.encode()))}"


def lasting(seconds: float, begun: float = 0) -> Callable[[], str]:
    """Makes tokens that end so many seconds from now, and began some time ago."""
    return lambda: SITE.token(iat=int(time.time() - begun), exp=int(time.time() + seconds))


ATTACKS: dict[str, Callable[[], str]] = {
    "none": lambda: unsigned("none"),
    "none, signed": lambda: unsigned("none", encoded(b"x" * 32)),
    "None": lambda: unsigned("None", encoded(b"x")),
    "NONE": lambda: unsigned("NONE", encoded(b"x")),
    "nOnE": lambda: unsigned("nOnE", encoded(b"x")),
    "no algorithm": lambda: unsigned(None, encoded(b"x")),
    "empty algorithm": lambda: unsigned("", encoded(b"x")),
    "a list of algorithms": lambda: unsigned(["HS256"], encoded(b"x")),
    "none for the pair": lambda: unsigned("none", encoded(b"x"), kid="pair"),
    "HS512": lambda: with_header(alg="HS512"),
    "RS256": lambda: with_header(alg="RS256"),
    "hs256": lambda: with_header(alg="hs256"),
    "EdDSA with the shared secret": lambda: with_header(alg="EdDSA"),
    "HS256 with the public key, raw": lambda: signed_with(SITE.public, kid="pair"),
    "HS256 with the public key, as PEM": lambda: signed_with(public_pem(), kid="pair"),
    "HS256 with the public key, as JWK": lambda: signed_with(encoded(SITE.public).encode(), kid="pair"),
    "HS256 with the public key under the secret's name": lambda: signed_with(SITE.public),
    "an empty secret": lambda: signed_with(b""),
    "another secret": lambda: signed_with(b"s" * 32),
    "another pair": other_pair,
    "no kid": lambda: with_header(kid=None),
    "an unknown kid": lambda: with_header(kid="shared2"),
    "a kid that is a path": lambda: with_header(kid="../../etc/passwd"),
    "a kid that is a list": lambda: with_header(kid=["shared"]),
    "a kid that is a query": lambda: with_header(kid="shared' OR '1'='1"),
    "crit": lambda: with_header(crit=["exp"]),
    "jku": lambda: with_header(jku="https://evil.example/keys.json"),
    "x5u": lambda: with_header(x5u="https://evil.example/cert.pem"),
    "x5c": lambda: with_header(x5c=["MIIB"]),
    "jwk": lambda: with_header(jwk={"kty": "oct", "k": encoded(b"s" * 32)}),
    "tampered": tampered,
    "another's signature": swapped,
    "no signature": lambda: SITE.token().rpartition(".")[0] + ".",
    "a signature cut short": lambda: SITE.token()[:-4],
    "two parts": lambda: SITE.token().rpartition(".")[0],
    "four parts": lambda: SITE.token() + ".e30",
    "space around": lambda: f" {SITE.token()}",
    "a line end": lambda: SITE.token() + "\n",
    "padding": lambda: SITE.token() + "=",
    "too long": lambda: SITE.token(more="x" * LONGEST),
    "no token": lambda: "x",
    "nothing": lambda: "",
    "two dots": lambda: "..",
    "not JSON": lambda: SITE.sign(b"{"),
    "claims that are a list": lambda: SITE.sign(b"[1]"),
    "claims nested deeply": lambda: SITE.sign(b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}"),
    "header nested deeply": lambda: f"{encoded(b'[' * 5000)}.e30.AA",
    "header that is a list": lambda: f"{encoded(b'[]')}.e30.AA",
    "no sub": lambda: SITE.token(sub=None),  # type: ignore[arg-type]
    "an empty sub": lambda: SITE.token(""),
    "a sub that is a number": lambda: SITE.token(sub=7),  # type: ignore[arg-type]
    "a sub with space around": lambda: SITE.token(" u1"),
    "a sub of two lines": lambda: SITE.token("u1\nu2"),
    "a sub with a NUL": lambda: SITE.token("u1\0"),
    "a sub that is too long": lambda: SITE.token("u" * 101),
    "no aud": lambda: SITE.token(aud=None),
    "another aud": lambda: SITE.token(aud="refill2"),
    "an aud that is part of it": lambda: SITE.token(aud="ref"),
    "others as aud": lambda: SITE.token(aud=["a", "b"]),
    "an aud that is an object": lambda: SITE.token(aud={"refill": 1}),
    "no exp": lambda: SITE.token(exp=None),
    "no iat": lambda: SITE.token(iat=None),
    "exp as text": lambda: SITE.token(exp=str(int(time.time()) + 60)),
    "exp as yes": lambda: SITE.token(exp=True),
    "exp in milliseconds": lambda: SITE.token(exp=int(time.time() * 1000)),
    "exp infinite": lambda: SITE.sign(json.dumps({**SITE.claims(), "exp": float("inf")}).encode()),
    "exp not a number": lambda: SITE.sign(json.dumps({**SITE.claims(), "exp": float("nan")}).encode()),
    "exp too large": lambda: SITE.token(exp=10**400),
    "iat in the future": lasting(7200, begun=-120),
    "not yet": lambda: SITE.token(nbf=int(time.time()) + 120),
    "ends before it begins": lambda: SITE.token(iat=int(time.time()) + 30, exp=int(time.time()) + 20),
    "valid for too long": lasting(86_400 - 60, begun=120),
    "an account that is none": lambda: SITE.token(account="a b"),
    "a plan of no account": lambda: SITE.token(plan="gold"),
    "an e-mail that is none": lambda: SITE.token(email="ada"),
    "two e-mail addresses": lambda: SITE.token(email="a@example.com,b@example.com"),
    "a name of two lines": lambda: SITE.token(name="Ada\nLovelace"),
    "a name that turns the text": lambda: SITE.token(name="Ada\u202elocked"),
    "a name that is an object": lambda: SITE.token(name={"first": "Ada"}),
    "a name that is too long": lambda: SITE.token(name="a" * 201),
}
EXPIRED = {
    "ended": lasting(-1, begun=60),
    "ended long ago": lasting(-86_400, begun=86_460),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_wrong_tokens_are_refused(attack: str) -> None:
    with pytest.raises(IdentityRefused) as refused:
        TRUSTED.check(ATTACKS[attack]())
    assert refused.value.status == 401
    assert refused.value.remedy


@pytest.mark.parametrize("attack", EXPIRED)
def test_tokens_that_have_ended(attack: str) -> None:
    with pytest.raises(IdentityExpired):
        TRUSTED.check(EXPIRED[attack]())


def test_a_wrong_token_is_not_called_expired() -> None:
    """Else an attacker learns that the rest was right."""
    with pytest.raises(IdentityRefused):
        TRUSTED.check(SITE.token(exp=int(time.time()) - 1, iat=int(time.time()) - 60, aud="other"))


@pytest.mark.parametrize("kid", ["shared", "pair"])
def test_a_right_token(kid: str) -> None:
    claims = {"name": "Ada Lovelace", "email": "ada@example.com", "account": "acme", "plan": "gold", "colour": "red"}
    found = TRUSTED.check(SITE.token("u1", kid, **claims))
    assert (found.customer_id, found.name, found.email, found.account, found.plan, found.key_id) == (
        *("u1", "Ada Lovelace", "ada@example.com", "acme", "gold"),
        kid,
    )
    assert found.expires_at - found.issued_at == dt.timedelta(hours=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", "refill"]},
        {"name": "สมชาย ใจดี", "email": None},
        {"name": "", "email": "", "account": None},
        {"name": "محمد"},
        {"iat": time.time() - 0.5, "exp": time.time() + 3600.5},
        {"sub": "企业/用户:7"},
        {"nbf": int(time.time()) - 5},
    ],
)
def test_other_right_tokens(changed: dict[str, Any]) -> None:
    found = TRUSTED.check(SITE.sign(SITE.claims(**changed)))
    assert found.customer_id == changed.get("sub", "u1")
    assert found.name == (changed.get("name") or None)


def test_the_later_name_of_eddsa_is_known() -> None:
    assert TRUSTED.check(SITE.sign(SITE.claims(), {"alg": "Ed25519"}, "pair")).key_id == "pair"


def test_the_edges_of_the_clocks() -> None:
    moment = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
    second = dt.timedelta(seconds=1)

    def token(begins: dt.timedelta, ends: dt.timedelta) -> str:
        return SITE.token(iat=int((moment + begins).timestamp()), exp=int((moment + ends).timestamp()))

    for begins, ends in (
        (LEEWAY, LEEWAY + second),
        (-second, second),
        (dt.timedelta(), TRUSTED.longest),
        (second - TRUSTED.longest, second),
    ):
        assert TRUSTED.check(token(begins, ends), moment)
    for begins, ends in ((LEEWAY + second, 2 * LEEWAY), (dt.timedelta(), TRUSTED.longest + second)):
        with pytest.raises(IdentityRefused):
            TRUSTED.check(token(begins, ends), moment)
    for ends in (dt.timedelta(), -second):
        with pytest.raises(IdentityExpired):
            TRUSTED.check(token(-second - LEEWAY, ends), moment)


def test_another_spelling_of_the_signature_is_no_other_token() -> None:
    """The last character of base64 has bits that count for nothing; a token must not become a new one by them."""
    token = SITE.token()
    digest = TRUSTED.check(token).digest
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [token[:-1] + alphabet[alphabet.index(token[-1]) ^ bits] for bits in range(1, 4)]
    assert any(decoded(one.rpartition(".")[2]) == decoded(token.rpartition(".")[2]) for one in others)
    for one in others:
        with suppress(IdentityRefused):
            assert TRUSTED.check(one).digest == digest


def test_without_keys_nobody_is_believed() -> None:
    with pytest.raises(IdentityRefused):
        IdentityTokens().check(SITE.token())


def test_what_is_wrong_is_said_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for make in (*ATTACKS.values(), *EXPIRED.values()):
        token = make()
        with pytest.raises((IdentityRefused, IdentityExpired)) as refused:
            TRUSTED.check(token)
        parts = [part for part in token.split(".") if len(part) > 10]
        assert not any(part in f"{refused.value}{caplog.text}" for part in parts)


def test_checking_takes_the_time_given() -> None:
    assert TRUSTED.check(SITE.token(), now() + dt.timedelta(minutes=59)).customer_id == "u1"
