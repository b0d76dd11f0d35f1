"""What stands between a stranger and everything we serve: the outermost layer, which asks of every request

- that it names us: a Host header that is not ours is refused where a setting says what ours is;
- that it comes from our own pages, where it changes something or is a websocket.  A browser sends its cookies along
  with what other sites make it send, and says so in `Sec-Fetch-Site`, or, where we are not served over TLS or loopback,
  in `Origin`.  A request with neither is no browser's, and has no cookies that somebody else could abuse;
- that its address has not too many open already;
- that its body is small and there soon: it is read before anything else begins.

What a page may do in the browser, the answer says (`app.policy`).
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import policy
from app.connections import Places, Told
from app.problems import Problem
from app.proxies import Network, client_address

log = logging.getLogger(__name__)

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
FOR_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for by the address of a pod, which is no name of ours."""

LARGEST_BODY = 64 * 1024  # bytes
BODY_WITHIN = 20.0  # seconds
COME_AGAIN = 10  # seconds to tell who has too many open

_HOST = re.compile(r"(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9._-]{0,252}))(?::[0-9]{1,5})?", re.IGNORECASE)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
# NiceGUI puts this into its pages and redirects, whoever says it.
_NOT_FOR_US = b"x-forwarded-prefix"
# Traefik calls the scheme of a websocket so, and Engine.IO compares it with the Origin's, which is http or https.
_SCHEMES = {(b"x-forwarded-proto", b"ws"): b"http", (b"x-forwarded-proto", b"wss"): b"https"}


class Guard:
    """The layer around all of the application."""

    def __init__(
        self,
        app: ASGIApp,
        url: str = "",
        *,
        trusted: Sequence[Network] = (),
        places: Places | None = None,
        told: Told | None = None,
    ) -> None:
        """`url`: our own address, where a setting says it; `places`: how much one address may have open."""
        self._app, self._own, self._tls = app, _host(url), url.startswith("https://")
        self._trusted, self._places, self._told = trusted, places or Places(1000), told or Told()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        named = ((name.lower(), value) for name, value in scope["headers"])
        kept = [(name, _SCHEMES.get((name, value), value)) for name, value in named if name != _NOT_FOR_US]
        scope = {**scope, "headers": kept}
        nonce = policy.give_nonce(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy.add_headers(MutableHeaders(scope=message), nonce, tls=self._tls)
            await send(message)

        headers, peer = Headers(scope=scope), (scope.get("client") or ("",))[0]
        address = client_address(peer, headers.getlist("x-forwarded-for"), self._trusted)
        if problem := self._problem(scope, headers, address):
            await _refuse(problem, scope, receive, with_headers)
            return
        if not self._places.take(address):
            self._told.refusal(address, "a request, having too many open")
            await _refuse(_too_many(), scope, receive, with_headers)
            return
        try:
            if scope["type"] == "http":
                body = await self._body(headers, receive, address)
                if isinstance(body, Problem):
                    await _refuse(body, scope, receive, with_headers)
                    return
                receive = _again(body, receive)
                try:
                    await self._app(scope, receive, with_headers)
                except RuntimeError as error:
                    if not broke_off(error):
                        raise
                    log.warning("broken off: %s %s", scope["method"], scope["path"])
            else:
                await self._websocket(scope, receive, with_headers, address)
        finally:
            self._places.give_back(address)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        """Engine.IO and Socket.IO break off at what they cannot read: that is the end of the websocket, and no news."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            log.debug("a websocket broke off", exc_info=True)
            self._told.refusal(address, "what a websocket said", type(error).__name__)
            with contextlib.suppress(Exception):
                await send({"type": "websocket.close", "code": 1003})

    def _problem(self, scope: Scope, headers: Headers, address: str) -> Problem | None:
        """Why a request is refused before anything of it is read."""
        if scope["path"] not in FOR_PROBES and (problem := self._host_problem(headers.getlist("host"), address)):
            return problem
        changes = scope["type"] == "websocket" or scope["method"] not in HARMLESS
        if changes and not self.is_from_us(headers):
            self._told.refusal(address, "a request of another site", f"{scope['path']} from {headers.get('origin')}")
            return Problem(403, "This request came from another site, so nothing was done.")
        return None

    def _host_problem(self, hosts: list[str], address: str) -> Problem | None:
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            self._told.refusal(address, "a Host header that is none", repr(hosts))
            return Problem(400, "The request has to name one host, in its Host header.")
        host = _without_port(hosts[0])
        if self._own and host != self._own and not _LOOPBACK.fullmatch(host):
            self._told.refusal(address, "a Host header that is not ours", host)
            return Problem(
                421,
                "Storefleet is not served under this name. Use the address that your administrator gave you, "
                "which is what STOREFLEET_URL says.",
            )
        return None

    def is_from_us(self, headers: Headers) -> bool:
        """Was the request made by a page of ours, or by no browser at all?"""
        site = headers.get("sec-fetch-site")
        if site is not None and site != "none":
            return site == "same-origin"
        origin = headers.get("origin")
        return origin is None or _host(origin) in {_without_port(headers.get("host", "")), self._own} - {""}

    async def _body(self, headers: Headers, receive: Receive, address: str) -> bytes | Problem:
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return Problem(400, "The Content-Length header has to be a number.")
        if len(length) > 12 or int(length) > LARGEST_BODY:
            self._told.refusal(address, "a body that is too large", length)
            return _too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_WITHIN):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return _cut_off(400, "The body ended before it was whole.")
                    body += message.get("body", b"")
                    if len(body) > LARGEST_BODY:
                        self._told.refusal(address, "a body that is too large")
                        return _too_large()
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            self._told.refusal(address, "a body that takes too long")
            return _cut_off(408, f"The body was not there within {BODY_WITHIN:.0f} seconds. Send it in one go.")


def broke_off(error: Exception) -> bool:
    """Is it what Starlette's middlewares say where an answer was cut off before it began, since we end?"""
    return isinstance(error, RuntimeError) and str(error) == "No response returned."


def _again(body: bytes, receive: Receive) -> Receive:
    """What was received already, and then what comes."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    elif "text/html" in Headers(scope=scope).get("accept", ""):  # a person, who would be shown JSON
        answer = problem.response()
        del answer.headers["content-length"], answer.headers["content-type"]
        await PlainTextResponse(problem.detail, problem.status, dict(answer.headers))(scope, receive, send)
    else:
        await problem.response()(scope, receive, send)


def _too_large() -> Problem:
    return _cut_off(413, f"The body is larger than {LARGEST_BODY // 1024} KiB.")


def _cut_off(status: int, detail: str) -> Problem:
    """What is on its way still is not read: the connection ends with the answer."""
    return Problem(status, detail, headers={"Connection": "close"})


def _too_many() -> Problem:
    return Problem(429, "Too much is open from your address. Close some pages.", retry_after=COME_AGAIN)


def _host(origin: str) -> str:
    """The host and port of an origin, as a Host header has them; "" for what is none ("null")."""
    try:
        address = urlsplit(origin)
    except ValueError:  # "http://["
        return ""
    return _without_port(address.netloc) if address.scheme in ("http", "https") else ""


def _without_port(host: str) -> str:
    """Without the port that goes without saying."""
    return host.lower().removesuffix(":443").removesuffix(":80")
