"""SIGKILL of the process that serves, again and again, on a sandbox that outlives it: nothing is lost, left or doubled.

STOREFLEET_FAULT_KILLS=200 pytest tests/faults/test_kills.py    # 200 kills over 40 stores
"""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import httpx

from provisioning.cluster import Cluster
from provisioning.database import Database
from provisioning.sandbox import Sandbox, SandboxOptions
from provisioning.states import State
from tests.faults import ends, moments
from tests.served import Served

KILLS = int(os.environ.get("STOREFLEET_FAULT_KILLS", "8"))
STORES = max(6, KILLS // 5)  # names, of which a few are in use at a time, again and again
AT_A_TIME = 4
SEED = int(os.environ.get("STOREFLEET_FAULT_SEEDS", "1").partition(",")[0])
SETTLED_WITHIN = 180.0  # seconds; on a machine with other things to do


class Killed:
    """A served process that is killed and started again, and what people want of it meanwhile."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        address = {"STOREFLEET_STORE_URL": "http://{name}.localhost", "STOREFLEET_INGRESS_URL": sandbox.ingress_url}
        self._served = Served(folder, "--kubeconfig", str(sandbox.kubeconfig), **address)
        self._kubeconfig, self._chance = sandbox.kubeconfig, random.Random(SEED)  # noqa: S311 - chance
        self.locks = folder / "data" / "helm"
        self.database = Database(f"sqlite+aiosqlite:///{folder / 'data' / 'storefleet.db'}")
        self._token, self.created = "", 0
        self.kills, self.outlived, self.met = 0, 0, Counter[str]()

    async def start(self) -> None:
        await asyncio.to_thread(self._served.start)
        self._token = self._token or await asyncio.to_thread(self._served.token)

    async def stop(self) -> None:
        await asyncio.to_thread(self._served.stop)
        await self.database.close()

    async def kill(self, cluster: Cluster) -> None:
        """At the boundary of some step, or whenever."""
        moment = self._chance.choice(list(moments.MOMENTS))
        came = await moments.wait_for(moment, cluster, self._kubeconfig, self._chance, longest=3)
        process = self._served.process
        assert process is not None
        assert process.poll() is None, "it ended by itself"
        process.kill()
        await asyncio.to_thread(process.wait)
        left = len(ends.helms(self._kubeconfig))
        self.kills, self.outlived = self.kills + 1, self.outlived + left
        self.met[moment if came else "any"] += 1
        print(f"killed {process.pid} when {moment if came else 'any'}, {left} helms outlive it")

    async def wish(self) -> None:
        """So that there is always something on its way: a store more, one less."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=self._served.url, headers=headers, timeout=30, trust_env=False) as api:
            there = (await api.get("/api/v1/stores")).json()["items"]
            resting = [store["name"] for store in there if store["state"] == State.READY]
            if len(there) >= AT_A_TIME and resting:
                (await api.delete(f"/api/v1/stores/{self._chance.choice(resting)}")).raise_for_status()
            for _ in range(len(there), AT_A_TIME):
                answer = await api.post("/api/v1/stores", json={"name": f"shop-{self.created % STORES}"})
                assert answer.status_code in (202, 409), (
                    answer.text
                )  # 409: the one before of that name is on its way out
                self.created += 1

    async def delete_all(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=self._served.url, headers=headers, timeout=30, trust_env=False) as api:
            for store in await ends.stores(self.database):
                (await api.delete(f"/api/v1/stores/{store.name}")).raise_for_status()


async def assert_all_is_right(killed: Killed, cluster: Cluster) -> None:
    await ends.until(lambda: ends.moving(killed.database), SETTLED_WITHIN)
    there = await ends.stores(killed.database)
    assert {store.state for store in there} <= {State.READY}, [(store.name, store.reason) for store in there]
    await ends.assert_no_orphans(cluster, killed.database)
    await ends.assert_history(killed.database)
    ends.assert_no_locks_of_others(killed.locks, there)


async def test_kills_leave_nothing_behind(tmp_path):
    async with Sandbox(SandboxOptions(speed=10, seed=SEED)) as sandbox:
        cluster = await Cluster.connect(sandbox.kubeconfig)
        killed = Killed(sandbox, tmp_path)
        try:
            await killed.start()
            while killed.kills < KILLS:
                await killed.wish()
                await killed.kill(cluster)
                await killed.start()
            await assert_all_is_right(killed, cluster)
            await killed.delete_all()
            await assert_all_is_right(killed, cluster)
            assert await ends.stores(killed.database) == []
        finally:
            await killed.stop()
            await cluster.close()
            print(f"{killed.kills} kills, {killed.created} stores, {killed.outlived} helms outlived:", dict(killed.met))
        assert ends.helms(sandbox.kubeconfig) == []
