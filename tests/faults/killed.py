"""A served process that is killed and started again, and what people want of it meanwhile."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from provisioning.cluster import Cluster
from provisioning.database import Database
from tests.faults import ends, moments
from tests.integration.fleet import Ground
from tests.served import Served


class Killed:
    """`storefleet serve` on a cluster that outlives it."""

    def __init__(self, ground: Ground, folder: Path, chance: random.Random) -> None:
        address = {"STOREFLEET_STORE_URL": "http://{name}.localhost", "STOREFLEET_INGRESS_URL": ground.ingress_url}
        self.served = Served(folder, "--kubeconfig", str(ground.kubeconfig), **address)
        self.kubeconfig, self._chance = ground.kubeconfig, chance
        self.locks = folder / "data" / "helm"
        self.database = Database(f"sqlite+aiosqlite:///{folder / 'data' / 'storefleet.db'}")
        self._token = ""
        self.kills, self.outlived, self.met = 0, 0, Counter[str]()

    async def start(self) -> None:
        await asyncio.to_thread(self.served.start)
        self._token = self._token or await asyncio.to_thread(self.served.token)

    async def is_at_work(self, within: float = 120) -> None:
        """Wait until its engine is: a process that starts slowly would be killed before it did anything."""
        async with self.api() as api:

            async def complaint() -> str:
                answer = await api.get("/readyz")
                return "" if answer.is_success else answer.text

            await ends.until(complaint, within)

    async def stop(self) -> None:
        await asyncio.to_thread(self.served.stop)
        await self.database.close()

    async def kill(self, cluster: Cluster, moment: str = "", longest: float = 3) -> None:
        """At the boundary of some step (one of the `moments`, by chance where none is named), or whenever."""
        moment = moment or self._chance.choice(list(moments.MOMENTS))
        came = await moments.wait_for(moment, cluster, self.kubeconfig, self._chance, longest)
        process = self.served.process
        assert process is not None
        assert process.poll() is None, "it ended by itself"
        process.kill()
        await asyncio.to_thread(process.wait)
        left = len(ends.helms(self.kubeconfig))
        self.kills, self.outlived = self.kills + 1, self.outlived + left
        self.met[moment if came else "any"] += 1
        print(f"killed {process.pid} when {moment if came else 'any'}, {left} helms outlive it")

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=self.served.url, headers=headers, timeout=30, trust_env=False) as api:
            yield api

    async def delete_all(self) -> None:
        async with self.api() as api:
            for store in await ends.stores(self.database):
                (await api.delete(f"/api/v1/stores/{store.name}")).raise_for_status()

    async def assert_all_is_right(self, cluster: Cluster, within: float) -> None:
        """Nothing is on its way any more, every store is READY, nothing is left over, lost or doubled."""
        await ends.until(lambda: ends.moving(self.database), within)
        there = await ends.stores(self.database)
        not_ready = [(store.name, store.reason) for store in there if store.state not in ends.WELL]
        assert not not_ready, not_ready
        await ends.assert_no_orphans(cluster, self.database)
        await ends.assert_history(self.database)
        ends.assert_no_locks_of_others(self.locks, there)
