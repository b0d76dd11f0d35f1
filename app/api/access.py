"""Who asks, and what they ask it of: the arguments that routes share."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from app.actor import Actor
from app.problems import Problem
from app.services import Services, services_of
from app.sign_in import actor_of

_documented = HTTPBearer(auto_error=False, description="An API token: `storefleet token create --user EMAIL`.")


def _services(request: Request) -> Services:
    return services_of(request.app)


async def _actor(request: Request, _: Annotated[object, Depends(_documented)]) -> Actor:
    actor = await actor_of(request)
    if actor is None:
        wrong = "authorization" in request.headers
        sentence = "The API token is not valid." if wrong else "Send an API token: “Authorization: Bearer sf_…”."
        challenge = 'Bearer error="invalid_token"' if wrong else "Bearer"
        raise Problem(401, sentence, headers={"WWW-Authenticate": challenge})
    return actor


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: a route may answer problems of these kinds, and 401."""
    content = {"application/problem+json": {"schema": ProblemDocument.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in (401, *statuses)}


CurrentServices = Annotated[Services, Depends(_services)]
CurrentActor = Annotated[Actor, Depends(_actor)]
StoreName = Annotated[str, Path(description="The store's name.")]
