"""The platform over HTTP, for administrators; what may be done is decided in `app.platform`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.access import CurrentActor, CurrentServices, refusals
from app.platform import Now, Orphans, OrphanView
from app.setting_views import SettingView
from app.statistics import Figures, Span

router = APIRouter(prefix="/platform", tags=["platform"])


@router.get("", responses=refusals(403))
async def now(actor: CurrentActor, services: CurrentServices) -> Now:
    """What is at work, what waits, which process leads, and what the cluster has left."""
    return await services.platform.now(actor)


@router.get("/statistics", responses=refusals(403, 422))
async def statistics(
    actor: CurrentActor,
    services: CurrentServices,
    span: Annotated[Span, Query(alias="range", description="How far back.")] = Span.DAY,
) -> Figures:
    """How many stores, how fast, how often it failed and why, over a time and in steps of it."""
    return await services.statistics.over(actor, span)


@router.get("/settings", responses=refusals(403))
async def settings(actor: CurrentActor, services: CurrentServices) -> list[SettingView]:
    """Each setting with its value and where that comes from; of a secret only whether it is set."""
    return await services.platform.settings(actor)


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
