"""The kubelet that pretends: it walks pods through their lives and reports it as the real one would; nothing runs.

Each look at a pod does what is due.  Waiting is by named moments (`_due`): the first time a moment is asked for, it
is set; the pod is looked at again when it has come.  What a pod has reached is in its status alone, so a restart of
the sandbox goes on from there.
"""

from collections.abc import Iterable

from provisioning.sandbox.behaviour import behaviour_of
from provisioning.sandbox.bootstrap import NODE
from provisioning.sandbox.containers import Containers
from provisioning.sandbox.control import Control, Controller, Key
from provisioning.sandbox.logs import Logs
from provisioning.sandbox.objects import (
    Obj,
    clone,
    is_terminating,
    is_true,
    name_of,
    namespace_of,
    set_condition,
    timestamp,
)
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

_SETTING_UP = 0.2  # seconds: network and volumes of a pod


class Kubelet(Controller):
    """The one node's kubelet."""

    def __init__(self, control: Control, logs: Logs) -> None:
        super().__init__(control)
        self.logs = logs
        self._containers = Containers(self)
        self._last_address = max((_address_number(pod) for pod in self.store.objects("Pod")), default=0)

    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        kind = change.resource.kind
        if kind == "Pod":
            if change.type == "DELETED":
                self.logs.forget(obj["metadata"]["uid"])
                self._containers.forget(obj["metadata"]["uid"])
            keys = [(namespace_of(obj), name_of(obj))] if obj["spec"].get("nodeName") else []
            if change.type != "MODIFIED" or is_true(obj, "Ready") != is_true(change.old or obj, "Ready"):
                keys += self._neighbours(obj)
            return keys
        if kind in ("Secret", "ConfigMap", "Service") and change.type != "MODIFIED":
            return self._neighbours(obj)
        return ()

    def _neighbours(self, obj: Obj) -> list[Key]:
        pods = self.store.objects("Pod", namespace_of(obj))
        return [(namespace_of(pod), name_of(pod)) for pod in pods if pod["spec"].get("nodeName")]

    def everything(self) -> Iterable[Key]:
        pods = self.store.objects("Pod")
        return [(namespace_of(pod), name_of(pod)) for pod in pods if pod["spec"].get("nodeName") == NODE]

    def sync(self, namespace: str, name: str) -> None:
        pod = self.store.find("Pod", namespace, name)
        if pod is None or pod["spec"].get("nodeName") != NODE or self.faults.kubelet_stopped:
            return
        if is_terminating(pod):
            self._terminate(pod)
            return
        if (pod["status"].get("phase")) in ("Succeeded", "Failed"):
            return
        status = clone(pod["status"])
        if "startTime" not in status:
            self._accept(pod, status)
        if not is_true({"status": status}, "PodReadyToStartContainers"):
            problem = self._containers.mount_problem(pod)
            if problem:
                self.report(pod, "Warning", "FailedMount", problem)
            elif self.due(pod, "set up", _SETTING_UP):
                address = self._next_address()
                status.update(podIP=address, podIPs=[{"ip": address}])
                set_condition(status, "PodReadyToStartContainers", True)
        if is_true({"status": status}, "PodReadyToStartContainers"):
            self._containers.advance(pod, status)
        if (fault := self.faults.eviction(pod)) and any(
            "running" in each["state"] for each in status["containerStatuses"]
        ):
            self._evict(pod, fault.message)
            return
        self._summarise(pod, status)
        self.registry.set_status(pod, status)

    def due(self, pod: Obj, moment: str, seconds: float) -> bool:
        return self.moments.due(self, pod, moment, seconds)

    def report(self, pod: Obj, type_: str, reason: str, message: str, container: str = "") -> None:
        path = f"spec.containers{{{container}}}" if container else ""
        self.control.events.report(pod, type_, reason, message, "kubelet", path)

    def _accept(self, pod: Obj, status: Obj) -> None:
        status.update(startTime=timestamp(), hostIP="127.0.0.1", hostIPs=[{"ip": "127.0.0.1"}])
        spec = pod["spec"]
        initial = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
        if spec.get("initContainers"):
            status["initContainerStatuses"] = [_waiting(item, "PodInitializing") for item in spec["initContainers"]]
        status["containerStatuses"] = [_waiting(item, initial) for item in spec["containers"]]
        set_condition(status, "PodReadyToStartContainers", False)

    def _evict(self, pod: Obj, why: str) -> None:
        kept = {key: value for key, value in pod["status"].items() if key != "containerStatuses"}
        self.registry.set_status(pod, {**kept, "phase": "Failed", "reason": "Evicted", "message": why})
        self.report(pod, "Warning", "Evicted", why)

    def _summarise(self, pod: Obj, status: Obj) -> None:
        """The pod's phase and conditions follow from its containers' states."""
        mains, inits = status["containerStatuses"], status.get("initContainerStatuses") or []
        states = [item["state"] for item in mains]
        ended = [state["terminated"] for state in states if "terminated" in state]
        policy = pod["spec"]["restartPolicy"]
        init_failed = policy == "Never" and any(
            item["state"].get("terminated", {}).get("exitCode", 0) for item in inits
        )
        final = len(ended) == len(states) and policy != "Always"
        if init_failed or (final and policy == "Never" and any(end["exitCode"] for end in ended)):
            status["phase"] = "Failed"
        elif final and not any(end["exitCode"] for end in ended):
            status["phase"] = "Succeeded"
        elif any("running" in item["state"] or item["restartCount"] for item in mains):
            status["phase"] = "Running"
        unfinished = [item["name"] for item in inits if not item["ready"]]
        if unfinished:
            message = f"containers with incomplete status: [{' '.join(unfinished)}]"
            set_condition(status, "Initialized", False, "ContainersNotInitialized", message)
        else:
            set_condition(status, "Initialized", True)
        unready = [item["name"] for item in mains if not item["ready"]]
        for type_ in ("Ready", "ContainersReady"):
            if status["phase"] == "Succeeded":
                set_condition(status, type_, False, "PodCompleted")
            elif status["phase"] == "Failed":
                set_condition(status, type_, False, "PodFailed")
            elif unready:
                message = f"containers with unready status: [{' '.join(unready)}]"
                set_condition(status, type_, False, "ContainersNotReady", message)
            else:
                set_condition(status, type_, True)

    def _terminate(self, pod: Obj) -> None:
        running = [
            item for item in pod["status"].get("containerStatuses") or [] if "running" in (item.get("state") or {})
        ]
        images = {container["name"]: container["image"] for container in pod["spec"]["containers"]}
        grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        longest = max((behaviour_of(images[item["name"]]).stop for item in running), default=0.0)
        if f"stop {grace}" not in self.moments.of(pod):
            for item in running:
                self.report(pod, "Normal", "Killing", f"Stopping container {item['name']}", item["name"])
        if self.due(pod, f"stop {grace}", min(grace, longest)):
            options = {"gracePeriodSeconds": 0}
            self.registry.delete(resource_of("Pod"), namespace_of(pod), name_of(pod), options)

    def _next_address(self) -> str:
        self._last_address += 1
        return f"10.244.{self._last_address // 250 % 250}.{self._last_address % 250 + 2}"


def _address_number(pod: Obj) -> int:
    parts = str((pod.get("status") or {}).get("podIP", "10.244.0.2")).split(".")
    return int(parts[2]) * 250 + int(parts[3]) - 2


def _waiting(container: Obj, reason: str) -> Obj:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason}},
        "lastState": {},
    }
