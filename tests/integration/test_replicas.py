"""Several processes on one PostgreSQL and one cluster: one leads, all serve, and nothing is done twice."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioning.cluster import Cluster
from provisioning.sandbox import Sandbox
from tests.integration.fleet import sandbox_in
from tests.integration.replicas import Replicas, replicas_on, until


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_in(speed=4) as sandbox:
        yield sandbox


@pytest.fixture
async def cluster(sandbox: Sandbox) -> AsyncIterator[Cluster]:
    cluster = await Cluster.connect(sandbox.kubeconfig)
    yield cluster
    await cluster.close()


@pytest.fixture
async def replicas(sandbox: Sandbox, tmp_path: Path, postgres_url: str) -> AsyncIterator[Replicas]:
    async with replicas_on(sandbox, tmp_path, postgres_url, count=2) as replicas:
        yield replicas


async def revisions(cluster: Cluster, name: str) -> list[str]:
    secrets, _ = await cluster.list_all("Secret", f"store-{name}", "owner=helm")
    return sorted(
        f"{secret['metadata']['labels']['version']} {secret['metadata']['labels']['status']}" for secret in secrets
    )


async def test_one_leads_and_every_one_says_which(replicas, cluster):
    leader = await replicas.leading()

    async def all_told():
        told = [await replica.leader() for replica in replicas.all]
        return told if all(told) else None

    told = await until(all_told, 10, "somebody knows of no leader")
    assert {each["holder"] for each in told} == {told[0]["holder"]}
    assert [each["here"] for each in told].count(True) == 1
    assert told[0]["since"]
    leases, _ = await cluster.list_all("Lease", "default")
    installation = await replicas.database.installation()
    assert [lease["metadata"]["name"] for lease in leases] == [f"storefleet-{installation}"]
    assert leases[0]["metadata"]["labels"]["storefleet.dev/installation"] == installation
    assert leases[0]["spec"]["holderIdentity"] == told[0]["holder"]
    assert str(leader.pid) in told[0]["holder"]


async def test_a_leader_that_is_killed_under_work_is_replaced_and_nothing_is_done_twice(replicas, cluster):
    leader = await replicas.leading()
    (follower,) = (replica for replica in replicas.all if replica is not leader)
    names = [f"shop-{number}" for number in range(5)]
    for name in names:
        await leader.ask(name)

    async def at_work():
        return await follower.states(names) == {"PROVISIONING"}

    await until(at_work, 10, "they are not begun")
    await asyncio.sleep(0.5)
    await leader.kill()
    killed = time.monotonic()
    await replicas.leading([follower])
    took = time.monotonic() - killed
    print(f"replaced after {took:.1f} s")
    assert took < 15

    for name in names:

        async def ready(name=name):
            return (await follower.store(name))["state"] == "READY"

        await until(ready, 90, f"{name} is not READY")
        await replicas.assert_nothing_was_done_twice(name)
        assert await revisions(cluster, name) == ["1 deployed"]
