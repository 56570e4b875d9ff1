"""Sign-in through the company's identity provider: OpenID Connect, authorization code with PKCE.

The provider says who somebody is, by an id token whose signature, issuer, audience, time and nonce are checked here;
the e-mail address in it must be verified. What they may do, Refill decides.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bot.errors import RefillError, SettingsError
from bot.settings import Settings

# Only those in which nobody but the provider can sign: neither `none` nor a shared secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# Clocks may differ by so many seconds.
LEEWAY = 60
SECONDS = 8.0


class ProviderError(RefillError):
    """The identity provider did not say in a way to be trusted who it is."""

    code = "identity_provider"
    status = 502


class UnverifiedEmail(ProviderError):
    """The account has no e-mail address that was verified."""

    code = "unverified_email"
    status = 403


@dataclass(frozen=True)
class Attempt:
    """What a browser keeps between going to the provider and coming back.

    Attributes:
        state: Ties the answer to this browser.
        nonce: Ties the id token to this try.
        verifier: Of PKCE: ties the code to this try.
    """

    state: str
    nonce: str
    verifier: str

    def to_json(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Identity:
    """Whom the provider vouches for."""

    email: str
    name: str


@dataclass(frozen=True)
class _Endpoints:
    issuer: str
    authorize: str
    token: str
    keys: str


class Provider:
    """The identity provider of the settings `desk.oidc_*`.

    Args:
        settings: In force.
        return_to: Where the provider sends browsers back to.

    Raises:
        SettingsError: The client's name or secret is missing.
    """

    def __init__(self, settings: Settings, return_to: str) -> None:
        self._issuer: str = settings["desk.oidc_issuer"]
        self._client_id: str = settings["desk.oidc_client_id"]
        self._secret: str = settings["desk.oidc_client_secret"]
        self._return_to = return_to
        if not (self._issuer and self._client_id and self._secret):
            raise SettingsError(
                "Sign-in through an identity provider needs desk.oidc_issuer, desk.oidc_client_id and "
                "desk.oidc_client_secret.",
                "Set all three, or none.",
            )

    def begin(self) -> tuple[str, Attempt]:
        """Where to send a browser, and what it has to bring back.

        Raises:
            ProviderError: The provider cannot be reached, or describes itself wrongly.
        """
        endpoints = self._discover()
        attempt = Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        with self._client() as client:
            address, _ = client.create_authorization_url(
                endpoints.authorize, state=attempt.state, nonce=attempt.nonce, code_verifier=attempt.verifier
            )
        return str(address), attempt

    def finish(self, answer: str, attempt: Attempt) -> Identity:
        """Who came back.

        Args:
            answer: The whole address the provider sent the browser to.
            attempt: What `begin` gave this browser.

        Raises:
            UnverifiedEmail: The account has no verified e-mail address.
            ProviderError: Anything else does not fit.
        """
        endpoints = self._discover()
        try:
            with self._client() as client:
                given: dict[str, Any] = client.fetch_token(
                    endpoints.token,
                    authorization_response=answer,
                    state=attempt.state,
                    code_verifier=attempt.verifier,
                )
        except (AuthlibBaseError, httpx.HTTPError, ValueError) as error:
            raise ProviderError(f"The identity provider gave no token: {type(error).__name__}.") from error
        token = given.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("The identity provider gave no id token.", "Its client must have the scope openid.")
        return _identity(self._claims(token, endpoints, attempt.nonce))

    def _client(self) -> Any:
        return OAuth2Client(
            self._client_id,
            self._secret,
            scope="openid email profile",
            redirect_uri=self._return_to,
            code_challenge_method="S256",
            timeout=SECONDS,
            trust_env=False,
        )

    def _discover(self) -> _Endpoints:
        found = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        issuer = str(found.get("issuer", ""))
        if issuer.rstrip("/") != self._issuer.rstrip("/"):
            raise ProviderError(f"The identity provider calls itself {issuer[:200]!r}.", "Correct desk.oidc_issuer.")
        addresses = [str(found.get(f"{name}", "")) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if any(urlsplit(address).scheme != urlsplit(self._issuer).scheme for address in addresses):
            raise ProviderError("The identity provider names an address that is not as safe as its own.")
        return _Endpoints(issuer, *addresses)

    def _fetch(self, address: str) -> dict[str, Any]:
        try:
            answer = httpx.get(address, timeout=SECONDS, trust_env=False, follow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError(f"The identity provider does not answer well: {type(error).__name__}.") from error
        if not isinstance(found, dict):
            raise ProviderError("The identity provider's answer is not of the form expected.")
        return found

    def _claims(self, token: str, endpoints: _Endpoints, nonce: str) -> dict[str, Any]:
        """What an id token says, once everything about it is right."""
        try:
            keys = KeySet.import_key_set({"keys": self._fetch(endpoints.keys).get("keys", [])})
            claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
            jwt.JWTClaimsRegistry(
                leeway=LEEWAY,
                iss={"essential": True, "value": endpoints.issuer},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ProviderError(f"The id token is not to be trusted: {type(error).__name__}.") from error
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self._client_id:
            raise ProviderError("The id token was made for somebody else.")
        return claims


def _identity(claims: dict[str, Any]) -> Identity:
    email, verified = claims.get("email"), claims.get("email_verified")
    if not isinstance(email, str) or not (verified is True or verified == "true"):
        raise UnverifiedEmail("The account at the identity provider has no verified e-mail address.")
    name = claims.get("name")
    return Identity(email.strip().lower(), (name if isinstance(name, str) and name.strip() else email)[:100])
