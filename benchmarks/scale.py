"""A thousand quiet stores on simulated nodes: what a full pass costs, how many API calls it makes, how much memory.

The first store is installed by helm; the others are its copies, written straight to the API under names of their own,
with Helm's record of each: a thousand helms would measure helm.  Nodes that carry `type=kwok` (KWOK) run their pods.
"""

import asyncio
import base64
import gzip
import json
import os
import re
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from app.migrations import migrate
from benchmarks.figures import show
from provisioning import release
from provisioning.changes import Changes
from provisioning.cluster import Cluster, Obj
from provisioning.database import Database
from provisioning.engine import Engine, EngineOptions
from provisioning.helm import Helm
from provisioning.models import Store, StoreSecret, now
from provisioning.secrets import Sealer, generate, new_key
from provisioning.states import State
from provisioning.wanted import wanted
from tests.served import Served

KUBECONFIG = os.environ.get("KUBECONFIG", "")
PLACEMENT = {
    "nodeSelector": {"type": "kwok"},
    "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
}
OVERLAY: dict[str, Any] = {"medusa": PLACEMENT, "postgresql": {**PLACEMENT, "persistence": {"enabled": False}}}
PASSES = 20
WRITES_AT_ONCE = 40


def run(arguments: list[str]) -> None:
    if not KUBECONFIG:
        print("left out: needs KUBECONFIG, and nodes with the label type=kwok")
        return
    asyncio.run(_run(int(arguments[0]) if arguments else 1000))


async def _run(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        served, key = _served(Path(folder)), new_key()
        served.settings |= {"STOREFLEET_KEY": key}
        database = Database(f"sqlite+aiosqlite:///{folder}/data/storefleet.db")
        await migrate(database)
        cluster, sealer = await Cluster.connect(Path(KUBECONFIG)), Sealer([key])
        installation, secrets = await database.installation(), generate("bench@example.com")
        stores = [_store(number) for number in range(count)]
        try:
            async with database.session() as session:
                session.add_all(stores)
                await session.flush()
                sealed = sealer.seal(secrets)
                session.add_all(StoreSecret(store_id=store.id, sealed=sealed) for store in stores)
                await session.commit()
            helm = Helm(Path(KUBECONFIG), None)
            begun = time.monotonic()
            await _install_all(cluster, helm, stores, installation, secrets)
            print(f"{count} stores written in {time.monotonic() - begun:.0f} s", flush=True)
            await _until_running(cluster, installation, 2 * count)
            await asyncio.to_thread(_measure_memory, served)
            engine = Engine(database, cluster, helm, Changes(), EngineOptions(installation, sealer, OVERLAY))
            cpu = time.process_time()
            await engine.start()
            await _until_settled(engine, stores)
            print(f"all watched, and looked at once: {time.process_time() - cpu:.1f} s of CPU", flush=True)
            await _passes(engine, cluster, count)
            await engine.stop()
        finally:
            await _delete_all(cluster, installation)
            await cluster.close()
            await database.close()


def _served(folder: Path) -> Served:
    (folder / "data").mkdir()
    values = folder / "values.json"
    values.write_text(json.dumps(OVERLAY))
    return Served(folder, "--kubeconfig", KUBECONFIG, STOREFLEET_STORE_VALUES=str(values))


def _measure_memory(served: Served) -> None:
    """Of a serving process, dashboard and all, once it has looked at every store."""
    served.start()
    try:
        assert served.process is not None
        pid, before = served.process.pid, -1.0
        show("memory of a serving process that begins", [_resident(pid)], "MB")
        while (now_ := _cpu(pid)) - before > 0.5:  # seconds of CPU in ten: it still works on something
            before = now_
            time.sleep(10)
        show("memory of the serving process", [_resident(pid)], "MB")
        show("its CPU until all was looked at", [_cpu(pid)])
    finally:
        served.stop()


def _store(number: int) -> Store:
    name, at = f"bench-{number:04d}", now()
    return Store(
        id=uuid.uuid4().hex,
        name=name,
        owner_id="bench",
        template="medusa",
        plan="small",
        state=State.READY,
        state_at=at,
        ready_at=at,
        url=f"http://{name}.localhost",
        version="bench",
        revision=1,
    )


async def _install_all(
    cluster: Cluster, helm: Helm, stores: list[Store], installation: str, secrets: dict[str, str]
) -> None:
    first = wanted(stores[0], installation, secrets, OVERLAY)
    await cluster.create(first.namespace)
    for obj in first.surroundings:
        await cluster.apply(obj)
    labels = {**first.values["labels"], release.SPEC: first.spec}
    await helm.upgrade_install(first.name, first.name, first.chart, first.values, labels, 60)
    ((record, *_), _) = await cluster.list_all("Secret", first.name, "owner=helm")
    places = asyncio.Semaphore(WRITES_AT_ONCE)

    async def copy(store: Store) -> None:
        async with places:
            wish = wanted(store, installation, secrets, OVERLAY)
            await cluster.create(wish.namespace)
            for obj in wish.surroundings:
                await cluster.apply(obj)
            own = _copied(record, stores[0], store, wish.spec)
            await cluster.create(own)
            cached = {**own, "kind": "Secret", "metadata": {**own["metadata"], "creationTimestamp": now().isoformat()}}
            cached["metadata"]["annotations"] = {release.MANIFEST: release.packed_manifest(own)}
            revision = release.newest([cached], wish.ours, wish.spec)
            for obj in revision.manifest if revision else ():
                await cluster.apply(obj, release.FIELD_MANAGER)

    await asyncio.gather(*(copy(store) for store in stores[1:]))


def _copied(record: Obj, first: Store, store: Store, spec: str) -> Obj:
    """Helm's record of the first store's release, as that of another."""

    def renamed(text: str) -> str:
        return text.replace(first.name, store.name).replace(first.id, store.id)

    text = gzip.decompress(base64.b64decode(base64.b64decode(record["data"]["release"]))).decode()
    packed = base64.b64encode(base64.b64encode(gzip.compress(renamed(text).encode()))).decode()
    metadata = record["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels")}
    labels = {**json.loads(renamed(json.dumps(kept)))["labels"], release.SPEC: spec}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": record["type"],
        "metadata": {**json.loads(renamed(json.dumps(kept))), "labels": labels},
        "data": {"release": packed},
    }


