"""Stores and their timelines over HTTP: shapes and status codes; what may be done is decided in `app.stores`."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.api.access import CurrentActor, CurrentServices, StoreName, refusals
from app.api.stream import follow
from app.listing import Sort
from app.store_views import AcceptedToWait, EventView, StorePage, StoreView
from provisioning import names
from provisioning.health import Health
from provisioning.rotation import Part
from provisioning.states import State
from provisioning.templates import TEMPLATES, Options


class NewStore(BaseModel):
    """What to ask for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The rules are told here and kept by the service, whose sentences say more.
    name: str = Field(
        description="A DNS label: letters a to z, digits and dashes.",
        examples=["bikeshop"],
        json_schema_extra={"pattern": f"^{names.PATTERN.pattern}$", "maxLength": names.LONGEST},
    )
    template: str = Field(default="medusa", json_schema_extra={"enum": list(TEMPLATES)})
    plan: str = Field(default="small", description="The operator may have added to small, medium, large.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="What the template leaves open: `title`, `currency`, `sample_products`.",
        json_schema_extra=Options.model_json_schema(),
    )


class Rotation(BaseModel):
    """Which secrets to replace."""

    model_config = ConfigDict(extra="forbid")

    secrets: list[Part] = Field(
        default_factory=lambda: list(Part),
        min_length=1,
        max_length=10,
        description="`database`: its password. `sessions`: what signs sign-ins of customers and administrators, all of "
        "whom then sign in again. `admin`: the shop administrator's password.",
    )


class Rollback(BaseModel):
    """Where to go back to."""

    model_config = ConfigDict(extra="forbid")

    revision: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="Helm's number of an earlier revision; without it, the one that the store's `rollback` names.",
    )


class Timeline(BaseModel):
    """A store's events, in the order in which they happened."""

    items: list[EventView]


router = APIRouter(prefix="/stores", tags=["stores"])


@router.post("", status_code=202, responses=refusals(400, 403, 409, 413, 422, 429, 503))
async def create(
    new: NewStore, request: Request, response: Response, actor: CurrentActor, services: CurrentServices
) -> StoreView | AcceptedToWait:
    """Ask for a store. It comes up by itself; follow it at `Location`."""
    store = await services.stores.create(actor, new.name, new.template, new.plan, new.options)
    response.headers["Location"] = f"{request.url.path}/{store.name}"
    return store


@router.get("", name="list", responses=refusals(422))
async def list_(
    actor: CurrentActor,
    services: CurrentServices,
    state: State | None = None,
    owner: Annotated[str | None, Query(max_length=254, description="An e-mail address.")] = None,
    q: Annotated[str | None, Query(max_length=100, description="A part of the name.")] = None,
    health: Annotated[Health | None, Query(description="Of READY stores.")] = None,
    sort: Annotated[Sort, Query(description="A dash turns the order round.")] = Sort.NEWEST,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=600, description="The `next` of the page before.")] = None,
) -> StorePage:
    """Your stores (an administrator: all), newest first unless `sort` says otherwise."""
    narrowed = {"state": state, "owner": owner, "q": q, "health": health}
    return await services.stores.list(actor, **narrowed, sort=sort, limit=limit, cursor=cursor)


@router.get("/{name}", responses=refusals(404))
async def get(name: StoreName, actor: CurrentActor, services: CurrentServices) -> StoreView:
    """One store."""
    return await services.stores.get(actor, name)


@router.delete("/{name}", status_code=202, responses=refusals(404, 409))
async def delete(
    name: StoreName,
    actor: CurrentActor,
    services: CurrentServices,
    now: Annotated[bool, Query(description="Leave no time to undo it.")] = False,
) -> StoreView:
    """Delete a store and all its data. It is gone when its address answers 404.

    Where `destroy_at` is not null, it is only stopped until then, and can be taken back.
    """
    return await services.stores.delete(actor, name, at_once=now)


@router.post("/{name}/undelete", status_code=202, responses=refusals(404, 409))
async def undelete(name: StoreName, actor: CurrentActor, services: CurrentServices) -> StoreView:
    """Take back a deleted store, before its `destroy_at`."""
    return await services.stores.undelete(actor, name)


@router.post("/{name}/retry", status_code=202, responses=refusals(404, 409))
async def retry(name: StoreName, actor: CurrentActor, services: CurrentServices) -> StoreView:
    """Let a FAILED store have another try; it goes on from what is there."""
    return await services.stores.retry(actor, name)


@router.post("/{name}/upgrade", status_code=202, responses=refusals(404, 409))
async def upgrade(name: StoreName, actor: CurrentActor, services: CurrentServices) -> StoreView:
    """Upgrade a store to what the platform now makes of it (its `upgrade`), the shop serving all the while.

    The password of its database is replaced as well, once the store is READY again.
    """
    return await services.stores.upgrade(actor, name)


@router.post("/{name}/rollback", status_code=202, responses=refusals(400, 404, 409, 413, 422))
async def rollback(
    name: StoreName, actor: CurrentActor, services: CurrentServices, to: Rollback | None = None
) -> StoreView:
    """Roll a store back to an earlier release (its `rollback`), the shop serving all the while. There it stays until it
    is upgraded. Its database is not rolled back: what the newer release changed there stays changed.
    """
    return await services.stores.rollback(actor, name, (to or Rollback()).revision)


@router.post("/{name}/rotate-secrets", status_code=202, responses=refusals(400, 404, 409, 413, 422))
async def rotate_secrets(
    name: StoreName, actor: CurrentActor, services: CurrentServices, rotation: Rotation | None = None
) -> StoreView:
    """Give a READY store new secrets, the shop serving all the while. The event `secrets.rotated` says when it is done.

    Asking again before that changes nothing.
    """
    return await services.stores.rotate(actor, name, (rotation or Rotation()).secrets)


@router.get("/{name}/events", responses=refusals(404))
async def events(name: StoreName, actor: CurrentActor, services: CurrentServices) -> Timeline:
    """What happened to a store so far."""
    return Timeline(items=await services.stores.events(actor, name))


@router.get(
    "/{name}/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **refusals(404)},
)
async def stream(
    name: StoreName,
    request: Request,
    actor: CurrentActor,
    services: CurrentServices,
    last_event_id: Annotated[str | None, Header(max_length=30, description="Go on behind this event.")] = None,
) -> StreamingResponse:
    """What happens to a store, as Server-Sent Events, from the beginning or from behind `Last-Event-ID`.

    Each carries an event's JSON; the last one, of type `gone`, says that the store was deleted.
    """
    after = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else 0
    store = await services.stores.get(actor, name)
    return StreamingResponse(
        follow(services, request, actor, store, min(after, 2**31 - 1)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
