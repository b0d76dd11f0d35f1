"""The kinds of objects: where the API keeps each, what a cluster says that it serves, and what of that may be listed.

Pure.  `KINDS` are those that the engine speaks of by name; any other that a cluster serves is discovered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """One kind of object and where the API keeps it."""

    name: str
    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        path = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        if namespace and self.namespaced:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Namespace", "v1", "namespaces", namespaced=False),
        Kind("PersistentVolume", "v1", "persistentvolumes", namespaced=False),
        Kind("Node", "v1", "nodes", namespaced=False),
        Kind("Pod", "v1", "pods"),
        Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
        Kind("Service", "v1", "services"),
        Kind("Secret", "v1", "secrets"),
        Kind("ResourceQuota", "v1", "resourcequotas"),
        Kind("LimitRange", "v1", "limitranges"),
        Kind("Event", "v1", "events"),
        Kind("StatefulSet", "apps/v1", "statefulsets"),
        Kind("Deployment", "apps/v1", "deployments"),
        Kind("Ingress", "networking.k8s.io/v1", "ingresses"),
        Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        Kind("Lease", "coordination.k8s.io/v1", "leases"),
        Kind("IngressClass", "networking.k8s.io/v1", "ingressclasses", namespaced=False),
        Kind("Certificate", "cert-manager.io/v1", "certificates"),  # where there is a cert-manager
        Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
        Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        Kind("PodMetrics", "metrics.k8s.io/v1beta1", "pods"),  # where there is a metrics server
    )
}


def served(discoveries: Iterable[Mapping[str, Any]]) -> list[Kind]:
    """The kinds that can be listed, in the version that each group prefers.

    `discoveries`: APIGroupDiscoveryLists (aggregated discovery, Kubernetes 1.27 and newer).  A group whose server does
    not answer is left out.
    """
    found: dict[tuple[str, str], Kind] = {}
    for answer in discoveries:
        for group in answer.get("items") or []:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                if version.get("freshness") == "Stale":
                    continue
                api_version = f"{name}/{version['version']}" if name else version["version"]
                for resource in version.get("resources") or []:
                    if "list" in resource["verbs"]:
                        plural, kind = resource["resource"], resource["responseKind"]["kind"]
                        namespaced = resource["scope"] == "Namespaced"
                        found.setdefault((name, plural), Kind(kind, api_version, plural, namespaced))
    return list(found.values())


def listable(kinds: Iterable[Kind], status: Mapping[str, Any]) -> list[Kind]:
    """Those of `kinds` that a SelfSubjectRulesReview, by its status, lets us list; all where it does not tell all."""
    if status.get("incomplete"):
        return list(kinds)
    rules = [rule for rule in status.get("resourceRules") or [] if not rule.get("resourceNames")]
    return [kind for kind in kinds if any(_may_list(rule, kind) for rule in rules)]


def _may_list(rule: Mapping[str, Any], kind: Kind) -> bool:
    group = kind.api_version.rpartition("/")[0]
    asked = (("verbs", "list"), ("apiGroups", group), ("resources", kind.plural))
    return all({"*", each} & set(rule.get(part) or ()) for part, each in asked)
