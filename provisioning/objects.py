"""The objects that the engine itself applies around a release: namespace, secret, limits, network policies.

Pure.  They are not in the chart because they hold what a tenant must not decide, and what Helm must not keep (a release
stores its values and manifest in the cluster, secrets would lie there in clear).
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from provisioning import fence, names
from provisioning.cluster import Obj
from provisioning.milestones import SECRET
from provisioning.models import Store
from provisioning.plans import plan_of
from provisioning.templates import LABEL_STORE, labels

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


def surroundings(
    store: Store, installation: str, secrets: Mapping[str, str], rules: fence.Fence, values: Mapping[str, Any]
) -> list[Obj]:
    """What must be in the namespace before the release: limits, policies, and the Secret with `secrets` if there are
    any (`values`: the release's; where they have the Secret made by somebody else, there are none)."""
    plan = plan_of(store.plan)

    def obj(api_version: str, kind: str, name: str, **content: object) -> Obj:
        metadata = {
            "name": name,
            "namespace": names.namespace(store.name),
            "labels": labels(installation, store),
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}

    around = [
        obj("v1", "ResourceQuota", "store", spec={"hard": plan.hard}),
        obj("v1", "LimitRange", "store", spec={"limits": plan.limits}),
    ]
    for name, spec in fence.policies(rules, values, LABEL_STORE).items():
        around.append(obj("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec))
    if secrets:
        data = {key: _base64(value) for key, value in secrets.items()}
        around.append(obj("v1", "Secret", SECRET, type="Opaque", data=data))
    return around


def _base64(value: str) -> str:
    return b64encode(value.encode()).decode()
