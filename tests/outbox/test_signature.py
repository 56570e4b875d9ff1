"""Signatures: a known one, and everything that must not pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.outbox.signature import BadSignature, sign, signed_headers, verify

DOCS = Path(__file__).parents[2] / "docs/webhooks.md"
SECRET, DELIVERY, AT = "whsec_test", "0123456789abcdef", 1_800_000_000
BODY = '{"type":"ping","data":{"word":"çay"}}'.encode()


def headers(*secrets: str) -> dict[str, str]:
    return signed_headers(secrets or [SECRET], AT, DELIVERY, BODY)


def test_a_known_signature() -> None:
    """Computed with openssl: printf '<timestamp>.<id>.<body>' | openssl dgst -sha256 -hmac whsec_test."""
    assert sign(SECRET, AT, DELIVERY, BODY) == "256c5a5745dfb7a7d880fb0f1f13b45affc5fc7cbcd10290d059afd3c3cad0c0"


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_what_was_signed_is_verified(seconds: int) -> None:
    assert verify(SECRET, headers(), BODY, AT + seconds) == DELIVERY


def test_while_a_secret_is_changed_both_are_right() -> None:
    both = headers("whsec_new", SECRET)
    assert both["refill-signature"].count("v1=") == 2
    assert verify(SECRET, both, BODY, AT) == verify("whsec_new", both, BODY, AT) == DELIVERY


@pytest.mark.parametrize(
    ("changes", "body", "now", "why"),
    [
        ({}, BODY + b" ", AT, "not right"),
        ({"refill-delivery": "f" * 16}, BODY, AT, "not right"),
        ({"refill-timestamp": str(AT + 1)}, BODY, AT, "not right"),
        ({"refill-signature": ""}, BODY, AT, "not right"),
        ({"refill-signature": "v1="}, BODY, AT, "not right"),
        ({"refill-signature": "v1=ü"}, BODY, AT, "not right"),
        ({"refill-signature": headers("whsec_other")["refill-signature"]}, BODY, AT, "not right"),
        ({"refill-signature": headers()["refill-signature"].replace("v1", "v0")}, BODY, AT, "not right"),
        ({}, BODY, AT + 301, "300 seconds"),
        ({}, BODY, AT - 301, "300 seconds"),
        ({"refill-timestamp": "soon"}, BODY, AT, "needed"),
        ({"refill-timestamp": "²"}, BODY, AT, "needed"),
        ({"refill-delivery": ""}, BODY, AT, "needed"),
    ],
)
def test_anything_else_is_refused(changes: dict[str, str], body: bytes, now: int, why: str) -> None:
    with pytest.raises(BadSignature, match=why):
        verify(SECRET, headers() | changes, body, now)


def test_the_receiver_of_the_docs_agrees() -> None:
    """The Python example, run as it is written."""
    found = re.search(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found
    scope: dict[str, object] = {}
    exec(found[1], scope)
    check = scope["comes_from_refill"]
    assert callable(check)
    assert check(SECRET, headers("whsec_new", SECRET), BODY, AT)
    assert not check(SECRET, headers("whsec_new"), BODY, AT)
    assert not check(SECRET, headers(), BODY + b" ", AT)
    assert not check(SECRET, headers(), BODY, AT + 301)
