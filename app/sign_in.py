"""Signing in and out by plain HTTP forms, and who a request comes from.

The cookie holds a proof that only its hash is kept of; it is new at every sign-in, so that one planted before is worth
nothing.  The pages are rendered elsewhere; here is what they do.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.requests import HTTPConnection

from app.actor import Actor
from app.models import User
from app.pages.sign_in import Link, render_link, render_setup, render_sign_in
from app.problems import Problem
from app.proxies import client_address
from app.services import Services, services_of
from app.sessions import LASTS
from app.users import WRONG
from provisioning.secrets import SealBroken

COOKIE = "storefleet"
KNOWN_BROWSER = "storefleet-browser"
BROWSER_KNOWN_FOR = timedelta(days=365)
LARGEST_FORM = 16 * 1024  # bytes
_SEALED_FOR = "a known browser"


def cookie_name(secure: bool, name: str = COOKIE) -> str:
    """Under TLS the browser itself guards the name: no other host and no plain connection can set it."""
    return f"__Host-{name}" if secure else name


async def actor_of(request: HTTPConnection) -> Actor | None:
    """Who asks: by the bearer token, or else by the session's cookie.  A wrong token is nobody, whatever the cookie."""
    services = services_of(request.app)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, proof = header.partition(" ")
        actor = await services.tokens.actor(proof.strip()) if scheme.lower() == "bearer" else None
    else:
        cookie = request.cookies.get(cookie_name(services.settings.secure))
        actor = await services.sessions.actor(cookie) if cookie else None
    return replace(actor, address=address_of(request)) if actor else None


def address_of(request: HTTPConnection) -> str:
    """Where the request comes from: the other end of its connection, or for whom a proxy that we trust speaks there."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.getlist("x-forwarded-for")
    return client_address(peer, forwarded, services_of(request.app).settings.proxies)


def sign_in_address(request: Request) -> str:
    """Where to send somebody who has to sign in first, so that they come back here afterwards."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/sign-in" if here == "/" else f"/sign-in?next={quote(here, safe='')}"


def own_path(target: str) -> str:
    """`target` if it is a path of ours, else the front page: nobody is sent elsewhere by a link to us."""
    ours = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if ours else "/"


def router(services: Services) -> APIRouter:
    """`/sign-in`, `/sign-out`, `/setup`, `/invitation` and `/password`."""
    routes = APIRouter(include_in_schema=False, max_body_size=LARGEST_FORM)
    provider = services.settings.oidc_name if services.provider else ""

    def _sign_in_form(error: str | None, email: str, next: str) -> str:
        return render_sign_in(error, email, next, provider)

    @routes.get("/sign-in")
    async def show(request: Request, next: str = "/") -> Response:
        if await actor_of(request):
            return RedirectResponse(own_path(next), 303)
        return _page(_sign_in_form(None, "", own_path(next)))

    @routes.post("/sign-in")
    async def sign_in(
        request: Request,
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",
    ) -> Response:
        browser = known_browser(services, request, email)
        try:
            user = await services.users.authenticate(email, password, address=address_of(request), browser=browser)
        except Problem as problem:
            return _page(_sign_in_form(problem.detail, email[:254], own_path(next)), problem)
        if user is None:
            return _page(_sign_in_form(WRONG, email[:254], own_path(next)), Problem(401, WRONG))
        return await signed_in(services, request, user, own_path(next))

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        name = cookie_name(services.settings.secure)
        if proof := request.cookies.get(name):
            await services.sessions.close(proof, address=address_of(request))
        answer = RedirectResponse("/sign-in", 303, {"Clear-Site-Data": '"cache"'})
        answer.delete_cookie(name, **flags(services))
        return answer

    @routes.get("/setup")
    async def show_setup(token: str = "") -> Response:
        if not await services.users.setup_is_open(token):
            return RedirectResponse("/sign-in", 303)
        return _page(render_setup(token, None))

    @routes.post("/setup")
    async def set_up(
        request: Request,
        token: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            user = await services.users.set_up(token, email, password, address=address_of(request))
        except Problem as problem:
            return _page(render_setup(token, problem.detail, email[:254]), problem)
        return await signed_in(services, request, user, "/")

    invitations, password_links = services.invitations, services.password_links
    _link(routes, services, "invitation", invitations.email_of, invitations.accept, by="password")
    _link(routes, services, "password", password_links.email_of, password_links.use, by="password link")
    return routes


def _link(
    routes: APIRouter,
    services: Services,
    kind: Link,
    email_of: Callable[[str], Awaitable[str | None]],
    use: Callable[..., Awaitable[User]],
    by: str,
) -> None:
    """The page behind a link that somebody was sent: who chooses a password there is signed in.

    `email_of` tells whom the link is for, None when it cannot be used; `use(token, password, address=)` uses it up.
    """

    @routes.get(f"/{kind}")
    async def show(token: str = "") -> Response:
        email = await email_of(token)
        return _page(render_link(kind, token, email), None if email else Problem(404, ""))

    @routes.post(f"/{kind}")
    async def choose_password(
        request: Request, token: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
    ) -> Response:
        try:
            user = await use(token, password, address=address_of(request))
        except Problem as problem:
            return _page(render_link(kind, token, await email_of(token), problem.detail), problem)
        return await signed_in(services, request, user, "/", by=by)


def known_browser(services: Services, request: HTTPConnection, email: str) -> str:
    """An id of the browser, where this account has been signed in there before; "" for any other."""
    cookie = request.cookies.get(cookie_name(services.settings.secure, KNOWN_BROWSER), "")
    try:
        known = services.sealer.unseal(cookie.encode())
    except (SealBroken, ValueError):
        return ""
    mine = known.get("for") == _SEALED_FOR and known.get("email") == email.strip().lower()
    return f"browser {known['browser']}" if mine else ""


async def signed_in(services: Services, request: Request, user: User, target: str, by: str = "password") -> Response:
    """Sign `user` in, and lead on to `target`, a path of ours."""
    name = cookie_name(services.settings.secure)
    if before := request.cookies.get(name):
        await services.sessions.close(before, address=address_of(request))
    agent = request.headers.get("user-agent", "")
    proof = await services.sessions.open(user, address=address_of(request), agent=agent, by=by)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(name, proof, max_age=int(LASTS.total_seconds()), **flags(services))
    if not known_browser(services, request, user.email):
        known = services.sealer.seal({"for": _SEALED_FOR, "email": user.email, "browser": secrets.token_hex(8)})
        answer.set_cookie(
            cookie_name(services.settings.secure, KNOWN_BROWSER),
            known.decode(),
            max_age=int(BROWSER_KNOWN_FOR.total_seconds()),
            **flags(services),
        )
    return answer


def flags(services: Services) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "lax", "secure": services.settings.secure}


def _page(html: str, problem: Problem | None = None) -> HTMLResponse:
    headers = {"Cache-Control": "no-store"}
    if problem and problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    return HTMLResponse(html, problem.status if problem else 200, headers)
