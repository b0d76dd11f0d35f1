"""What may come into a namespace: none while it ends, limits' defaults for containers, and the quotas' ceilings."""

from collections.abc import Iterable

from provisioning.quantities import quantity
from provisioning.sandbox.errors import forbidden, not_found
from provisioning.sandbox.objects import Obj, is_terminating, name_of, namespace_of
from provisioning.sandbox.resources import Resource, resource_of
from provisioning.sandbox.store import Store

_COUNTED = {
    "configmaps": "ConfigMap",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "pods": "Pod",
    "resourcequotas": "ResourceQuota",
    "secrets": "Secret",
    "services": "Service",
    "count/deployments.apps": "Deployment",
    "count/ingresses.networking.k8s.io": "Ingress",
    "count/jobs.batch": "Job",
    "count/persistentvolumeclaims": "PersistentVolumeClaim",
    "count/pods": "Pod",
    "count/secrets": "Secret",
    "count/services": "Service",
    "count/statefulsets.apps": "StatefulSet",
}


def require_namespace(store: Store, resource: Resource, obj: Obj) -> None:
    """Raises ApiError 404 for a namespace that is not there, 403 for one that is being terminated."""
    name = namespace_of(obj)
    namespace = store.find("Namespace", "", name)
    if namespace is None:
        raise not_found(resource_of("Namespace"), name)
    if is_terminating(namespace):
        causes = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        why = f"unable to create new content in namespace {name} because it is being terminated"
        raise forbidden(resource, name_of(obj), why, causes)


def apply_limit_ranges(store: Store, resource: Resource, pod: Obj) -> None:
    """Give the containers of a pod their namespace's defaults.  Raises ApiError 403 beyond its bounds."""
    for limit_range in store.objects("LimitRange", namespace_of(pod)):
        for limit in limit_range["spec"].get("limits") or []:
            if limit.get("type") != "Container":
                continue
            for container in _containers(pod):
                _limit_container(resource, pod, container, limit)


def _limit_container(resource: Resource, pod: Obj, container: Obj, limit: Obj) -> None:
    resources = container.setdefault("resources", {})
    for group, source in (("limits", "default"), ("requests", "defaultRequest")):
        for name, value in (limit.get(source) or {}).items():
            resources.setdefault(group, {}).setdefault(name, value)
    for name, ceiling in (limit.get("max") or {}).items():
        value = (resources.get("limits") or {}).get(name)
        if value is not None and quantity(value) > quantity(ceiling):
            raise forbidden(
                resource, name_of(pod), f"maximum {name} usage per Container is {ceiling}, but limit is {value}"
            )
    for name, floor in (limit.get("min") or {}).items():
        value = (resources.get("requests") or {}).get(name)
        if value is not None and quantity(value) < quantity(floor):
            raise forbidden(
                resource, name_of(pod), f"minimum {name} usage per Container is {floor}, but request is {value}"
            )


def check_quotas(store: Store, resource: Resource, obj: Obj) -> None:
    """Raises ApiError 403 when a new object would take its namespace over a quota."""
    for quota in store.objects("ResourceQuota", namespace_of(obj)):
        hard: dict[str, str] = quota["spec"].get("hard") or {}
        asked = {name: _use_of(name, obj) for name in hard}
        if resource.kind == "Pod":
            _require_quantities(quota, resource, obj)
        exceeded: list[tuple[str, float, float]] = []
        for name, request in asked.items():
            if request:
                used = usage(store, name, namespace_of(obj))
                if used + request > quantity(hard[name]) + 1e-9:
                    exceeded.append((name, request, used))
        if exceeded:
            parts = [
                ",".join(f"{name}={format_quantity(name, request)}" for name, request, _ in exceeded),
                ",".join(f"{name}={format_quantity(name, used)}" for name, _, used in exceeded),
                ",".join(f"{name}={hard[name]}" for name, _, _ in exceeded),
            ]
            why = f"exceeded quota: {name_of(quota)}, requested: {parts[0]}, used: {parts[1]}, limited: {parts[2]}"
            raise forbidden(resource, name_of(obj), why)


def _require_quantities(quota: Obj, resource: Resource, pod: Obj) -> None:
    """A quota on CPU or memory asks every container to say what it needs of it."""
    missing: list[str] = []
    for name in sorted(quota["spec"].get("hard") or {}):
        group, _, what = name.partition(".") if "." in name else ("requests", "", name)
        if what not in ("cpu", "memory"):
            continue
        lacking = [c["name"] for c in _containers(pod) if what not in ((c.get("resources") or {}).get(group) or {})]
        if lacking:
            missing.append(f"{name} for: {','.join(lacking)}")
    if missing:
        raise forbidden(resource, name_of(pod), f"failed quota: {name_of(quota)}: must specify {'; '.join(missing)}")


def usage(store: Store, name: str, namespace: str) -> float:
    """How much of one quota resource a namespace uses."""
    if name in _COUNTED:
        kind = _COUNTED[name]
    elif name == "requests.storage":
        kind = "PersistentVolumeClaim"
    else:
        kind = "Pod"
    return sum(_use_of(name, obj) for obj in store.objects(kind, namespace))


def _use_of(name: str, obj: Obj) -> float:
    kind = obj["kind"]
    if kind == "Pod" and (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 1.0 if name == "count/pods" else 0.0
    if name in _COUNTED:
        return 1.0 if kind == _COUNTED[name] else 0.0
    if name == "requests.storage":
        return quantity(obj["spec"]["resources"]["requests"]["storage"]) if kind == "PersistentVolumeClaim" else 0.0
    if kind != "Pod":
        return 0.0
    group, _, what = name.partition(".") if "." in name else ("requests", "", name)
    if group not in ("requests", "limits") or what not in ("cpu", "memory", "ephemeral-storage"):
        return 0.0
    values = [((c.get("resources") or {}).get(group) or {}).get(what, 0) for c in obj["spec"]["containers"]]
    return sum(quantity(value) for value in values)


def format_quantity(name: str, value: float) -> str:
    """A number of a quota resource as Kubernetes writes it: `300m` of CPU, `512Mi` of memory."""
    if name.endswith("cpu"):
        milli = round(value * 1000)
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
    number = round(value)
    if name.endswith(("memory", "storage")):
        for power, unit in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
            if number and number % 1024**power == 0:
                return f"{number // 1024**power}{unit}"
    return str(number)


def _containers(pod: Obj) -> Iterable[Obj]:
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
