"""Writes down what happened: a store's changes of state and the lines of its timeline, each told to who listens.

A line has a key, and the database keeps one line for each, so that telling it again does no harm; what was told is
remembered here only to save the asking.
"""

import logging
from collections.abc import Mapping
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import destruction, measures
from provisioning.changes import Change, Changes
from provisioning.database import Database, add_events
from provisioning.models import Event, Store
from provisioning.states import State

log = logging.getLogger(__name__)


class Recorder:
    """The engine's writes to the database."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database, self._changes = database, changes
        self._told: dict[str, set[str]] = {}  # by store: keys that its timeline has

    def is_told(self, store: Store, key: str) -> bool:
        """Whether the timeline is known to have a line; False may also mean that nobody looked yet."""
        return key in self._told.get(store.id, ())

    async def tell(self, session: AsyncSession, store: Store, *events: Event) -> None:
        """Add to the timeline what it does not have yet, and commit."""
        told = self._told.setdefault(store.id, set())
        new = [event for event in events if event.key not in told]
        if not new:
            return
        async with self._database.writing():
            added = await add_events(session, new)
            await session.commit()
        told.update(event.key for event in new)
        if added:
            self._changes.publish(Change(store.id, store.name, event_id=added[-1]))

    async def has_other(self, session: AsyncSession, store: Store, kind: str, key: str) -> bool:
        """Whether the timeline has a line of this kind that speaks of another object than the one with `key`."""
        query = select(Event.id).where(col(Event.store_id) == store.id, col(Event.kind) == kind, col(Event.key) != key)
        return (await session.exec(query.limit(1))).first() is not None

    async def transition(self, session: AsyncSession, store: Store, after: State, cause: str, **more: Any) -> None:
        """Change the state, as `Database.transition` does, and commit.  Raises Moved."""
        before, since, again = store.state, store.state_at, store.ready_at is not None
        async with self._database.writing():
            await self._database.transition(session, store, after, cause, **more)
            await session.commit()
        if after is State.FAILED:
            measures.FAILURES.labels((store.reason or {}).get("code", "unknown")).inc()
        elif before is State.PROVISIONING and after is State.READY and not again:
            measures.PROVISIONING_SECONDS.observe((store.state_at - since).total_seconds())
        log.info("store %s is %s: %s", store.name, after, cause, extra={"store": store.id})
        self.publish(store)

    async def set_release(self, session: AsyncSession, store: Store, columns: Mapping[str, Any]) -> None:
        """How the store's releases stand, where that is another way than before.  Raises Moved."""
        changed = {name: value for name, value in columns.items() if getattr(store, name) != value}
        if changed:
            async with self._database.writing():
                await self._database.set_release(session, store, **changed)
                await session.commit()
            if changed.keys() - {"proven", "pinned"}:  # which nobody is shown
                self.publish(store)

    async def remove(self, session: AsyncSession, store: Store, absent: list[str]) -> None:
        """The row and all that hangs on it go, a receipt stays, and this commits.  Raises Moved."""
        async with self._database.writing():
            await self._database.remove(session, store)
            await destruction.leave_receipt(session, store, absent)
            await session.commit()
        self._told.pop(store.id, None)
        log.info("store %s is gone", store.name, extra={"store": store.id})
        self._changes.publish(Change(store.id, store.name, gone=True))

    def publish(self, store: Store) -> None:
        """Something about the store is to be seen anew."""
        self._changes.publish(Change(store.id, store.name))
