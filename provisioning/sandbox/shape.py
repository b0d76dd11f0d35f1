"""Whether an object has the shape that its kind's code relies on: maps where maps belong, lists where lists do.

Kubernetes decodes into typed structures; here the fields that anything reads are checked by their names, which mean the
same in all served kinds but for the few that are told apart.
"""

from typing import Any

from provisioning.quantities import quantity
from provisioning.sandbox.errors import bad_request
from provisioning.sandbox.objects import Obj
from provisioning.sandbox.resources import Resource

_TEXTS = frozenset(
    "name namespace uid generateName apiVersion kind image host path storageClassName volumeName holderIdentity "
    "acquireTime renewTime".split()
)
_TEXT_MAPS = frozenset("labels annotations matchLabels nodeSelector data stringData".split())
_QUANTITY_MAPS = frozenset("hard requests capacity default defaultRequest".split())
_MAPS = frozenset(
    "metadata spec status template securityContext strategy updateStrategy rollingUpdate http backend service "
    "valueFrom secretKeyRef configMapKeyRef secretRef configMapRef emptyDir secret configMap persistentVolumeClaim "
    "readinessProbe livenessProbe startupProbe httpGet tcpSocket exec claimRef resources "
    "persistentVolumeClaimRetentionPolicy capabilities seccompProfile podSelector".split()
)
_LISTS_OF_MAPS = frozenset(
    "containers initContainers env envFrom volumes volumeMounts ports ownerReferences matchExpressions tolerations "
    "volumeClaimTemplates imagePullSecrets managedFields ingress egress conditions".split()
)
_LISTS = frozenset("finalizers accessModes args command".split())
_NUMBERS = frozenset(
    "replicas minReadySeconds revisionHistoryLimit progressDeadlineSeconds completions parallelism backoffLimit "
    "ttlSecondsAfterFinished terminationGracePeriodSeconds containerPort partition leaseDurationSeconds "
    "leaseTransitions".split()
)
_NOT_LOOKED_INTO = frozenset({"conditions", "managedFields"})
_OPEN_KINDS = frozenset({"ControllerRevision"})  # whose data may be anything


def check_shape(resource: Resource, obj: Any) -> None:
    """Raises ApiError 400, as a decoder would, for the first field that is of another type than its kind's."""
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    for key, value in obj.items():
        if not (key == "data" and resource.kind in _OPEN_KINDS):
            _check(resource, key, value, "")


def _check(resource: Resource, key: str, value: Any, path: str) -> None:
    if value is None:
        return
    at = f"{path}.{key}".lstrip(".")
    wanted = _wanted(resource, key, path)
    if wanted is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
        words = {dict: "map", list: "slice", str: "string", int: "int32"}[wanted]
        found = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        raise bad_request(f"json: cannot unmarshal {found} into Go struct field {resource.kind}.{at} of type {words}")
    if key in _TEXT_MAPS and isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(item, str):
                raise bad_request(
                    f"json: cannot unmarshal into Go struct field {resource.kind}.{at}.{name} of type string"
                )
    elif isinstance(value, dict):
        if key in _QUANTITY_MAPS or (key in ("limits", "max", "min") and resource.kind != "HorizontalPodAutoscaler"):
            _check_quantities(value)
        for name, item in value.items():
            _check(resource, name, item, at)
    elif isinstance(value, list) and key not in _NOT_LOOKED_INTO:
        for item in value:
            if key in _LISTS_OF_MAPS or key in ("rules", "limits", "paths"):
                if not isinstance(item, dict):
                    raise bad_request(
                        f"json: cannot unmarshal into Go struct field {resource.kind}.{at} of type struct"
                    )
            elif key in _LISTS and not isinstance(item, str):
                raise bad_request(f"json: cannot unmarshal into Go struct field {resource.kind}.{at} of type string")
            if isinstance(item, dict):
                for name, inner in item.items():
                    _check(resource, name, inner, at)


def _wanted(resource: Resource, key: str, path: str) -> type | None:
    if key == "selector" and resource.kind not in ("HorizontalPodAutoscaler", "PersistentVolumeClaim"):
        return dict
    if key == "ingress" and resource.kind == "Ingress":  # status.loadBalancer.ingress
        return list
    if key == "limits":
        return list if resource.kind == "LimitRange" else dict
    if key == "rules" or (key == "paths" and resource.kind == "Ingress"):
        return list
    if key == "port" and resource.kind == "Service":
        return int
    if key == "service" and resource.kind != "Ingress":
        return None
    if key == "conditions" and path.endswith("endpoints"):  # of an EndpointSlice
        return dict
    if key == "resources" and path.endswith("rules"):  # of a Role
        return list
    for names, type_ in (
        (_TEXT_MAPS | _QUANTITY_MAPS | _MAPS, dict),
        (_LISTS_OF_MAPS | _LISTS, list),
        (_NUMBERS, int),
        (_TEXTS, str),
    ):
        if key in names:
            return type_
    return None


def _check_quantities(values: Obj) -> None:
    for name, value in values.items():
        try:
            quantity(value)
        except ValueError:
            expression = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
            raise bad_request(f"{name}: quantities must match the regular expression '{expression}'") from None
