"""Two processes on one PostgreSQL and a real cluster: the leader dies while it works, and the other goes on."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests import postgres
from tests.cluster.cluster import INGRESS, KUBECONFIG, Kubectl
from tests.integration.replicas import API, Replicas, until


@pytest.fixture
def database_url() -> Iterator[str]:
    commands = postgres.binaries()
    if commands is None:
        pytest.skip("there is no PostgreSQL: install it")
    with postgres.running(commands) as url:
        yield url


@pytest.fixture
async def replicas(tmp_path: Path, database_url: str) -> AsyncIterator[Replicas]:
    port = httpx.URL(INGRESS).port
    address = "http://{name}.localhost" + (f":{port}" if port else "")
    settings = {"STOREFLEET_STORE_URL": address, "STOREFLEET_INGRESS_URL": INGRESS}
    replicas = Replicas(tmp_path, database_url, ("--kubeconfig", KUBECONFIG), settings)
    try:
        for _ in range(2):
            await replicas.start()
        yield replicas
    finally:
        await replicas.close()


async def test_a_leader_killed_under_work_is_replaced_and_nothing_is_done_twice(replicas: Replicas, kubectl: Kubectl):
    leader = await replicas.leading()
    follower = replicas.other_than(leader)
    names = [f"lead-{time.time_ns() % 10**9}-{number}" for number in range(2)]
    lease = f"storefleet-{await replicas.database.installation()}"
    try:
        for name in names:
            await follower.ask(name)

        async def at_work() -> bool:
            return await follower.states(names) == {"PROVISIONING"}

        await until(at_work, 30, "they are not begun")
        await asyncio.sleep(1)
        await leader.kill()
        killed = time.monotonic()
        await replicas.leading([follower], within=30)
        took = time.monotonic() - killed
        print(f"killed: replaced after {took:.1f} s")
        assert took < 15

        async def all_ready() -> bool:
            return await follower.states(names) == {"READY"}

        await until(all_ready, 240, "they are not READY")
        for name in names:
            await replicas.assert_nothing_was_done_twice(name)
            selector = "owner=helm"
            releases = kubectl.items("secrets", "--namespace", f"store-{name}", "--selector", selector)
            assert [each["metadata"]["labels"]["version"] for each in releases] == ["1"]
            assert (await follower.store(name))["revision"] == 1
    finally:
        for name in names:
            await follower.http.delete(f"{API}/{name}")

        async def all_gone() -> bool:
            return await follower.states(names) == {"gone"}

        await until(all_gone, 180, "they are not deleted")
        kubectl.run("delete", "lease", lease, "--namespace", "default", "--ignore-not-found")
