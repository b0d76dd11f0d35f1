"""How it stands with the cluster, as pages and `/readyz` show it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from provisioning.engine import EngineStatus


@dataclass(frozen=True)
class ClusterStatus:
    """What the engine says of itself and of its cluster; the defaults stand until there is an engine."""

    cluster: Literal["connecting", "connected", "away"] = "connecting"
    detail: str = "Connecting to the cluster."  # a sentence for people
    version: str | None = None
    node_count: int | None = None
    sandbox: bool = False
    working: int = 0  # stores being provisioned or deleted right now
    queued: int = 0
    leader: bool = False

    @classmethod
    def of(cls, status: "EngineStatus") -> "ClusterStatus":
        return cls(**{name: getattr(status, name) for name in cls.__dataclass_fields__})
