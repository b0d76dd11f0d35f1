"""What administrators may see and do about the platform itself: the one service behind `/platform`, its page and API.

Every method takes the actor and refuses everybody but administrators, whatever the page or the route has checked.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from app import setting_views
from app.actor import Actor
from app.audit import refusals
from app.problems import Problem
from app.setting_views import SettingView
from app.store_views import StoreView
from provisioning.capacity import Use, how_many
from provisioning.cluster import ClusterError
from provisioning.plans import PLANS
from provisioning.states import State
from provisioning.templates import TEMPLATES

if TYPE_CHECKING:
    from app.services import Services
    from provisioning.orphans import Orphan
    from provisioning.sweep import Sweep

CLUSTER_BACK_IN = 10  # seconds to tell who asks while the cluster is away


LONGEST_LIST = 200  # stores in one state that are shown


class Used(BaseModel):
    """How much of something is taken: cores or bytes."""

    used: float
    total: float


class Capacity(BaseModel):
    """What the nodes that take pods have, and how many more stores of each plan find room (100: at least that many)."""

    cpu: Used
    memory: Used
    storage_free_bytes: float | None  # None: the storage does not tell
    more_stores: dict[str, int]


class LeaderView(BaseModel):
    """Which process runs the engine."""

    holder: str
    since: datetime | None
    here: bool


class Now(BaseModel):
    """What the platform does at this moment."""

    at_once: int  # places
    in_flight: int  # how many stores may be on their way before more are refused
    cluster: str  # "connected", "connecting", "away" or "another" than the one where the stores live
    detail: str
    view_age_seconds: int | None  # how old what the engine knows of the cluster may be; None before it knows it
    leader: LeaderView | None
    working: list[StoreView]
    queue: list[StoreView]  # the next first
    deleting: list[StoreView]
    capacity: Capacity | None  # None: the cluster does not tell


class OrphanView(BaseModel):
    """An object whose store is not known, or (`kind` is "Store") a store of which nothing is there.  Untrusted text."""

    id: str
    kind: str
    name: str
    namespace: str
    store_id: str
    created_at: datetime
    size_bytes: int | None  # of storage, of all that is in it
    contains: int  # further objects that go with it
    deleting: bool
    cleanable: bool  # a store without objects is repaired by itself


class Orphans(BaseModel):
    """What one look through the cluster found."""

    at: datetime
    policy: str
    items: list[OrphanView]


class Platform:
    """The service."""

    def __init__(self, services: "Services") -> None:
        self._services = services
        self.sweep: Sweep | None = None  # once there is a cluster

    async def now(self, actor: Actor) -> Now:
        """What is at work, what waits, who leads, what is left.  Problem 403."""
        require_admin(actor)
        services = self._services
        working, queue, deleting = [
            (await services.stores.list(actor, state=state, limit=LONGEST_LIST)).items
            for state in (State.PROVISIONING, State.REQUESTED, State.DELETING)
        ]
        status = services.status()
        leader = services.leader.known() if services.leader else None
        return Now(
            at_once=services.settings.at_once,
            in_flight=services.settings.in_flight,
            cluster=status.cluster,
            detail=status.detail,
            view_age_seconds=round(status.cache_age) if status.cluster == "connected" else None,
            leader=LeaderView(**vars(leader)) if leader else None,
            working=sorted(working, key=lambda store: store.created_at),
            queue=sorted(queue, key=lambda store: store.queue_position or 0),
            deleting=deleting,
            capacity=await self._capacity(),
        )

    async def _capacity(self) -> Capacity | None:
        reader = self._services.stores.capacity
        room = await reader.room() if reader else None
        if reader is None or room is None:
            return None
        free = (room.storage or {}).get(room.default_class)
        template = next(iter(TEMPLATES))
        return Capacity(
            cpu=_used(room.cpu),
            memory=_used(room.memory),
            storage_free_bytes=sum(free) if free else None,
            more_stores={plan: how_many(room, reader.need(template, plan)) for plan in PLANS},
        )

    async def orphans(self, actor: Actor) -> Orphans:
        """The orphans as they are now.  Problems: 403, 503 the cluster does not answer."""
        sweep = self._sweep(actor)
        try:
            report = await sweep.look()
        except ClusterError as error:
            raise _away() from error
        return Orphans(at=report.at, policy=sweep.policy.value, items=[_view(each) for each in report.orphans])

    async def clean(self, actor: Actor, orphan_id: str) -> OrphanView:
        """Remove an object that is an orphan.  Problems: 403, 404 none (any more), 409 a store's row, 503."""
        async with refusals(self._services.database, actor.who, "orphan.clean"):
            return await self._clean(actor, orphan_id)

    async def _clean(self, actor: Actor, orphan_id: str) -> OrphanView:
        sweep = self._sweep(actor)
        try:
            found = {orphan.id: orphan for orphan in (await sweep.look()).orphans}
            orphan = found.get(orphan_id)
            if orphan is not None and orphan.is_row:
                raise Problem(
                    409, "This store has lost its objects. It is put right by itself; delete it like any store."
                )
            if orphan is None or not await sweep.clean(orphan, actor.who):
                raise Problem(404, "There is no such orphan. It may be gone already.")
        except ClusterError as error:
            raise _away() from error
        return _view(orphan)

    async def settings(self, actor: Actor) -> list[SettingView]:
        """The settings, with where each comes from, and nothing secret.  Problem 403."""
        require_admin(actor)
        return setting_views.views(self._services.settings)

    def _sweep(self, actor: Actor) -> "Sweep":
        require_admin(actor)
        if self.sweep is None:
            raise _away()
        return self.sweep


def require_admin(actor: Actor) -> None:
    """Problem 403 for everybody else."""
    if not actor.admin:
        raise Problem(403, "This is for administrators.")


def _away() -> Problem:
    return Problem(503, "The cluster does not answer. Try again in a moment.", retry_after=CLUSTER_BACK_IN)


def _used(use: Use) -> Used:
    return Used(used=use.used, total=use.total)


def _view(orphan: "Orphan") -> OrphanView:
    return OrphanView(
        id=orphan.id,
        kind=orphan.kind,
        name=orphan.name,
        namespace=orphan.namespace,
        store_id=orphan.store_id,
        created_at=orphan.created,
        size_bytes=orphan.size,
        contains=orphan.contains,
        deleting=orphan.deleting,
        cleanable=not orphan.is_row and not orphan.deleting,
    )
