"""Who asks, and what they ask it of: the arguments that routes share."""

from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPBearer

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


CurrentServices = Annotated[Services, Depends(_services)]
CurrentActor = Annotated[Actor, Depends(_actor)]
StoreName = Annotated[str, Path(description="The store's name.")]
