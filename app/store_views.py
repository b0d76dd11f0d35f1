"""Stores, timelines and credentials as people and programs see them."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from provisioning.health import Health
from provisioning.models import Level
from provisioning.states import State


class ReasonView(BaseModel):
    """Why a store failed, is degraded, or what it waits for."""

    code: str
    message: str
    evidence: list[str] = []
    who: str = ""
    hint: str = ""


class UpgradeView(BaseModel):
    """What a store can be upgraded to.  `version`: of the shop; the store's own where the platform only sets it up in
    another way."""

    version: str


class RollbackView(BaseModel):
    """The release that a rollback goes back to if it names none."""

    revision: int
    version: str


class StoreView(BaseModel):
    """A store as its owner sees it."""

    id: str
    name: str
    owner: str  # e-mail address
    state: State
    reason: ReasonView | None
    url: str
    template: str
    version: str
    revision: int
    created_at: datetime
    ready_at: datetime | None
    plan: str
    health: Health | None  # of a READY store
    queue_position: int | None  # 1 is next; while REQUESTED
    destroy_at: datetime | None  # until then its deletion can be undone; None when there is none, or it never could
    eta_seconds: int | None  # until READY, by what recent stores took (0: it takes longer); while it is on its way
    upgrade: UpgradeView | None  # None: there is nothing newer, or it cannot be asked for now
    rollback: RollbackView | None  # None: there is no earlier release, or it cannot be asked for now


class AcceptedToWait(StoreView):
    """A store that was asked for just now and will not find what it needs at once."""

    note: str  # what it will wait for


class StorePage(BaseModel):
    """Some stores, in the order that was asked for, and where the next ones begin."""

    items: list[StoreView]
    next: str | None


class EventView(BaseModel):
    """A line of a store's timeline.  `message` and `evidence` are untrusted text."""

    id: int
    at: datetime
    kind: str
    message: str
    level: Level
    object: str | None
    evidence: str | None


@dataclass(frozen=True)
class Credentials:
    """How to sign in to a shop's own admin."""

    email: str
    password: str
    admin_url: str
