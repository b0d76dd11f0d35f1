"""Everything that a store should consist of, from its row, its secrets and what the operator set.  Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provisioning import objects
from provisioning.cache import digest
from provisioning.cluster import Obj
from provisioning.fence import Fence
from provisioning.models import Store
from provisioning.rotation import Held
from provisioning.templates import LABEL_STORE, TEMPLATES, chart_digest, secrets_elsewhere, values


@dataclass(frozen=True)
class Wanted:
    """A namespace, what lies around the release in it, and what the release is made from."""

    namespace: Obj
    surroundings: Sequence[Obj]
    chart: Path
    values: Mapping[str, Any]
    spec: str  # fingerprint of the release that is wanted: of chart and values, or of an earlier one
    present: str  # fingerprint of chart and values, which an INSTALL makes
    version: str  # of the shop, by that chart
    held: Held = field(default_factory=Held)  # how far new secrets are

    @property
    def name(self) -> str:
        """Of the namespace and of the release."""
        return str(self.namespace["metadata"]["name"])

    @property
    def pinned(self) -> bool:
        """Whether the wanted release is an earlier one, which chart and values do not make."""
        return self.spec != self.present

    @property
    def ours(self) -> tuple[str, str]:
        """The label, and its value, that everything of the store carries."""
        return LABEL_STORE, self.namespace["metadata"]["labels"][LABEL_STORE]


def wanted(
    store: Store, installation: str, secrets: Mapping[str, str], overlay: Mapping[str, Any], rules: Fence | None = None
) -> Wanted:
    """`secrets`: opened, none where somebody else makes the Secret; `overlay`: values that the operator lays over the
    chart's for every store; `rules`: who may talk to whom beyond it."""
    template = TEMPLATES[store.template]
    chart = template.chart
    own_values = values(store, installation, overlay)
    if secrets_elsewhere(own_values):
        secrets = {}
    present = digest([chart_digest(chart), own_values])
    return Wanted(
        namespace=objects.namespace(store, installation),
        surroundings=objects.surroundings(store, installation, secrets, rules or Fence(), own_values),
        chart=chart,
        values=own_values,
        spec=store.pinned or present,
        present=present,
        version=template.version,
    )
