"""Tells the other processes on one PostgreSQL what changed, by NOTIFY in the very transaction that changes it.

Each process listens, and hands what the others tell to its own pages, streams and engine; what it did itself it knows
already.  PostgreSQL tells who is connected, and nobody else: so after every new connection, and every ten seconds
whatever was heard, the stores are compared with what they were the last time.  A change that is so told twice does no
harm (`changes`).  Of people only a hint goes round: whoever serves their pages looks by itself as well.  On SQLite
there is one process and nobody to tell.
"""

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import JSON, Text, cast, func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import tasks
from provisioning.changes import Change
from provisioning.models import Event, Store

if TYPE_CHECKING:
    import psycopg

    from provisioning.database import Database

log = logging.getLogger(__name__)

CHANNEL = "storefleet"
COMPARE_EVERY = 10.0  # seconds
ALIVE_WITHIN = 5.0  # seconds, in which a connection has to answer
LONGEST_PAUSE = 5.0  # seconds between two tries to connect


async def tell(session: AsyncSession, store_id: str, event_id: int | None = None, *, gone: bool = False) -> None:
    """Tell the others of a change when the session's transaction commits.  The row must (`gone`: must still) be there.

    `event_id`: only its events changed, and this is the newest.
    """
    if session.get_bind().dialect.name == "postgresql":
        told = {"event": event_id, "gone": gone, "from": session.info.get("origin", "")}
        payload = func.json_build_object("store", Store.id, "name", Store.name, "told", cast(told, JSON))
        notify = select(func.pg_notify(CHANNEL, cast(payload, Text)))
        await session.exec(notify.where(col(Store.id) == store_id))


async def tell_of_user(session: AsyncSession, user_id: str) -> None:
    """Tell the others, when the session's transaction commits, that somebody's rights or sessions may be others."""
    if session.get_bind().dialect.name == "postgresql":
        payload = json.dumps({"user": user_id, "from": session.info.get("origin", "")})
        await session.exec(select(func.pg_notify(CHANNEL, payload)))


@dataclass(frozen=True)
class _Seen:
    """Enough of a store to see whether it changed."""

    name: str
    row: str = ""
    events: tuple[int, int | None] = (0, None)  # how many, and the newest


class Listener:
    """One for the process, on PostgreSQL: calls `hear` with each change that another process made, and `hear_of_user`
    with the id of whoever's rights or sessions may be others."""

    def __init__(
        self,
        database: "Database",
        hear: Callable[[Change], None],
        hear_of_user: Callable[[str], None] = lambda user_id: None,
    ) -> None:
        self._database, self._hear, self._hear_of_user = database, hear, hear_of_user
        self._seen: dict[str, _Seen] | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="listen for changes")

    async def stop(self) -> None:
        if self._running is not None:
            await tasks.end([self._running])

    async def _run(self) -> None:
        import psycopg  # not on SQLite, where starting takes no longer for it

        pause, complaint = 0.1, ""
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await self._compare()  # only now: what commits from here on is told
                    if complaint:
                        log.info("changes of other processes are heard again")
                    pause, complaint = 0.1, ""
                    while True:
                        async for notice in connection.notifies(timeout=COMPARE_EVERY):
                            self._take(notice.payload)
                        async with asyncio.timeout(ALIVE_WITHIN):
                            await connection.execute("SELECT 1")
                        await self._compare()
            except (psycopg.Error, SQLAlchemyError, OSError, TimeoutError) as error:
                cause = " ".join(str(error).split()) or "no answer in time"
                if cause != complaint:
                    log.warning("changes of other processes are not heard for a moment: %s", cause)
                complaint = cause
            except Exception:
                log.exception("listening for changes failed")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _connect(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        """A connection of our own, to where the database's engine goes."""
        from psycopg import AsyncConnection

        arguments, options = self._database.engine.dialect.create_connect_args(self._database.url)
        async with asyncio.timeout(ALIVE_WITHIN):
            return await AsyncConnection.connect(*arguments, **options, autocommit=True)

    def _take(self, payload: str) -> None:
        """A notice; whoever may write into the database may send one, so it is taken as no more than a hint."""
        try:
            notice = json.loads(payload)
            if "user" in notice:
                if notice["from"] != self._database.origin:
                    self._hear_of_user(str(notice["user"]))
                return
            told = notice["told"]
            event, origin = told["event"], told["from"]
            change = Change(str(notice["store"]), str(notice["name"]), event and int(event), gone=bool(told["gone"]))
        except (ValueError, TypeError, KeyError):
            log.warning("a notice that is none of ours: %.100r", payload)
            return
        if self._seen is not None:  # so that the end of a store is noticed that came and went between two comparisons
            if change.gone:
                self._seen.pop(change.store_id, None)
            else:
                self._seen.setdefault(change.store_id, _Seen(change.name))
        if origin != self._database.origin:
            self._hear(change)

    async def _compare(self) -> None:
        """Tell of every store that is not as it was the last time."""
        columns = (Store.state_at, Store.revision, Store.upgrade_to, Store.destroy_at, Store.destroying_at)
        row = func.concat_ws(" ", *columns)
        stores = select(col(Store.id), col(Store.name), row)
        events = select(col(Event.store_id), func.count(), func.max(col(Event.id))).group_by(col(Event.store_id))
        async with self._database.session() as session:
            of = {store_id: (count, newest) for store_id, count, newest in await session.exec(events)}
            rows = (await session.exec(stores)).all()
        seen = {store_id: _Seen(name, row, of.get(store_id, (0, None))) for store_id, name, row in rows}
        before, self._seen = self._seen, seen
        if before is None:
            return
        for store_id, store in seen.items():
            last = before.get(store_id)
            if last is None or last.row != store.row:
                self._hear(Change(store_id, store.name))
            if last is None or last.events != store.events:
                self._hear(Change(store_id, store.name, event_id=store.events[1]))
        for store_id in before.keys() - seen.keys():
            self._hear(Change(store_id, before[store_id].name, gone=True))
