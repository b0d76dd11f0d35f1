"""What the process is made of, handed to pages, routers and jobs as one argument."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.settings import Settings
from app.status import ClusterStatus
from provisioning.changes import Changes
from provisioning.database import Database

if TYPE_CHECKING:
    from app.sessions import Sessions
    from app.stores import Stores
    from app.tokens import Tokens
    from app.users import Users
    from provisioning.engine import Engine
    from provisioning.sandbox import Sandbox
    from provisioning.secrets import Sealer


@dataclass
class Services:
    """The parts, wired by `main.build`.  The engine and the sandbox come a moment after the first page is served."""

    settings: Settings
    database: Database
    changes: Changes
    sealer: "Sealer"
    users: "Users"
    sessions: "Sessions"
    tokens: "Tokens"
    stores: "Stores"
    engine: "Engine | None" = None
    sandbox: "Sandbox | None" = None
    before_engine: ClusterStatus = field(default_factory=ClusterStatus)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # set when streams have to end

    def status(self) -> ClusterStatus:
        """How it stands with the cluster and the engine, at any time: also before the engine is there."""
        if self.engine is None:
            return self.before_engine
        return ClusterStatus.of(self.engine.status(), self.before_engine.sandbox)


def services_of(app: Any) -> Services:
    """The services of a FastAPI application that `main.build` or `api.build` made."""
    services: Services = app.state.services
    return services
