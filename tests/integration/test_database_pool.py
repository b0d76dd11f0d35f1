"""Connections are not what anybody waits for: many who read and then write do not hold one another up."""

import asyncio
from pathlib import Path

from sqlmodel import select

from app.migrations import migrate
from provisioning.database import Database
from provisioning.models import Store

READERS = 25


async def test_who_writes_gets_a_connection_while_many_who_wait_keep_theirs(tmp_path: Path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    await migrate(database)
    reading, all_read = 0, asyncio.Event()

    async def reads_and_then_writes() -> None:
        nonlocal reading
        async with database.session() as session:
            await session.exec(select(Store))
            reading += 1
            if reading == READERS:
                all_read.set()
            async with database.writing():
                await session.commit()

    async with asyncio.timeout(20):
        async with database.writing():
            waiting = [asyncio.create_task(reads_and_then_writes()) for _ in range(READERS)]
            await all_read.wait()
            async with database.session() as session:
                assert list(await session.exec(select(Store))) == []
        await asyncio.gather(*waiting)
    await database.close()
