"""How it stands with the cluster, as pages and `/readyz` show it."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.engine import EngineStatus


@dataclass(frozen=True)
class ClusterStatus:
    """What the engine says of itself and of its cluster; the defaults stand until there is an engine."""

    cluster: str = "connecting"  # "connecting", "connected", "away" or "another"
    detail: str = ""  # what is the matter, as a sentence; "" when all is well
    version: str | None = None
    node_count: int | None = None
    sandbox: bool = False
    working: int = 0  # stores being provisioned or deleted right now
    queued: int = 0
    # Seconds since the quietest watch was heard.  Always another one: no change that every open page has to hear of.
    cache_age: float = field(default=0.0, compare=False)

    @classmethod
    def of(cls, status: "EngineStatus", sandbox: bool) -> "ClusterStatus":
        return cls(**asdict(status), sandbox=sandbox)
