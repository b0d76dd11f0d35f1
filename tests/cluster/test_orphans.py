"""Orphans on a real cluster: none after a life, one made by hand is found and removed, a foreign one stays; and what
holds a namespace is named."""

import asyncio
import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from provisioning.cluster import Cluster
from provisioning.inventory import held, inventory
from tests.cluster.cluster import KUBECONFIG, Kubectl
from tests.cluster.test_whole_line import served_on_the_cluster, wait_for, wait_until_gone
from tests.served import Served

INSTALLATION, STORE = "storefleet.dev/installation", "storefleet.dev/store"
GONE = "0" * 32  # the id of a store that nobody knows


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    process = served_on_the_cluster(tmp_path_factory.mktemp("served"))
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture(scope="module")
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client(served.token()) as client:
        for _ in range(300):
            if client.get("/readyz").is_success:
                break
            time.sleep(0.2)
        yield client


@pytest.fixture
def make(kubectl: Kubectl) -> Iterator[Callable[..., str]]:
    """Make an object by kubectl; a namespace is removed at the end whatever happened, finalizers and all."""
    spaces: list[str] = []

    def apply(kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None, **more: Any) -> str:
        metadata: dict[str, Any] = {"name": name, "labels": labels or {}, **more.pop("metadata", {})}
        if namespace:
            metadata["namespace"] = namespace
        if kind == "Namespace":
            spaces.append(name)
        body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}
        command = [kubectl.command, "--kubeconfig", KUBECONFIG, "create", "--filename", "-"]
        subprocess.run(command, input=json.dumps(body), text=True, check=True, capture_output=True, timeout=60)
        return name

    yield apply
    for space in spaces:
        kubectl.run("delete", "namespace", space, "--ignore-not-found", "--wait=false")
        if space in kubectl.names("namespaces"):
            for name in kubectl.names("configmaps", "--namespace", space):
                patch = '{"metadata": {"finalizers": null}}'
                kubectl.run("patch", "configmap", name, "--namespace", space, "--type=merge", f"--patch={patch}")


def orphans(api: httpx.Client) -> dict[str, dict[str, Any]]:
    found = api.get("/api/v1/platform/orphans")
    assert found.status_code == 200, found.text
    return {f"{each['kind'].lower()}/{each['name']}": each for each in found.json()["items"]}


def installation_of(kubectl: Kubectl, namespace: str) -> str:
    (space,) = [each for each in kubectl.items("namespaces") if each["metadata"]["name"] == namespace]
    return str(space["metadata"]["labels"][INSTALLATION])


def test_a_life_leaves_no_orphan_and_only_our_own_are_found_and_removed(api, kubectl, make):
    run = secrets.token_hex(3)
    api.post("/api/v1/stores", json={"name": f"life-{run}"}).raise_for_status()
    store = wait_for(api, f"life-{run}", "READY", "FAILED")
    assert store["state"] == "READY", store["reason"]
    assert orphans(api) == {}
    ours = {INSTALLATION: installation_of(kubectl, f"store-life-{run}"), STORE: GONE}

    lost = make("Namespace", f"store-lost-{run}", labels=ours)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    make("PersistentVolumeClaim", "data", lost, ours, spec=spec)
    foreign = make("Namespace", f"store-foreign-{run}", labels={INSTALLATION: "another", STORE: GONE})
    bare = make("Namespace", f"store-bare-{run}")
    make("ConfigMap", "theirs", bare)
    make("ConfigMap", "ours", bare, ours)

    found = orphans(api)
    assert set(found) == {f"namespace/{lost}", "configmap/ours"}
    assert (found[f"namespace/{lost}"]["size_bytes"], found[f"namespace/{lost}"]["contains"]) == (1024**3, 1)
    for orphan in found.values():
        assert api.delete(f"/api/v1/platform/orphans/{orphan['id']}").status_code == 202
    end = time.monotonic() + 120
    while orphans(api):
        assert time.monotonic() < end, orphans(api)
        time.sleep(1)
    assert lost not in kubectl.names("namespaces")
    assert {foreign, bare} <= set(kubectl.names("namespaces"))
    assert "theirs" in kubectl.names("configmaps", "--namespace", bare)
    assert wait_for(api, f"life-{run}", "READY")["state"] == "READY"

    api.delete(f"/api/v1/stores/life-{run}").raise_for_status()
    wait_until_gone(api, f"life-{run}")
    assert orphans(api) == {}


async def test_a_finalizer_that_holds_a_namespace_is_reported_with_its_object(kubectl, make):
    space = make("Namespace", f"store-held-{secrets.token_hex(3)}")
    make("ConfigMap", "x", space, metadata={"finalizers": ["example.com/hold"]})
    kubectl.run("delete", "namespace", space, "--wait=false")
    cluster = await Cluster.connect(Path(KUBECONFIG))
    try:
        end = time.monotonic() + 60
        while [str(each) for each in await held(cluster, space)] != ["configmap/x: finalizer example.com/hold"]:
            assert time.monotonic() < end, await held(cluster, space)
            await asyncio.sleep(0.5)
        (holder,) = await held(cluster, space)
        assert "configmap/x" in [item.reference for item in await inventory(cluster, space)]
        kubectl.run(*shlex.split(holder.command)[1:])  # what the hint tells a person to do
        while await cluster.get("Namespace", space):
            assert time.monotonic() < end + 60
            await asyncio.sleep(0.5)
    finally:
        await cluster.close()


def test_a_deletion_that_is_held_says_by_what_and_ends_once_it_is_let_go(api, kubectl, make):
    name = f"held-{secrets.token_hex(3)}"
    api.post("/api/v1/stores", json={"name": name}).raise_for_status()
    wait_for(api, name, "READY")
    make("ConfigMap", "hold", f"store-{name}", metadata={"finalizers": ["example.com/hold"]})
    api.delete(f"/api/v1/stores/{name}").raise_for_status()
    message, end = (
        f"The deletion of {name} is held by configmap/hold (finalizer example.com/hold)",
        time.monotonic() + 90,
    )
    while not (reason := api.get(f"/api/v1/stores/{name}").json()["reason"]) or reason["message"] != message:
        assert time.monotonic() < end, reason
        time.sleep(0.5)
    assert reason["code"] == "deletion_held"
    lines = [each["message"] for each in api.get(f"/api/v1/stores/{name}/events").json()["items"]]
    assert lines.count("Deletion waits for configmap/hold: finalizer example.com/hold") == 1
    kubectl.run(*shlex.split(reason["hint"][reason["hint"].index("kubectl ") :])[1:])
    wait_until_gone(api, name)


async def test_the_inventory_is_what_kubectl_lists(kubectl):
    cluster = await Cluster.connect(Path(KUBECONFIG))
    try:
        items = {(item.kind, item.name) for item in await inventory(cluster, "kube-system")}
    finally:
        await cluster.close()
    kinds = kubectl.run("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "pods.metrics"))]
    listed = kubectl.items(",".join(kinds), "--namespace", "kube-system")
    assert {(each["kind"], each["metadata"]["name"]) for each in listed if each["kind"] != "Lease"} == {
        each for each in items if each[0] != "Lease"
    }
