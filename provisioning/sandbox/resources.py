"""The kinds that the sandbox serves: a table, as discovery shows it.

Only what a store, Storefleet itself or their charts consist of.  A kind that is not here gets the answer that a
cluster without it gives: 404.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    group: str  # "" is the core group
    version: str
    plural: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    stored: bool = True  # False: never kept; a question that is answered, or what is measured at the moment
    verbs: tuple[str, ...] = ()  # that it takes, where not all

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name as error messages have it, such as `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def base_path(self) -> str:
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"


def _core(plural: str, kind: str, namespaced: bool = True, short: str = "", sub: str = "") -> Resource:
    return Resource("", "v1", plural, kind, namespaced, tuple(short.split()), tuple(sub.split()))


def _grouped(api: str, plural: str, kind: str, namespaced: bool = True, short: str = "", sub: str = "") -> Resource:
    group, version = api.split("/")
    return Resource(group, version, plural, kind, namespaced, tuple(short.split()), tuple(sub.split()))


def _question(plural: str, kind: str) -> Resource:
    return Resource("authorization.k8s.io", "v1", plural, kind, False, stored=False, verbs=("create",))


RESOURCES: tuple[Resource, ...] = (
    _core("namespaces", "Namespace", False, "ns", "status finalize"),
    _core("nodes", "Node", False, "no", "status"),
    _core("persistentvolumes", "PersistentVolume", False, "pv", "status"),
    _core("pods", "Pod", True, "po", "status eviction log exec"),
    _core("services", "Service", True, "svc", "status"),
    _core("configmaps", "ConfigMap", True, "cm"),
    _core("secrets", "Secret"),
    _core("serviceaccounts", "ServiceAccount", True, "sa"),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", True, "pvc", "status"),
    _core("resourcequotas", "ResourceQuota", True, "quota", "status"),
    _core("limitranges", "LimitRange", True, "limits"),
    _core("events", "Event", True, "ev"),
    _grouped("apps/v1", "deployments", "Deployment", True, "deploy", "status scale"),
    _grouped("apps/v1", "replicasets", "ReplicaSet", True, "rs", "status scale"),
    _grouped("apps/v1", "statefulsets", "StatefulSet", True, "sts", "status scale"),
    _grouped("apps/v1", "controllerrevisions", "ControllerRevision"),
    _grouped("batch/v1", "jobs", "Job", True, "", "status"),
    _grouped("networking.k8s.io/v1", "ingresses", "Ingress", True, "ing", "status"),
    _grouped("networking.k8s.io/v1", "ingressclasses", "IngressClass", False),
    _grouped("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", True, "netpol"),
    _grouped("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True, "pdb", "status"),
    _grouped("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, "hpa", "status"),
    _grouped("rbac.authorization.k8s.io/v1", "roles", "Role"),
    _grouped("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
    _grouped("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False),
    _grouped("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", False),
    _grouped("storage.k8s.io/v1", "storageclasses", "StorageClass", False, "sc"),
    _grouped("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", False, "pc"),
    _grouped("coordination.k8s.io/v1", "leases", "Lease"),
    _grouped("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
    _grouped("external-secrets.io/v1", "externalsecrets", "ExternalSecret"),  # which nobody acts on here
    _question("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _question("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True, stored=False, verbs=("get", "list")),
)

BY_PLURAL: dict[tuple[str, str, str], Resource] = {(r.group, r.version, r.plural): r for r in RESOURCES}
_BY_KIND: dict[str, Resource] = {resource.kind: resource for resource in RESOURCES}


def resource_of(kind: str) -> Resource:
    """The resource of a kind; kinds are unique here.  Raises KeyError for one that is not served."""
    return _BY_KIND[kind]
