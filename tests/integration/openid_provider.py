"""A small OpenID provider on loopback, as the protocol has it: discovery, keys, codes with PKCE, signed ID tokens.

It asks nobody for a password: whoever is sent to it is `provider.person`.  What a test changes on it is wrong from then
on.
"""

import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "storefleet at home", "a secret/with+signs"


@cache
def new_key(kid: str, other: bool = False) -> RSAKey:
    """A key called so, the same each time: they take long to make.  `other`: with the name of another."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@dataclass
class OpenIDProvider:
    """What it is and says."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=dict)  # claims
    change: dict[str, Any] = field(default_factory=dict)  # of the ID token's claims; None: left out
    method: str = "RS256"
    key: RSAKey = field(default_factory=lambda: new_key("first"))
    published: list[RSAKey] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)  # other than it should be
    one_use: bool = True  # of a code
    in_userinfo: bool = False  # the address is told there, not in the ID token
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)  # whatever must not be found anywhere

    def __post_init__(self) -> None:
        self.published = [self.key]

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/userinfo", self._userinfo)
        return app

    async def _configuration(self, request: web.Request) -> web.Response:
        self.asked.append("configuration")
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        }
        return web.json_response({**usual, **self.metadata})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert {"openid", "email"} <= set(asked["scope"].split())
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        self.secrets.append(code)
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{back}")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        kind, _, login = request.headers.get("Authorization", "").partition(" ")
        told = base64.b64decode(login).decode() if kind == "Basic" else ""
        asked = self.codes.get(str(form["code"]))
        if told != "storefleet+at+home:a+secret%2Fwith%2Bsigns" or asked is None:
            return web.json_response({"error": "invalid_grant", "error_description": CLIENT_SECRET}, status=400)
        if self.one_use:
            del self.codes[str(form["code"])]
        challenge = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert form["redirect_uri"] == asked["redirect_uri"]
        access_token = secrets.token_urlsafe(16)
        id_token = self.id_token(asked["nonce"])
        self.secrets += [access_token, id_token, str(form["code_verifier"])]
        return web.json_response({"access_token": access_token, "token_type": "Bearer", "id_token": id_token})

    def id_token(self, nonce: str) -> str:
        at = int(time.time())
        told = {key: value for key, value in self.person.items() if not self.in_userinfo or key == "sub"}
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "iat": at, "exp": at + 300, "nonce": nonce, **told}
        claims = {key: value for key, value in {**usual, **self.change}.items() if value is not None}
        if self.method == "none":
            parts = [
                base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b'{"alg":"none"}', _json(claims))
            ]
            return ".".join([*parts, ""])
        key: Any = self.key
        if self.method == "HS256":  # signed with what everybody knows: our public key
            key = OctKey.import_key(self.key.as_pem(private=False))
        return jwt.encode({"alg": self.method, "kid": self.key.kid}, claims, key, algorithms=[self.method])

    async def _keys(self, request: web.Request) -> web.Response:
        self.asked.append("keys")
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.published]})

    async def _userinfo(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"].removeprefix("Bearer ") in self.secrets
        return web.json_response(self.person)


def _json(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims).encode()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[OpenIDProvider]:
    provider = OpenIDProvider()
    runner = web.AppRunner(provider.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
