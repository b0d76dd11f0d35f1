"""Faults on request: each does what it says, and only where it was asked for."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from provisioning.sandbox import (
    ApiFault,
    CrashFault,
    HeldFinalizerFault,
    ImageFault,
    KubeletFault,
    Sandbox,
    SandboxOptions,
    UnboundVolumeFault,
    UnreadyFault,
    UnschedulableFault,
    WatchFault,
)
from tests.conformance.client import Obj, Target, config_map
from tests.integration.test_sandbox import ask, create_store, until_ready

SPACE = "/api/v1/namespaces/store-bikes"


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with (
        Sandbox(SandboxOptions(speed=50, seed=1)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, patience=10) as target,
    ):
        target.sandbox = sandbox
        yield target


async def shop_state(target: Target, prefix: str = "medusa") -> Obj:
    pods = (await target.ok("GET", f"{SPACE}/pods"))["items"]
    pod = next((pod for pod in pods if pod["metadata"]["name"].startswith(prefix)), {})
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    status: Obj = statuses[0]
    return status


async def test_the_next_answers_fail(target: Target) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    target.sandbox.faults.add(ApiFault(status=503, verbs=("create",), kinds=("ConfigMap",), times=2))
    statuses = [(await target.call("POST", path, config_map(f"m{n}"))).status for n in range(3)]
    assert statuses == [503, 503, 201]
    assert (await target.call("GET", path)).status == 200


async def test_some_answers_fail_the_same_in_each_run_of_a_seed() -> None:
    async def run() -> list[int]:
        async with (
            Sandbox(SandboxOptions(seed=7)) as sandbox,
            Target.connected("sandbox", sandbox.kubeconfig, patience=10) as target,
        ):
            sandbox.faults.add(ApiFault(status=500, probability=0.5, namespace="def*"))
            path = "/api/v1/namespaces/default/configmaps"
            return [(await target.call("GET", path)).status for _ in range(20)]

    first = await run()
    assert set(first) == {200, 500}
    assert await run() == first


async def test_slow_answers(target: Target) -> None:
    fault = target.sandbox.faults.add(ApiFault(delay=0.3, verbs=("list",)))
    start = time.monotonic()
    await target.ok("GET", "/api/v1/namespaces")
    assert time.monotonic() - start >= 0.3
    target.sandbox.faults.remove(fault)
    start = time.monotonic()
    await target.ok("GET", "/api/v1/namespaces")
    assert time.monotonic() - start < 0.3


async def test_dropped_watches(target: Target) -> None:
    response = await target.send("GET", "/api/v1/namespaces", watch="true")
    await response.content.readline()
    target.sandbox.faults.drop_watches()
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(response.content.read(), 5)
    response.close()
    await target.ok("GET", "/api/v1/namespaces")


async def test_watches_that_do_not_last(target: Target) -> None:
    target.sandbox.faults.add(WatchFault(after=0.2, kinds=("Namespace",)))
    response = await target.send("GET", "/api/v1/namespaces", watch="true")
    lasting = await target.send("GET", "/api/v1/pods", watch="true", timeoutSeconds="1")
    start = time.monotonic()
    with pytest.raises(aiohttp.ClientError):
        await response.content.read()
    response.close()
    assert 0.1 < time.monotonic() - start < 1
    assert await lasting.content.read() == b""


async def test_forgotten_history(target: Target) -> None:
    version = (await target.ok("GET", "/api/v1/namespaces"))["metadata"]["resourceVersion"]
    await target.new_namespace()
    target.sandbox.faults.forget_history()
    events = await target.watch("/api/v1/namespaces", resourceVersion=version, timeoutSeconds=1)
    assert events[0]["object"]["code"] == 410


async def test_the_api_goes_away_and_comes_back(target: Target) -> None:
    await target.sandbox.faults.api_away(0.5)
    with pytest.raises(aiohttp.ClientConnectionError):
        await target.ok("GET", "/version")

    async def back() -> bool:
        try:
            return bool(await target.ok("GET", "/version"))
        except aiohttp.ClientConnectionError:
            return False

    start = time.monotonic()
    await target.eventually(back)
    assert time.monotonic() - start < 3


async def test_an_image_and_its_recovery(target: Target) -> None:
    fault = target.sandbox.faults.add(ImageFault("*/medusa-store:*", message="no such image here"))
    await create_store(target)

    async def failing() -> Obj | None:
        waiting = (await shop_state(target)).get("state", {}).get("waiting", {})
        return waiting if waiting.get("reason") == "ImagePullBackOff" else None

    waiting = await target.eventually(failing)
    assert waiting is not None
    assert "no such image here" in waiting["message"]

    async def database_ready() -> bool:
        return bool((await shop_state(target, "postgres")).get("ready"))

    await target.eventually(database_ready)
    target.sandbox.faults.remove(fault)
    await until_ready(target.sandbox)


async def test_a_container_out_of_memory_then_well_again(target: Target) -> None:
    fault = CrashFault("medusa", out_of_memory=True, log=("storefleet: failed: prepare: too big",), times=2)
    target.sandbox.faults.add(fault)
    await create_store(target)
    await until_ready(target.sandbox)
    status = await shop_state(target)
    assert status["restartCount"] == 2
    assert status["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert status["lastState"]["terminated"]["exitCode"] == 137


async def test_pods_without_a_node(target: Target) -> None:
    fault = target.sandbox.faults.add(UnschedulableFault(pod="medusa-*"))
    await create_store(target)

    async def told() -> bool:
        events = (await target.ok("GET", f"{SPACE}/events"))["items"]
        return any(e["reason"] == "FailedScheduling" and "Insufficient memory" in e["message"] for e in events)

    await target.eventually(told)
    target.sandbox.faults.remove(fault)
    await until_ready(target.sandbox)


async def test_a_volume_that_nobody_provides(target: Target) -> None:
    fault = target.sandbox.faults.add(UnboundVolumeFault(claim="data-*"))
    await create_store(target)

    async def told() -> bool:
        events = (await target.ok("GET", f"{SPACE}/events"))["items"]
        return any(event["reason"] == "ProvisioningFailed" for event in events)

    await target.eventually(told)
    assert (await target.ok("GET", f"{SPACE}/persistentvolumeclaims/data-postgres-0"))["status"]["phase"] == "Pending"
    target.sandbox.faults.remove(fault)
    await until_ready(target.sandbox)


async def test_an_unready_database_takes_the_shop_along(target: Target) -> None:
    await create_store(target)
    await until_ready(target.sandbox)
    fault = target.sandbox.faults.add(UnreadyFault("postgres"))

    async def refused() -> bool:
        return (await ask(target.sandbox, "/ready"))[0] == 503

    await target.eventually(refused)
    assert (await shop_state(target))["ready"] is False
    target.sandbox.faults.remove(fault)
    await until_ready(target.sandbox)


async def test_a_namespace_held_by_a_finalizer(target: Target) -> None:
    fault = target.sandbox.faults.add(HeldFinalizerFault("store-*"))
    await create_store(target)
    await until_ready(target.sandbox)
    await target.ok("DELETE", SPACE)

    async def held() -> bool:
        conditions = (await target.ok("GET", SPACE))["status"].get("conditions", [])
        messages = {item["type"]: item["message"] for item in conditions}
        return messages.get("NamespaceFinalizersRemaining") == (
            "Some content in the namespace has finalizers remaining: "
            "kubernetes.io/pvc-protection in 1 resource instances"
        )

    await target.eventually(held)
    target.sandbox.faults.remove(fault)
    await target.until_gone(SPACE)


async def test_a_kubelet_that_stands_still(target: Target) -> None:
    fault = target.sandbox.faults.add(KubeletFault())
    await create_store(target)
    await asyncio.sleep(0.3)
    assert await shop_state(target) == {}
    target.sandbox.faults.remove(fault)
    await until_ready(target.sandbox)
