"""What a supervisor asks: is the process alive, can it do its work, and how does it go?"""

import logging
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.api.access import CurrentServices, refusals
from app.problems import Problem
from app.services import Services
from app.sign_in import actor_of

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; nothing else is looked at, since a restart would not mend it."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Something that is needed is away."}})
async def readyz(services: CurrentServices) -> Response:
    """The database answers, the engine runs, the cluster is there, and it is known which process leads."""
    checks = {"database": await _database(services), "engine": "ok" if services.engine else "starting"}
    status = services.status()
    checks["cluster"] = "ok" if status.cluster == "connected" else status.cluster
    leader = _leader(services)
    checks["leader"] = "ok" if leader else "nobody"
    if all(check == "ok" for check in checks.values()):
        return JSONResponse({"status": "ok", "checks": checks, "leader": leader})
    away = ", ".join(f"{name}: {check}" for name, check in checks.items() if check != "ok")
    return Problem(503, f"Not ready ({away}).", retry_after=5, extra={"checks": checks, "leader": leader}).response()


@router.get("/metrics", responses=refusals(403))
async def read_metrics(request: Request, services: CurrentServices) -> Response:
    """Prometheus' text format. For administrators, and for whoever sends STOREFLEET_METRICS_TOKEN."""
    metrics.admit(services, await actor_of(request), request.headers.get("authorization"))
    return Response(await metrics.exposition(services), media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _leader(services: Services) -> dict[str, Any] | None:
    """Which process runs the engine, since when, and whether it is this one."""
    known = services.leader.known() if services.leader else None
    if known is None or not known.holder:
        return None
    return {"holder": known.holder, "since": known.since and known.since.isoformat(), "here": known.here}


async def _database(services: Services) -> str:
    try:
        async with services.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        log.warning("the database does not answer: %s", error)
        return "away"
    return "ok"
