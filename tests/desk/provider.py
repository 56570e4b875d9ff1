"""An identity provider on loopback, at the level of the protocol: discovery, keys, tokens. It lies as it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "refill"
SECRET = "secret-of-the-client"
CODE = "the-code"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)


@dataclass
class FakeProvider:
    """What the provider says.

    Attributes:
        url: Its address, once it is served.
        claims: Instead of, or beside, those that are right; None leaves one out.
        alg: Of the id token: `RS256`, `HS256` or `none`.
        key: That signs.
        nonce: Of the browser's question; the challenge of PKCE stands in `challenge`.
        asked: Forms that came to the token endpoint.
        description: Beside what discovery tells.
    """

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    alg: str = "RS256"
    key: RSAKey = field(default_factory=lambda: KEY)
    nonce: str = ""
    challenge: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    description: dict[str, str] = field(default_factory=dict)

    def question(self, address: str) -> dict[str, str]:
        """What a browser that was sent to `address` asks; remembered as a provider does."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.nonce, self.challenge = asked["nonce"], asked["code_challenge"]
        return asked

    def id_token(self) -> str:
        """The token that tells who it is."""
        moment = int(time.time())
        right = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "1",
            "iat": moment,
            "exp": moment + 300,
            "nonce": self.nonce,
            "email": "Ada@example.com",
            "email_verified": True,
            "name": "Ada Lovelace",
        }
        claims = {name: value for name, value in {**right, **self.claims}.items() if value is not None}
        if self.alg == "none":
            parts = ({"alg": "none"}, claims)
            return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
        if self.alg == "HS256":
            header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').decode().rstrip("=")
            body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
            return f"{header}.{body}.{'A' * 43}"
        return jwt.encode({"alg": self.alg, "kid": "one"}, claims, self.key)

    def app(self) -> FastAPI:
        """Its endpoints."""
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def describe() -> dict[str, str]:
            return {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                **self.description,
            }

        @app.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [KEY.as_dict(private=False)]}

        @app.post("/token")
        async def token(request: Request) -> JSONResponse:
            form = {name: str(value) for name, value in (await request.form()).items()}
            self.asked.append(form)
            basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == self.challenge
            if request.headers.get("authorization") != f"Basic {basic}" or form.get("code") != CODE or not proven:
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()})

        return app
