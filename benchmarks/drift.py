"""From a hand's change to its repair, on a READY shop of a real cluster: objects deleted, fields edited, any order.

Measured from just before the hand's request to the first look (one every 20 ms) that finds the object as it was.  Each
change is made at most twice: what somebody changes again and again is meant to be mended ever more slowly.
"""

import asyncio
import random
import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.figures import show
from benchmarks.on_cluster import KUBECONFIG, kubectl, missing, served_on_cluster, until_in_state
from provisioning.cluster import Cluster, Obj
from provisioning.drift import differences
from provisioning.kinds import KINDS

EVERY = 0.02  # seconds between two looks
REST = 0.3  # seconds between two changes
LONGEST = 60.0  # seconds after which a change counts as not mended

POLICIES = ("default-deny", "dns", "database", "shop", "test")
ELSEWHERE: Obj = {"matchLabels": {"app": "elsewhere"}}
WRONG_IMAGE: Obj = {"template": {"spec": {"containers": [{"name": "medusa", "image": "registry.invalid/wrong:1"}]}}}


@dataclass(frozen=True)
class Change:
    """What the hand does to one object: gives it fields, or deletes it.  `kind` "Namespace": the store's own."""

    kind: str
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    times: int = 2

    def __str__(self) -> str:
        return f"{self.kind} {'edited' if self.fields else 'deleted'}"


def _label(key: str, value: str = "changed-by-hand") -> dict[str, Any]:
    return {"metadata": {"labels": {key: value}}}


CHANGES = (
    Change("Deployment", "medusa", times=1),  # its pod starts anew, which costs a shop 15 s of CPU
    Change("Deployment", "medusa", {"spec": WRONG_IMAGE}),
    Change("Deployment", "medusa", _label("app.kubernetes.io/name")),
    Change("StatefulSet", "postgres", {"spec": {"replicas": 0}}),
    Change("StatefulSet", "postgres", _label("app.kubernetes.io/name")),
    *(Change("Service", name) for name in ("medusa", "postgres")),
    *(Change("Service", name, {"spec": {"selector": {"app": "elsewhere"}}}) for name in ("medusa", "postgres")),
    Change("Ingress", "medusa"),
    Change("Ingress", "medusa", {"spec": {"rules": [{"host": "elsewhere.localhost"}]}}),
    Change("Secret", "store-secrets"),
    Change("Secret", "store-secrets", {"data": {"jwt-secret": "Y2hhbmdlZA=="}}),
    Change("ResourceQuota", "store"),
    Change("ResourceQuota", "store", {"spec": {"hard": {"pods": "99"}}}),
    *(Change("NetworkPolicy", name) for name in POLICIES),
    *(Change("NetworkPolicy", name, {"spec": {"podSelector": ELSEWHERE}}) for name in POLICIES),
    Change("Namespace", "", _label("pod-security.kubernetes.io/enforce", "privileged")),
    Change("Namespace", "", _label("storefleet.dev/store")),
)


def run(arguments: list[str]) -> None:
    if lacks := missing("kubectl"):
        print(lacks)
        return
    seed = int(arguments[0]) if arguments else random.SystemRandom().randrange(10**6)
    with tempfile.TemporaryDirectory() as folder, served_on_cluster(Path(folder)) as api:
        name = f"drift-{secrets.token_hex(3)}"
        api.post("/api/v1/stores", json={"name": name}).raise_for_status()
        try:
            until_in_state(api, name, "READY")
            asyncio.run(_run(name, seed))
            events = api.get(f"/api/v1/stores/{name}/events").json()["items"]
            told = [event for event in events if event["kind"] == "repaired"]
            print(f"lines in the timeline that say what was found and put back: {len(told)}", flush=True)
        finally:
            api.delete(f"/api/v1/stores/{name}")
            until_in_state(api, name, "gone")


async def _run(name: str, seed: int) -> None:
    namespace, before = f"store-{name}", _releases(name)
    changes = [change for change in CHANGES for _ in range(change.times)]
    random.Random(seed).shuffle(changes)  # noqa: S311
    cluster, took = await Cluster.connect(Path(KUBECONFIG)), defaultdict(list)
    try:
        for change in changes:
            took[str(change)].append(await _until_mended(cluster, namespace, change))
            await asyncio.sleep(REST)
    finally:
        await cluster.close()
    for what, seconds in sorted(took.items()):
        show(what, seconds)
    every = [seconds for each in took.values() for seconds in each]
    show(f"all {len(every)} changes (seed {seed})", every)
    print(f"95th percentile: {quantiles(every, n=20)[-1]:.2f} s")
    print(f"revisions of the release before and after: {before}, {_releases(name)}", flush=True)


async def _until_mended(cluster: Cluster, namespace: str, change: Change) -> float:
    name, place = (namespace, None) if change.kind == "Namespace" else (change.name, namespace)
    there = await cluster.get(change.kind, name, place)
    assert there is not None
    metadata = {"name": name, **({"namespace": place} if place else {})}
    edit = {"apiVersion": KINDS[change.kind].api_version, "kind": change.kind, **change.fields}
    edit["metadata"] = {**edit.get("metadata", {}), **metadata}
    begun = time.monotonic()
    if change.fields:
        await cluster.apply(edit, manager="a-hand")
    else:
        await cluster.delete(change.kind, name, place)
    while (took := time.monotonic() - begun) < LONGEST:
        now = await cluster.get(change.kind, name, place)
        if now is not None and (differences(edit, now) if change.fields else _uid(now) != _uid(there)):
            return time.monotonic() - begun
        await asyncio.sleep(EVERY)
    print(f"not mended within {LONGEST:g} s: {change}, {name}", flush=True)
    return took


def _uid(obj: Obj) -> str:
    return str(obj["metadata"]["uid"])


def _releases(name: str) -> int:
    found = kubectl("get", "secret", "--namespace", f"store-{name}", "--selector", "owner=helm", "--output", "name")
    return len(found.split())
