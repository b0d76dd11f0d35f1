"""The platform over HTTP, for administrators; what may be done is decided in `app.platform`."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.access import CurrentActor, CurrentServices, refusals
from app.platform import Now, Orphans, OrphanView

router = APIRouter(prefix="/platform", tags=["platform"])


@router.get("", responses=refusals(403))
async def now(actor: CurrentActor, services: CurrentServices) -> Now:
    """What is at work, what waits, which process leads, and what the cluster has left."""
    return await services.platform.now(actor)


@router.get("/orphans", responses=refusals(403, 503))
async def orphans(actor: CurrentActor, services: CurrentServices) -> Orphans:
    """Objects in the cluster whose store is not known any more, and stores whose objects are gone."""
    return await services.platform.orphans(actor)


@router.delete("/orphans/{id}", status_code=202, responses=refusals(403, 404, 409, 503))
async def clean(
    id: Annotated[str, Path(max_length=64, description="The orphan's `id`.")],
    actor: CurrentActor,
    services: CurrentServices,
) -> OrphanView:
    """Remove an orphan, with all that is in it. It is gone when the list names it no more."""
    return await services.platform.clean(actor, id)
