"""Who the API takes the caller for, their sessions and tokens, and what administrators decide about people."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.actor import Actor, Scope
from app.api.access import CurrentActor, CurrentServices, refusals
from app.invitations import InvitationView, NewInvitation
from app.limits import LimitsView
from app.models import User
from app.password_links import NewPasswordLink
from app.problems import Problem
from app.services import Services
from app.sessions import SessionView
from app.tokens import NewToken, TokenView
from app.users import LONGEST_EMAIL, UserPage, UserView
from provisioning.models import now

router = APIRouter(tags=["people"])

MOST_STORES = 10_000
MOST_DAYS = 3650

Email = Annotated[str, Path(description="The user's e-mail address.", max_length=LONGEST_EMAIL)]
Id = Annotated[str, Path(max_length=64)]
STRICT = ConfigDict(extra="forbid", strict=True)


async def _other(services: Services, actor: Actor, email: str | None) -> User | None:
    """Somebody else, whom an administrator speaks of; nobody learns by it who has an account."""
    if email is None or email.strip().lower() == actor.email:
        return None
    await services.users.get(actor, email)
    return await services.users.by_email(email)


async def _whose(
    actor: CurrentActor,
    services: CurrentServices,
    user: Annotated[
        str | None, Query(max_length=LONGEST_EMAIL, description="Somebody else's e-mail address. For administrators.")
    ] = None,
) -> User | None:
    return await _other(services, actor, user)


Whose = Annotated[User | None, Depends(_whose)]
"""None: the caller's own."""


class Me(BaseModel):
    """The caller."""

    id: str
    email: str
    admin: bool
    scope: Scope  # of the token; a session may do all
    limits: LimitsView


class StoreLimit(BaseModel):
    """How many stores somebody may have; null: as many as the settings say."""

    model_config = STRICT

    stores: int | None = Field(ge=0, le=MOST_STORES)


class UserChange(BaseModel):
    """What is to be another; what is left out stays."""

    model_config = STRICT

    admin: bool | None = None
    disabled: bool | None = None


class Invited(BaseModel):
    """Whom to invite."""

    model_config = STRICT

    email: str = Field(max_length=LONGEST_EMAIL, examples=["ann@example.com"])
    admin: bool = False


class TokenWish(BaseModel):
    """What token to make."""

    model_config = STRICT

    name: str = Field(description="To tell it from others.", examples=["ci"])
    scope: Scope = Field(
        strict=False,
        description="`read`: look; `write`: act on your stores as well; `admin`: what administrators may, too.",
    )
    days: int | None = Field(ge=1, le=MOST_DAYS, description="Until it expires; null: never.")
    user: str | None = Field(
        default=None, max_length=LONGEST_EMAIL, description="For somebody else: their address. For administrators."
    )


class Sessions(BaseModel):
    items: list[SessionView]


class Tokens(BaseModel):
    items: list[TokenView]


class Invitations(BaseModel):
    items: list[InvitationView]


class Ended(BaseModel):
    """How many sessions have ended."""

    ended: int


@router.get("/me", responses=refusals())
async def me(actor: CurrentActor, services: CurrentServices) -> Me:
    """The user whose token or session this is, and how many more stores they may ask for."""
    standing = await services.stores.standing(actor)
    return Me(id=actor.user_id, email=actor.email, admin=actor.admin, scope=actor.scope, limits=standing.view())


