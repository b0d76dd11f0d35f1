"""The scheduler: a node for each pod, or a condition that says why there is none."""

from collections.abc import Iterable

from provisioning.quantities import quantity
from provisioning.sandbox.bootstrap import NODE
from provisioning.sandbox.control import Controller, Key
from provisioning.sandbox.controllers.storage import claims_of, select_node
from provisioning.sandbox.objects import (
    Obj,
    clone,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    set_condition,
)
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

_CLAIM = resource_of("PersistentVolumeClaim")


class Scheduler(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "Pod" and change.type != "DELETED":
            return [] if obj["spec"].get("nodeName") else [(namespace_of(obj), name_of(obj))]
        if change.resource.kind == "PersistentVolumeClaim":
            return [
                (namespace_of(pod), name_of(pod))
                for pod in self.store.objects("Pod", namespace_of(obj))
                if not pod["spec"].get("nodeName") and name_of(obj) in claims_of(pod)
            ]
        return self.everything() if change.resource.kind == "Node" else ()

    def everything(self) -> Iterable[Key]:
        pods = self.store.objects("Pod")
        return [(namespace_of(pod), name_of(pod)) for pod in pods if not pod["spec"].get("nodeName")]

    def sync(self, namespace: str, name: str) -> None:
        pod = self.store.find("Pod", namespace, name)
        if pod is None or is_terminating(pod) or pod["spec"].get("nodeName"):
            return
        problem = self._problem(pod)
        if problem:
            self._refuse(pod, problem)
        elif self._volumes_bound(pod):
            self._place(pod)

    def _problem(self, pod: Obj) -> str:
        fault = self.faults.unschedulable(pod)
        if fault is not None:
            return fault.message
        nodes = self.store.objects("Node")
        total = len(nodes)
        selector = pod["spec"].get("nodeSelector") or {}
        nodes = [node for node in nodes if all(labels_of(node).get(key) == value for key, value in selector.items())]
        if not nodes:
            return f"0/{total} nodes are available: {total} node(s) didn't match Pod's node affinity/selector."
        nodes = [node for node in nodes if not node["spec"].get("unschedulable")]
        if not nodes:
            return f"0/{total} nodes are available: {total} node(s) were unschedulable."
        for resource in ("cpu", "memory"):
            requests = [
                quantity(((c.get("resources") or {}).get("requests") or {}).get(resource, 0))
                for c in pod["spec"]["containers"]
            ]
            if all(sum(requests) > quantity(node["status"]["allocatable"][resource]) for node in nodes):
                return f"0/{total} nodes are available: {total} Insufficient {resource}."
        for claim in claims_of(pod):
            if self.store.find("PersistentVolumeClaim", namespace_of(pod), claim) is None:
                return f'0/{total} nodes are available: persistentvolumeclaim "{claim}" not found.'
        return self._volume_problem(pod, total)

    def _volume_problem(self, pod: Obj, total: int) -> str:
        for name in claims_of(pod):
            claim = self.store.get(_CLAIM, namespace_of(pod), name)
            class_ = self.store.find("StorageClass", "", claim["spec"].get("storageClassName") or "")
            waits = class_ is not None and class_.get("volumeBindingMode") == "WaitForFirstConsumer"
            if claim["status"]["phase"] != "Bound" and (not waits or self.faults.unbound(claim)):
                return f"0/{total} nodes are available: pod has unbound immediate PersistentVolumeClaims."
        return ""

    def _volumes_bound(self, pod: Obj) -> bool:
        bound = True
        for name in claims_of(pod):
            claim = self.store.get(_CLAIM, namespace_of(pod), name)
            if claim["status"]["phase"] != "Bound":
                bound = False
                select_node(self.control, claim)
        return bound

    def _refuse(self, pod: Obj, problem: str) -> None:
        message = f"{problem} preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        status = clone(pod["status"])
        set_condition(status, "PodScheduled", False, "Unschedulable", message)
        self.registry.set_status(pod, status)
        self.control.events.report(pod, "Warning", "FailedScheduling", message, "default-scheduler")

    def _place(self, pod: Obj) -> None:
        pod = self.registry.modify(pod, lambda item: item["spec"].update(nodeName=NODE))
        status = clone(pod["status"])
        set_condition(status, "PodScheduled", True)
        self.registry.set_status(pod, status)
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {NODE}"
        self.control.events.report(pod, "Normal", "Scheduled", message, "default-scheduler")
