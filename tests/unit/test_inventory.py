"""What keeps a namespace from ending: finalizers, pods, nodes that are silent, in the order that helps a person."""

from datetime import UTC, datetime, timedelta

import pytest

from provisioning.cluster import Obj
from provisioning.inventory import holders

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def obj(kind: str, name: str, api_version: str = "v1", **metadata: object) -> Obj:
    metadata = {"name": name, "uid": name, "namespace": "store-x", **metadata}
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata}


def pod(name: str, ends_in: int | None, node: str = "n1") -> Obj:
    ends = {} if ends_in is None else {"deletionTimestamp": (NOW + timedelta(seconds=ends_in)).isoformat()}
    return {**obj("Pod", name, **ends), "spec": {"nodeName": node}}


def node(name: str, ready: str) -> Obj:
    return {**obj("Node", name), "status": {"conditions": [{"type": "Ready", "status": ready}]}}


NAMESPACE = {**obj("Namespace", "store-x"), "status": {}}
NODES = [node("n1", "True"), node("n2", "Unknown")]


def held(*objects: Obj, namespace: Obj | None = NAMESPACE) -> list[str]:
    return [str(each) for each in holders(namespace, objects, NODES, NOW)]


def test_a_persons_finalizer_comes_before_what_passes_by_itself():
    found = held(
        obj("PersistentVolumeClaim", "data", finalizers=["kubernetes.io/pvc-protection"]),
        pod("postgres-0", ends_in=5),
        obj("ConfigMap", "x", finalizers=["example.com/hold"]),
    )
    assert found == [
        "configmap/x: finalizer example.com/hold",
        "pod/postgres-0: still ending, its grace ends at 03:04:10 UTC",
        "persistentvolumeclaim/data: in use (kubernetes.io/pvc-protection)",
    ]


@pytest.mark.parametrize(
    ("it", "why"),
    [
        (pod("p", ends_in=None), "has not been told to end yet"),
        (pod("p", ends_in=-7), "still ending, its grace ended at 03:03:58 UTC"),
        (pod("p", ends_in=5, node="n2"), "its node n2 does not answer"),
    ],
)
def test_a_pod_says_why_it_is_still_there(it, why):
    assert held(it) == [f"pod/p: {why}"]


def test_a_finalizer_of_the_namespace_itself_counts():
    mine = obj("Namespace", "store-x", namespace=None, finalizers=["example.com/hold"])
    (holder,) = holders(mine, [], [], NOW)
    assert str(holder) == "namespace/store-x: finalizer example.com/hold"
    assert "--namespace" not in holder.command


def test_only_the_named_finalizer_is_taken_away_and_the_group_is_told():
    it = obj("Widget", "w", "acme.example/v1", finalizers=["a/b", "c/d; rm -rf /"])
    first, second = holders(NAMESPACE, [it], [], NOW)
    assert first.command == (
        "kubectl patch widget.acme.example w --namespace store-x --type=merge "
        """'--patch={"metadata": {"finalizers": ["c/d; rm -rf /"]}}'"""
    )
    assert '["a/b"]' in second.command


def test_where_nothing_is_seen_the_cluster_speaks():
    condition = {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "message": "metrics do not answer"}
    stuck = {**NAMESPACE, "status": {"conditions": [condition]}}
    assert held(namespace=stuck) == ["namespace/store-x: metrics do not answer"]
    assert held() == ["namespace/store-x: the cluster has not finished yet"]


def test_volumes_hold_only_once_the_namespace_is_gone():
    volume = {**obj("PersistentVolume", "pv", namespace=None), "status": {"phase": "Failed", "message": "disk busy"}}
    assert held(volume) == ["namespace/store-x: the cluster has not finished yet"]
    (holder,) = holders(None, [volume], [], NOW)
    assert str(holder) == "persistentvolume/pv: not removed by its storage driver yet: Failed disk busy"
