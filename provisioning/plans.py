"""Plans: the sizes that a store can have, as data, and what the operator lays over them.

A plan is what a store may use (its namespace's quota) and what its parts ask for (chart values).  What the parts ask
for must find room in the quota, a rolling update's second pod and the chart's test included: `shortfalls` tells.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from provisioning.cluster import Obj
from provisioning.quantities import quantity

OBJECTS: Mapping[str, int] = {
    "pods": 10,
    "persistentvolumeclaims": 4,
    "services": 5,
    "services.nodeports": 0,
    "services.loadbalancers": 0,
    "secrets": 30,  # Helm keeps one for each of its last ten revisions
    "configmaps": 10,
    "count/deployments.apps": 3,
    "count/statefulsets.apps": 3,
    "count/jobs.batch": 5,
    "count/ingresses.networking.k8s.io": 5,
}
"""How many objects a store may have, whatever its size."""

_TEST_POD = {"cpu": quantity("20m"), "memory": quantity("128Mi")}  # see the chart


@dataclass(frozen=True)
class Plan:
    """A size."""

    name: str
    title: str
    description: str
    cpu: str  # requests of all pods, a rolling update's second pod included
    memory: str  # limits of all pods
    storage: str  # of all volumes
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hard(self) -> Obj:
        """The quota."""
        sizes = {"requests.cpu": self.cpu, "limits.memory": self.memory, "requests.storage": self.storage}
        return {**sizes, **{kind: str(number) for kind, number in OBJECTS.items()}}

    @property
    def limits(self) -> list[Obj]:
        """What a container gets that asks for nothing itself."""
        share = max(64, int(quantity(self.memory) / 12 / 2**20))
        least = {"cpu": "10m", "memory": "64Mi"}
        return [{"type": "Container", "defaultRequest": least, "default": {"memory": f"{share}Mi"}}]


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("small", "Small", "To try things and for a first shop.", "1", "3Gi", "5Gi"),
        Plan(
            "medium",
            "Medium",
            "For a shop with daily orders.",
            "2",
            "6Gi",
            "10Gi",
            {
                "medusa": {
                    "resources": {"requests": {"cpu": "250m", "memory": "768Mi"}, "limits": {"memory": "1536Mi"}}
                },
                "postgresql": {
                    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
                    "persistence": {"size": "5Gi"},
                },
            },
        ),
        Plan(
            "large",
            "Large",
            "For a busy shop with a large catalogue.",
            "4",
            "12Gi",
            "40Gi",
            {
                "medusa": {"resources": {"requests": {"cpu": "1", "memory": "1536Mi"}, "limits": {"memory": "3Gi"}}},
                "postgresql": {
                    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
                    "persistence": {"size": "20Gi"},
                },
            },
        ),
    )
}
"""What there is to choose from, by name; `use` lays over it what the operator says, once, as the process starts."""


def _size(text: str) -> str:
    try:
        if not (math.isfinite(size := quantity(text)) and size > 0):
            raise ValueError
    except ValueError:
        raise ValueError("is not a size; write 500m or 2 for cores, 512Mi or 3Gi for bytes") from None
    return text


class _Written(BaseModel):
    """A plan in the operator's file; what it leaves out stays as it is, or has to be said of a new one."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    title: str | None = Field(default=None, min_length=1, max_length=40)
    description: str | None = Field(default=None, max_length=200)
    cpu: Annotated[str, AfterValidator(_size)] | None = None
    memory: Annotated[str, AfterValidator(_size)] | None = None
    storage: Annotated[str, AfterValidator(_size)] | None = None
    values: dict[str, Any] | None = None


def laid_over(written: object, plans: Mapping[str, Plan]) -> dict[str, Plan]:
    """`plans` under what the operator wrote: a mapping of plans by name, each with the fields of `_Written`.

    Raises ValueError with a sentence for what cannot be used.
    """
    if not isinstance(written, Mapping):
        raise ValueError("has to hold a mapping of plans by name, such as {small: {storage: 8Gi}}")
    found = dict(plans)
    for name, each in written.items():
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii() or len(name) > 30:
            raise ValueError(f"calls a plan “{str(name)[:30]}”; use letters, digits and _, such as small")
        try:
            said = _Written.model_validate(each).model_dump(exclude_none=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join([name, *(str(part)[:40] for part in first["loc"])])
            raise ValueError(f"{place}: {str(first['msg']).removeprefix('Value error, ')}") from None
        known = found.get(name)
        if known is None:
            if missing := [part for part in ("cpu", "memory", "storage") if part not in said]:
                raise ValueError(f"{name}: a new plan needs {', '.join(missing)}")
            known = Plan(name, name.capitalize(), "", said["cpu"], said["memory"], said["storage"])
        found[name] = Plan(**{**vars(known), **said})
    return found


def use(plans: Mapping[str, Plan]) -> None:
    """From now on these are what there is to choose from, in this process."""
    PLANS.clear()
    PLANS.update(plans)


def plan_of(name: str) -> Plan:
    """The plan of a store; of one whose plan is not known any more the roomiest, which takes nothing away."""
    return PLANS.get(name) or max(PLANS.values(), key=lambda plan: quantity(plan.memory))


def shortfalls(plan: Plan, values: Mapping[str, Any]) -> list[str]:
    """What the parts of a store with these Helm values ask for beyond `plan`'s quota, as ends of a sentence."""
    shop, database = values.get("medusa") or {}, values.get("postgresql") or {}
    scaling = shop.get("autoscaling") or {}
    replicas = scaling.get("maxReplicas") if scaling.get("enabled") else shop.get("replicas")
    pods = int(replicas or 1) + 1  # while it is rolled out
    parts = [(shop, pods), (database, 1)] if database.get("enabled", True) else [(shop, pods)]

    def asked(kind: str, what: str, otherwise: str) -> float:
        sizes = [quantity(((part.get("resources") or {}).get(kind) or {}).get(what, otherwise)) for part, _ in parts]
        return sum(size * times for size, (_, times) in zip(sizes, parts, strict=True)) + _TEST_POD[what]

    disk = database.get("persistence") or {}
    kept = database.get("enabled", True) and disk.get("enabled", True)
    wants = (
        ("CPU requests", "cores", asked("requests", "cpu", "10m"), plan.cpu),
        ("memory limits", "bytes", asked("limits", "memory", "256Mi"), plan.memory),
        ("storage", "bytes", quantity(disk.get("size") or 0) if kept else 0.0, plan.storage),
    )
    return [
        f"{what} of {_shown(size, unit)}, its quota is {quota}"
        for what, unit, size, quota in wants
        if size > quantity(quota) + 1e-9
    ]


def _shown(size: float, unit: str) -> str:
    return f"{size:g}" if unit == "cores" else f"{math.ceil(size / 2**20)}Mi"
