"""The database: sessions, and the few writes that must be right.

SQLite in WAL mode for one process, PostgreSQL for several.  A change of state is one transaction: a conditional UPDATE
that names the state it leaves (it fails if somebody else moved the store, which makes it the fence between replicas),
its `transition` row, and its line in the timeline.
"""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import states
from provisioning.models import Event, Installation, Level, Store, Transition, now
from provisioning.states import State


class Moved(Exception):
    """The store is no longer in the state that the change wanted to leave: somebody else was quicker, or it is gone."""


class Database:
    """One engine for the process.  Tables come from the migrations, never from here."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.engine: AsyncEngine = create_async_engine(self.url, pool_pre_ping=True, hide_parameters=True)
        if self.is_sqlite:
            sqlalchemy_event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session to read with, or to write with by its own `commit`."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()

    async def installation(self) -> str:
        """The id of this database, made at the first call."""
        async with self.session() as session:
            found = (await session.exec(select(Installation))).first()
            if found is None:
                found = Installation(id=uuid.uuid4().hex)
                session.add(found)
                await session.commit()
            return found.id

    async def transition(
        self,
        session: AsyncSession,
        store: Store,
        after: State,
        cause: str,
        *,
        reason: dict[str, Any] | None = None,
        event: Event | None = None,
        **columns: Any,
    ) -> None:
        """Move `store` from the state it was read in to `after`, within the session's transaction (the caller commits).

        `columns` are set along with the state.  Raises IllegalTransition, or Moved when the row no longer stands in
        the state it was read in.  On success `store` itself shows the new values.
        """
        before = store.state
        states.check(before, after)
        at = now()
        values = {"state": after, "state_at": at, "reason": reason, **columns}
        moved = await session.exec(
            update(Store).where(col(Store.id) == store.id, col(Store.state) == before).values(**values)
        )
        if moved.rowcount != 1:
            raise Moved(f"store {store.name} is no longer {before}")
        session.add(Transition(store_id=store.id, at=at, before=before, after=after, cause=cause))
        if event is not None:
            await add_events(session, [event])
        await session.refresh(store)

    async def remove(self, session: AsyncSession, store: Store) -> None:
        """Delete the row of a DELETING store and all that hangs on it (the caller commits).  Raises Moved."""
        removed = await session.exec(delete(Store).where(col(Store.id) == store.id, col(Store.state) == State.DELETING))
        if removed.rowcount != 1:
            raise Moved(f"store {store.name} is no longer DELETING")


async def add_store(session: AsyncSession, store: Store, cause: str) -> None:
    """Add a new row in REQUESTED with its first transition and event (the caller commits).

    Raises sqlalchemy's IntegrityError when the name is taken.
    """
    session.add(store)
    await session.flush()
    session.add(Transition(store_id=store.id, at=store.created_at, before=None, after=store.state, cause=cause))
    requested = Event(
        store_id=store.id,
        key="store.requested",
        at=store.created_at,
        kind="store.requested",
        message="Store requested",
        level=Level.SUCCESS,
    )
    await add_events(session, [requested])


async def add_events(session: AsyncSession, events: Iterable[Event]) -> list[int]:
    """Add those events whose key their store does not have yet; the ids of the added, in order (the caller commits)."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    added: list[int] = []
    for event in events:
        values = event.model_dump(exclude={"id"}) | {"at": event.at.replace(microsecond=0)}
        insert = dialect.insert(Event).values(**values).on_conflict_do_nothing(index_elements=["store_id", "key"])
        row = (await session.exec(insert.returning(col(Event.id)))).first()
        if row is not None:
            added.append(row[0])
    return added


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
