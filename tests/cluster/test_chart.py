"""The chart on a real cluster, as an operator uses it: install, `helm test`, a rollout under load, uninstall."""

import asyncio
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from provisioning.cluster import Cluster
from tests.cluster.cluster import INGRESS, KUBECONFIG

HELM = shutil.which("helm")

pytestmark = pytest.mark.skipif(HELM is None, reason="needs the helm command, version 4, on the PATH")

CHART = Path(__file__).resolve().parents[2] / "charts" / "medusa-store"


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.5)


class Store:
    """A namespace with Pod Security "restricted" and a Secret, for one release of its own name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.name = f"store-chart-{secrets.token_hex(3)}"
        self.host = f"{self.name}.localhost"

    async def prepare(self) -> None:
        restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        metadata = {"name": self.name, "labels": restricted}
        await self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        words = ("database-password", "jwt-secret", "cookie-secret", "admin-password")
        await self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "store-secrets", "namespace": self.name},
                "stringData": {word: secrets.token_hex(16) for word in words} | {"admin-email": "admin@example.com"},
            }
        )

    async def remove(self) -> None:
        await self.cluster.delete("Namespace", self.name)

        async def gone() -> bool:
            return await self.cluster.get("Namespace", self.name) is None

        await until(gone, seconds=120)

    async def helm(self, *arguments: str) -> str:
        """What helm printed, on both channels; fails the test when helm failed."""
        process = await asyncio.create_subprocess_exec(
            HELM or "helm",
            *arguments,
            f"--kubeconfig={KUBECONFIG}",
            f"--namespace={self.name}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode()
        assert process.returncode == 0, output
        return output

    async def install(self, **values: str) -> str:
        chosen = {"store.name": "Chart & Proof", "store.url": f"http://{self.host}", **values}
        sets = [f"--set={key}={value}" for key, value in chosen.items()]
        return await self.helm("upgrade", "--install", self.name, str(CHART), "--wait", "--timeout=8m", *sets)

    async def pods(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in (await self.cluster.list_all("Pod", self.name))[0]}

    async def empty(self) -> bool:
        return not await self.pods()

    async def served(self, client: httpx.AsyncClient) -> None:
        """Return once the ingress controller has heard of the shop, a moment after the pod is ready."""

        async def answers() -> bool:
            return (await self.ask(client, "/health")).status_code == 200

        await until(answers, seconds=30)

    async def ask(self, client: httpx.AsyncClient, path: str) -> httpx.Response:
        return await client.get(f"{INGRESS}{path}", headers={"Host": self.host})


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    cluster = await Cluster.connect(Path(KUBECONFIG))
    store = Store(cluster)
    try:
        await store.prepare()
        yield store
    finally:
        await store.remove()
        await cluster.close()


async def test_from_install_to_uninstall(store: Store):
    assert "violate" not in await store.install()  # Pod Security warns through helm

    async with httpx.AsyncClient(timeout=10) as client:
        await store.served(client)
        front = await store.ask(client, "/")
        assert front.status_code == 200
        assert "Chart &amp; Proof" in front.text
        await store.helm("test", store.name)

        before, answers = await store.pods(), Counter[int]()

        async def customer() -> None:
            while True:
                answers[(await store.ask(client, "/health")).status_code] += 1
                await asyncio.sleep(0.05)

        shopping = asyncio.create_task(customer())
        await store.install(**{"medusa.resources.requests.memory": "420Mi"})
        await asyncio.sleep(8)  # the old pod drains and leaves
        assert not shopping.done(), shopping.exception()
        shopping.cancel()
        assert set(answers) == {200}, answers

    after = await store.pods()
    assert len(after) == 2
    assert after & before == {"postgres-0"}

    await store.helm("uninstall", store.name)
    await until(store.empty, seconds=60)
    claims, _ = await store.cluster.list_all("PersistentVolumeClaim", store.name)
    assert [claim["metadata"]["name"] for claim in claims] == ["data-postgres-0"], "the data stays"


async def test_the_data_outlives_the_pod(store: Store):
    """A volume that holds a database is taken as it is, by the server that a new pod starts."""
    await store.install(**{"ingress.enabled": "false"})
    await store.cluster.delete("Pod", "postgres-0", store.name)
    await store.helm("upgrade", store.name, str(CHART), "--reuse-values", "--wait", "--timeout=3m")
    log = await store.cluster.log(store.name, "postgres-0", "postgres")
    assert "database system is ready to accept connections" in log
    assert "database system was shut down at" in log
    assert "not properly shut down" not in log