async def _until_running(cluster: Cluster, installation: str, pods: int) -> None:
    selector = f"storefleet.dev/installation={installation}"
    while True:
        found, _ = await cluster.list_all("Pod", selector=selector)
        phases = Counter(pod["status"].get("phase") for pod in found)
        if phases["Running"] >= pods:
            return
        print(f"pods: {dict(phases)}", flush=True)
        await asyncio.sleep(10)


async def _until_settled(engine: Engine, stores: list[Store]) -> None:
    while engine.settled < len(stores):
        await engine.dispatch()  # as the clock does
        await asyncio.sleep(1)


async def _passes(engine: Engine, cluster: Cluster, count: int) -> None:
    """CPU of a pass, and the API server's own count of requests with passes and without."""
    await asyncio.sleep(3)
    idle = await _calls(cluster)
    await asyncio.sleep(10)
    idle = (await _calls(cluster)) - idle
    before, seconds, begun = await _calls(cluster), [], time.monotonic()
    for _ in range(PASSES):
        cpu = time.process_time()
        await engine.resync()
        seconds.append(1000 * (time.process_time() - cpu))
        await asyncio.sleep(0.5)
    took, calls = time.monotonic() - begun, (await _calls(cluster)) - before
    show(f"CPU of a full pass over {count} stores", seconds, "ms")
    extra = calls.total() - idle.total() * took / 10
    print(f"API calls: {idle.total() / 10:.1f} a second without passes, {calls.total() / took:.1f} with two a second")
    print(f"API calls a store and pass: {extra / PASSES / count:.4f}", flush=True)


async def _calls(cluster: Cluster) -> Counter[str]:
    """Requests that the API server has answered, by verb and resource, those of leases and metrics left out."""
    text = await cluster.text("/metrics")
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if match := re.match(r'apiserver_request_total\{.*resource="(\w*)".*verb="(\w+)".*\} (\S+)$', line):
            counts = match[1] not in ("leases", "") and match[2] != "WATCH"
            found[f"{match[2]} {match[1]}"] += int(float(match[3])) if counts else 0
    return found


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _cpu(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _delete_all(cluster: Cluster, installation: str) -> None:
    selector = f"storefleet.dev/installation={installation}"
    found, _ = await cluster.list_all("Namespace", selector=selector)
    places = asyncio.Semaphore(WRITES_AT_ONCE)

    async def delete(namespace: Obj) -> None:
        async with places:
            await cluster.delete("Namespace", namespace["metadata"]["name"])

    await asyncio.gather(*(delete(each) for each in found))
    while (await cluster.list_all("Namespace", selector=selector))[0]:  # noqa: ASYNC110
        await asyncio.sleep(5)