@router.get("/users", responses=refusals(403, 422))
async def users(
    actor: CurrentActor,
    services: CurrentServices,
    q: Annotated[str, Query(max_length=100, description="A part of the address.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=LONGEST_EMAIL, description="The `next` of the page before.")] = None,
) -> UserPage:
    """Who has an account. For administrators."""
    return await services.users.list(actor, q=q, limit=limit, cursor=cursor)


@router.patch("/users/{email}", responses=refusals(400, 403, 404, 409, 413, 422))
async def change_user(email: Email, change: UserChange, actor: CurrentActor, services: CurrentServices) -> UserView:
    """Change what somebody may do, or keep them out. For administrators; one of them always stays."""
    if change.admin is not None:
        await services.users.set_admin(actor, email, change.admin)
    if change.disabled is not None:
        await services.users.set_disabled(actor, email, change.disabled)
    return await services.users.get(actor, email)


@router.put("/users/{email}/limit", responses=refusals(400, 403, 404, 413, 422))
async def limit(email: Email, limit: StoreLimit, actor: CurrentActor, services: CurrentServices) -> StoreLimit:
    """Let somebody have another number of stores than the settings say. For administrators."""
    user = await services.users.limit(actor, email, limit.stores)
    return StoreLimit(stores=user.store_limit)


@router.post("/users/{email}/password-link", status_code=201, responses=refusals(403, 404, 409, 422))
async def password_link(
    email: Email, request: Request, actor: CurrentActor, services: CurrentServices
) -> NewPasswordLink:
    """Make a link by which somebody who forgot their password chooses another; it ends the one before. For
    administrators.

    It works once and for a day, and is shown only now.
    """
    return await services.password_links.create(actor, email, base=_base(services, request))


@router.get("/invitations", responses=refusals(403))
async def invitations(actor: CurrentActor, services: CurrentServices) -> Invitations:
    """Who is invited and has no account yet. For administrators."""
    return Invitations(items=await services.invitations.list(actor))


@router.post("/invitations", status_code=201, responses=refusals(400, 403, 409, 413, 422))
async def invite(invited: Invited, request: Request, actor: CurrentActor, services: CurrentServices) -> NewInvitation:
    """Invite somebody; one who is invited already gets a new link, and the old one ends. For administrators.

    The link is for this address only, works once and for three days, and is shown only now.
    """
    base = _base(services, request)
    return await services.invitations.create(actor, invited.email, admin=invited.admin, base=base)


@router.delete("/invitations/{id}", status_code=204, responses=refusals(403, 404))
async def revoke_invitation(id: Id, actor: CurrentActor, services: CurrentServices) -> None:
    """Take an invitation back. For administrators."""
    await services.invitations.revoke(actor, id)


@router.get("/sessions", responses=refusals(403, 404, 422))
async def sessions(actor: CurrentActor, services: CurrentServices, user: Whose) -> Sessions:
    """Browsers that are signed in, the last seen first."""
    return Sessions(items=await services.sessions.list(actor, user))


@router.delete("/sessions", responses=refusals(403, 404, 422))
async def sign_out_everywhere(actor: CurrentActor, services: CurrentServices, user: Whose) -> Ended:
    """End all sessions."""
    return Ended(ended=await services.sessions.end_all(actor, user))


@router.delete("/sessions/{id}", status_code=204, responses=refusals(403, 404))
async def end_session(id: Id, actor: CurrentActor, services: CurrentServices) -> None:
    """End one session; its open pages end at once."""
    await services.sessions.end(actor, id)


@router.get("/tokens", responses=refusals(403, 404, 422))
async def tokens(actor: CurrentActor, services: CurrentServices, user: Whose) -> Tokens:
    """API tokens, the newest first, without what proves them."""
    return Tokens(items=await services.tokens.list(actor, user))


@router.post("/tokens", status_code=201, responses=refusals(400, 403, 404, 409, 413, 422))
async def make_token(wish: TokenWish, actor: CurrentActor, services: CurrentServices) -> NewToken:
    """Make a token. What proves it is shown only now.

    One that a token makes may do no more and live no longer than that one, and ends with it.
    """
    user = await _other(services, actor, wish.user) or await services.users.by_email(actor.email)
    if user is None:
        raise Problem(404, "There is no account with this e-mail address.")
    expires_at = now() + timedelta(days=wish.days) if wish.days else None
    return await services.tokens.create(actor, user, wish.name, expires_at, wish.scope)


@router.delete("/tokens/{id}", status_code=204, responses=refusals(403, 404))
async def revoke_token(id: Id, actor: CurrentActor, services: CurrentServices) -> None:
    """Revoke a token, and those that it made."""
    await services.tokens.revoke(actor, id)


def _base(services: Services, request: Request) -> str:
    """Our own address, for links."""
    return services.settings.url or str(request.base_url)
