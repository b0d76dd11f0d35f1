"""A whole engine without a web server: database, sandbox, Helm, and the clock that the jobs are elsewhere."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlmodel import SQLModel, col, select

from provisioning import wishes
from provisioning.changes import Change, Changes
from provisioning.cluster import Cluster, Obj
from provisioning.database import Database
from provisioning.decide import Limits
from provisioning.engine import Engine, EngineOptions
from provisioning.helm import Helm
from provisioning.models import Event, Store
from provisioning.sandbox import Sandbox, SandboxOptions
from provisioning.secrets import Sealer, generate, new_key
from provisioning.states import State

SETTLED = (State.READY, State.FAILED)


class Fleet:
    """What a test does with an engine: ask for stores, wait, look."""

    def __init__(self, database: Database, cluster: Cluster, engine: Engine, changes: Changes, sealer: Sealer) -> None:
        self.database, self.cluster, self.engine, self.changes = database, cluster, engine, changes
        self.sealer = sealer
        self.seen: list[Change] = []
        changes.subscribe(self.seen.append)

    async def ask(self, name: str, owner: str = "ann", plan: str = "small", **options: Any) -> None:
        async with self.database.session() as session:
            await wishes.request(
                session,
                name=name,
                owner_id=owner,
                template="medusa",
                plan=plan,
                options=options,
                url=f"http://{name}.localhost",
                version="2.21.2",
                sealed=self.sealer.seal(generate("ann@example.com")),
                limit_in_flight=20,
            )
            await session.commit()
        self.engine.poke(name)

    async def delete(self, name: str, undo: float = 0) -> None:
        """`undo`: seconds in which it can be undone."""
        async with self.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
            await wishes.request_deletion(self.database, session, store, "ann", timedelta(seconds=undo))
            await session.commit()
        self.engine.poke(name)

    async def undelete(self, name: str) -> None:
        async with self.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
            await wishes.request_undeletion(self.database, session, store, "ann")
            await session.commit()
        self.engine.poke(name)

    async def retry(self, name: str) -> None:
        async with self.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
            await wishes.request_retry(self.database, session, store, "ann")
            await session.commit()
        self.engine.poke(name)

    async def upgrade(self, name: str) -> None:
        async with self.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
            await wishes.request_upgrade(self.database, session, store, "ann", sealer=self.sealer)
            await session.commit()
        self.engine.poke(name)

    async def rollback(self, name: str, revision: int | None = None) -> None:
        async with self.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
            await wishes.request_rollback(self.database, session, store, "ann", revision=revision)
            await session.commit()
        self.engine.poke(name)

    async def store(self, name: str) -> Store | None:
        async with self.database.session() as session:
            return (await session.exec(select(Store).where(col(Store.name) == name))).first()

    async def settled(self, name: str, within: float = 15) -> Store:
        """The store once it is READY or FAILED."""
        await self.until(lambda store: store is not None and store.state in SETTLED, name, within)
        store = await self.store(name)
        assert store is not None
        return store

    async def gone(self, name: str, within: float = 15) -> None:
        await self.until(lambda store: store is None, name, within)

    async def until(self, holds: Callable[[Store | None], bool], name: str, within: float = 15) -> None:
        end = time.monotonic() + within
        told = asyncio.Event()
        leave = self.changes.subscribe(lambda _: told.set())
        try:
            while not holds(store := await self.store(name)):
                assert time.monotonic() < end, f"{name} is {store.state if store else 'gone'}, {await self.lines(name)}"
                with contextlib.suppress(TimeoutError):  # not every condition is about what is told
                    await asyncio.wait_for(told.wait(), 0.1)
                told.clear()
        finally:
            leave()

    async def until_line(self, name: str, line: str, within: float = 30) -> None:
        end = time.monotonic() + within
        while line not in (lines := await self.lines(name)):
            assert time.monotonic() < end, f"{line!r} is not among {lines}"
            await asyncio.sleep(0.02)

    async def events(self, name: str) -> list[Event]:
        async with self.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).first()
            if store is None:
                return []
            query = select(Event).where(col(Event.store_id) == store.id).order_by(col(Event.at), col(Event.id))
            return list((await session.exec(query)).all())

    async def lines(self, name: str) -> list[str]:
        return [event.message for event in await self.events(name)]

    async def objects(self, namespace: str) -> list[Obj]:
        """Everything of the watched kinds in a namespace, and the volumes that belong to it."""
        found: list[Obj] = []
        for kind in ("Pod", "Secret", "PersistentVolumeClaim", "Deployment", "StatefulSet", "Ingress", "Service"):
            found += (await self.cluster.list_all(kind, namespace))[0]
        for volume in (await self.cluster.list_all("PersistentVolume"))[0]:
            if (volume["spec"].get("claimRef") or {}).get("namespace") == namespace:
                found.append(volume)
        return found


class Ground(Protocol):
    """A cluster to work on: the sandbox, or a real one."""

    @property
    def kubeconfig(self) -> Path: ...
    @property
    def ingress_url(self) -> str: ...


@asynccontextmanager
async def fleet_on(
    sandbox: Ground,
    folder: Path,
    *,
    overlay: dict[str, Any] | None = None,
    limits: Limits | None = None,
    key: str | None = None,
    **options: Any,
) -> AsyncIterator[Fleet]:
    """An engine at work on `sandbox`, its database in `folder` (kept there from one fleet to the next)."""
    async with AsyncExitStack() as stack:
        database = Database(f"sqlite+aiosqlite:///{folder / 'fleet.db'}")
        stack.push_async_callback(database.close)
        async with database.engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)
        cluster = await Cluster.connect(sandbox.kubeconfig)
        stack.push_async_callback(cluster.close)
        key_file = folder / "key"
        if not key_file.exists():
            key_file.write_text(new_key())
        sealer, changes = Sealer([key or key_file.read_text()]), Changes()
        engine_options = EngineOptions(
            installation=await database.installation(),
            sealer=sealer,
            overlay=overlay or {},
            ingress_url=sandbox.ingress_url,
            limits=limits or Limits(),
            **options,
        )
        engine = Engine(
            database, cluster, Helm(sandbox.kubeconfig, None, locks=folder / "helm"), changes, engine_options
        )
        stack.push_async_callback(engine.stop)
        await engine.start()
        clock = asyncio.create_task(_clock(engine))
        stack.push_async_callback(_end, clock)
        yield Fleet(database, cluster, engine, changes, sealer)


async def _clock(engine: Engine) -> None:
    while True:
        await asyncio.sleep(0.2)
        await engine.dispatch()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def sandbox_in(folder: Path | None = None, speed: float = 50) -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxOptions(data_dir=folder, speed=speed, seed=1)) as sandbox:
        yield sandbox
