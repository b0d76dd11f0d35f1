"""The database: sessions, and the few writes that must be right.

SQLite in WAL mode for one process, PostgreSQL for several.  A change of state is one transaction: a conditional UPDATE
that names the state it leaves and when the store came into it (it fails if somebody else moved the store, also there
and back, which makes it the fence between replicas), its `transition` row, and its line in the timeline.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, func, or_, update
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import notices, states
from provisioning.models import Attempt, Event, Installation, Level, Store, Transition, now
from provisioning.secrets import Sealer
from provisioning.states import State

NOT_DESTROYED = (col(Store.state) == State.DELETING, col(Store.destroying_at).is_(None))
"""The condition of a deletion that has not begun to destroy anything."""


class Moved(Exception):
    """The store is no longer in the state that the change wanted to leave: somebody else was quicker, or it is gone."""


class Exclusive(IntEnum):
    """What only one process at a time may do: numbers of PostgreSQL's advisory locks, and any that are ours will do."""

    MIGRATE = 5_067_001
    INSTALLATION = 5_067_002  # give the database its id
    REQUEST = 5_067_003  # count the stores in flight and add one
    AUDIT = 5_067_004  # add to the audit trail; taken last, and held to the end of the transaction
    SIGN_IN = 5_067_005  # count failed sign-ins and add one
    PEOPLE = 5_067_006  # count the administrators and make one less


async def one_at_a_time(session: AsyncSession, what: Exclusive) -> None:
    """Wait until no other process does this; until the session's transaction ends, none will.  On SQLite there is no
    other process."""
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(select(func.pg_advisory_xact_lock(int(what))))


class Database:
    """One engine for the process.  Tables come from the migrations, never from here."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.origin = uuid.uuid4().hex  # of what this process tells the others
        # Enough for every worker of the engine and some pages beside it; on SQLite as many as it takes: who waits to
        # write keeps a connection, and whoever writes must get one.
        self.engine: AsyncEngine = create_async_engine(
            self.url, pool_pre_ping=True, hide_parameters=True, max_overflow=-1 if self.is_sqlite else 25
        )
        self._writer = asyncio.Lock()
        if self.is_sqlite:
            sqlalchemy_event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            sqlalchemy_event.listen(self.engine.sync_engine, "invalidate", _roll_back)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """One writer at a time, first come first served, where the database allows only one: SQLite itself lets those
        who wait try again and again, and many of them at once starve one another."""
        if self.is_sqlite:
            async with self._writer:
                yield
        else:
            yield

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session to read with, or to write with by its own `commit`."""
        async with AsyncSession(self.engine, expire_on_commit=False, info={"origin": self.origin}) as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()

    async def installation(self) -> str:
        """The id of this database, made at the first call."""
        async with self._installation() as (_, found):
            return found.id

    async def claim_key(self, sealer: Sealer, *, instead: bool = False) -> None:
        """Be one of the processes whose key opens what the others seal; the first one's counts.

        `instead`: whatever sealed so far, from now on it is this key.  Raises SealBroken when it is another.
        """
        async with self._installation() as (session, found):
            if found.key_check is not None and not instead:
                sealer.unseal(found.key_check)
            found.key_check = sealer.seal({})  # by the newest key, which the others need to have from now on
            await session.commit()

    async def claim_cluster(self, uid: str) -> bool:
        """Whether the stores live in the cluster of this uid; the first that is asked about counts.

        On SQLite, which one process at a time serves, also another one as long as there is no store.
        """
        async with self.session() as session:
            found = (await session.exec(select(Installation))).first()
            if found is not None and found.cluster_uid == uid:
                return True
        async with self.writing(), self._installation() as (session, found):
            free = found.cluster_uid is None or (
                self.is_sqlite and (await session.exec(select(Store.id).limit(1))).first() is None
            )
            if free:
                found.cluster_uid = uid
                await session.commit()
            return found.cluster_uid == uid

    async def move_to_cluster(self, session: AsyncSession, uid: str | None) -> None:
        """From now on the stores live in that cluster (the caller commits); None: in the next that is asked about."""
        (await session.exec(select(Installation))).one().cluster_uid = uid

    @asynccontextmanager
    async def _installation(self) -> AsyncIterator[tuple[AsyncSession, Installation]]:
        """The one row; nobody else looks at it meanwhile."""
        async with self.session() as session:
            await one_at_a_time(session, Exclusive.INSTALLATION)
            found = (await session.exec(select(Installation))).first()
            if found is None:
                found = Installation(id=uuid.uuid4().hex)
                session.add(found)
                await session.commit()
                await one_at_a_time(session, Exclusive.INSTALLATION)
            yield session, found

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
        the state it was read in or, where a deletion is to be undone, when the time for that is over.  On success
        `store` itself shows the new values.
        """
        before = store.state
        states.check(before, after)
        at = now()
        undone = (*NOT_DESTROYED, col(Store.destroy_at) > at) if before is State.DELETING else ()
        ended = []
        if before is State.PROVISIONING and after in (State.READY, State.FAILED):
            ended = [_attempt(store, at, "" if after is State.READY else (reason or {}).get("code", "unknown"))]
        await self._update(session, store, *undone, state=after, state_at=at, reason=reason, **columns)
        session.add(Transition(store_id=store.id, at=at, before=before, after=after, cause=cause))
        session.add_all(ended)
        if event is not None:
            await add_events(session, [event])
        await session.refresh(store)

    async def set_release(self, session: AsyncSession, store: Store, **columns: Any) -> None:
        """Write down how the store's releases stand (the caller commits).  Raises Moved."""
        await self._update(session, store, **columns)
        await session.refresh(store)

    async def begin_destruction(self, session: AsyncSession, store: Store, inventory: dict[str, Any]) -> None:
        """From here on a deletion cannot be undone; what there is to destroy is kept with the row (the caller commits).

        Raises Moved when it was undone, or has begun already, or its time has not come.
        """
        at = now()
        due = or_(col(Store.destroy_at).is_(None), col(Store.destroy_at) <= at)
        await self._update(session, store, *NOT_DESTROYED, due, destroying_at=at, inventory=inventory)
        await session.refresh(store)

    async def destroy_now(self, session: AsyncSession, store: Store, event: Event) -> None:
        """End the time in which a deletion can be undone (the caller commits).  Raises Moved."""
        await self._update(session, store, *NOT_DESTROYED, destroy_at=now())
        await add_events(session, [event])
        await session.refresh(store)

    @staticmethod
    async def _update(session: AsyncSession, store: Store, *also: ColumnElement[bool], **columns: Any) -> None:
        """Change the row if it still stands in the state that `store` was read in, and `also` holds.  Raises Moved."""
        as_read = (col(Store.id) == store.id, col(Store.state) == store.state, col(Store.state_at) == store.state_at)
        changed = await session.exec(update(Store).where(*as_read, *also).values(**columns))
        if changed.rowcount != 1:
            raise Moved(f"store {store.name} is no longer {store.state}, as it was since {store.state_at}")
        await notices.tell(session, store.id)

    async def remove(self, session: AsyncSession, store: Store) -> None:
        """Delete the row of a DELETING store and all that hangs on it (the caller commits).  Raises Moved."""
        await notices.tell(session, store.id, gone=True)
        removed = await session.exec(delete(Store).where(col(Store.id) == store.id, col(Store.state) == State.DELETING))
        if removed.rowcount != 1:
            raise Moved(f"store {store.name} is no longer DELETING")


