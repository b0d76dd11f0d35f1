"""Nodes whose kubelet has fallen silent: marked, and their pods taken for not ready, until it speaks again."""

from collections.abc import Iterable

from provisioning.sandbox.bootstrap import NODE
from provisioning.sandbox.control import Controller, Key
from provisioning.sandbox.objects import Obj, clone, is_true, name_of, set_condition
from provisioning.sandbox.store import Change

_PATIENCE = 40.0  # seconds without a heartbeat
_UNREACHABLE = "node.kubernetes.io/unreachable"


class Nodes(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        return [("", name_of(obj))] if change.resource.kind == "Node" else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("Node")

    def sync(self, namespace: str, name: str) -> None:
        node = self.store.find("Node", "", name)
        if node is None or name != NODE:
            return
        if not self.faults.kubelet_stopped:
            self.moments.forget(node, "silent")
            if not is_true(node, "Ready"):
                self._mark(node, there=True)
        elif self.moments.due(self, node, "silent", _PATIENCE) and is_true(node, "Ready"):
            self._mark(node, there=False)
            for pod in self.store.objects("Pod"):
                if pod["spec"].get("nodeName") == name and is_true(pod, "Ready"):
                    status = clone(pod["status"])
                    set_condition(status, "Ready", False)
                    self.registry.set_status(pod, status)
                    self.control.events.report(pod, "Warning", "NodeNotReady", "Node is not ready", "node-controller")

    def _mark(self, node: Obj, *, there: bool) -> None:
        def taint(item: Obj) -> None:
            others = [each for each in item["spec"].get("taints") or [] if each["key"] != _UNREACHABLE]
            mine = [] if there else [{"key": _UNREACHABLE, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
            item["spec"]["taints"] = others + mine

        node = self.registry.modify(node, taint)
        status = clone(node["status"])
        if there:
            set_condition(status, "Ready", True, "KubeletReady", "kubelet is posting ready status")
        else:
            set_condition(status, "Ready", False, "NodeStatusUnknown", "Kubelet stopped posting node status.")
        self.registry.set_status(node, status)
