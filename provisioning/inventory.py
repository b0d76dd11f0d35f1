"""Everything that a namespace holds, found by asking the cluster which kinds it serves, so that nothing is left out
because nobody thought of it; and what keeps a namespace from ending, by name.

Metadata alone is read where that is enough: no secret's value passes through here.  A kind that we may not list is left
out, so an inventory is what could be seen.  (That a namespace is gone is proof that nothing in it is left: the cluster
removes it last.)
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any

from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.failures import Reason, causes, condition, time_of
from provisioning.kinds import KINDS, Kind
from provisioning.models import now
from provisioning.quantities import quantity

LISTS_AT_ONCE = 8
_NOT_COUNTED = ("events.k8s.io/", "metrics.k8s.io/")  # and core events: what is told about objects, none themselves
_STORAGE = {
    "PersistentVolumeClaim": lambda obj: obj["spec"]["resources"]["requests"]["storage"],
    "PersistentVolume": lambda obj: obj["spec"]["capacity"]["storage"],
}
# Kubernetes' own, which go by themselves as soon as nothing uses the object any more.
_PROTECTION = frozenset(
    {"kubernetes.io/pvc-protection", "kubernetes.io/pv-protection", "foregroundDeletion", "orphan", "kubernetes"}
)


@dataclass(frozen=True)
class Item:
    """One object.  Names and finalizers are untrusted text."""

    kind: str
    api_version: str
    name: str
    namespace: str  # "" for what has none
    uid: str
    created: datetime
    deleting: datetime | None = None  # deletionTimestamp: when its grace ends
    finalizers: tuple[str, ...] = ()
    size: int | None = None  # bytes of storage; None for what is neither a claim nor a volume

    @property
    def reference(self) -> str:
        """In kubectl's words: "pod/postgres-0"."""
        return f"{self.kind.lower()}/{self.name}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times in ISO 8601."""
        return {
            "kind": self.kind,
            "api_version": self.api_version,
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "created": self.created.isoformat(),
            "deleting": self.deleting.isoformat() if self.deleting else None,
            "finalizers": list(self.finalizers),
            "size": self.size,
        }


@dataclass(frozen=True)
class Holder:
    """Something that keeps a namespace from ending; as text: "configmap/x: finalizer example.com/hold"."""

    object: str  # "configmap/x"
    why: str
    command: str = ""  # for a person, in kubectl's words; "" where only waiting helps

    def __str__(self) -> str:
        return f"{self.object}: {self.why}"


async def inventory(cluster: Cluster, namespace: str) -> list[Item]:
    """Every object in `namespace` but events and metrics, and the volumes that its claims hold or held.

    Raises ClusterError when the cluster does not answer.
    """
    return [item_of(obj) for obj in await _objects(cluster, namespace)]


async def labelled(cluster: Cluster, selector: str) -> list[Obj]:
    """Every object in the cluster with these labels, in namespaces or not, but events: claims and volumes whole, of
    the others kind and metadata.  Raises ClusterError.
    """
    kinds = await cluster.listable(kind for kind in await cluster.kinds() if _counts(kind))
    return await _lists(cluster, kinds, None, selector)


async def held(cluster: Cluster, namespace: str) -> list[Holder]:
    """What keeps a namespace that is being deleted, what a person can do something about first.  Raises ClusterError.

    Once it is gone: the volumes that are still there.
    """
    there = await cluster.get("Namespace", namespace)
    objects = await _objects(cluster, namespace, whole=frozenset({"Pod"}))
    nodes: list[Obj] = []
    if any(obj["kind"] == "Pod" for obj in objects):
        try:
            nodes, _ = await cluster.list_all("Node")
        except ClusterError as error:
            if error.status != 403:
                raise
    return holders(there, objects, nodes, now())


def item_of(obj: Obj) -> Item:
    """An object's entry in an inventory."""
    metadata = obj["metadata"]
    deleting = metadata.get("deletionTimestamp")
    return Item(
        kind=obj["kind"],
        api_version=obj["apiVersion"],
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        uid=metadata["uid"],
        created=time_of(metadata["creationTimestamp"]),
        deleting=time_of(deleting) if deleting else None,
        finalizers=tuple(metadata.get("finalizers") or ()),
        size=int(quantity(_STORAGE[obj["kind"]](obj))) if obj["kind"] in _STORAGE else None,
    )


def holders(namespace: Obj | None, objects: Iterable[Obj], nodes: Iterable[Obj], at: datetime) -> list[Holder]:
    """Pure: what of `objects`, all that is left in and of `namespace` (None: it is gone), keeps it."""
    silent = {node["metadata"]["name"] for node in nodes if not _answers(node)}
    by_finalizer, pods, protected = [], [], []
    if namespace is None:  # volumes outlive it; before, they keep nothing
        return [_volume(obj) for obj in objects if obj["kind"] == "PersistentVolume"]
    for obj in [namespace, *(obj for obj in objects if obj["kind"] != "PersistentVolume")]:
        finalizers = obj["metadata"].get("finalizers") or []
        foreign = [each for each in finalizers if each not in _PROTECTION]
        if foreign:
            by_finalizer += [_by_finalizer(obj, each) for each in foreign]
        elif obj["kind"] == "Pod":
            pods.append(_pod(obj, silent, at))
        elif finalizers and obj["kind"] != "Namespace":
            protected.append(Holder(_reference(obj), f"in use ({', '.join(finalizers)})"))
    return [*by_finalizer, *pods, *protected] or [_in_its_own_words(namespace)]


