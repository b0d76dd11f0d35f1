"""The audit trail over HTTP, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from app.api.access import CurrentActor, CurrentServices, refusals
from app.audit import AuditPage

router = APIRouter(tags=["audit"])


@router.get("/audit", responses=refusals(403, 422))
async def audit(
    actor: CurrentActor,
    services: CurrentServices,
    store: Annotated[str | None, Query(max_length=63, description="A store's name, also of one that is gone.")] = None,
    action: Annotated[str | None, Query(max_length=40, description="Such as `store.delete`.")] = None,
    user: Annotated[str | None, Query(max_length=254, description="An e-mail address.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="With its time zone.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20, description="The `next` of the page before.")] = None,
) -> AuditPage:
    """Who did what, newest first. For administrators."""
    return await services.audit.list(
        actor, store=store, action=action, user=user, since=since, limit=limit, cursor=cursor
    )
