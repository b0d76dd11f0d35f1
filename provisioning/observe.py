"""From a store's cached objects to what `decide` needs to know.  Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from provisioning.cluster import Obj
from provisioning.decide import Observed, Presence, Release
from provisioning.failures import PARTS, condition, diagnose, of_kind, part_of, time_of

SPEC = "storefleet.dev/spec"
"""The label of a release that says from which chart and values it was made."""

RELEASE_TYPE = "helm.sh/release.v1"


def observe(objects: Sequence[Obj], *, applied: Iterable[Obj], spec: str, since: datetime) -> Observed:
    """What `objects`, all that is known of one store's namespace, amount to.

    `applied`: what the engine wants to be there beside the release.  `spec`: the wanted release's fingerprint.
    `since`: when the store came into its present state; warnings from before it say nothing of this attempt.
    """
    namespaces = of_kind(objects, "Namespace")
    release, locked_since = release_state(objects, spec)
    there = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    wanted = ((obj["kind"], obj["metadata"]["name"]) for obj in applied)
    return Observed(
        namespace=_presence(namespaces),
        missing=frozenset(f"{kind} {name}" for kind, name in wanted if (kind, name) not in there),
        release=release,
        locked_since=locked_since,
        waiting_for=_waiting_for(objects),
        finding=diagnose(objects, since),
        held_by=_held_by(namespaces),
        running=any(replicas(each) > 0 for each in workloads(objects)),
        stopped=any(replicas(each) == 0 for each in workloads(objects)),
    )


def newest_release(objects: Iterable[Obj]) -> Obj | None:
    """The Secret of the newest revision of the store's release."""
    secrets = [obj for obj in objects if obj["kind"] == "Secret" and obj.get("type") == RELEASE_TYPE]
    return max(secrets, key=lambda obj: int(obj["metadata"]["labels"]["version"]), default=None)


def release_state(objects: Sequence[Obj], spec: str) -> tuple[Release, datetime | None]:
    """The state of the release, and since when it is locked if it is."""
    secret = newest_release(objects)
    if secret is None:
        return Release.ABSENT, None
    labels = secret["metadata"]["labels"]
    status = labels.get("status", "")
    if status.startswith("pending-"):
        return Release.LOCKED, time_of(secret["metadata"]["creationTimestamp"])
    if status != "deployed":  # failed, or an uninstall that was cut off: doing it again is right
        return Release.FAILED, None
    return (Release.IN_SYNC if labels.get(SPEC) == spec else Release.OUT_OF_SYNC), None


def _presence(namespaces: Sequence[Obj]) -> Presence:
    if not namespaces:
        return Presence.ABSENT
    return Presence.TERMINATING if namespaces[0]["metadata"].get("deletionTimestamp") else Presence.THERE


def _waiting_for(objects: Sequence[Obj]) -> str:
    """The first part that is not ready, as words; "" when all are."""
    for kind, name in (("StatefulSet", "postgres"), ("Deployment", "medusa")):
        workload = next((obj for obj in of_kind(objects, kind) if obj["metadata"]["name"] == name), None)
        if workload is None:
            if kind == "StatefulSet" and any(obj["kind"] == "Deployment" for obj in objects):
                continue  # a database of somebody else's
            return f"the {PARTS[name]} {kind.lower()}"
        if not _rolled_out(workload):
            return f"{part_of(workload)} to become ready"
    return ""


def workloads(objects: Sequence[Obj]) -> list[Obj]:
    """What runs pods and can be scaled."""
    return [obj for obj in objects if obj["kind"] in ("Deployment", "StatefulSet")]


def replicas(workload: Obj) -> int:
    """How many it wants."""
    return int(workload["spec"].get("replicas", 1))


def _rolled_out(workload: Obj) -> bool:
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
