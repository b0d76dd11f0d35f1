"""What people may ask of the engine: a store, its deletion (and that undone), another try, another release.

A wish is a row; the engine finds it by itself.  Who may wish what is decided above; here is only what is possible.
Every function works in the caller's transaction, and the caller commits.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import notices
from provisioning.database import Database, Exclusive, add_events, add_store, one_at_a_time
from provisioning.models import Event, Level, Store, StoreSecret, now
from provisioning.rotation import Part, renewed
from provisioning.secrets import Sealer
from provisioning.states import IN_FLIGHT, IllegalTransition, State


class NameTaken(Exception):
    """Another store has the name.  `deleting`: its name will be free in a moment; `until`: not before that time."""

    def __init__(self, name: str, deleting: bool, until: datetime | None = None) -> None:
        super().__init__(
            f"the store {name} is still being deleted" if deleting else f"there is a store called {name} already"
        )
        self.deleting, self.until = deleting, until


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
        if held is None:
            raise NameTaken(name, deleting=False) from None
        raise NameTaken(name, held.state is State.DELETING, until=undo_until(held)) from None
    session.add(StoreSecret(store_id=store.id, sealed=sealed))
    return store


class TooLate(Exception):
    """A deletion cannot be undone any more, or there is none."""


def undo_until(store: Store) -> datetime | None:
    """Until when the deletion of `store` can be undone; None when it cannot."""
    waits = store.state is State.DELETING and store.destroying_at is None
    return store.destroy_at if waits and store.destroy_at and store.destroy_at > now() else None


async def request_deletion(
    database: Database, session: AsyncSession, store: Store, by: str, undo: timedelta = timedelta()
) -> None:
    """From any state towards absence; for as long as `undo` it is only stopped.  Raises Moved.

    Where it is on the way already nothing happens, but that an `undo` of zero ends the time that it was given.
    """
    if store.state is not State.DELETING:
        event = _wished(store, "store.deleting", "Deletion requested", by)
        cause = f"deletion requested by {by}"
        until = now() + undo if undo else None  # at once is no date, which a clock that is set could move
        await database.transition(session, store, State.DELETING, cause, event=event, destroy_at=until)
    elif not undo and undo_until(store):
        event = _wished(store, "store.deleting_now", "Immediate deletion requested", by)
        await database.destroy_now(session, store, event)


async def request_undeletion(database: Database, session: AsyncSession, store: Store, by: str) -> None:
    """A store that was deleted and only stopped, into the queue again; its data is as it was.

    Raises Moved or TooLate.
    """
    if undo_until(store) is None:
        raise TooLate(store.name)
    event = _wished(store, "undelete.requested", "Deletion undone", by)
    await database.transition(session, store, State.REQUESTED, f"deletion undone by {by}", event=event, destroy_at=None)


async def request_retry(database: Database, session: AsyncSession, store: Store, by: str) -> None:
    """A FAILED store into the queue again; it goes on from what is there.  Raises Moved or IllegalTransition."""
    if store.state is not State.FAILED:
        raise IllegalTransition(store.state, State.REQUESTED)
    event = _wished(store, "retry.requested", "Retry requested", by)
    await database.transition(session, store, State.REQUESTED, f"retry requested by {by}", event=event)


CHANGEABLE = (State.READY, State.FAILED)
"""The states from which a store can be given another release."""


class NothingNewer(Exception):
    """The store wants what the platform's chart makes already."""


async def request_upgrade(
    database: Database, session: AsyncSession, store: Store, by: str, *, sealer: Sealer | None = None
) -> None:
    """What the platform's chart makes, through the queue.  With a `sealer`, the database's password is replaced once
    the store is READY again, unless its secrets are being replaced already.

    Raises Moved, IllegalTransition, NothingNewer or SealBroken.
    """
    if store.state not in CHANGEABLE:
        raise IllegalTransition(store.state, State.REQUESTED)
    if store.upgrade_to is None:
        raise NothingNewer(store.name)
    other = "" if store.upgrade_to == store.version else f": {store.version} → {store.upgrade_to}"
    event = _wished(store, "upgrade.requested", "Upgrade requested", by, other)
    cause = f"upgrade requested by {by}"
    await database.transition(session, store, State.REQUESTED, cause, event=event, pinned=None, upgrade_to=None)
    if sealer is not None and await _renew(session, store, {Part.DATABASE}, sealer):
        said = "New database password requested, with the upgrade,"
        await add_events(session, [_wished(store, "secrets.requested", said, by)])


class NoRevision(Exception):
    """The store has no such earlier release.  `there`: the revisions that there are."""

    def __init__(self, name: str, there: Collection[int]) -> None:
        super().__init__(name)
        self.there = there


async def request_rollback(
    database: Database, session: AsyncSession, store: Store, by: str, *, revision: int | None = None
) -> None:
    """The release that `revision` was (None: the one before), through the queue.  The database's data stay as they are.

    Raises Moved, IllegalTransition or NoRevision.
    """
    if store.state not in CHANGEABLE:
        raise IllegalTransition(store.state, State.REQUESTED)
    there = store.earlier or []
    chosen = next((each for each in there if revision in (None, each["revision"])), None)
    if chosen is None:
        raise NoRevision(store.name, [each["revision"] for each in there])
    to = f": to revision {chosen['revision']}" + (f", {chosen['version']}" if chosen["version"] else "")
    event = _wished(store, "rollback.requested", "Rollback requested", by, to)
    cause = f"rollback requested by {by}"
    await database.transition(session, store, State.REQUESTED, cause, event=event, pinned=chosen["spec"])


class RotationUnderWay(Exception):
    """The store's secrets are being replaced already."""


async def request_rotation(
    database: Database, session: AsyncSession, store: Store, by: str, *, parts: Collection[Part], sealer: Sealer
) -> None:
    """New secrets for a READY store, beside those in force.

    Raises SealBroken, IllegalTransition, or RotationUnderWay.
    """
    if store.state is not State.READY:
        raise IllegalTransition(store.state, State.READY)
    if not await _renew(session, store, parts, sealer):
        raise RotationUnderWay(store.name)
    await add_events(session, [_wished(store, "secrets.requested", "New secrets requested", by)])
    await notices.tell(session, store.id)


async def _renew(session: AsyncSession, store: Store, parts: Collection[Part], sealer: Sealer) -> bool:
    """New secrets beside those in force; False where that is under way.  Raises SealBroken."""
    row = await session.get_one(StoreSecret, store.id, populate_existing=True)
    new = renewed(sealer.unseal(row.sealed), parts, row.generation + 1)
    quiet = (col(StoreSecret.next).is_(None), col(StoreSecret.former_login).is_(None))
    as_read = (col(StoreSecret.store_id) == store.id, col(StoreSecret.generation) == row.generation)
    changed = await session.exec(update(StoreSecret).where(*as_read, *quiet).values(next=sealer.seal(new)))
    return changed.rowcount == 1


def _wished(store: Store, kind: str, message: str, by: str, more: str = "") -> Event:
    at = now()
    return Event(
        store_id=store.id,
        key=f"{kind}:{at.isoformat()}",
        at=at,
        kind=kind,
        message=f"{message} by {by}{more}",
        level=Level.INFO,
    )
