"""What stands between a browser and everything we serve: where a request may come from, and what a page may do.

A browser sends its cookies along with what other sites make it send.  So whatever changes something, and every
websocket, must come from our own pages: browsers say so in `Sec-Fetch-Site`, or, where we are not served over TLS or
loopback, in `Origin`.  A request with neither is no browser's, and has no cookies that somebody else could abuse.
"""

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem

log = logging.getLogger(__name__)

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})

# NiceGUI's page has inline scripts and builds its components at run time: hence the two "unsafe" words.  Nothing may
# come from, go to, or be framed by anybody else.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """The layer around all of the application."""

    def __init__(self, app: ASGIApp, url: str = "") -> None:
        """`url`: our own address, where a setting says it (a proxy may tell us another host than people see)."""
        self._app, self._own = app, _host(url)
        self._headers = dict(HEADERS)
        if url.startswith("https://"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        changes = scope["type"] == "websocket" or scope["method"] not in HARMLESS
        if changes and not self._from_us(headers):
            log.warning("refused %s from %r", scope["path"], headers.get("origin", "")[:200])
            await self._refuse(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    sent.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)

    def _from_us(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None and site != "none":
            return site == "same-origin"
        origin = headers.get("origin")
        return origin is None or _host(origin) in {headers.get("host", "").lower(), self._own} - {""}

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        problem = Problem(403, "This request came from another site, so nothing was done.")
        await problem.response()(scope, receive, send)


def _host(origin: str) -> str:
    """The host and port of an origin, as a Host header has them; "" for what is none ("null")."""
    address = urlsplit(origin)
    return address.netloc.lower() if address.scheme in ("http", "https") else ""
