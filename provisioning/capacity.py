"""Will a new store find room?  What its pods and its volume ask for, against what nodes and storage have left.

A look ahead, not a promise: the scheduler has the last word, and a cluster that grows by itself grows only once pods
wait.  So what is unknown (nodes that we may not list, storage that does not tell) counts as room.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from provisioning import names
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.failures import PARTS, condition
from provisioning.kinds import Kind
from provisioning.plans import PLANS
from provisioning.quantities import quantity
from provisioning.templates import TEMPLATES, all_values

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds for the cluster to answer: somebody waits
REREAD_AFTER = 30.0  # seconds that a reading of the cluster is good for
STORAGE_CAPACITY = Kind("CSIStorageCapacity", "storage.k8s.io/v1", "csistoragecapacities")
STORAGE_CLASS = Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
# What a store's LimitRange gives to containers that ask for nothing themselves.
_UNASKED = {"cpu": "10m", "memory": "64Mi"}


@dataclass(frozen=True)
class PodNeed:
    """What a pod asks of a node: cores, bytes, and which nodes it may go to."""

    part: str  # the label app.kubernetes.io/name
    cpu: float
    memory: float
    selector: Mapping[str, str]
    tolerations: Sequence[Obj] = ()


@dataclass(frozen=True)
class StoreNeed:
    """What a whole store asks for."""

    pods: Sequence[PodNeed]
    volume: float = 0  # bytes
    storage_class: str = ""  # "": the cluster's default


@dataclass(frozen=True)
class NodeRoom:
    """A node that takes pods, and what is left of it."""

    name: str
    labels: Mapping[str, str]
    taints: Sequence[Obj]
    cpu: float
    memory: float
    pods: float

    def takes(self, need: PodNeed) -> bool:
        return self.pods >= 1 and self.cpu + 1e-9 >= need.cpu and self.memory >= need.memory and self.admits(need)

    def admits(self, need: PodNeed) -> bool:
        """May the pod go there, were it empty?"""
        return all(self.labels.get(key) == value for key, value in need.selector.items()) and all(
            any(_tolerates(each, taint) for each in need.tolerations) for taint in self.taints
        )


@dataclass(frozen=True)
class Use:
    """How much of something is taken: cores or bytes."""

    used: float
    total: float


@dataclass(frozen=True)
class Room:
    """What the cluster has left."""

    nodes: Sequence[NodeRoom]
    cpu: Use
    memory: Use
    waiting: Sequence[PodNeed] = ()  # pods that have no node yet, whoever's they are
    seen: frozenset[tuple[str, str]] = frozenset()  # (namespace, part) of each pod that is there
    storage: Mapping[str, Sequence[float]] | None = None  # by class: bytes free in each place; None: nobody tells
    default_class: str = ""


@dataclass(frozen=True)
class Verdict:
    """`missing`: what a store would wait for, one sentence each; none: there is room, or nobody knows."""

    missing: Sequence[str] = ()

    @property
    def fits(self) -> bool:
        return not self.missing


def store_need(values: Mapping[str, Any]) -> StoreNeed:
    """What a store asks for by its Helm values, the chart's own below them."""
    shop, database = values.get("medusa") or {}, values.get("postgresql") or {}
    scaling = shop.get("autoscaling") or {}
    replicas = scaling.get("minReplicas") if scaling.get("enabled") else shop.get("replicas")
    pods = [_pod_of_values("medusa", shop)] * int(1 if replicas is None else replicas)
    if not database.get("enabled", True):
        return StoreNeed(pods)
    disk = database.get("persistence") or {}
    volume = quantity(disk.get("size") or 0) if disk.get("enabled", True) else 0
    return StoreNeed([_pod_of_values("postgres", database), *pods], volume, str(disk.get("storageClass") or ""))


