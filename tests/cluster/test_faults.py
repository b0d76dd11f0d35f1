"""The faults of `tests/faults`, shorter, on the real cluster: the process killed at the boundaries of steps, helms
killed, objects deleted and edited by hand, etcd restarted, the API server away, the kubelet stopped; at the end all is
right.

What kills parts of the cluster needs STOREFLEET_TEST_CLUSTER, the program that controls it (`kill NAME`, `restart
NAME`).
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from provisioning.cluster import Cluster, ClusterError, Obj
from tests.cluster.cluster import INGRESS, KUBECONFIG
from tests.faults import ends, moments
from tests.faults.killed import Killed

CONTROL = os.environ.get("STOREFLEET_TEST_CLUSTER", "")
PATIENCE = 240.0  # seconds
AWAY = 30.0  # seconds of the API server

COMING_UP = (
    "a namespace is made",
    "the last policy is applied",
    "a helm is started",
    "a release is locked",
    "a release is made",
    "a pod is made",
)
GOING = ("a release goes", "a namespace goes")

can_kill_parts = pytest.mark.skipif(
    not CONTROL,
    reason="kills parts of the cluster: set STOREFLEET_TEST_CLUSTER to the program that controls it "
    "(`kill NAME`, `restart NAME`)",
)


@dataclass(frozen=True)
class Ground:
    kubeconfig: Path = field(default_factory=lambda: Path(KUBECONFIG))
    ingress_url: str = INGRESS


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = await Cluster.connect(Path(KUBECONFIG))
    yield cluster
    await cluster.close()


@pytest.fixture
async def killed(tmp_path: Path, cluster: Cluster) -> AsyncIterator[Killed]:
    killed = Killed(Ground(), tmp_path, random.Random(1))  # noqa: S311 - chance
    try:
        await killed.start()
        yield killed
    finally:
        if await ends.stores(killed.database):  # something failed: leave the cluster as it was
            if killed.served.process is None or killed.served.process.poll() is not None:
                await killed.start()
            await killed.delete_all()
            await until(lambda: gone(killed), "what a failed test left is not gone")
        await killed.stop()
        print(f"{killed.kills} kills, {killed.outlived} helms outlived:", dict(killed.met))


async def control(*arguments: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [CONTROL, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


async def until(look: Callable[[], Awaitable[Any]], what: str, within: float = PATIENCE) -> Any:
    """The first true answer.  While the cluster is away there is none."""
    end = time.monotonic() + within
    while True:
        with contextlib.suppress(ClusterError, httpx.TransportError):
            if found := await look():
                return found
        assert time.monotonic() < end, what
        await asyncio.sleep(0.25)


async def gone(killed: Killed) -> bool:
    return await ends.stores(killed.database) == []


async def store(api: httpx.AsyncClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/api/v1/stores/{name}")).json()
    return found


async def is_well(api: httpx.AsyncClient, name: str) -> bool:
    found = await store(api, name)
    return (found["state"], found["health"]) == ("READY", "ok")


async def lines(api: httpx.AsyncClient, name: str) -> list[str]:
    return [event["message"] for event in (await api.get(f"/api/v1/stores/{name}/events")).json()["items"]]


async def test_kills_at_the_boundaries_of_steps(killed: Killed, cluster: Cluster) -> None:
    name = f"killed-{secrets.token_hex(3)}"
    async with killed.api() as api:
        (await api.post("/api/v1/stores", json={"name": name})).raise_for_status()
    for moment in COMING_UP:
        await killed.kill(cluster, moment, longest=8)
        await killed.start()
    await killed.assert_all_is_right(cluster, PATIENCE)
    # kill -9 of the helm: its release stays locked, and is taken up again without anybody's help.
    async with killed.api() as api:
        second = f"helm-{secrets.token_hex(3)}"
        (await api.post("/api/v1/stores", json={"name": second})).raise_for_status()
        assert await moments.wait_for("a helm is started", cluster, killed.kubeconfig, random.Random(1), 60)  # noqa: S311
        for pid in ends.helms(killed.kubeconfig):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await until(lambda: is_well(api, second), f"{second} does not come up")
    await killed.assert_all_is_right(cluster, PATIENCE)
    await killed.delete_all()
    for moment in GOING:
        await killed.kill(cluster, moment, longest=8)
        await killed.start()
    await killed.assert_all_is_right(cluster, PATIENCE)
    assert await gone(killed)
    assert ends.helms(killed.kubeconfig) == []


@can_kill_parts
async def test_parts_of_the_cluster_that_fail(killed: Killed, cluster: Cluster) -> None:
    first, second = (f"{word}-{secrets.token_hex(3)}" for word in ("first", "second"))
    async with killed.api() as api:
        (await api.post("/api/v1/stores", json={"name": first})).raise_for_status()
        await until(lambda: is_well(api, first), f"{first} does not come up")
        await changed_by_hand_is_put_back(cluster, api, first)
        await etcd_restarts(api, first)
        await the_api_server_is_away(api, first, second)
        await the_kubelet_stops(api, first)
        await until(lambda: is_well(api, second), f"{second} does not come up")
    await killed.assert_all_is_right(cluster, PATIENCE)
    await killed.delete_all()
    await killed.assert_all_is_right(cluster, PATIENCE)
    assert await gone(killed)


async def changed_by_hand_is_put_back(cluster: Cluster, api: httpx.AsyncClient, name: str) -> None:
    space = f"store-{name}"

    async def of(kind: str, name: str) -> Obj:
        there = await cluster.get(kind, name, space)
        assert there is not None, (kind, name)
        return there

    secret = await of("Secret", "store-secrets")
    for kind, each in (("Secret", "store-secrets"), ("Service", "medusa"), ("NetworkPolicy", "default-deny")):
        await cluster.delete(kind, each, space)
    ingress = await of("Ingress", "medusa")
    host = ingress["spec"]["rules"][0]["host"]
    ingress["spec"]["rules"][0]["host"] = "elsewhere.example.com"
    await cluster.update({**ingress, "kind": "Ingress", "apiVersion": "networking.k8s.io/v1"}, "kubectl-edit")

    async def is_back() -> bool:
        there = [
            await cluster.get(kind, each, space)
            for kind, each in (("Secret", "store-secrets"), ("Service", "medusa"), ("NetworkPolicy", "default-deny"))
        ]
        same_secret = there[0] is not None and there[0]["data"] == secret["data"]
        return all(there) and same_secret and (await of("Ingress", "medusa"))["spec"]["rules"][0]["host"] == host

    await until(is_back, "it is not put back")
    said = await lines(api, name)
    assert any("put back" in line and "service/medusa" in line for line in said), said
    await until(lambda: is_well(api, name), f"{name} is not well after what was done by hand")


async def etcd_restarts(api: httpx.AsyncClient, name: str) -> None:
    await control("restart", "etcd")
    await until(lambda: is_ready(api), "not ready after etcd's restart")
    await until(lambda: is_well(api, name), f"{name} is not well after etcd's restart")


async def is_ready(api: httpx.AsyncClient) -> bool:
    return (await api.get("/readyz")).is_success


async def the_api_server_is_away(api: httpx.AsyncClient, name: str, wished: str) -> None:
    """What is wished meanwhile is done afterwards; what is there is not given up."""
    begun = time.monotonic()
    await control("kill", "kube-apiserver")
    try:

        async def says_so() -> bool:
            return (await api.get("/readyz")).json()["checks"]["cluster"] == "away"

        await until(says_so, "it does not say that the cluster is away")
        assert (await store(api, name))["health"] == "unknown"
        (await api.post("/api/v1/stores", json={"name": wished})).raise_for_status()
        await asyncio.sleep(max(0.0, begun + AWAY - time.monotonic()))
        assert (await store(api, name))["state"] == "READY"
        assert (await store(api, wished))["state"] in ("REQUESTED", "PROVISIONING")
    finally:
        await control("restart", "kube-apiserver")
    await until(lambda: is_ready(api), "not ready after the API server came back")
    for each in (name, wished):
        await until(lambda each=each: is_well(api, each), f"{each} is not well after the API server came back")


async def the_kubelet_stops(api: httpx.AsyncClient, name: str) -> None:
    """A node that goes: a READY store is degraded, says why, and is well again by itself."""
    await control("kill", "kubelet")
    try:

        async def is_degraded() -> dict[str, Any] | None:
            found = await store(api, name)
            reason: dict[str, Any] = found["reason"] or {}
            return reason if (found["health"], reason.get("code")) == ("degraded", "node_lost") else None

        reason = await until(is_degraded, "nobody misses the node")
        assert "pod is on a node that does not answer: " in reason["message"], reason
        assert "kubectl describe node" in reason["hint"], reason
        assert (await store(api, name))["state"] == "READY"

        async def is_told() -> bool:  # what is over within seconds is not
            return any(line.startswith("Degraded: ") and "does not answer" in line for line in await lines(api, name))

        await until(is_told, "the timeline does not say so")
    finally:
        await control("restart", "kubelet")
    await until(lambda: is_well(api, name), f"{name} is not well after the node came back")
