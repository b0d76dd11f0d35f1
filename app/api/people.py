"""Who the API takes the caller for."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.access import CurrentActor, refusals

router = APIRouter(tags=["people"])


class Me(BaseModel):
    """The caller."""

    id: str
    email: str
    admin: bool


@router.get("/me", responses=refusals())
async def me(actor: CurrentActor) -> Me:
    """The user whose token or session this is."""
    return Me(id=actor.user_id, email=actor.email, admin=actor.admin)
