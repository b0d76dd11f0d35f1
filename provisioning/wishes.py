"""What people may ask of the engine: a store, its deletion, another try.

A wish is a row; the engine finds it by itself.  Who may wish what is decided above; here is only what is possible.
Every function works in the caller's transaction, and the caller commits.
"""

import uuid
from typing import Any

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning.database import Database, Exclusive, add_store, one_at_a_time
from provisioning.models import Event, Level, Store, StoreSecret, now
from provisioning.states import IN_FLIGHT, IllegalTransition, State


class NameTaken(Exception):
    """Another store has the name.  `deleting`: its name will be free in a moment."""

    def __init__(self, name: str, deleting: bool) -> None:
        super().__init__(
            f"the store {name} is still being deleted" if deleting else f"there is a store called {name} already"
        )
        self.deleting = deleting


class TooManyInFlight(Exception):
    """As many stores as allowed are requested or being provisioned."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} stores are requested or being provisioned already; try again in a minute")
        self.limit = limit


async def request(
    session: AsyncSession,
    *,
    name: str,
    owner_id: str,
    template: str,
    plan: str,
    options: dict[str, Any],
    url: str,
    version: str,
    sealed: bytes,
    limit_in_flight: int,
) -> Store:
    """A new store in REQUESTED, its secrets sealed beside it.  Everything given must have been validated.

    Raises NameTaken or TooManyInFlight.
    """
    await one_at_a_time(session, Exclusive.REQUEST)  # so that the count and the new row belong together
    in_flight = (await session.exec(select(func.count()).where(col(Store.state).in_(IN_FLIGHT)))).one()
    if in_flight >= limit_in_flight:
        raise TooManyInFlight(limit_in_flight)
    store = Store(
        id=uuid.uuid4().hex,
        name=name,
        owner_id=owner_id,
        template=template,
        plan=plan,
        options=options,
        url=url,
        version=version,
    )
    try:
        await add_store(session, store, "requested")
    except IntegrityError:
        await session.rollback()
        held = (await session.exec(select(Store).where(col(Store.name) == name))).first()
        raise NameTaken(name, deleting=held is not None and held.state is State.DELETING) from None
    session.add(StoreSecret(store_id=store.id, sealed=sealed))
    return store


async def request_deletion(database: Database, session: AsyncSession, store: Store, by: str) -> None:
    """From any state towards absence; nothing happens where it is on the way already.  Raises Moved."""
    if store.state is State.DELETING:
        return
    event = _wished(store, "store.deleting", "Deletion requested", by)
    await database.transition(session, store, State.DELETING, f"deletion requested by {by}", event=event)


async def request_retry(database: Database, session: AsyncSession, store: Store, by: str) -> None:
    """A FAILED store into the queue again; it goes on from what is there.  Raises Moved or IllegalTransition."""
    if store.state is not State.FAILED:
        raise IllegalTransition(store.state, State.REQUESTED)
    event = _wished(store, "retry.requested", "Retry requested", by)
    await database.transition(session, store, State.REQUESTED, f"retry requested by {by}", event=event)


def _wished(store: Store, kind: str, message: str, by: str) -> Event:
    at = now()
    return Event(
        store_id=store.id,
        key=f"{kind}:{at.isoformat()}",
        at=at,
        kind=kind,
        message=f"{message} by {by}",
        level=Level.INFO,
    )
