"""What is wanted of each store as things stand: `wanted`, with what only the database and the cluster know of it.

Those are its secrets, opened, how far new ones are, and where the API servers are: a list of ways out leaves them shut.
"""

from dataclasses import replace

from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import api_servers, rotation
from provisioning.cluster import Cluster
from provisioning.engine_options import EngineOptions
from provisioning.models import Store, StoreSecret
from provisioning.rotation import Held
from provisioning.secrets import Sealer
from provisioning.states import State
from provisioning.wanted import Wanted, wanted


class Demand:
    """Of all stores."""

    def __init__(self, cluster: Cluster, options: EngineOptions) -> None:
        self._cluster, self._options, self._fence = cluster, options, options.fence

    async def of(self, session: AsyncSession, store: Store) -> Wanted:
        """Raises ClusterError, or SealBroken."""
        if not self._fence.api_servers:
            await self.learn_api_servers()
        secrets: dict[str, str] = {}
        present = Held()
        if store.state is not State.DELETING:  # which needs none, and must not fail of a key that was lost
            secrets, present = await held(session, self._options.sealer, store)
        wish = wanted(store, self._options.installation, secrets, self._options.overlay, self._fence)
        return replace(wish, held=present)

    async def learn_api_servers(self) -> bool:
        """Where they are.  Whether that is another answer than before.  Raises ClusterError."""
        if not self._options.fence.ways:
            return False
        before, found = self._fence, await api_servers.addresses(self._cluster)
        self._fence = replace(before, api_servers=found)
        return self._fence != before


async def held(session: AsyncSession, sealer: Sealer, store: Store) -> tuple[dict[str, str], Held]:
    """A store's secrets that are in force, opened, and how far new ones are.  Raises SealBroken."""
    row = await session.get_one(StoreSecret, store.id, populate_existing=True)
    values = sealer.unseal(row.sealed)
    asked, login = row.next is not None, rotation.login_of(values)
    return values, Held(row.generation, asked, login, row.former_login, row.granted_on)
