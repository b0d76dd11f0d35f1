"""The audit trail over HTTP, for administrators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from app.api.access import CurrentActor, CurrentServices, refusals
from app.audit import AuditFilter, AuditPage, Chain
from provisioning.models import Outcome, now

router = APIRouter(tags=["audit"])

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


def _filter(
    store: Annotated[str | None, Query(max_length=63, description="A store's name, also of one that is gone.")] = None,
    action: Annotated[str | None, Query(max_length=40, description="Such as `store.delete`.")] = None,
    user: Annotated[str | None, Query(max_length=254, description="An e-mail address.")] = None,
    outcome: Annotated[Outcome | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=254, description="How a store's name or an address begins.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="With its time zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="With its time zone; before it.")] = None,
) -> AuditFilter:
    return AuditFilter(store=store, action=action, user=user, outcome=outcome, q=q, since=since, until=until)


Wanted = Annotated[AuditFilter, Depends(_filter)]


@router.get("/audit", responses=refusals(403, 422))
async def audit(
    actor: CurrentActor,
    services: CurrentServices,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20, description="The `next` of the page before.")] = None,
) -> AuditPage:
    """Who did what, newest first. For administrators."""
    return await services.audit.list(actor, wanted, limit=limit, cursor=cursor)


@router.get("/audit/export", response_class=StreamingResponse, responses=refusals(403, 422))
async def export(
    actor: CurrentActor,
    services: CurrentServices,
    wanted: Wanted,
    form: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "jsonl",
) -> StreamingResponse:
    """All entries that fit, oldest first: a table, or JSON, a line each."""
    lines = await services.audit.export(actor, wanted, form)
    name = f"storefleet-audit-{now():%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type=MEDIA_TYPES[form], headers=headers)


@router.get("/audit/chain", responses=refusals(403))
async def chain(actor: CurrentActor, services: CurrentServices) -> Chain:
    """The end of the chain of hashes, and what the last walk along it found."""
    return await services.audit.chain(actor)


@router.post("/audit/verify", responses=refusals(403))
async def verify(actor: CurrentActor, services: CurrentServices) -> Chain:
    """Walk along the chain: is any entry changed or missing?"""
    return await services.audit.verify(actor)