def _attempt(store: Store, ended: datetime, code: str) -> Attempt:
    """What ends now, of a store as it was before."""
    return Attempt(
        store_id=store.id,
        began_at=store.state_at,
        ended_at=ended,
        seconds=(ended - store.state_at).total_seconds(),
        again=store.ready_at is not None,
        code=code,
    )


async def add_store(session: AsyncSession, store: Store, cause: str) -> None:
    """Add a new row in REQUESTED with its first transition and event (the caller commits).

    Raises sqlalchemy's IntegrityError when the name is taken.
    """
    session.add(store)
    await session.flush()
    await notices.tell(session, store.id)
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
    """Add those events whose key their store does not have yet; the ids of the added, in order (the caller commits).

    Raises Moved when there is no such store any more.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    added: list[int] = []
    newest: dict[str, int] = {}  # by store
    for event in events:
        values = event.model_dump(exclude={"id"}) | {"at": event.at.replace(microsecond=0)}
        insert = dialect.insert(Event).values(**values).on_conflict_do_nothing(index_elements=["store_id", "key"])
        try:
            row = (await session.exec(insert.returning(col(Event.id)))).first()
        except IntegrityError as error:
            raise Moved(f"the store {event.store_id} is gone") from error
        if row is not None:
            added.append(row[0])
            newest[event.store_id] = row[0]
    for store_id, event_id in newest.items():
        await notices.tell(session, store_id, event_id)
    return added


def _roll_back(connection: Any, _record: object, _error: object) -> None:
    """Of a task that was cancelled while its statement waited for others to write.

    The statement is carried out all the same, nobody fetches what it returns, and SQLite does not really close a
    connection with such a statement: without this, its lock would keep everybody from writing.
    """
    with contextlib.suppress(asyncio.CancelledError, Exception):  # once more: it is under way all the same
        connection.rollback()


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
