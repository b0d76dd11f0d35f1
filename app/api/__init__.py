"""The REST API: an application of its own, so that its errors, limits and OpenAPI document are its own as well.

`main.build` routes /api, /healthz, /readyz and /metrics here, paths as they are.
"""

from fastapi import FastAPI

from app.api import audit, errors, health, inside, people, platform, stores
from app.api.access import refusals
from app.metrics import Measured
from app.services import Services

VERSION = "1"
PREFIX = "/api/v1"


def build(services: Services) -> FastAPI:
    """The API on `services`."""
    api = FastAPI(
        title="Storefleet",
        version=VERSION,
        description="Online shops on Kubernetes, one request each. Errors are RFC 9457 problems.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.services = services
    errors.install(api)
    # What any of them may answer: a request that cannot be read, another host's, one of too many, no database.
    anywhere = refusals(400, 413, 421, 422, 429, 503)
    for each in (stores, inside, people, platform, audit):
        api.include_router(each.router, prefix=PREFIX, responses=anywhere)
    api.include_router(health.router)
    api.add_middleware(Measured)
    return api