def held_reason(store: str, holders: Sequence[Holder]) -> Reason:
    """Why the deletion of a store stands still, for a person.  Pure; `holders` is not empty."""
    first, more = holders[0], len(holders) - 1
    also = f", and {more} more" if more else ""
    hint = "It ends by itself when that does; the name stays taken until then."
    if first.command:
        hint = f"Let whoever set it finish. If nobody will any more: {first.command}"
    return Reason(
        code=causes.DELETION_HELD.code,
        message=f"The deletion of {store} is held by {first.object} ({first.why}){also}",
        who=causes.DELETION_HELD.who,
        hint=hint,
        evidence=[str(each)[:500] for each in holders[:20]],
    )


async def _objects(cluster: Cluster, namespace: str, whole: frozenset[str] = frozenset()) -> list[Obj]:
    there = (kind for kind in await cluster.kinds() if kind.namespaced and _counts(kind))
    kinds = await cluster.listable(there, namespace)
    objects = await _lists(cluster, kinds, namespace, "", whole)
    volumes = await _lists(cluster, [KINDS["PersistentVolume"]], None, "")
    return [*objects, *(each for each in volumes if (each["spec"].get("claimRef") or {}).get("namespace") == namespace)]


async def _lists(
    cluster: Cluster, kinds: Iterable[Kind], namespace: str | None, selector: str, whole: frozenset[str] = frozenset()
) -> list[Obj]:
    places = asyncio.Semaphore(LISTS_AT_ONCE)

    async def one(kind: Kind) -> list[Obj]:
        async with places:
            try:
                return await cluster.list_of(kind, namespace, selector, whole=kind.name in (whole | _STORAGE.keys()))
            except ClusterError as error:
                if error.status in (403, 404, 405):  # not permitted; withdrawn since it was discovered
                    return []
                raise

    answers = await asyncio.gather(*(one(kind) for kind in kinds), return_exceptions=True)
    found: dict[str, Obj] = {}  # by uid: some kinds are served under two groups
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        # What has no uid is not stored: an answer that some server made up.
        found.update((obj["metadata"]["uid"], obj) for obj in answer if obj["metadata"].get("uid"))
    return sorted(found.values(), key=lambda obj: (obj["kind"], obj["metadata"]["name"]))


def _counts(kind: Kind) -> bool:
    return kind.name != "Event" and not kind.api_version.startswith(_NOT_COUNTED)


def _reference(obj: Obj) -> str:
    return f"{obj['kind'].lower()}/{obj['metadata']['name']}"


def _kubectl(obj: Obj, verb: str, *more: str) -> str:
    """A kubectl command about `obj`; what is in it is quoted for a shell."""
    metadata = obj["metadata"]
    where = ["--namespace", metadata["namespace"]] if metadata.get("namespace") else []
    group = obj["apiVersion"].rpartition("/")[0]
    kind = obj["kind"].lower() + (f".{group}" if group else "")
    return " ".join(map(quote, ["kubectl", verb, kind, metadata["name"], *where, *more]))


def _by_finalizer(obj: Obj, finalizer: str) -> Holder:
    kept = [each for each in obj["metadata"]["finalizers"] if each != finalizer]
    patch = json.dumps({"metadata": {"finalizers": kept}})
    return Holder(_reference(obj), f"finalizer {finalizer}", _kubectl(obj, "patch", "--type=merge", f"--patch={patch}"))


def _pod(pod: Obj, silent: set[str], at: datetime) -> Holder:
    ends = pod["metadata"].get("deletionTimestamp")
    node = pod.get("spec", {}).get("nodeName", "")
    command = _kubectl(pod, "delete", "--force", "--grace-period=0")
    if node in silent:
        return Holder(_reference(pod), f"its node {node} does not answer", command)
    if ends is None:
        return Holder(_reference(pod), "has not been told to end yet")
    # By the clock, not in seconds to go: what is the same each time it is asked is told once.
    moment = f"{time_of(ends):%H:%M:%S} UTC"
    if time_of(ends) > at:
        return Holder(_reference(pod), f"still ending, its grace ends at {moment}")
    return Holder(_reference(pod), f"still ending, its grace ended at {moment}", command)


def _volume(volume: Obj) -> Holder:
    status = volume.get("status") or {}
    said = " ".join(filter(None, (str(status.get("phase", "")), str(status.get("message", ""))[:300])))
    command = _kubectl(volume, "describe") if status.get("phase") == "Failed" else ""
    return Holder(_reference(volume), f"not removed by its storage driver yet: {said}".rstrip(": "), command)


def _answers(node: Obj) -> bool:
    ready = condition(node, "Ready")
    return ready is not None and ready.get("status") == "True"


_TROUBLES = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
)


def _in_its_own_words(namespace: Obj) -> Holder:
    """Nothing is left that we can see: what the cluster itself says, a webhook or an API service that is away say."""
    found = (condition(namespace, kind) for kind in _TROUBLES)
    said = next((str(each.get("message", "")) for each in found if each and each.get("status") == "True"), "")
    return Holder(_reference(namespace), said[:500] or "the cluster has not finished yet")
