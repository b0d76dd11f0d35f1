"""Who the API takes the caller for, and what administrators give to people."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from app.api.access import CurrentActor, CurrentServices, refusals
from app.limits import LimitsView

router = APIRouter(tags=["people"])

MOST_STORES = 10_000


class Me(BaseModel):
    """The caller."""

    id: str
    email: str
    admin: bool
    limits: LimitsView


class StoreLimit(BaseModel):
    """How many stores somebody may have; null: as many as the settings say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    stores: int | None = Field(ge=0, le=MOST_STORES)


@router.get("/me", responses=refusals())
async def me(actor: CurrentActor, services: CurrentServices) -> Me:
    """The user whose token or session this is, and how many more stores they may ask for."""
    standing = await services.stores.standing(actor)
    return Me(id=actor.user_id, email=actor.email, admin=actor.admin, limits=standing.view())


@router.put("/users/{email}/limit", responses=refusals(400, 403, 404, 413, 422))
async def limit(
    email: Annotated[str, Path(description="The user's e-mail address.", max_length=254)],
    limit: StoreLimit,
    actor: CurrentActor,
    services: CurrentServices,
) -> StoreLimit:
    """Let somebody have another number of stores than the settings say. For administrators."""
    user = await services.users.limit(actor, email, limit.stores)
    return StoreLimit(stores=user.store_limit)
