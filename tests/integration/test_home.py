"""Two clusters on one database: the second one's engine stands still and says so."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlmodel import SQLModel, select

from app import api
from app.pages import frame
from app.services import Services
from app.status import ClusterStatus
from provisioning.cluster import Cluster
from provisioning.database import Database
from provisioning.health import Health
from provisioning.models import AuditEntry, Installation
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES
from tests.integration.fleet import fleet_on, sandbox_in
from tests.served import command


async def namespaces(kubeconfig: Path) -> list[str]:
    cluster = await Cluster.connect(kubeconfig)
    found = [space["metadata"]["name"] for space in (await cluster.list_all("Namespace"))[0]]
    await cluster.close()
    return [name for name in found if name.startswith("store-")]


async def test_an_engine_on_another_cluster_stands_still_says_so_and_goes_on_where_it_is_decided(
    tmp_path: Path,
) -> None:
    async with sandbox_in() as first, sandbox_in() as second:
        async with fleet_on(first, tmp_path) as fleet:
            await fleet.ask("shop")
            store = await fleet.settled("shop")
        async with fleet_on(second, tmp_path) as fleet:
            await fleet.ask("more")
            await fleet.until(lambda _: fleet.engine.status().cluster == "another", "shop", within=60)
            status = ClusterStatus.of(fleet.engine.status(), sandbox=False)
            assert "stores live in another cluster" in status.detail
            assert not fleet.engine.acting
            assert not fleet.engine.is_fit()
            fleet.engine.poke("shop")
            with pytest.raises(AssertionError, match="more is REQUESTED"):
                await fleet.settled("more", within=2)
            assert await namespaces(second.kubeconfig) == []
            assert (await fleet.store("shop")) == store
            assert fleet.engine.condition(store).health is Health.UNKNOWN
            # An administrator decides otherwise, beside the process that serves.
            async with fleet.database.session() as session:
                await fleet.database.move_to_cluster(session, await fleet.cluster.uid())
                await session.commit()
            await fleet.engine.resync()
            assert (await fleet.settled("more", within=60)).state is State.READY
            assert fleet.engine.status().cluster == "connected"
        assert await namespaces(second.kubeconfig) == ["store-more", "store-shop"]
        assert await namespaces(first.kubeconfig) == ["store-shop"]


async def test_a_cluster_that_comes_back_as_another_is_not_touched(tmp_path: Path) -> None:
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        async with fleet.database.session() as session:
            await fleet.database.move_to_cluster(session, "the uid of another")
            await session.commit()
        await sandbox.faults.api_away(0.5)
        await fleet.until(lambda _: fleet.engine.status().cluster == "another", "shop", within=60)
        await fleet.delete("shop")
        with pytest.raises(AssertionError, match="shop is DELETING"):
            await fleet.gone("shop", within=2)
        assert await namespaces(sandbox.kubeconfig) == ["store-shop"]


@BOTH_DATABASES
async def test_the_first_cluster_counts(database_url: str) -> None:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    assert await database.claim_cluster("a")
    assert await database.claim_cluster("a")
    # Where one process serves at a time, and nothing is there to be set up twice, it may be another.
    assert await database.claim_cluster("b") is database.is_sqlite
    async with database.session() as session:
        await database.move_to_cluster(session, None)
        await session.commit()
    assert await database.claim_cluster("c")
    await database.close()


async def test_readiness_and_the_banner_say_so_and_the_command_moves_it(parts: Services, tmp_path: Path) -> None:
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        async with fleet.database.session() as session:
            await fleet.database.move_to_cluster(session, "the uid of another")
            await session.commit()
        await fleet.engine.resync()
        parts.engine = fleet.engine
        transport = httpx.ASGITransport(api.build(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["cluster"]) == (503, "another")
        assert "cluster: another" in answer.json()["detail"]
        shown = frame.cluster_line(parts.status())
        assert (shown.state, shown.line) == ("another", "Another cluster")
        assert "live in another cluster" in shown.notice

        done = await asyncio.to_thread(
            command,
            "cluster",
            "adopt",
            "--kubeconfig",
            str(sandbox.kubeconfig),
            STOREFLEET_DATA_DIR=str(tmp_path / "data"),
        )
        assert done.returncode == 0, done.stderr
        moved = Database(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'storefleet.db'}")
        async with moved.session() as session:
            assert (await session.exec(select(Installation))).one().cluster_uid == await fleet.cluster.uid()
            assert (await session.exec(select(AuditEntry.action))).all() == ["cluster.adopt"]
        await moved.close()
