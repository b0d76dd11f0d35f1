"""Stores, timelines and credentials as people and programs see them, and how they are made of what is kept.

What is no row's (health, the place in the queue) is asked for at each look.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import waiting
from app.models import User
from provisioning import wishes
from provisioning.health import Condition, Health
from provisioning.models import Event, Level, Store
from provisioning.states import IN_FLIGHT, State


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


_VIEWED = StoreView.model_fields.keys() & Store.model_fields.keys() - {"reason", "destroy_at"}


async def views_of(
    session: AsyncSession, stores: Sequence[Store], condition: Callable[[Store], Condition], at_once: int
) -> list[StoreView]:
    """The stores of these rows, in their order.  `at_once`: how many are set up at the same time."""
    owners = await _emails(session, {store.owner_id for store in stores})
    waits = await waiting.look(session, at_once) if _any_in_flight(stores) else waiting.Waits()
    conditions = {store.id: condition(store) for store in stores}
    return [
        StoreView.model_construct(  # a table's rows need no second validation
            **{field: getattr(store, field) for field in _VIEWED},
            destroy_at=_destroy_at(store),
            owner=owners.get(store.owner_id, ""),
            reason=_reason(store, conditions[store.id]),
            health=conditions[store.id].health,
            queue_position=waits.position(store),
            eta_seconds=waits.seconds(store),
            **_other_releases(store),
        )
        for store in stores
    ]


def event_view(event: Event) -> EventView:
    """The line of a timeline."""
    return EventView.model_construct(**{field: getattr(event, field) for field in EventView.model_fields})


def _destroy_at(store: Store) -> datetime | None:
    """Of a store that `listing.SHOWN` leaves out."""
    at = store.destroy_at if store.state is State.DELETING else None
    return at if at and at > store.state_at else None


def _reason(store: Store, condition: Condition) -> ReasonView | None:
    """Why it failed, which is kept, or what is the matter just now."""
    if store.reason is not None:
        return ReasonView.model_validate(store.reason)
    return ReasonView.model_validate(condition.reason.as_dict()) if condition.reason else None


def _other_releases(store: Store) -> dict[str, Any]:
    """What it can be upgraded to and rolled back to, in a state in which that can be asked for."""
    changeable = store.state in wishes.CHANGEABLE
    to, earlier = store.upgrade_to, store.earlier
    return {
        "upgrade": UpgradeView(version=to) if changeable and to is not None else None,
        "rollback": RollbackView.model_validate(earlier[0]) if changeable and earlier else None,
    }


def _any_in_flight(stores: Sequence[Store]) -> bool:
    return any(store.state in IN_FLIGHT for store in stores)


async def _emails(session: AsyncSession, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    return dict((await session.exec(select(User.id, User.email).where(col(User.id).in_(ids)))).all())
