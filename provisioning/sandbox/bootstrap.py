"""What is in the cluster from the start: its namespaces, its one node, its storage class and its ingress class."""

from provisioning.sandbox.discovery import VERSION
from provisioning.sandbox.objects import Obj, name_of, namespace_of, set_condition
from provisioning.sandbox.registry import Registry
from provisioning.sandbox.resources import resource_of

NODE = "sandbox"
PROVISIONER = "storefleet.dev/sandbox"
STORAGE_CLASS = "standard"
INGRESS_CLASS = "sandbox"
INGRESS_CONTROLLER = "storefleet.dev/sandbox-ingress"


def bootstrap(registry: Registry) -> None:
    """Create what is not there yet."""
    for body in _objects():
        resource = resource_of(body["kind"])
        if registry.store.find(resource.kind, namespace_of(body), name_of(body)) is None:
            registry.create(resource, namespace_of(body), body)


def _objects() -> list[Obj]:
    namespaces: list[Obj] = [
        {"kind": "Namespace", "metadata": {"name": name}}
        for name in ("default", "kube-node-lease", "kube-public", "kube-system")
    ]
    storage_class = {
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": False,
    }
    ingress_class = {
        "kind": "IngressClass",
        "metadata": {
            "name": INGRESS_CLASS,
            "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
        },
        "spec": {"controller": INGRESS_CONTROLLER},
    }
    return [*namespaces, storage_class, ingress_class, _node()]


def _node() -> Obj:
    capacity = {"cpu": "512", "memory": "2Ti", "ephemeral-storage": "10Ti", "pods": "10000"}
    status: Obj = {
        "capacity": capacity,
        "allocatable": dict(capacity),
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
        "nodeInfo": {
            "kubeletVersion": VERSION["gitVersion"],
            "osImage": "Storefleet's sandbox: nothing runs here",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "containerRuntimeVersion": "sandbox://1",
        },
    }
    set_condition(status, "Ready", True, "KubeletReady", "the sandbox's kubelet only pretends to run containers")
    return {
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "spec": {},
        "status": status,
    }
