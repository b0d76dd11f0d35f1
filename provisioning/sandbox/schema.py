"""What server-side apply and strategic merge must know of the kinds' schema: how each list and map merges.

Kubernetes publishes this as `x-kubernetes-list-type` and `patchMergeKey`; of that, here is what the served kinds
have. A list that is not named is atomic (replaced as a whole), a map that is not named is merged by its keys.
"""

from typing import Any

from provisioning.sandbox.objects import Obj

_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "hostIPs": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_DEFAULT_KEYS: Obj = {"protocol": "TCP"}  # a key field that may be left out, and what it then means
_SETS = frozenset({"finalizers"})
_ATOMIC_MAPS = frozenset(
    "selector nodeSelector podSelector namespaceSelector labelSelector secretKeyRef configMapKeyRef fieldRef "
    "resourceFieldRef secretRef configMapRef roleRef claimRef dataSource dataSourceRef scaleTargetRef".split()
)
_PLAIN_KINDS = frozenset(  # whose lists, those of the metadata apart, are all atomic
    "ConfigMap Secret Ingress NetworkPolicy EndpointSlice LimitRange Role ClusterRole RoleBinding ClusterRoleBinding "
    "HorizontalPodAutoscaler Lease StorageClass".split()
)

Key = tuple[tuple[str, Any], ...]  # the key fields of a list item, with their values


class Schema:
    """How the lists and maps of one kind merge."""

    def __init__(self, kind: str) -> None:
        self._plain = kind in _PLAIN_KINDS

    def list_keys(self, name: str, items: list[Any]) -> tuple[str, ...] | None:
        """The fields that tell apart the items of the list called `name`; None when the list is atomic."""
        if not items or not all(isinstance(item, dict) for item in items):
            return None
        if name == "ports" and not self._plain:
            port = "containerPort" if "containerPort" in items[0] else "port"
            keys: tuple[str, ...] = (port, "protocol")
        elif self._plain and name not in ("ownerReferences", "conditions"):
            return None
        else:
            keys = _LIST_KEYS.get(name, ())
        return keys if keys and all(keys[0] in item for item in items) else None

    def is_set(self, name: str, items: list[Any]) -> bool:
        return name in _SETS and all(isinstance(item, str) for item in items)

    def is_atomic_map(self, name: str) -> bool:
        return name in _ATOMIC_MAPS

    @staticmethod
    def key_of(item: Obj, keys: tuple[str, ...]) -> Key:
        return tuple((key, item.get(key, _DEFAULT_KEYS.get(key))) for key in keys)
