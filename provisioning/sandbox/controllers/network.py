"""Services' endpoints, and the address that an Ingress reports."""

from collections.abc import Iterable

from provisioning.sandbox.bootstrap import INGRESS_CLASS, INGRESS_CONTROLLER, NODE
from provisioning.sandbox.control import Control, Controller, Key
from provisioning.sandbox.objects import (
    Obj,
    clone,
    is_terminating,
    is_true,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
)
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

SERVICE_LABEL = "kubernetes.io/service-name"
_ADMITTING = 0.3  # seconds until an ingress controller has taken an Ingress up
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


class Endpoints(Controller):
    """One EndpointSlice a Service that selects pods."""

    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "Service":
            return [(namespace_of(obj), name_of(obj))]
        if change.resource.kind == "EndpointSlice" and change.type == "DELETED":
            return [(namespace_of(obj), labels_of(obj).get(SERVICE_LABEL, ""))]
        if change.resource.kind == "Pod":
            space = namespace_of(obj)
            return [(space, name_of(item)) for item in self.store.objects("Service", space) if _selects(item, obj)]
        return ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("Service")

    def sync(self, namespace: str, name: str) -> None:
        service = self.store.find("Service", namespace, name)
        if service is None or is_terminating(service) or not service["spec"].get("selector"):
            return
        pods = [pod for pod in self.store.objects("Pod", namespace) if _selects(service, pod)]
        endpoints = [_endpoint(pod) for pod in pods if (pod.get("status") or {}).get("podIP")]
        ports = [
            {"name": port.get("name", ""), "protocol": port["protocol"], "port": _target_port(port, pods)}
            for port in service["spec"].get("ports") or []
        ]
        known = next(
            (
                item
                for item in self.store.objects("EndpointSlice", namespace)
                if labels_of(item).get(SERVICE_LABEL) == name
            ),
            None,
        )
        if known is None:
            labels = {**labels_of(service), SERVICE_LABEL: name}
            labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
            references = [owner_reference(service)]
            metadata = {"generateName": f"{name}-", "labels": labels, "ownerReferences": references}
            body = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}
            self.registry.create(resource_of("EndpointSlice"), namespace, body)
        elif known["endpoints"] != endpoints or known["ports"] != ports:
            self.registry.modify(known, lambda item: item.update(endpoints=clone(endpoints), ports=ports))


def _selects(service: Obj, pod: Obj) -> bool:
    selector: dict[str, str] = service["spec"].get("selector") or {}
    labels = labels_of(pod)
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _endpoint(pod: Obj) -> Obj:
    ready = is_true(pod, "Ready")
    ending = is_terminating(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not ending, "serving": ready, "terminating": ending},
        "nodeName": NODE,
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": pod["metadata"]["uid"],
        },
    }


def _target_port(port: Obj, pods: list[Obj]) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for declared in container.get("ports") or []:
                if declared.get("name") == target:
                    return int(declared["containerPort"])
    return int(port["port"])


class Ingresses(Controller):
    def __init__(self, control: Control) -> None:
        super().__init__(control)
        self.registry.on_create.append(self._name_default_class)

    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        return [(namespace_of(obj), name_of(obj))] if change.resource.kind == "Ingress" else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("Ingress")

    def sync(self, namespace: str, name: str) -> None:
        ingress = self.store.find("Ingress", namespace, name)
        if ingress is None or is_terminating(ingress) or not self.serves(ingress):
            return
        if (ingress.get("status") or {}).get("loadBalancer", {}).get("ingress"):
            return
        if self.moments.due(self, ingress, "taken up", _ADMITTING):
            self.registry.set_status(ingress, {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}})

    def serves(self, ingress: Obj) -> bool:
        """Whether the sandbox's own ingress is the one meant."""
        named = (ingress.get("spec") or {}).get("ingressClassName")
        class_ = self.store.find("IngressClass", "", named or "")
        return class_ is not None and class_["spec"].get("controller") == INGRESS_CONTROLLER

    def _name_default_class(self, obj: Obj) -> None:
        if obj["kind"] == "Ingress" and not obj.setdefault("spec", {}).get("ingressClassName"):
            default = self.store.find("IngressClass", "", INGRESS_CLASS)
            if default and (default["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
                obj["spec"]["ingressClassName"] = INGRESS_CLASS
