"""Deployments and ReplicaSets: a Deployment keeps one ReplicaSet a pod template, and shifts replicas between them."""

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

from provisioning.sandbox.control import Controller, Key
from provisioning.sandbox.errors import ApiError
from provisioning.sandbox.objects import (
    Obj,
    clone,
    condition,
    controller_of,
    is_terminating,
    is_true,
    name_of,
    namespace_of,
    owner_reference,
    set_condition,
    timestamp,
)
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"
_RETRY_AFTER = 5.0  # seconds


def owned(objects: Iterable[Obj], owner: Obj) -> list[Obj]:
    """Those of the objects that `owner` controls."""
    uid = owner["metadata"]["uid"]
    return [obj for obj in objects if (controller_of(obj) or {}).get("uid") == uid]


def owner_key(obj: Obj, kind: str) -> Iterable[Key]:
    """The key of the controller of this kind that owns an object, if one does."""
    reference = controller_of(obj)
    return [(namespace_of(obj), reference["name"])] if reference and reference["kind"] == kind else []


def is_active(pod: Obj) -> bool:
    return not is_terminating(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def template_hash(template: Obj) -> str:
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join("bcdfghjklmnpqrstvwxz2456789"[byte % 27] for byte in digest[:10])


def new_pod(owner: Obj, template: Obj, **metadata: Any) -> Obj:
    """A pod of a template; `metadata` says its name, and may add labels."""
    base = clone(template.get("metadata") or {})
    labels = {**(base.get("labels") or {}), **metadata.pop("labels", {})}
    references = [owner_reference(owner)]
    head = {**base, **metadata, "labels": labels, "ownerReferences": references, "namespace": namespace_of(owner)}
    return {"metadata": head, "spec": clone(template["spec"])}


def whole(value: int | str, total: int, round_up: bool) -> int:
    """A number or percentage of `total`."""
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * total / 100
        return math.ceil(share) if round_up else math.floor(share)
    return int(value)


class ReplicaSets(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "ReplicaSet":
            return [(namespace_of(obj), name_of(obj))]
        return owner_key(obj, "ReplicaSet") if change.resource.kind == "Pod" else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("ReplicaSet")

    def sync(self, namespace: str, name: str) -> None:
        replica_set = self.store.find("ReplicaSet", namespace, name)
        if replica_set is None or is_terminating(replica_set):
            return
        pods = [pod for pod in owned(self.store.objects("Pod", namespace), replica_set) if is_active(pod)]
        wanted = replica_set["spec"]["replicas"]
        failure = self._create_pods(replica_set, pods) if len(pods) < wanted else ""
        for pod in sorted(pods, key=lambda pod: (is_true(pod, "Ready"), _phase_rank(pod)))[
            : max(0, len(pods) - wanted)
        ]:
            self.registry.delete(resource_of("Pod"), namespace, name_of(pod))
            self._report(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
            pods.remove(pod)
        ready = sum(is_true(pod, "Ready") for pod in pods)
        status: Obj = {"replicas": len(pods), "observedGeneration": replica_set["metadata"]["generation"]}
        if pods:
            status["fullyLabeledReplicas"] = len(pods)
        if ready:
            status["readyReplicas"] = status["availableReplicas"] = ready
        if failure:
            status["conditions"] = clone((replica_set.get("status") or {}).get("conditions") or [])
            set_condition(status, "ReplicaFailure", True, "FailedCreate", failure)
        self.registry.set_status(replica_set, status)

    def _create_pods(self, replica_set: Obj, pods: list[Obj]) -> str:
        """Make the missing pods; the answer is why that failed, "" if it did not.  Failures are tried again later."""
        waits = "retry" in self.moments.of(replica_set)
        if waits and not self.moments.due(self, replica_set, "retry", _RETRY_AFTER):
            return str((condition(replica_set, "ReplicaFailure") or {}).get("message", ""))
        self.moments.forget(replica_set, "retry")
        namespace, name = namespace_of(replica_set), name_of(replica_set)
        try:
            for _ in range(replica_set["spec"]["replicas"] - len(pods)):
                pod = new_pod(replica_set, replica_set["spec"]["template"], generateName=f"{name}-")
                created = self.registry.create(resource_of("Pod"), namespace, pod)
                pods.append(created)
                self._report(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name_of(created)}")
        except ApiError as error:
            self._report(replica_set, "Warning", "FailedCreate", f"Error creating: {error.message}")
            self.moments.due(self, replica_set, "retry", _RETRY_AFTER)
            return error.message
        return ""

    def _report(self, obj: Obj, type_: str, reason: str, message: str) -> None:
        self.control.events.report(obj, type_, reason, message, "replicaset-controller")


def _phase_rank(pod: Obj) -> int:
    return ("Pending", "Unknown", "Running").index((pod.get("status") or {}).get("phase", "Unknown"))


class Deployments(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "Deployment":
            return [(namespace_of(obj), name_of(obj))]
        return owner_key(obj, "Deployment") if change.resource.kind == "ReplicaSet" else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("Deployment")

    def sync(self, namespace: str, name: str) -> None:
        deployment = self.store.find("Deployment", namespace, name)
        if deployment is None or is_terminating(deployment):
            return
        sets = owned(self.store.objects("ReplicaSet", namespace), deployment)
        hash_ = template_hash(deployment["spec"]["template"])
        current = next((item for item in sets if item["metadata"]["labels"].get(HASH_LABEL) == hash_), None)
        others = [item for item in sets if item is not current]
        if deployment["spec"].get("paused"):
            return
        current = self._current(deployment, current, others, hash_)
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(deployment, current, others)
        else:
            self._roll(deployment, current, others)
        sets = owned(self.store.objects("ReplicaSet", namespace), deployment)
        self._clean_up(deployment, [item for item in sets if name_of(item) != name_of(current)])
        self._report_status(deployment, name_of(current), sets)

    def _current(self, deployment: Obj, current: Obj | None, others: list[Obj], hash_: str) -> Obj:
        """The ReplicaSet of the present template, with the highest revision; made if there is none."""
        namespace, name = namespace_of(deployment), name_of(deployment)
        highest = max((_revision(item) for item in others), default=0)
        if current is None:
            template = clone(deployment["spec"]["template"])
            template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = hash_
            selector = clone(deployment["spec"]["selector"])
            selector.setdefault("matchLabels", {})[HASH_LABEL] = hash_
            metadata = {
                "name": f"{name}-{hash_}",
                "namespace": namespace,
                "labels": template["metadata"]["labels"],
                "annotations": {**_passed_on(deployment), REVISION: str(highest + 1)},
                "ownerReferences": [owner_reference(deployment)],
            }
            spec = {"replicas": 0, "selector": selector, "template": template}
            current = self.registry.create(resource_of("ReplicaSet"), namespace, {"metadata": metadata, "spec": spec})
        elif _revision(current) <= highest:
            revision = str(highest + 1)
            current = self.registry.modify(
                current, lambda item: item["metadata"]["annotations"].update({REVISION: revision})
            )
        revision = str(_revision(current))
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) != revision:
            self.registry.modify(
                deployment, lambda item: item["metadata"].setdefault("annotations", {}).update({REVISION: revision})
            )
        return current

    def _recreate(self, deployment: Obj, current: Obj, others: list[Obj]) -> None:
        for item in others:
            self._scale(deployment, item, 0)
        gone = not any(owned(self.store.objects("Pod", namespace_of(item)), item) for item in others)
        if gone:
            self._scale(deployment, current, deployment["spec"]["replicas"])
        else:
            self.control.queue.add_after(self, (namespace_of(deployment), name_of(deployment)), 0.2)

    def _roll(self, deployment: Obj, current: Obj, others: list[Obj]) -> None:
        wanted = deployment["spec"]["replicas"]
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
        surge = whole(rolling["maxSurge"], wanted, round_up=True)
        unavailable = whole(rolling["maxUnavailable"], wanted, round_up=False)
        if surge == 0 and unavailable == 0:
            unavailable = 1
        total = current["spec"]["replicas"] + sum(item["spec"]["replicas"] for item in others)
        size = current["spec"]["replicas"]
        if size > wanted:
            size = wanted
        elif size < wanted:
            size = min(wanted, size + max(0, wanted + surge - total)) if others else wanted
        self._scale(deployment, current, size)
        available = sum(_available(item) for item in [current, *others])
        old_total = sum(item["spec"]["replicas"] for item in others)
        not_available = max(0, size - _available(current))
        spare = size + old_total - (wanted - unavailable) - not_available
        for item in sorted(others, key=_revision):
            # Replicas that are not available are no loss; of the others only as many as availability allows.
            broken = item["spec"]["replicas"] - _available(item)
            drop = min(item["spec"]["replicas"], max(0, spare))
            drop = min(drop, broken + max(0, available - (wanted - unavailable)))
            if drop > 0:
                self._scale(deployment, item, item["spec"]["replicas"] - drop)
                spare -= drop
                available -= max(0, drop - broken)

    def _scale(self, deployment: Obj, replica_set: Obj, replicas: int) -> None:
        before = replica_set["spec"]["replicas"]
        if before == replicas:
            return

        def change(item: Obj) -> None:
            item["spec"]["replicas"] = replicas

        self.registry.modify(replica_set, change)
        direction = "up" if replicas > before else "down"
        message = f"Scaled {direction} replica set {name_of(replica_set)} from {before} to {replicas}"
        self.control.events.report(deployment, "Normal", "ScalingReplicaSet", message, "deployment-controller")

    def _clean_up(self, deployment: Obj, others: list[Obj]) -> None:
        idle = [
            item for item in others if not item["spec"]["replicas"] and not (item.get("status") or {}).get("replicas")
        ]
        keep = deployment["spec"]["revisionHistoryLimit"]
        for item in sorted(idle, key=_revision)[: max(0, len(idle) - keep)]:
            self.registry.delete(resource_of("ReplicaSet"), namespace_of(item), name_of(item))

    def _report_status(self, deployment: Obj, current_name: str, sets: list[Obj]) -> None:
        spec, old = deployment["spec"], deployment.get("status") or {}
        current = next((item for item in sets if name_of(item) == current_name), {})
        counts = {
            "replicas": sum(_count(item, "replicas") for item in sets),
            "updatedReplicas": _count(current, "replicas"),
            "readyReplicas": sum(_count(item, "readyReplicas") for item in sets),
            "availableReplicas": sum(_available(item) for item in sets),
        }
        wanted, available = spec["replicas"], counts["availableReplicas"]
        unavailable = max(0, max(wanted, counts["replicas"]) - available)
        status: Obj = {key: value for key, value in counts.items() if value}
        status["observedGeneration"] = deployment["metadata"]["generation"]
        status["conditions"] = clone(old.get("conditions") or [])
        if unavailable:
            status["unavailableReplicas"] = unavailable
        allowed = 0
        if spec["strategy"]["type"] == "RollingUpdate":
            allowed = whole(spec["strategy"]["rollingUpdate"]["maxUnavailable"], wanted, round_up=False)
        enough = available >= wanted - allowed
        available_reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
        text = "Deployment has minimum availability." if enough else "Deployment does not have minimum availability."
        set_condition(status, "Available", enough, available_reason, text)
        self._set_progressing(deployment, status, counts, current_name)
        failure = condition(current, "ReplicaFailure") if current else None
        if failure:
            set_condition(status, "ReplicaFailure", True, failure["reason"], failure["message"])
        else:
            status["conditions"] = [item for item in status["conditions"] if item["type"] != "ReplicaFailure"]
        self.registry.set_status(deployment, status)

    def _set_progressing(self, deployment: Obj, status: Obj, counts: dict[str, int], current_name: str) -> None:
        wanted = deployment["spec"]["replicas"]
        done = counts["updatedReplicas"] == counts["replicas"] == wanted == counts["availableReplicas"]
        known = condition(deployment, "Progressing")
        old = deployment.get("status") or {}
        same_generation = old.get("observedGeneration") == status["observedGeneration"]
        moved = any(counts[key] > old.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas"))
        if done:
            message = f'ReplicaSet "{current_name}" has successfully progressed.'
            set_condition(status, "Progressing", True, "NewReplicaSetAvailable", message)
        elif known is None or not same_generation or moved:
            message = f'ReplicaSet "{current_name}" is progressing.'
            set_condition(status, "Progressing", True, "ReplicaSetUpdated", message, lastUpdateTime=timestamp())
        else:
            deadline = deployment["spec"]["progressDeadlineSeconds"]
            since = str(known.get("lastUpdateTime", known["lastTransitionTime"]))
            left = deadline - self.control.seconds_since(since)
            if known["reason"] == "NewReplicaSetAvailable":
                return
            if left > 0:
                self.control.queue.add_after(self, (namespace_of(deployment), name_of(deployment)), left + 0.1)
            else:
                message = f'ReplicaSet "{current_name}" has timed out progressing.'
                set_condition(status, "Progressing", False, "ProgressDeadlineExceeded", message)


def _revision(replica_set: Obj) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _count(replica_set: Obj, key: str) -> int:
    return int((replica_set.get("status") or {}).get(key, 0))


def _available(replica_set: Obj) -> int:
    return _count(replica_set, "availableReplicas")


def _passed_on(deployment: Obj) -> dict[str, str]:
    kept: dict[str, str] = {}
    for key, value in (deployment["metadata"].get("annotations") or {}).items():
        if key not in (REVISION, "kubectl.kubernetes.io/last-applied-configuration"):
            kept[key] = value
    return kept
