"""Signing in by an OpenID provider: the way there and the way back.

What has to come back is sealed into a cookie of the browser that left, for ten minutes and one use: nobody's sign-in
can be finished in another browser, and nothing has to be kept for those that never come back.
"""

import hmac
import logging
import time

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.identities import STATE_LASTS
from app.oidc import NotIdentified
from app.pages.sign_in import render_sign_in
from app.problems import Problem
from app.services import Services
from app.sign_in import actor_of, address_of, cookie_name, flags, own_path, signed_in
from provisioning.secrets import SealBroken

log = logging.getLogger(__name__)

COOKIE = "storefleet-oidc"
_SEALED_FOR = "a sign-in at the provider"
_LOST = "This sign-in was not begun here, or too long ago. Begin again."


def router(services: Services) -> APIRouter:
    """`/sign-in/oidc` and `/sign-in/oidc/callback`, where the settings name a provider."""
    routes = APIRouter(include_in_schema=False)
    provider, name = services.provider, cookie_name(services.settings.secure, COOKIE)
    if provider is None:
        return routes

    @routes.get("/sign-in/oidc")
    async def leave(request: Request, next: str = "/", connect: bool = False) -> Response:
        try:
            begun = await provider.begin()
        except Problem as problem:
            return _refused(services, problem)
        sealed = services.sealer.seal(
            {
                "for": _SEALED_FOR,
                "state": begun.state,
                "nonce": begun.nonce,
                "verifier": begun.verifier,
                "next": own_path(next)[:1000],
                "connect": "yes" if connect else "",
                "until": str(time.time() + STATE_LASTS.total_seconds()),
            }
        )
        answer = RedirectResponse(begun.address, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(name, sealed.decode(), max_age=int(STATE_LASTS.total_seconds()), **flags(services))
        return answer

    @routes.get("/sign-in/oidc/callback")
    async def come_back(
        request: Request, state: str = "", code: str = "", error: str = "", iss: str | None = None
    ) -> Response:
        try:
            answer = await finish(request, state, code, error, iss)
        except NotIdentified as refused:
            log.warning("a sign-in by OpenID failed: %s", refused)
            await services.identities.note_failure(address_of(request), str(refused))
            answer = _refused(services, Problem(403, refused.sentence))
        except Problem as problem:
            answer = _refused(services, problem)
        answer.delete_cookie(name, **flags(services))
        return answer

    async def finish(request: Request, state: str, code: str, error: str, iss: str | None) -> Response:
        try:
            begun = services.sealer.unseal(request.cookies.get(name, "").encode())
        except (SealBroken, ValueError) as broken:
            raise NotIdentified(_LOST, "no cookie of a sign-in that was begun") from broken
        if begun.get("for") != _SEALED_FOR or float(begun["until"]) < time.time():
            raise NotIdentified(_LOST, "the sign-in was begun too long ago")
        if not hmac.compare_digest(begun["state"].encode(), state.encode()):
            raise NotIdentified(_LOST, "another state than the sign-in was begun with")
        await services.identities.use_state(state)
        if error or not code:
            raise NotIdentified("You were not signed in at your provider.", "the provider refused")
        identified = await provider.identify(code, begun["nonce"], begun["verifier"], iss)
        if begun["connect"]:
            actor = await actor_of(request)
            if actor is None:
                raise NotIdentified(_LOST, "nobody was signed in to be connected")
            try:
                await services.identities.connect(actor, identified)
            except Problem:
                return RedirectResponse("/account?connected=no", 303)
            return RedirectResponse("/account?connected=yes", 303)
        user = await services.identities.sign_in(identified, address=address_of(request))
        return await signed_in(services, request, user, own_path(begun["next"]), by="oidc")

    return routes


def _refused(services: Services, problem: Problem) -> HTMLResponse:
    page = render_sign_in(problem.detail, "", "/", services.settings.oidc_name)
    return HTMLResponse(page, problem.status, {"Cache-Control": "no-store"})
