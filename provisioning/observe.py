"""From a store's cached objects to what `decide` needs to know.  Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from provisioning.cache import DIGEST, digest
from provisioning.cluster import FIELD_MANAGER, Obj
from provisioning.decide import Observed, Presence
from provisioning.drift import Drift, differences
from provisioning.failures import PARTS, condition, diagnose, of_kind, part_of
from provisioning.release import FIELD_MANAGER as HELM
from provisioning.release import Release, kept_as, newest
from provisioning.rotation import stage
from provisioning.wanted import Wanted


def observe(objects: Sequence[Obj], wanted: Wanted, since: datetime) -> Observed:
    """What `objects`, all that is known of one store's namespace, amount to.

    `since`: when the store came into its present state; warnings from before it say nothing of this attempt.
    """
    namespaces = of_kind(objects, "Namespace")
    presence = presence_of(namespaces)
    revision = newest(objects, wanted.ours, wanted.spec)
    state = revision.state if revision else Release.ABSENT
    manifest = revision.manifest if revision else ()
    there = {(obj["kind"], obj["metadata"]["name"]): obj for obj in objects}
    around = [wanted.namespace, *wanted.surroundings]
    release_drift = tuple(_drift(manifest, there, HELM)) if presence is Presence.THERE else ()
    if release_drift and state is Release.IN_SYNC:
        state = Release.DRIFTED
    return Observed(
        namespace=presence,
        drift=tuple(_drift(around, there, FIELD_MANAGER)) if presence is Presence.THERE else (),
        release=state,
        release_at=revision.at if revision else None,
        runner=revision.runner if revision else "",
        release_drift=release_drift,
        kept_as=kept_as(objects, wanted.ours, wanted.spec) if wanted.pinned else 0,
        waiting_for=waiting_for(objects) or _leaving(objects),
        finding=diagnose(objects, since),
        held_by=_held_by(namespaces),
        secrets=stage(wanted.held, objects),
        running=any(replicas(each) > 0 for each in workloads(objects)),
        stopped=any(replicas(each) == 0 for each in workloads(objects)),
    )


def presence_of(namespaces: Sequence[Obj]) -> Presence:
    """`namespaces`: the one of a store, or none."""
    if not namespaces:
        return Presence.ABSENT
    return Presence.TERMINATING if namespaces[0]["metadata"].get("deletionTimestamp") else Presence.THERE


def waiting_for(objects: Sequence[Obj]) -> str:
    """The first part that is not ready, as words; "" when all are."""
    for kind, name in (("StatefulSet", "postgres"), ("Deployment", "medusa")):
        workload = next((obj for obj in of_kind(objects, kind) if obj["metadata"]["name"] == name), None)
        if workload is None:
            if kind == "StatefulSet" and any(obj["kind"] == "Deployment" for obj in objects):
                continue  # a database of somebody else's
            return f"the {PARTS[name]} {kind.lower()}"
        if not rolled_out(workload):
            return f"{part_of(workload)} to become ready"
    return ""


def _leaving(objects: Sequence[Obj]) -> str:
    """A pod of the shop that leaves may still be asked by the ingress: what it answers says nothing of the new one."""
    for pod in of_kind(objects, "Pod"):
        serves = (condition(pod, "Ready") or {}).get("status") == "True"
        if serves and pod["metadata"].get("deletionTimestamp") and part_of(pod) == PARTS["medusa"]:
            return f"the {part_of(pod)} pod before to leave"
    return ""


def workloads(objects: Sequence[Obj]) -> list[Obj]:
    """What runs pods and can be scaled."""
    return [obj for obj in objects if obj["kind"] in ("Deployment", "StatefulSet")]


def replicas(workload: Obj) -> int:
    """How many it wants."""
    return int(workload["spec"].get("replicas", 1))


def _drift(wanted: Iterable[Obj], there: dict[tuple[str, str], Obj], manager: str) -> Iterator[Drift]:
    for obj in wanted:
        found = there.get((obj["kind"], obj["metadata"]["name"]))
        if found is None:
            yield Drift(obj, manager)
        elif different := differences(_as_cached(obj), found):
            yield Drift(obj, manager, different)


def _as_cached(obj: Obj) -> Obj:
    """The cache keeps of a Secret's data only a fingerprint."""
    if obj["kind"] != "Secret":
        return obj
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), DIGEST: digest(obj.get("data") or {})}
    return {
        **{key: value for key, value in obj.items() if key != "data"},
        "metadata": {**metadata, "annotations": annotations},
    }


def rolled_out(workload: Obj) -> bool:
    """All wanted replicas are of the newest version, and ready (what `kubectl rollout status` asks)."""
    spec, status = workload["spec"], workload.get("status") or {}
    wanted = spec.get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("readyReplicas", 0) >= wanted
        and status.get("replicas", 0) == status.get("updatedReplicas", 0)
    )


_HOLDERS = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")


def _held_by(namespaces: Sequence[Obj]) -> tuple[str, ...]:
    """What keeps a terminating namespace, in the cluster's words."""
    found = (condition(namespace, kind) for namespace in namespaces for kind in _HOLDERS)
    return tuple(str(each.get("message", "")) for each in found if each and each.get("status") == "True")