def room_of(
    nodes: Iterable[Obj], pods: Iterable[Obj], storage: Iterable[Obj] = (), classes: Iterable[Obj] = ()
) -> Room:
    """From the cluster's objects to what is left: nodes that take pods, less what the pods on them ask for."""
    pods = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    rooms: dict[str, NodeRoom] = {}
    total_cpu = total_memory = 0.0
    for node in nodes:
        if node.get("spec", {}).get("unschedulable") or not _is_ready(node):
            continue
        has = (node.get("status") or {}).get("allocatable") or {}
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        taints = [each for each in node.get("spec", {}).get("taints") or [] if each["effect"] != "PreferNoSchedule"]
        cpu, memory, places = (quantity(has.get(each, 0)) for each in ("cpu", "memory", "pods"))
        rooms[name] = NodeRoom(name, labels, taints, cpu, memory, places)
        total_cpu, total_memory = total_cpu + cpu, total_memory + memory
    waiting: list[PodNeed] = []
    for pod in pods:
        need, node_name = _pod_need(pod), pod["spec"].get("nodeName")
        if not node_name:
            waiting.append(need)
        elif room := rooms.get(node_name):
            rooms[node_name] = _less(room, need)
    left = list(rooms.values())
    free: dict[str, list[float]] = {}
    for each in storage:
        if "capacity" in each:
            free.setdefault(each["storageClassName"], []).append(quantity(each["capacity"]))
    return Room(
        nodes=left,
        cpu=Use(total_cpu - sum(room.cpu for room in left), total_cpu),
        memory=Use(total_memory - sum(room.memory for room in left), total_memory),
        waiting=waiting,
        seen=frozenset((pod["metadata"].get("namespace", ""), _part(pod)) for pod in pods),
        storage=free or None,
        default_class=next((each["metadata"]["name"] for each in classes if _is_default(each)), ""),
    )


def look_ahead(room: Room, on_the_way: Iterable[tuple[str, StoreNeed]], new: StoreNeed) -> Verdict:
    """Is there room for `new` once every pod that waits, and every store `on_the_way` (its name), has its own?"""
    room, _ = _take(room, StoreNeed(room.waiting))
    for name, need in on_the_way:
        namespace = names.namespace(name)
        pods = [pod for pod in need.pods if (namespace, pod.part) not in room.seen]
        has_volume = (namespace, "postgres") in room.seen
        room, _ = _take(room, replace(need, pods=pods, volume=0 if has_volume else need.volume))
    return Verdict(_take(room, new)[1])


def how_many(room: Room, need: StoreNeed, at_most: int = 100) -> int:
    """How many more such stores find room."""
    room, _ = _take(room, StoreNeed(room.waiting))
    for number in range(at_most):
        room, missing = _take(room, need)
        if missing:
            return number
    return at_most


class Reader:
    """Reads the cluster when somebody asks, and at most every half minute; `overlay`: the operator's Helm values."""

    def __init__(self, cluster: Cluster, overlay: Mapping[str, Any]) -> None:
        self._cluster, self._overlay = cluster, overlay
        self._room: Room | None = None
        self._read_at: float | None = None
        self._one = asyncio.Lock()

    async def room(self) -> Room | None:
        """What is left, at most half a minute old; None where the cluster does not tell."""
        async with self._one:
            at = asyncio.get_running_loop().time()
            if self._read_at is None or at - self._read_at >= REREAD_AFTER:
                self._room, self._read_at = await self._read(), at
            return self._room

    def need(self, template: str, plan: str) -> StoreNeed:
        """What a store of this template and plan asks for; nothing where they are not known any more."""
        if template not in TEMPLATES or plan not in PLANS:
            return StoreNeed([])
        return store_need(all_values(template, plan, self._overlay))

    async def _read(self) -> Room | None:
        try:
            async with asyncio.timeout(PATIENCE):
                nodes, _ = await self._cluster.list_all("Node")
                pods, _ = await self._cluster.list_all("Pod")
                return room_of(nodes, pods, await self._list(STORAGE_CAPACITY), await self._list(STORAGE_CLASS))
        except (ClusterError, TimeoutError) as error:
            log.info("capacity is not known: %s", error or "no answer in time")
            return None

    async def _list(self, kind: Kind) -> list[Obj]:
        try:
            return await self._cluster.list_of(kind)
        except ClusterError:  # not permitted, or not known there
            return []


