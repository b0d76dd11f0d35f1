"""What a store can be made of: templates (a chart and a version), as data; its sizes are in `plans`.

`values` is the whole of what Helm is given for a store; no secret is in it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field

from provisioning.milestones import SECRET
from provisioning.models import Store
from provisioning.plans import plan_of

CHARTS = Path(__file__).resolve().parent.parent / "charts"

LABEL_INSTALLATION = "storefleet.dev/installation"
LABEL_STORE = "storefleet.dev/store"


@dataclass(frozen=True)
class Template:
    """A kind of shop: a chart in `charts/`."""

    name: str
    title: str
    description: str

    @property
    def chart(self) -> Path:
        return CHARTS / f"{self.name}-store"

    @property
    def version(self) -> str:
        """The shop's version, as the chart says it."""
        return _chart_version(self.chart)


TEMPLATES = {
    template.name: template
    for template in (
        Template("medusa", "Medusa", "An online shop with products, carts, orders and an admin of its own."),
    )
}


class Options(BaseModel):
    """What a person may choose about a new shop besides its name."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(
        default="",
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$",
        description="What the shop calls itself, without control characters; its name if empty.",
    )
    currency: str = Field(default="eur", pattern=r"^[a-z]{3}$", description="Three letters (ISO 4217), lower case.")
    sample_products: bool = Field(default=True, description="Begin with a few sample products.")


def labels(installation: str, store: Store) -> dict[str, str]:
    """What every object of a store carries."""
    return {LABEL_INSTALLATION: installation, LABEL_STORE: store.id}


def values(store: Store, installation: str, overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The Helm values of `store`: the plan's, under the operator's `overlay`, under what must be so."""
    options = Options.model_validate(store.options)
    address = urlsplit(store.url)
    own: dict[str, Any] = {
        "labels": labels(installation, store),
        "store": {
            "name": options.title or store.name,
            "url": store.url,
            "currency": options.currency,
            "sampleProducts": options.sample_products,
        },
        "secrets": {"existingSecret": SECRET},
        "ingress": {"host": address.hostname or ""},
    }
    if address.scheme == "https":
        own["ingress"]["tls"] = {"enabled": True}
    return merge(merge(plan_of(store.plan).values, overlay), own)


def secrets_elsewhere(values: Mapping[str, Any]) -> bool:
    """Whether, by these Helm values, an external secret store makes the stores' Secrets, and not we."""
    return bool((values.get("secrets") or {}).get("provider") == "external")


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, mappings merged, everything else replaced: as Helm lays values files."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        merged[key] = merge(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


@cache
def chart_digest(chart: Path) -> str:
    """A fingerprint of what a chart renders from, so that a changed chart makes a release out of date."""
    whole = hashlib.sha256()
    for file in sorted(path for path in chart.rglob("*") if path.is_file() and path.suffix != ".md"):
        whole.update(str(file.relative_to(chart)).encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def all_values(template: str, plan: str, overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The values that decide a store's size: the chart's, under the plan's, under the operator's `overlay`."""
    return merge(merge(_chart_values(TEMPLATES[template].chart), plan_of(plan).values), overlay)


@cache
def _chart_values(chart: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text())
    return loaded


@cache
def _chart_version(chart: Path) -> str:
    return str(yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"])
