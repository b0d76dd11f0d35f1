"""The objects that the engine itself applies around a release: namespace, secret, limits, network policies.

Pure.  They are not in the chart because they hold what a tenant must not decide, and what Helm must not keep (a release
stores its values and manifest in the cluster, secrets would lie there in clear).
"""

from base64 import b64encode
from collections.abc import Mapping

from provisioning import names
from provisioning.cluster import Obj
from provisioning.milestones import SECRET
from provisioning.models import Store
from provisioning.templates import LABEL_STORE, PLANS, labels

_PEERS = {"matchLabels": {"app.kubernetes.io/name": "medusa"}}
_DATABASE = {"matchLabels": {"app.kubernetes.io/name": "postgres"}}

OWNER = "storefleet.dev/owner"
"""An annotation of a namespace that says once more whose it is: labels may be taken off by hand."""


def namespace(store: Store, installation: str) -> Obj:
    """The store's namespace; its pods must pass Pod Security "restricted"."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": names.namespace(store.name),
            "labels": {
                **labels(installation, store),
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
            "annotations": {"storefleet.dev/store-name": store.name, OWNER: f"{installation}/{store.id}"},
        },
    }


def belongs_to(there: Obj, store_id: str) -> bool:
    """Whether a namespace that is there is the store's, by its label or its annotation."""
    metadata = there["metadata"]
    owner = (metadata.get("annotations") or {}).get(OWNER, "")
    return (metadata.get("labels") or {}).get(LABEL_STORE) == store_id or owner.endswith(f"/{store_id}")


def surroundings(store: Store, installation: str, secrets: Mapping[str, str]) -> list[Obj]:
    """What must be in the namespace before the release: the Secret with `secrets`, limits, policies."""
    plan = PLANS[store.plan]

    def obj(api_version: str, kind: str, name: str, **content: object) -> Obj:
        metadata = {
            "name": name,
            "namespace": names.namespace(store.name),
            "labels": labels(installation, store),
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}

    def policy(name: str, **spec: object) -> Obj:
        return obj("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)

    return [
        obj("v1", "Secret", SECRET, type="Opaque", data={key: _base64(value) for key, value in secrets.items()}),
        obj(
            "v1",
            "ResourceQuota",
            "store",
            spec={
                "hard": {
                    "requests.cpu": plan.cpu,
                    "limits.memory": plan.memory,
                    "requests.storage": plan.storage,
                    "pods": "10",
                    "persistentvolumeclaims": "4",
                    "services": "5",
                    "services.nodeports": "0",
                    "services.loadbalancers": "0",
                }
            },
        ),
        obj(
            "v1",
            "LimitRange",
            "store",
            spec={
                "limits": [
                    {
                        "type": "Container",
                        "defaultRequest": {"cpu": "10m", "memory": "64Mi"},
                        "default": {"memory": "256Mi"},
                    }
                ]
            },
        ),
        # Nothing in, nothing out, but: names, the database from the shop, the shop from outside all stores.
        policy("default-deny", podSelector={}, policyTypes=["Ingress", "Egress"]),
        policy(
            "dns",
            podSelector={},
            policyTypes=["Egress"],
            egress=[{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}],
        ),
        policy(
            "database",
            podSelector=_DATABASE,
            policyTypes=["Ingress"],
            ingress=[{"from": [{"podSelector": _PEERS}], "ports": [{"protocol": "TCP", "port": 5432}]}],
        ),
        policy(
            "shop",
            podSelector=_PEERS,
            policyTypes=["Ingress", "Egress"],
            ingress=[
                {
                    "from": [
                        {"podSelector": {}},
                        {"namespaceSelector": {"matchExpressions": [{"key": LABEL_STORE, "operator": "DoesNotExist"}]}},
                    ],
                    "ports": [{"protocol": "TCP", "port": 9000}],
                }
            ],
            egress=[{"to": [{"podSelector": _DATABASE}], "ports": [{"protocol": "TCP", "port": 5432}]}],
        ),
        # The chart's own test asks the shop.
        policy(
            "test",
            podSelector={"matchLabels": {"app.kubernetes.io/component": "test"}},
            policyTypes=["Egress"],
            egress=[{"to": [{"podSelector": _PEERS}], "ports": [{"protocol": "TCP", "port": 9000}]}],
        ),
    ]


def _base64(value: str) -> str:
    return b64encode(value.encode()).decode()
