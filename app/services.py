"""What the process is made of, handed to pages, routers and jobs as one argument."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app import startup
from app.audit import Audit
from app.identities import Identities
from app.inside import Inside
from app.invitations import Invitations
from app.oidc import Provider
from app.password_links import PasswordLinks
from app.platform import Platform
from app.sessions import Sessions
from app.settings import Settings
from app.statistics import Statistics
from app.status import ClusterStatus
from app.stores import Stores
from app.tokens import Tokens
from app.users import Users
from app.usual import Usual
from provisioning.changes import Changes, UserChanges
from provisioning.database import Database
from provisioning.secrets import Sealer

if TYPE_CHECKING:
    from provisioning.engine import Engine
    from provisioning.leader import Leader
    from provisioning.sandbox import Sandbox


@dataclass
class Services:
    """The parts.  The engine and the sandbox come a moment after the first page is served."""

    settings: Settings
    database: Database
    changes: Changes
    user_changes: UserChanges
    sealer: Sealer
    users: Users
    sessions: Sessions
    tokens: Tokens
    invitations: Invitations
    password_links: PasswordLinks
    identities: Identities
    provider: Provider | None  # of OpenID; None where the settings name none
    stores: Stores
    audit: Audit
    statistics: Statistics
    engine: "Engine | None" = None
    leader: "Leader | None" = None
    sandbox: "Sandbox | None" = None
    before_engine: ClusterStatus = field(default_factory=ClusterStatus)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # set when streams have to end
    platform: Platform = field(init=False)
    inside: Inside = field(init=False)
    usual: Usual = field(init=False)

    def __post_init__(self) -> None:
        self.platform, self.inside, self.usual = Platform(self), Inside(self.stores, self.changes), Usual(self.database)

    def status(self) -> ClusterStatus:
        """How it stands with the cluster and the engine, at any time: also before the engine is there."""
        if self.engine is None:
            return self.before_engine
        return ClusterStatus.of(self.engine.status(), self.before_engine.sandbox)


def compose(settings: Settings) -> Services:
    """The parts, wired; nothing runs yet."""
    database, changes, sealer = Database(settings.database_address), Changes(), Sealer(startup.keys(settings))
    people = UserChanges()
    users = Users(database, people)
    return Services(
        settings=settings,
        database=database,
        changes=changes,
        sealer=sealer,
        user_changes=people,
        users=users,
        sessions=Sessions(database, people),
        tokens=Tokens(database, people),
        invitations=Invitations(database),
        password_links=PasswordLinks(database, users, people),
        identities=Identities(database),
        provider=Provider(settings) if settings.oidc_issuer else None,
        stores=Stores(database, changes, settings, sealer),
        audit=Audit(database),
        statistics=Statistics(database),
    )


def services_of(app: Any) -> Services:
    """The services of the FastAPI application that `main.build` or `api.build` put them on."""
    services: Services = app.state.services
    return services
