"""The look ahead: what a store asks for, what nodes and storage have left, and what is short."""

import pytest

from provisioning.capacity import Room, StoreNeed, how_many, look_ahead, room_of, store_need
from provisioning.cluster import Obj
from provisioning.plans import PLANS
from provisioning.templates import all_values

GI = 1024.0**3


def node(name: str = "n1", cpu: str = "2", memory: str = "4Gi", pods: str = "110", **spec: object) -> Obj:
    labels = spec.pop("labels", {})
    ready = spec.pop("ready", "True")
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def pod(cpu: str, memory: str, on: str | None = "n1", part: str = "", space: str = "other", **spec: object) -> Obj:
    phase = spec.pop("phase", "Running")
    container = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": space, "labels": {"app.kubernetes.io/name": part}},
        "spec": {"containers": [container], **({"nodeName": on} if on else {}), **spec},
        "status": {"phase": phase},
    }


def capacity(amount: str, class_: str = "fast") -> Obj:
    return {"kind": "CSIStorageCapacity", "storageClassName": class_, "capacity": amount}


def need(plan: str = "small", **overlay: object) -> StoreNeed:
    return store_need(all_values("medusa", plan, overlay))


SMALL = need()


def missing(room: Room, new: StoreNeed = SMALL, on_the_way: tuple[tuple[str, StoreNeed], ...] = ()) -> list[str]:
    return list(look_ahead(room, on_the_way, new).missing)


def test_a_store_asks_for_what_its_values_say():
    postgres, medusa = SMALL.pods
    assert (medusa.cpu, medusa.memory) == (0.05, 400 * 1024**2)
    assert (postgres.part, postgres.cpu) == ("postgres", 0.02)
    assert SMALL.volume == GI
    assert need("large").volume == 20 * GI
    for plan in PLANS:
        assert all(pod.memory > 0 for pod in need(plan).pods)


def test_the_operators_values_count():
    assert [each.part for each in need(postgresql={"enabled": False}).pods] == ["medusa"]
    assert need(postgresql={"persistence": {"enabled": False}}).volume == 0
    scaled = need(medusa={"autoscaling": {"enabled": True, "minReplicas": 3}})
    assert [each.part for each in scaled.pods] == ["postgres", "medusa", "medusa", "medusa"]
    assert len(need(medusa={"replicas": 2}).pods) == 3
    unasked = need(medusa={"resources": {"requests": None}})
    assert unasked.pods[1].memory == 64 * 1024**2


def test_room_is_what_the_running_pods_leave():
    room = room_of([node()], [pod("500m", "1Gi"), pod("1", "1Gi", phase="Succeeded"), pod("1", "1Gi", on="gone")])
    assert (room.cpu.used, room.cpu.total) == (0.5, 2)
    assert (room.memory.used, room.memory.total) == (GI, 4 * GI)
    assert missing(room) == []


def test_init_containers_sidecars_and_overhead_count_as_the_scheduler_counts_them():
    def ask(memory: str, **more: str) -> Obj:
        return {"resources": {"requests": {"memory": memory}}, **more}

    alone = pod("0", "1Gi", initContainers=[ask("3Gi")])
    beside = pod("0", "1Gi", initContainers=[ask("1Gi", restartPolicy="Always")], overhead={"memory": "1Gi"})
    assert room_of([node()], [alone]).memory.used == 3 * GI
    assert room_of([node()], [beside]).memory.used == 3 * GI


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([node(memory="300Mi")], "memory for the Medusa pod: 400 MiB are needed, at most 204 MiB are free on a node"),
        ([node(cpu="40m")], "CPU for the Medusa pod: 0.05 cores are needed, at most 0.02 are free on a node"),
        ([node(pods="1")], "a place for the Medusa pod: the nodes run as many pods as they may"),
        ([node(unschedulable=True)], "a node for the PostgreSQL pod: none has its labels"),
        ([node(ready="Unknown")], "a node for the PostgreSQL pod: none has its labels"),
        ([node(taints=[{"key": "gpu", "effect": "NoSchedule"}])], "a node for the PostgreSQL pod: none has its labels"),
        ([], "a node for the PostgreSQL pod: none has its labels"),
    ],
)
def test_what_is_short_is_said(nodes, says):
    told = missing(room_of(nodes, []))
    assert any(each.startswith(says) for each in told), told


def test_two_small_nodes_are_not_one_large_one():
    nodes = [node("n1", memory="1Gi"), node("n2", memory="1Gi")]
    assert missing(room_of(nodes, []), need("large"))
    assert not missing(room_of(nodes, []))


def test_the_overlays_nodes_are_meant():
    chosen = need(medusa={"nodeSelector": {"pool": "shops"}}, postgresql={"nodeSelector": {"pool": "shops"}})
    assert missing(room_of([node()], []), chosen)
    taint = {"key": "pool", "value": "shops", "effect": "NoSchedule"}
    tainted = room_of([node(labels={"pool": "shops"}, taints=[taint])], [])
    assert missing(tainted, chosen)
    tolerations = {"nodeSelector": {"pool": "shops"}, "tolerations": [{"key": "pool", "value": "shops"}]}
    assert not missing(tainted, need(medusa=tolerations, postgresql=tolerations))


def test_stores_on_the_way_have_their_room_first():
    room = room_of([node(memory="1100Mi")], [])
    assert missing(room) == []
    assert missing(room, on_the_way=(("first", SMALL),)) == []
    assert missing(room, on_the_way=(("first", SMALL), ("second", SMALL))) != []


def test_a_store_on_the_way_is_not_counted_twice():
    placed = [
        pod("20m", "96Mi", part="postgres", space="store-first"),
        pod("50m", "400Mi", part="medusa", space="store-first"),
    ]
    room = room_of([node(memory="1100Mi")], placed)
    assert missing(room, on_the_way=(("first", SMALL),)) == []
    waiting = [placed[0], pod("50m", "400Mi", on=None, part="medusa", space="store-first")]
    assert how_many(room_of([node(memory="1100Mi")], waiting), SMALL) == 1


def test_storage_counts_where_it_tells():
    def room(*storage: Obj) -> Room:
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        return room_of([node()], [], storage, [{"metadata": {"name": "fast", "annotations": annotations}}])

    assert missing(room()) == []
    assert missing(room(capacity("10Gi", "slow"))) == []
    assert missing(room(capacity("512Mi"))) == ["storage: 1.0 GiB are needed, 512 MiB are free"]
    assert missing(room(capacity("512Mi"), capacity("2Gi"))) == []
    assert missing(room(capacity("1Gi")), on_the_way=(("first", SMALL),)) != []


def test_how_many_more():
    assert how_many(room_of([node(memory="2Gi")], []), SMALL) == 4
    assert how_many(room_of([], []), SMALL) == 0
    assert how_many(room_of([node(cpu="512", memory="2Ti", pods="10000")], []), SMALL) == 100
