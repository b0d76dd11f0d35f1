"""What the engine is told from outside: by the settings and by the operator's own files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioning.decide import Limits
from provisioning.fence import Fence
from provisioning.secrets import Sealer


@dataclass(frozen=True)
class EngineOptions:
    """The same for every store."""

    installation: str
    sealer: Sealer
    overlay: Mapping[str, Any] = field(default_factory=dict)  # values laid over the chart's, for every store
    fence: Fence = field(default_factory=Fence)  # who may talk to shops, and to whom they may
    ingress_url: str | None = None  # where shops are asked, when their names do not lead there
    slots: int = 5  # stores being provisioned at once
    limits: Limits = field(default_factory=Limits)