def _take(room: Room, need: StoreNeed) -> tuple[Room, list[str]]:
    """The room that is left when all of `need` that finds a place has it; what does not, in sentences."""
    missing: dict[str, None] = {}
    nodes = list(room.nodes)
    for pod in need.pods:
        # As the scheduler does by default: where most is left.
        fitting = [number for number, node in enumerate(nodes) if node.takes(pod)]
        if fitting:
            best = max(fitting, key=lambda number: nodes[number].memory)
            nodes[best] = _less(nodes[best], pod)
        else:
            missing[_why(nodes, pod)] = None
    storage = room.storage
    class_ = need.storage_class or room.default_class
    if need.volume and storage is not None and class_ in storage:
        places = sorted(storage[class_])
        if places[-1] < need.volume:
            missing[f"storage: {_bytes(need.volume)} are needed, {_bytes(places[-1])} are free"] = None
        else:
            storage = {**storage, class_: [*places[:-1], places[-1] - need.volume]}
    return replace(room, nodes=nodes, storage=storage), list(missing)


def _why(nodes: Sequence[NodeRoom], pod: PodNeed) -> str:
    """What keeps a pod out, in the resource that is shortest on the node that has most of it."""
    who = PARTS.get(pod.part, pod.part)
    allowed = [node for node in nodes if node.admits(pod)]
    if not allowed:
        return f"a node for the {who} pod: none has its labels, tolerated taints and is ready"
    memory = max(node.memory for node in allowed)
    cpu = max(node.cpu for node in allowed)
    if memory < pod.memory:
        return f"memory for the {who} pod: {_bytes(pod.memory)} are needed, at most {_bytes(memory)} are free on a node"
    if cpu < pod.cpu:
        return f"CPU for the {who} pod: {pod.cpu:.2f} cores are needed, at most {max(cpu, 0):.2f} are free on a node"
    if all(node.pods < 1 for node in allowed):
        return f"a place for the {who} pod: the nodes run as many pods as they may"
    return f"a node with both memory and CPU for the {who} pod"


def _less(room: NodeRoom, need: PodNeed) -> NodeRoom:
    return replace(room, cpu=room.cpu - need.cpu, memory=room.memory - need.memory, pods=room.pods - 1)


def _pod_of_values(part: str, values: Mapping[str, Any]) -> PodNeed:
    requests = {**_UNASKED, **((values.get("resources") or {}).get("requests") or {})}
    return PodNeed(
        part,
        quantity(requests["cpu"]),
        quantity(requests["memory"]),
        values.get("nodeSelector") or {},
        values.get("tolerations") or [],
    )


def _pod_need(pod: Obj) -> PodNeed:
    """What a pod counts for: its containers and sidecars together, or its hungriest init container."""
    spec = pod["spec"]
    inits = spec.get("initContainers") or []
    lasting = [*spec["containers"], *(each for each in inits if each.get("restartPolicy") == "Always")]
    asks: dict[str, float] = {}
    for resource in ("cpu", "memory"):
        together = sum(_request(each, resource) for each in lasting)
        alone = max((_request(each, resource) for each in inits), default=0.0)
        asks[resource] = max(together, alone) + quantity((spec.get("overhead") or {}).get(resource, 0))
    selector = spec.get("nodeSelector") or {}
    return PodNeed(_part(pod), asks["cpu"], asks["memory"], selector, spec.get("tolerations") or [])


def _request(container: Obj, resource: str) -> float:
    return quantity(((container.get("resources") or {}).get("requests") or {}).get(resource, 0))


def _part(pod: Obj) -> str:
    return str((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name", ""))


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _is_ready(node: Obj) -> bool:
    ready = condition(node, "Ready")
    return ready is not None and ready.get("status") == "True"


def _is_default(class_: Obj) -> bool:
    return (class_["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"


def _bytes(amount: float) -> str:
    amount = max(amount, 0)
    return f"{amount / 1024**3:.1f} GiB" if amount >= 1024**3 else f"{amount / 1024**2:.0f} MiB"
