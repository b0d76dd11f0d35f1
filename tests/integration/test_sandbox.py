"""The sandbox itself: start and stop, memory, ingress, speed.  Its protocol is the conformance suite's matter."""

import asyncio
import stat
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from provisioning.sandbox import Sandbox, SandboxOptions
from tests.conformance.client import Obj, Target, config_map, pod_spec

PATIENCE = 10.0


def store_objects(tag: str = "2.21.2") -> list[tuple[str, Obj]]:
    """The shape of a store: a database with a volume, a shop that needs it, Services and an Ingress."""

    def labels(name: str) -> dict[str, str]:
        return {"app.kubernetes.io/name": name}

    def service(name: str, port: int) -> Obj:
        return {"metadata": {"name": name}, "spec": {"selector": labels(name), "ports": [{"port": port}]}}

    probe = {"httpGet": {"path": "/ready", "port": 9000}, "periodSeconds": 1}
    shop = {
        "name": "medusa",
        "image": f"ghcr.io/storefleet/medusa-store:{tag}",
        "env": [{"name": "DATABASE_HOST", "value": "postgres"}],
        "startupProbe": probe,
        "readinessProbe": probe,
    }
    database = {**pod_spec(), "volumes": []}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    backend = {"service": {"name": "medusa", "port": {"number": 9000}}}
    rule = {"host": "bikes.localhost", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return [
        ("services", service("postgres", 5432)),
        ("services", service("medusa", 9000)),
        (
            "statefulsets",
            {
                "metadata": {"name": "postgres"},
                "spec": {
                    "serviceName": "postgres",
                    "selector": {"matchLabels": labels("postgres")},
                    "template": {"metadata": {"labels": labels("postgres")}, "spec": database},
                    "volumeClaimTemplates": [claim],
                },
            },
        ),
        (
            "deployments",
            {
                "metadata": {"name": "medusa"},
                "spec": {
                    "selector": {"matchLabels": labels("medusa")},
                    "template": {"metadata": {"labels": labels("medusa")}, "spec": {"containers": [shop]}},
                },
            },
        ),
        ("ingresses", {"metadata": {"name": "medusa"}, "spec": {"rules": [rule]}}),
    ]


GROUPS = {"services": "api/v1", "statefulsets": "apis/apps/v1", "deployments": "apis/apps/v1"}


async def create_store(target: Target, namespace: str = "store-bikes", tag: str = "2.21.2") -> None:
    await target.ok("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for plural, body in store_objects(tag):
        group = GROUPS.get(plural, "apis/networking.k8s.io/v1")
        await target.ok("POST", f"/{group}/namespaces/{namespace}/{plural}", body)


async def ask(sandbox: Sandbox, path: str, host: str = "bikes.localhost", **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(sandbox.ingress_url + path, headers={"Host": host, **headers}) as answer,
    ):
        return answer.status, await answer.text()


async def until_ready(sandbox: Sandbox) -> float:
    """Seconds until the store answers."""
    start = time.monotonic()
    while (await ask(sandbox, "/ready"))[0] != 200:
        assert time.monotonic() - start < PATIENCE
        await asyncio.sleep(0.01)
    return time.monotonic() - start


async def test_a_store_comes_up_and_answers() -> None:
    async with (
        Sandbox(SandboxOptions(speed=50)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        assert (await ask(sandbox, "/ready"))[0] == 404
        await create_store(target)
        assert (await ask(sandbox, "/ready"))[0] == 503
        assert await until_ready(sandbox) < 1
        assert await ask(sandbox, "/ready") == (200, "OK")
        assert (await ask(sandbox, "/ready", host="other.localhost"))[0] == 404
        status, page = await ask(sandbox, "/")
        assert status == 200
        assert "simulated shop" in page
        assert "Coffee mug" in page
        assert (await ask(sandbox, "/store/products"))[0] == 400
        status, products = await ask(sandbox, "/store/products", **{"x-publishable-api-key": "pk_1"})
        assert status == 200
        assert "coffee-mug" in products
        assert "no admin" in (await ask(sandbox, "/app"))[1]
        assert (await ask(sandbox, "/nowhere"))[0] == 404

        pods = (await target.ok("GET", "/api/v1/namespaces/store-bikes/pods"))["items"]
        shop = next(pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"].startswith("medusa"))
        log = (await target.call("GET", f"/api/v1/namespaces/store-bikes/pods/{shop}/log")).body.splitlines()
        assert log.index("storefleet: database restored from the 2.21.2 snapshot") < log.index(
            "storefleet: shop prepared"
        )

        # A second pod finds the database filled; the first serves until it is gone.
        await target.ok("DELETE", f"/api/v1/namespaces/store-bikes/pods/{shop}")

        async def second() -> str:
            pods = (await target.ok("GET", "/api/v1/namespaces/store-bikes/pods"))["items"]
            names = [pod["metadata"]["name"] for pod in pods]
            return next((name for name in names if name.startswith("medusa") and name != shop), "")

        name = await target.eventually(second)
        await target.until_gone(f"/api/v1/namespaces/store-bikes/pods/{shop}")
        await until_ready(sandbox)
        log = (await target.call("GET", f"/api/v1/namespaces/store-bikes/pods/{name}/log")).body
        assert "shop prepared" in log
        assert "restored" not in log

        await target.ok("DELETE", "/api/v1/namespaces/store-bikes")
        await target.until_gone("/api/v1/namespaces/store-bikes")
        assert (await target.ok("GET", "/api/v1/persistentvolumes"))["items"] == []
        assert (await ask(sandbox, "/ready"))[0] == 404


async def test_at_its_own_speed_a_store_takes_believably_long() -> None:
    async with (
        Sandbox(SandboxOptions(speed=5)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        await create_store(target)
        assert 7 < await until_ready(sandbox) * 5 < 12


async def test_the_ingress_takes_names_as_text() -> None:
    async with (
        Sandbox(SandboxOptions(speed=100)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        await create_store(target)
        await until_ready(sandbox)
        status, text = await ask(sandbox, "/", host="<script>")
        assert (status, "<script>" in text) == (404, False)
        start = time.perf_counter()
        for _ in range(20):
            await ask(sandbox, "/ready")
        assert (time.perf_counter() - start) / 20 < 0.05


async def test_it_starts_at_once_and_its_papers_are_private() -> None:
    start = time.perf_counter()
    async with Sandbox() as sandbox:
        assert time.perf_counter() - start < 0.5
        assert stat.S_IMODE(sandbox.kubeconfig.stat().st_mode) == 0o600
        folder = sandbox.kubeconfig.parent
    assert not folder.exists()


async def test_it_stops_cleanly_under_open_watches() -> None:
    before = asyncio.all_tasks()
    async with (
        Sandbox(SandboxOptions(speed=1)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        await create_store(target)
        responses = [
            await target.send("GET", path, watch="true", resourceVersion="0")
            for path in ("/api/v1/pods", "/api/v1/events", "/apis/apps/v1/deployments")
        ]
        await responses[0].content.readline()
        start = time.monotonic()
        await sandbox.__aexit__(None, None, None)
        assert time.monotonic() - start < 1.5
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before


async def test_a_restart_finds_everything(tmp_path: Path) -> None:
    options = SandboxOptions(data_dir=tmp_path / "sandbox", speed=50)
    async with Sandbox(options) as sandbox:
        urls = (sandbox.api_url, sandbox.ingress_url)
        kubeconfig = sandbox.kubeconfig.read_text()
        async with Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target:
            await create_store(target)
            await until_ready(sandbox)
            await target.ok("POST", "/api/v1/namespaces/default/configmaps", config_map("gone"))
            await target.ok("DELETE", "/api/v1/namespaces/default/configmaps/gone")
            pods = await target.ok("GET", "/api/v1/namespaces/store-bikes/pods")

    async with Sandbox(options) as sandbox:
        assert (sandbox.api_url, sandbox.ingress_url) == urls
        assert sandbox.kubeconfig.read_text() == kubeconfig
        async with Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target:
            again = await target.ok("GET", "/api/v1/namespaces/store-bikes/pods")
            assert again["items"] == pods["items"]
            assert int(again["metadata"]["resourceVersion"]) >= int(pods["metadata"]["resourceVersion"])
            assert (await target.call("GET", "/api/v1/namespaces/default/configmaps/gone")).status == 404
            assert await ask(sandbox, "/ready") == (200, "OK")
            # Whoever watched before has to list anew.
            version = int(pods["items"][0]["metadata"]["resourceVersion"]) - 1
            events = await target.watch("/api/v1/pods", resourceVersion=version, timeoutSeconds=1)
            assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
            shop = next(p["metadata"]["name"] for p in again["items"] if p["metadata"]["name"].startswith("medusa"))
            log = await target.call("GET", f"/api/v1/namespaces/store-bikes/pods/{shop}/log")
            assert "storefleet: shop prepared" in log.body


async def test_pods_go_on_where_they_were(tmp_path: Path) -> None:
    slow = SandboxOptions(data_dir=tmp_path, speed=1)
    async with (
        Sandbox(slow) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        await create_store(target)

        async def pulling() -> bool:
            events = (await target.ok("GET", "/api/v1/namespaces/store-bikes/events"))["items"]
            return any(event["reason"] == "Pulling" for event in events)

        await target.eventually(pulling)
    async with Sandbox(SandboxOptions(data_dir=tmp_path, speed=50)) as sandbox:
        assert await until_ready(sandbox) < 1


async def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        port = int(sandbox.ingress_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await Sandbox(SandboxOptions(ingress_port=port)).__aenter__()


async def test_a_quiet_sandbox_does_nothing() -> None:
    async with (
        Sandbox(SandboxOptions(speed=100)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        await create_store(target)
        await until_ready(sandbox)
        await asyncio.sleep(0.2)
        version = (await target.ok("GET", "/api/v1/pods"))["metadata"]["resourceVersion"]
        used = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - used < 0.05
        assert (await target.ok("GET", "/api/v1/pods"))["metadata"]["resourceVersion"] == version


async def test_many_stores_at_once() -> None:
    async with (
        Sandbox(SandboxOptions(speed=1000)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, patience=60) as target,
    ):
        await asyncio.gather(*(create_store(target, f"store-{number}") for number in range(50)))

        async def all_ready() -> bool:
            pods: list[Any] = (await target.ok("GET", "/api/v1/pods"))["items"]
            ready = [c for pod in pods for c in pod["status"].get("containerStatuses", []) if c["ready"]]
            return len(ready) == 100

        await target.eventually(all_ready)
        start = time.perf_counter()
        response = await target.send("GET", "/api/v1/pods")
        await response.read()
        assert time.perf_counter() - start < 0.5


async def test_a_container_that_has_said_nothing_has_an_empty_log() -> None:
    async with (
        Sandbox(SandboxOptions(speed=50)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, PATIENCE) as target,
    ):
        path = "/api/v1/namespaces/default/pods"
        spec = pod_spec("example.com/quiet:1")
        await target.ok("POST", path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "quiet"}, "spec": spec})

        async def ready() -> bool:
            conditions = (await target.ok("GET", f"{path}/quiet"))["status"].get("conditions", [])
            return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

        await target.eventually(ready)
        log = await target.call("GET", f"{path}/quiet/log")
        assert (log.status, log.body) == (200, "")
