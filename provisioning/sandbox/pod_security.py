"""Pod Security admission: what the `restricted` and `baseline` profiles ask of a pod, as far as charts meet them.

A namespace says by the label `pod-security.kubernetes.io/enforce` which profile its pods must keep to.
"""

from collections.abc import Iterator
from typing import Any

from provisioning.sandbox.errors import ApiError, forbidden
from provisioning.sandbox.objects import Obj, labels_of, name_of
from provisioning.sandbox.resources import Resource

_LABEL = "pod-security.kubernetes.io/enforce"
_VOLUMES = frozenset(
    "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split()
)


def check_pod_security(resource: Resource, namespace: Obj, pod: Obj) -> None:
    """Raises ApiError 403 that names everything in which the pod breaks its namespace's profile."""
    profile = labels_of(namespace).get(_LABEL, "privileged")
    violations: list[str] = []
    if profile in ("baseline", "restricted"):
        violations += _baseline(pod["spec"])
    if profile == "restricted":
        violations += _restricted(pod["spec"])
    if violations:
        raise _refusal(resource, pod, profile, violations)


def _refusal(resource: Resource, pod: Obj, profile: str, violations: list[str]) -> ApiError:
    return forbidden(resource, name_of(pod), f'violates PodSecurity "{profile}:latest": {", ".join(violations)}')


def _containers(spec: Obj) -> list[Obj]:
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _named(names: list[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"containers {quoted}" if len(names) > 1 else f"container {quoted}"


def _security(holder: Obj) -> dict[str, Any]:
    return holder.get("securityContext") or {}


def _baseline(spec: Obj) -> Iterator[str]:
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        used = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
        yield f"host namespaces ({', '.join(f'{key}=true' for key in used)})"
    privileged = [c["name"] for c in _containers(spec) if _security(c).get("privileged")]
    if privileged:
        yield f"privileged ({_named(privileged)} must not set securityContext.privileged=true)"
    host_paths = [volume["name"] for volume in spec.get("volumes") or [] if "hostPath" in volume]
    if host_paths:
        listed = ", ".join(f'"{name}"' for name in host_paths)
        yield f"hostPath volumes (volume{'s' if len(host_paths) > 1 else ''} {listed})"


def _restricted(spec: Obj) -> Iterator[str]:
    containers, pod = _containers(spec), _security(spec)
    escalating = [c["name"] for c in containers if _security(c).get("allowPrivilegeEscalation") is not False]
    if escalating:
        must = "must set securityContext.allowPrivilegeEscalation=false"
        yield f"allowPrivilegeEscalation != false ({_named(escalating)} {must})"
    capable = [
        c["name"] for c in containers if "ALL" not in ((_security(c).get("capabilities") or {}).get("drop") or [])
    ]
    if capable:
        yield f'unrestricted capabilities ({_named(capable)} must set securityContext.capabilities.drop=["ALL"])'
    volumes = [volume["name"] for volume in spec.get("volumes") or [] if not _VOLUMES & set(volume)]
    if volumes:
        yield f"restricted volume types ({', '.join(volumes)})"
    rooted = [c["name"] for c in containers if _security(c).get("runAsNonRoot", pod.get("runAsNonRoot")) is not True]
    if rooted:
        yield f"runAsNonRoot != true (pod or {_named(rooted)} must set securityContext.runAsNonRoot=true)"
    if pod.get("runAsUser") == 0 or any(_security(c).get("runAsUser") == 0 for c in containers):
        yield "runAsUser=0 (pod or container must not set runAsUser=0)"
    profile = pod.get("seccompProfile")
    loose = [
        c["name"]
        for c in containers
        if (_security(c).get("seccompProfile") or profile or {}).get("type") not in ("RuntimeDefault", "Localhost")
    ]
    if loose:
        must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {_named(loose)} {must})"
