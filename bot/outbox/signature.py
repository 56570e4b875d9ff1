"""Sign what is sent to webhooks, so that receivers know that it comes from here, unchanged and not long ago.

The signature is the HMAC-SHA256 of `<timestamp>.<delivery id>.<body>` with the webhook's secret as the key, in
hexadecimal digits behind `v1=`. While a secret is being changed there are two, with a comma between them.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence

from bot.errors import RefillError

DELIVERY, TIMESTAMP, SIGNATURE = "refill-delivery", "refill-timestamp", "refill-signature"
TOLERANCE_SECONDS = 300


class BadSignature(RefillError):
    """What was received does not come from whom it says, or not in this form, or not now."""

    code = "bad_signature"
    status = 400


def sign(secret: str, timestamp: int, delivery: str, body: bytes) -> str:
    """The signature of a body, 64 hexadecimal digits.

    Args:
        secret: Of the webhook, as it was shown.
        timestamp: Of the try, in seconds since 1970.
        delivery: Id of the delivery.
        body: As it is sent.
    """
    return hmac.new(secret.encode(), f"{timestamp}.{delivery}.".encode() + body, hashlib.sha256).hexdigest()


def signed_headers(secrets: Sequence[str], timestamp: int, delivery: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery, signed with each of the secrets."""
    return {
        DELIVERY: delivery,
        TIMESTAMP: str(timestamp),
        SIGNATURE: ",".join(f"v1={sign(secret, timestamp, delivery, body)}" for secret in secrets),
    }


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float | None = None,
    tolerance: float = TOLERANCE_SECONDS,
) -> str:
    """The id of a delivery that was received, once it is sure who sent it.

    Args:
        secret: Of the webhook.
        headers: Of the request, names in lower case.
        body: As it came, before anything reads it.
        now: Seconds since 1970; None for the clock's.
        tolerance: Seconds the timestamp may be off, both ways.

    Raises:
        BadSignature: A header is missing, the timestamp is too old or in the future, or no signature is right.
    """
    delivery, stamp = headers.get(DELIVERY, ""), headers.get(TIMESTAMP, "")
    if not delivery or not (stamp.isascii() and stamp.isdigit()):
        raise BadSignature(f"The headers {DELIVERY} and {TIMESTAMP} are needed.")
    if abs((time.time() if now is None else now) - int(stamp)) > tolerance:
        raise BadSignature(
            f"The timestamp is more than {tolerance:.0f} seconds off.", "Set this machine's clock, if it is wrong."
        )
    expected = f"v1={sign(secret, int(stamp), delivery, body)}".encode()
    given = headers.get(SIGNATURE, "").split(",")
    if not any(hmac.compare_digest(expected, candidate.strip().encode()) for candidate in given):
        raise BadSignature("The signature is not right.", "Check the webhook's secret, and sign the body as it came.")
    return delivery
