"""A task that is cancelled while SQLite makes it wait leaves no lock behind."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.database import Database


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_write_keeps_nobody_from_writing(tmp_path: Path, times: int) -> None:
    file = tmp_path / "a.db"
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.session() as session:
        await session.exec(text("CREATE TABLE t (a INTEGER PRIMARY KEY)"))
        await session.commit()

    async def write(number: int) -> None:
        async with database.writing(), database.session() as session:
            # RETURNING: rows that a cancelled task never fetches.
            await session.exec(text("INSERT INTO t VALUES (:a) RETURNING a"), params={"a": number})
            await session.commit()

    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waiting = asyncio.create_task(write(1))
    await asyncio.sleep(0.5)
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0.1)
    other.close()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    await write(2)
    async with database.session() as session:
        assert (await session.exec(text("SELECT a FROM t"))).all() == [(2,)]
    await database.close()
