"""What a namespace holds, and what keeps it from ending, asked of a cluster."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from provisioning.cluster import Cluster
from provisioning.inventory import held, held_reason, inventory, labelled
from provisioning.kinds import Kind
from provisioning.sandbox import Sandbox, SandboxOptions

CONFIG_MAP = Kind("ConfigMap", "v1", "configmaps")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Sandbox(SandboxOptions(speed=50, seed=1)) as sandbox:
        connected = await Cluster.connect(sandbox.kubeconfig)
        try:
            yield connected
        finally:
            await connected.close()


def namespace(name: str, **labels: str) -> dict:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def secret(space: str, **metadata: object) -> dict:
    data = {"password": "c2VjcmV0"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": space, **metadata},
        "data": data,
    }


async def until_held(cluster: Cluster, name: str) -> list[str]:
    """What holds `name`, once only what really holds it is left."""
    for _ in range(100):
        found = await held(cluster, name)
        if len(found) == 1:
            return [str(each) for each in found]
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_everything_is_listed_also_what_the_engine_does_not_watch(cluster):
    await cluster.create(namespace("store-x"))
    await cluster.create(secret("store-x"))
    await cluster.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "store-x"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    )
    items = {item.reference: item for item in await inventory(cluster, "store-x")}
    assert {"secret/key", "persistentvolumeclaim/data", "configmap/kube-root-ca.crt", "serviceaccount/default"} <= set(
        items
    )
    assert items["persistentvolumeclaim/data"].size == 1024**3
    assert items["secret/key"].size is None
    assert items["secret/key"].as_dict()["created"].endswith("+00:00")
    assert await inventory(cluster, "store-y") == []


async def test_labels_find_objects_wherever_they_are(cluster):
    await cluster.create(namespace("store-x", ours="yes"))
    await cluster.create(namespace("theirs"))
    await cluster.create(secret("theirs", labels={"ours": "yes"}))
    found = await labelled(cluster, "ours=yes")
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in found] == [("Namespace", "store-x"), ("Secret", "key")]
    assert "data" not in found[1], "a secret's values are not read"


async def test_a_finalizer_that_holds_a_namespace_is_named_with_its_object(cluster):
    await cluster.create(namespace("store-x"))
    await cluster.create(secret("store-x", finalizers=["example.com/hold"]))
    await cluster.delete("Namespace", "store-x")
    assert await until_held(cluster, "store-x") == ["secret/key: finalizer example.com/hold"]
    reason = held_reason("x", await held(cluster, "store-x"))
    assert reason.code == "deletion_held"
    assert reason.message == "The deletion of x is held by secret/key (finalizer example.com/hold)"
    assert "kubectl patch secret key --namespace store-x --type=merge" in reason.hint


async def test_each_kind_is_found_under_one_name_only(cluster):
    kinds = await cluster.kinds()
    assert Kind("Deployment", "apps/v1", "deployments") in kinds
    assert Kind("PersistentVolume", "v1", "persistentvolumes", namespaced=False) in kinds
    assert CONFIG_MAP in kinds
    assert len({(kind.plural, kind.api_version) for kind in kinds}) == len(kinds)


class Limited(Cluster):
    """An account that may list what `rules` say, and is not told what it lists."""

    def __init__(self, api, status: dict) -> None:
        super().__init__(api)
        self.status, self.listed = status, set()

    async def _request(self, method, path, **options):
        if path.endswith("selfsubjectrulesreviews"):
            return {"status": self.status}
        if method == "GET" and "/namespaces/" in path:
            self.listed.add(path.rpartition("/")[2])
        return await super()._request(method, path, **options)


async def test_what_may_not_be_listed_is_not_tried(cluster):
    await cluster.create(namespace("store-x"))
    await cluster.create(secret("store-x"))
    rules = [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]},
        {"verbs": ["list"], "apiGroups": ["apps"], "resources": ["*"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"]},
        {"verbs": ["*"], "apiGroups": ["batch"], "resources": ["jobs/status"]},
    ]
    limited = Limited(cluster._api, {"resourceRules": rules, "incomplete": False})
    assert "secret/key" in {item.reference for item in await inventory(limited, "store-x")}
    assert limited.listed == {"secrets", "controllerrevisions", "deployments", "replicasets", "statefulsets"}


async def test_where_the_cluster_does_not_tell_all_rules_everything_is_tried(cluster):
    await cluster.create(namespace("store-x"))
    limited = Limited(cluster._api, {"resourceRules": [], "incomplete": True})
    await inventory(limited, "store-x")
    assert {"secrets", "pods", "jobs"} <= limited.listed
