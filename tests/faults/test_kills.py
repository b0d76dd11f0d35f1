"""SIGKILL of the process that serves, again and again, on a sandbox that outlives it: nothing is lost, left or doubled.

STOREFLEET_FAULT_KILLS=200 pytest tests/faults/test_kills.py    # 200 kills over 40 stores
"""

import os
import random

from provisioning.cluster import Cluster
from provisioning.sandbox import Sandbox, SandboxOptions
from provisioning.states import State
from tests.faults import ends
from tests.faults.killed import Killed

KILLS = int(os.environ.get("STOREFLEET_FAULT_KILLS", "3"))
STORES = max(6, KILLS // 5)  # names, of which a few are in use at a time, again and again
AT_A_TIME = 4
SEED = int(os.environ.get("STOREFLEET_FAULT_SEEDS", "1").partition(",")[0])
SETTLED_WITHIN = 300.0  # seconds; on a machine with other things to do


async def wish(killed: Killed, chance: random.Random, created: int) -> int:
    """So that there is always something on its way: a store more, one less.  How many were created now."""
    async with killed.api() as api:
        there = (await api.get("/api/v1/stores")).json()["items"]
        resting = [store["name"] for store in there if store["state"] == State.READY]
        if len(there) >= AT_A_TIME and resting:
            (await api.delete(f"/api/v1/stores/{chance.choice(resting)}")).raise_for_status()
        for _ in range(len(there), AT_A_TIME):
            answer = await api.post("/api/v1/stores", json={"name": f"shop-{created % STORES}"})
            # 409: the one before of that name is on its way out
            assert answer.status_code in (202, 409), answer.text
            created += 1
    return created


async def test_kills_leave_nothing_behind(tmp_path):
    chance, created = random.Random(SEED), 0  # noqa: S311 - chance
    async with Sandbox(SandboxOptions(speed=10, seed=SEED)) as sandbox:
        cluster = await Cluster.connect(sandbox.kubeconfig)
        killed = Killed(sandbox, tmp_path, chance)
        try:
            await killed.start()
            while killed.kills < KILLS:
                created = await wish(killed, chance, created)
                if chance.random() < 0.8:  # else it may be killed while it starts
                    await killed.is_at_work()
                await killed.kill(cluster)
                await killed.start()
            await killed.assert_all_is_right(cluster, SETTLED_WITHIN)
            await killed.delete_all()
            await killed.assert_all_is_right(cluster, SETTLED_WITHIN)
            assert await ends.stores(killed.database) == []
        finally:
            print("\n".join(killed.served.lines()[-60:]))
            await killed.stop()
            await cluster.close()
            print(f"{killed.kills} kills, {created} stores, {killed.outlived} helms outlived:", dict(killed.met))
        assert ends.helms(sandbox.kubeconfig) == []
