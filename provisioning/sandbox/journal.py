"""Keeps the objects in the data folder, so that a restart finds them.

One SQLite file, a row an object.  Changes are gathered and written in one transaction, in a thread, at most every
tenth of a second; ending the process in between loses the last moment, never half a write.
"""

import asyncio
import json
import logging
import sqlite3
from pathlib import Path

from provisioning.sandbox.objects import Obj, name_of, namespace_of
from provisioning.sandbox.store import Change, Record, Store

log = logging.getLogger(__name__)

_WRITE_EVERY = 0.1  # seconds
_Place = tuple[str, str, str]  # (kind, namespace, name)


class Journal:
    """Follows a store.  The connection is used by one thread at a time."""

    def __init__(self, path: Path, store: Store) -> None:
        self._store = store
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE IF NOT EXISTS object (kind TEXT, namespace TEXT, name TEXT, json BLOB,"
            " PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
        )
        self._changed: dict[_Place, Record | None] = {}
        self._writing: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Give the store what an earlier run kept, then follow it."""
        rows = self._connection.execute("SELECT json FROM object").fetchall()
        version = self._connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        objects: list[Obj] = [json.loads(row[0]) for row in rows]
        self._store.load(objects, version[0] if version else 1)
        self._store.subscribe(self._note)

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            await self._writing
        await self._write()
        self._connection.close()

    def _note(self, change: Change) -> None:
        obj = change.record.obj
        place = (change.resource.kind, namespace_of(obj), name_of(obj))
        self._changed[place] = None if change.type == "DELETED" else change.record
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_soon(), name="sandbox journal")

    async def _write_soon(self) -> None:
        try:
            while self._changed:
                await asyncio.sleep(_WRITE_EVERY)
                await self._write()
        except sqlite3.Error:
            log.exception("the sandbox cannot keep its objects")
        finally:
            self._writing = None

    async def _write(self) -> None:
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        gone = [place for place, record in changed.items() if record is None]
        kept = [(*place, record.encoded) for place, record in changed.items() if record is not None]
        try:
            await asyncio.to_thread(self._write_rows, kept, gone, self._store.version)
        except sqlite3.Error:  # a full disk, say: the next change tries again, with these
            self._changed = {**changed, **self._changed}
            raise

    def _write_rows(self, kept: list[tuple[str, str, str, bytes]], gone: list[_Place], version: int) -> None:
        with self._connection:
            self._connection.executemany("DELETE FROM object WHERE kind = ? AND namespace = ? AND name = ?", gone)
            self._connection.executemany("REPLACE INTO object VALUES (?, ?, ?, ?)", kept)
            self._connection.execute("REPLACE INTO meta VALUES ('version', ?)", (version,))
