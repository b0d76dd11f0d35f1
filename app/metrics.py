"""`/metrics`: what the engine counts, what the API answered, and how it stands now, for Prometheus.

It tells neither stores' nor people's names, but how many there are and how it goes: for administrators, and for
whoever sends STOREFLEET_METRICS_TOKEN, which opens nothing else.  The rule for names is in `provisioning.measures`.
"""

import hmac
import time

from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from sqlmodel import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.actor import Actor
from app.problems import Problem
from app.services import Services
from provisioning.measures import REGISTRY
from provisioning.models import Store
from provisioning.states import State

ProcessCollector(registry=REGISTRY)

API_REQUESTS = Counter(
    "storefleet_api_requests_total",
    "Answers of the REST API, by route below /api/v1, method and status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
API_REQUEST_SECONDS = Histogram(
    "storefleet_api_request_seconds",
    "How long they took; streams last as long as they are read.",
    ["route"],
    registry=REGISTRY,
)
STORES = Gauge("storefleet_stores", "Stores in each state.", ["state"], registry=REGISTRY)
QUEUE_LENGTH = Gauge("storefleet_queue_length", "Stores that wait for a place.", registry=REGISTRY)
WORKING = Gauge("storefleet_working_stores", "Stores that are being provisioned.", registry=REGISTRY)
PLACES = Gauge("storefleet_places", "How many may be provisioned at the same time.", registry=REGISTRY)
CACHE_AGE = Gauge(
    "storefleet_cache_age_seconds", "Since the quietest watch of the cluster was heard.", registry=REGISTRY
)
CLUSTER_CONNECTED = Gauge("storefleet_cluster_connected", "1: the cluster is there.", registry=REGISTRY)
LEADING = Gauge("storefleet_leading", "1: this process runs the engine.", registry=REGISTRY)


def admit(services: Services, actor: Actor | None, authorization: str | None) -> None:
    """Problems: 401 nobody and no token, 403 somebody who is no administrator."""
    token = services.settings.metrics_token.get_secret_value()
    if token and hmac.compare_digest((authorization or "").encode(), f"Bearer {token}".encode()):
        return
    if actor is None:
        sentence = "Send STOREFLEET_METRICS_TOKEN or an administrator's API token: “Authorization: Bearer …”."
        raise Problem(401, sentence, headers={"WWW-Authenticate": "Bearer"})
    if not actor.admin:
        raise Problem(403, "This is for administrators.")


async def exposition(services: Services) -> bytes:
    """All of it as it is now, in Prometheus' text format."""
    async with services.database.session() as session:
        found = dict((await session.exec(select(Store.state, func.count()).group_by(Store.state))).all())
    for state in State:
        STORES.labels(state.value).set(found.get(state, 0))
    status = services.status()
    QUEUE_LENGTH.set(found.get(State.REQUESTED, 0))
    WORKING.set(found.get(State.PROVISIONING, 0))
    PLACES.set(services.settings.at_once)
    CACHE_AGE.set(status.cache_age if status.cluster == "connected" else float("nan"))
    CLUSTER_CONNECTED.set(status.cluster == "connected")
    LEADING.set(bool(services.leader and services.leader.leading))
    return generate_latest(REGISTRY)


class Measured:
    """The layer around the REST API that counts its answers; a route is told by its pattern, so there are few."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 500, time.monotonic()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            API_REQUESTS.labels(route, method, str(status)).inc()
            API_REQUEST_SECONDS.labels(route).observe(time.monotonic() - begun)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Whoever asks can write anything there, and each other word would be a counter more."""
