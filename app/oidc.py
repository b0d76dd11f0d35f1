"""An OpenID provider, as the protocol has it: the authorization code flow with PKCE, state and nonce.

The provider is trusted to say who somebody is, and nobody else is: its issuer is compared letter by letter, its answers
are signed by a key that it publishes, with a method that needs one, for us, for this very sign-in, and not expired.
Authlib and its JOSE library do the arithmetic.  What it knows of the provider is read at the first sign-in and kept for
an hour; its keys are read anew when a signature names one that is not known.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.problems import Problem
from app.settings import Settings
from provisioning.authorities import trusted

log = logging.getLogger(__name__)

SIGNED_BY = ("RS256", "PS256", "ES256")  # never "none", never a method for which our own secret would do
WITHIN = 10.0  # seconds, for an answer of the provider
KEPT = 3600.0  # seconds, what is known of it
KEYS_AGAIN = 30.0  # seconds between two looks for a key that is not known
LEEWAY = 60  # seconds that clocks may differ
LARGEST = 256 * 1024  # bytes of an answer


@dataclass(frozen=True)
class Begun:
    """A sign-in that was begun: what the browser is sent away with, and what it has to come back with."""

    address: str  # at the provider
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Identified:
    """Whom the provider says it is."""

    issuer: str
    subject: str
    email: str  # verified, lower case


class NotIdentified(Exception):
    """Why somebody is not signed in: `sentence` for them, the rest for the log.  Holds no secret."""

    def __init__(self, sentence: str, cause: str = "") -> None:
        super().__init__(cause or sentence)
        self.sentence = sentence


class Provider:
    """The one that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.oidc_issuer
        self._client_id, self._secret = settings.oidc_client_id, settings.oidc_client_secret
        self._domains = settings.oidc_email_domains
        self._redirect = f"{settings.url}/sign-in/oidc/callback"
        self._metadata: dict[str, Any] = {}
        self._keys: Any = None
        self._read_at = self._keys_at = -KEPT

    async def begin(self) -> Begun:
        """Where to send a browser.  Problem 502 when the provider does not answer."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        try:
            metadata = await self._known()
        except NotIdentified as error:
            log.warning("OpenID provider: %s", error)
            raise Problem(502, error.sentence) from error
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        address = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self._client_id,
            "code",
            redirect_uri=self._redirect,
            scope="openid email",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Begun(str(address), state, nonce, verifier)

    async def identify(self, code: str, nonce: str, verifier: str, issuer: str | None = None) -> Identified:
        """Who came back with `code`; `issuer` is what the answer says of itself (RFC 9207).  Raises NotIdentified."""
        if issuer is not None and issuer != self._issuer:
            raise NotIdentified(_FAILED, "the answer comes from another issuer")
        metadata = await self._known()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
            "client_id": self._client_id,
        }
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        by_form = "client_secret_basic" not in methods and "client_secret_post" in methods
        secret = self._secret.get_secret_value()
        if by_form:
            form["client_secret"] = secret
        login = None if by_form else httpx.BasicAuth(_form_encoded(self._client_id), _form_encoded(secret))
        tokens = await self._ask("POST", metadata["token_endpoint"], data=form, auth=login)
        claims = await self._claims(str(tokens.get("id_token") or ""), nonce, str(tokens.get("access_token") or ""))
        if "email" not in claims and metadata.get("userinfo_endpoint") and tokens.get("access_token"):
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            told = await self._ask("GET", metadata["userinfo_endpoint"], headers=bearer)
            if told.get("sub") != claims["sub"]:
                raise NotIdentified(_FAILED, "userinfo speaks of another subject")
            claims = {**told, **claims}
        return self._identified(claims)

    def _identified(self, claims: dict[str, Any]) -> Identified:
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise NotIdentified("Your provider does not vouch for your e-mail address, so you cannot sign in by it.")
        email = email.strip().lower()
        if email.rpartition("@")[2] not in self._domains:
            raise NotIdentified("People with an e-mail address like yours cannot sign in by this provider.")
        return Identified(self._issuer, str(claims["sub"]), email)

    async def _claims(self, id_token: str, nonce: str, access_token: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError
        from joserfc.jws import JWSRegistry

        registry = JWSRegistry(algorithms=list(SIGNED_BY), strict_check_header=False)
        try:
            try:
                token = jwt.decode(id_token, await self._key_set(), registry=registry)
            except InvalidKeyIdError:
                token = jwt.decode(id_token, await self._key_set(again=True), registry=registry)
            wanted = {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._client_id},
                "sub": {"essential": True},
                "exp": {"essential": True},
                "iat": {"essential": True},
            }
            given = {"nonce": nonce, "client_id": self._client_id, "access_token": access_token or None}
            claims = CodeIDToken(token.claims, token.header, wanted, given)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise NotIdentified(_FAILED, f"the ID token is not good: {type(error).__name__} {error}"[:300]) from None
        return dict(claims)

    async def _known(self) -> dict[str, Any]:
        """The provider's metadata (OpenID Connect Discovery 1.0)."""
        if time.monotonic() - self._read_at > KEPT:
            found = await self._ask("GET", f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._issuer:
                raise NotIdentified(_AWAY, "its metadata names another issuer than STOREFLEET_OIDC_ISSUER")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not _safe(found.get(name), self._issuer):
                    raise NotIdentified(_AWAY, f"its {name} is not an address to use")
            if not _safe(found.get("userinfo_endpoint"), self._issuer):
                found.pop("userinfo_endpoint", None)
            self._metadata, self._keys, self._read_at = found, None, time.monotonic()
        return self._metadata

    async def _key_set(self, again: bool = False) -> Any:
        from joserfc.jwk import KeySet

        if self._keys is None or (again and time.monotonic() - self._keys_at > KEYS_AGAIN):
            found = await self._ask("GET", (await self._known())["jwks_uri"])
            self._keys, self._keys_at = KeySet.import_key_set(found), time.monotonic()
        return self._keys

    @staticmethod
    async def _ask(method: str, address: str, **arguments: Any) -> dict[str, Any]:
        """A JSON object of the provider's.  What it says of an error may hold anything, so only its kind is told."""
        try:
            async with httpx.AsyncClient(timeout=WITHIN, follow_redirects=False, verify=trusted()) as client:
                answer = await client.request(method, address, **arguments)
            if answer.status_code != 200 or len(answer.content) > LARGEST:
                raise NotIdentified(_FAILED if method == "POST" else _AWAY, f"it answers {answer.status_code}")
            content = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise NotIdentified(_AWAY, f"no answer that can be used: {type(error).__name__}") from None
        if not isinstance(content, dict):
            raise NotIdentified(_AWAY, "its answer is not an object")
        return content


_FAILED = "Your provider could not sign you in here. Try again."
_AWAY = "The sign-in provider does not answer as it should. Try again in a moment."


def _safe(address: object, issuer: str) -> bool:
    """Over TLS, unless the provider itself is not (which the settings allow on loopback only)."""
    return isinstance(address, str) and urlsplit(address).scheme in {"https", urlsplit(issuer).scheme}


def _form_encoded(text: str) -> str:
    """As RFC 6749, 2.3.1 wants it before Basic."""
    from urllib.parse import quote_plus

    return quote_plus(text)
