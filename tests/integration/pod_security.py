"""The Pod Security Standard "restricted", as its text has it, asked of a pod's specification.

https://kubernetes.io/docs/concepts/security/pod-security-standards/: the API server's own check runs where there is a
cluster; this one names every fault at once, without one.
"""

from typing import Any

HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC")
VOLUME_KINDS = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(pod: dict[str, Any]) -> list[str]:
    """What the standard forbids in a pod's `spec`, a line each."""
    found = [field for field in HOST_FIELDS if pod.get(field)]
    for volume in pod.get("volumes", []):
        found += [f"volume {volume['name']}: {kind}" for kind in set(volume) - VOLUME_KINDS - {"name"}]
    shared = pod.get("securityContext", {})
    if shared.get("sysctls"):
        found.append("sysctls")
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        name, own = container["name"], container.get("securityContext", {})
        effective = {**shared, **own}
        capabilities = own.get("capabilities", {})
        wrong = {
            "privileged": bool(own.get("privileged")),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
            "capabilities.drop": "ALL" not in capabilities.get("drop", []),
            "capabilities.add": bool(set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}),
            "runAsNonRoot": effective.get("runAsNonRoot") is not True,
            "runAsUser": effective.get("runAsUser") == 0,
            "seccompProfile": effective.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"),
            "procMount": own.get("procMount", "Default") != "Default",
            "hostPort": any(port.get("hostPort") for port in container.get("ports", [])),
        }
        found += [f"container {name}: {field}" for field, is_wrong in wrong.items() if is_wrong]
    return found
